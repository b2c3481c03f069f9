//! What all optimisers have in common: parameters in groups, steps, and state that can be saved.

mod algorithm;
mod flat;
mod fused;
mod groups;
mod parameters;
mod saved;
#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::DerefMut;

use tch::nn::VarStore;
use tch::{TchError, Tensor};

pub(super) use algorithm::optimizer_config;
pub use algorithm::{Algorithm, Boxed, OptimizerConfig, Setting};
pub(super) use flat::Flat;
pub(super) use fused::{FusedAdam, FusedSgd, forget_gradients};
use groups::Groups;
use parameters::Parameters;
pub(super) use parameters::STEP;
pub use parameters::{Parameter, State};
pub(super) use saved::{Reader, Writer};

use super::clip;
use crate::modes::no_grad;

/// Changes the variables of a store by their gradients; built from a configuration such as
/// [`nn::AdamW`](crate::nn::AdamW).
///
/// As in PyTorch, a parameter without a gradient stays as it is, without weight decay. Variables that are put into the
/// store later are trained from the next step on. A variable that has two names is one parameter.
///
/// **Groups:** the variables of a path with `path.set_group(1)`, or those that [`optim::group_by`](super::group_by)
/// names, have a learning rate, a weight decay and other settings of their own. What is set without a group holds for
/// all, and for groups that come later.
///
/// **Saved and taken up again:** with the weights and the state of the optimiser a training goes on as if it had not
/// ended. [`Optimizer::steps`] is the position of a schedule.
///
/// ```
/// use oxtorch::prelude::*;
/// let folder = std::env::temp_dir().join("oxtorch-optimiser");
/// std::fs::create_dir_all(&folder)?;
/// let mut vs = nn::VarStore::new(device());
/// let net = nn::linear(vs.root(), 4, 2, Default::default());
/// let x = Tensor::randn([8, 4], (Kind::Float, device()));
/// let schedule = optim::OneCycleLR::new(1e-2, 100);
/// let mut optimizer = nn::AdamW::default().build(&vs, 1e-2)?;
/// for _ in 0..10 {
///     optimizer.set_lr(schedule.lr(optimizer.steps()));
///     optimizer.backward_step(&net.forward(&x).square().mean(Kind::Float));
/// }
/// vs.save(folder.join("weights.safetensors"))?;
/// optimizer.save(folder.join("optimizer.safetensors"))?;
///
/// // Later, perhaps in another notebook, with the same network:
/// let mut optimizer = nn::AdamW::default().build(&vs, 1e-2)?;
/// vs.load(folder.join("weights.safetensors"))?;
/// optimizer.load(folder.join("optimizer.safetensors"))?;
/// assert_eq!(optimizer.steps(), 10);
/// # std::fs::remove_dir_all(&folder)?;
/// ```
pub struct Optimizer {
    parameters: Apart<Parameters>,
    groups: Apart<Groups>,
    steps: usize,
}

/// What is dropped by a call through its vtable. Each cell that drops an optimiser would compile how the maps below it
/// are dropped.
type Apart<T> = Box<dyn DerefMut<Target = T> + Send>;

fn apart<T: Send + 'static>(value: T) -> Apart<T> {
    Box::new(Box::new(value))
}

impl Optimizer {
    pub(super) fn new(algorithm: Box<dyn Algorithm>, vs: &VarStore, lr: f64) -> Result<Self, TchError> {
        let groups = Groups::new(algorithm, lr).map_err(TchError::Torch)?;
        let mut optimizer = Self { parameters: apart(Parameters::of(vs)), groups: apart(groups), steps: 0 };
        optimizer.take_up();
        Ok(optimizer)
    }

    /// Takes what was put into the store, or into another group, since the last call.
    fn take_up(&mut self) {
        self.parameters.take_up();
        self.parameters.groups().for_each(|group| self.groups.open(group));
    }

    /// Forgets all gradients; the next `backward` begins new ones.
    pub fn zero_grad(&mut self) {
        self.take_up();
        forget_gradients(&self.parameters.tensors());
    }

    /// Changes each parameter that has a gradient.
    ///
    /// # Panics
    ///
    /// Where a gradient is sparse, and the algorithm takes none: only SGD and Adagrad do.
    pub fn step(&mut self) {
        self.take_up();
        no_grad(|| {
            for (number, group) in self.groups.iter() {
                let mut ready = self.parameters.ready(number, group);
                if !ready.is_empty() {
                    group.algorithm.step(group.lr, &mut ready);
                }
            }
        });
        self.steps += 1;
    }

    /// How many steps were taken, also before the state was saved and loaded: the time for
    /// [`Schedule::lr`](super::Schedule::lr).
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// [`Optimizer::zero_grad`], `loss.backward()` and [`Optimizer::step`].
    pub fn backward_step(&mut self, loss: &Tensor) {
        self.zero_grad();
        loss.backward();
        self.step();
    }

    /// As [`Optimizer::backward_step`], with each element of each gradient cut to `-max` to `max`.
    pub fn backward_step_clip(&mut self, loss: &Tensor, max: f64) {
        self.zero_grad();
        loss.backward();
        self.clip_grad_value(max);
        self.step();
    }

    /// As [`Optimizer::backward_step`], with gradients whose L2 norm together is at most `max`.
    pub fn backward_step_clip_norm(&mut self, loss: &Tensor, max: f64) {
        self.zero_grad();
        loss.backward();
        self.clip_grad_norm(max);
        self.step();
    }

    /// Cuts each element of each gradient to `-max` to `max`, see [`optim::clip_grad_value`](super::clip_grad_value).
    pub fn clip_grad_value(&self, max: f64) {
        clip::cut(&clip::gradients(&self.trainable_variables()), max);
    }

    /// Scales all gradients so that their L2 norm together is at most `max`. To have the norm that they had, call
    /// [`optim::clip_grad_norm`](super::clip_grad_norm).
    pub fn clip_grad_norm(&self, max: f64) {
        clip::scale(&clip::gradients(&self.trainable_variables()), max);
    }

    /// The variables that are trained.
    pub fn trainable_variables(&self) -> Vec<Tensor> {
        self.parameters.of_store()
    }
}

/// The name and the groups with their settings, as PyTorch writes them.
impl fmt::Debug for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", **self.groups)
    }
}
