//! Averaged weights: an exponential moving average of the parameters, which often generalises better than the last
//! ones.

use std::collections::HashMap;

use tch::Tensor;
use tch::nn::VarStore;

use crate::modes::no_grad;
use crate::nn;

/// `average = decay * average + (1 - decay) * parameter` after each step (B. Polyak and A. Juditsky, 1992; as
/// `torch.optim.swa_utils.get_ema_multi_avg_fn`). Variables that are not trained, such as the statistics of a batch
/// norm, are taken as they are.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(device());
/// let net = nn::linear(vs.root(), 4, 2, Default::default());
/// let mut optimizer = nn::Sgd::default().build(&vs, 0.1)?;
/// let mut ema = optim::Ema::new(&vs, 0.99);
/// for _ in 0..10 {
///     let loss = net.forward(&Tensor::randn([8, 4], (Kind::Float, device()))).square().mean(Kind::Float);
///     optimizer.backward_step(&loss);
///     ema.update(&vs);
/// }
/// ema.swap(&vs); // Evaluate with the averages ...
/// ema.swap(&vs); // ... and train on with the parameters.
/// ```
#[derive(Debug)]
pub struct Ema {
    pub(crate) decay: f64,
    averages: HashMap<String, Average>,
}

#[derive(Debug)]
struct Average {
    /// The variable itself: a layer that is made anew has another under the same name, whose average begins anew.
    of: Tensor,
    value: Tensor,
}

impl Average {
    fn begin(variable: &Tensor) -> Self {
        Self { of: variable.shallow_clone(), value: variable.detach().copy() }
    }

    fn is_of(&self, variable: &Tensor) -> bool {
        self.of.data_ptr() == variable.data_ptr()
    }
}

impl Ema {
    /// Begins with the parameters as they are. A decay near 1 averages over more steps: about `1 / (1 - decay)`.
    ///
    /// # Panics
    ///
    /// Where the decay is not in 0 to 1.
    pub fn new(vs: &VarStore, decay: f64) -> Self {
        Self::of(&nn::by_name(vs), decay)
    }

    /// As [`Ema::new`], of variables by name.
    pub(crate) fn of(variables: &[(String, Tensor)], decay: f64) -> Self {
        assert!((0.0..=1.0).contains(&decay), "Ema: a decay of {decay}; it must be between 0 and 1, such as 0.999");
        let begun = variables.iter().map(|(name, variable)| (name.clone(), Average::begin(variable)));
        Self { decay, averages: begun.collect() }
    }

    /// Takes the present parameters into the averages.
    pub fn update(&mut self, vs: &VarStore) {
        self.take(&nn::by_name(vs));
    }

    /// As [`Ema::update`], of variables by name.
    pub(crate) fn take(&mut self, variables: &[(String, Tensor)]) {
        no_grad(|| {
            for (name, variable) in variables {
                let average = self.averages.get_mut(name).filter(|average| average.is_of(variable));
                let Some(Average { value: average, .. }) = average else {
                    self.averages.insert(name.clone(), Average::begin(variable));
                    continue;
                };
                if variable.requires_grad() {
                    *average *= self.decay;
                    *average += variable * (1.0 - self.decay);
                } else {
                    average.copy_(variable);
                }
            }
        });
    }

    /// Exchanges parameters and averages. The second call restores what the first one changed.
    pub fn swap(&mut self, vs: &VarStore) {
        self.exchange(&nn::by_name(vs));
    }

    /// As [`Ema::swap`], of variables by name.
    pub(crate) fn exchange(&mut self, variables: &[(String, Tensor)]) {
        no_grad(|| {
            for (name, variable) in variables {
                let average = self.averages.get_mut(name).filter(|average| average.is_of(variable));
                if let Some(average) = average {
                    let parameter = variable.detach().copy();
                    variable.shallow_clone().copy_(&average.value);
                    average.value = parameter;
                }
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn the_average_is_pytorchs_and_a_swap_is_undone_by_another() {
        let reference = Reference::parse(include_str!("../../../tests/reference/optim.json"));
        let vs = VarStore::new(Device::Cpu);
        let mut weight = vs.root().zeros("weight", &[4]);
        let set = |weight: &mut Tensor, pointer: &str| no_grad(|| weight.copy_(&reference.tensor(pointer)));
        set(&mut weight, "/ema/0");
        let mut ema = Ema::new(&vs, 0.7);
        for step in 1..4 {
            set(&mut weight, &format!("/ema/{step}"));
            ema.update(&vs);
        }
        ema.swap(&vs);
        reference.check("/ema/average", &weight, 1e-6);
        ema.swap(&vs);
        reference.check("/ema/3", &weight, 0.0);
    }

    #[test]
    fn a_variable_that_is_made_anew_begins_a_new_average() {
        let vs = VarStore::new(Device::Cpu);
        let _old = vs.root().zeros("weight", &[2]);
        let mut ema = Ema::new(&vs, 0.5);
        let new = Tensor::ones([2], (tch::Kind::Float, Device::Cpu)).set_requires_grad(true);
        let _ = vs
            .variables_
            .lock()
            .expect("no test panics here")
            .named_variables
            .insert("weight".into(), new.shallow_clone());
        // What the layer before was is not put into it.
        ema.swap(&vs);
        assert_eq!(new.min().double_value(&[]), 1.0);
        ema.update(&vs);
        ema.swap(&vs);
        assert_eq!(new.min().double_value(&[]), 1.0);
    }
}
