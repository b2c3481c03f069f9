//! Gradients kept within bounds, between `backward` and `step`.

use tch::nn::VarStore;
use tch::{Kind, Tensor};

use crate::modes::no_grad;

/// The L2 norm of all gradients together, as if they were one vector; 0 where there is none yet.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let w = vs.root().ones("w", &[4]);
/// (w * 3.0).sum(Kind::Float).backward();
/// assert_eq!(optim::grad_norm(&vs), 6.0);
/// ```
pub fn grad_norm(vs: &VarStore) -> f64 {
    total_norm(&gradients(&vs.trainable_variables()))
}

/// Scales all gradients so that their L2 norm together is at most `max`; returns the norm that they had, which is worth
/// plotting. As `torch.nn.utils.clip_grad_norm_` (R. Pascanu et al., On the difficulty of training recurrent neural
/// networks, 2013).
///
/// A norm that is not finite leaves gradients that are not finite either: look at what is returned.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let w = vs.root().ones("w", &[4]);
/// (w * 3.0).sum(Kind::Float).backward();
/// assert_eq!(optim::clip_grad_norm(&vs, 1.0), 6.0);
/// assert!((optim::grad_norm(&vs) - 1.0).abs() < 1e-5);
/// ```
pub fn clip_grad_norm(vs: &VarStore, max: f64) -> f64 {
    scale(&gradients(&vs.trainable_variables()), max)
}

/// Cuts each element of each gradient to `-max` to `max`; as `torch.nn.utils.clip_grad_value_`.
///
/// ```
/// use oxtorch::prelude::*;
/// let vs = nn::VarStore::new(Device::Cpu);
/// let w = vs.root().ones("w", &[4]);
/// (&w * 3.0).sum(Kind::Float).backward();
/// optim::clip_grad_value(&vs, 0.5);
/// assert_eq!(w.grad().max().double_value(&[]), 0.5);
/// ```
pub fn clip_grad_value(vs: &VarStore, max: f64) {
    cut(&gradients(&vs.trainable_variables()), max);
}

pub(super) fn gradients(variables: &[Tensor]) -> Vec<Tensor> {
    variables.iter().map(Tensor::grad).filter(Tensor::defined).collect()
}

/// Scales gradients whose norm together is greater than `max`; gives the norm that they had.
pub(super) fn scale(gradients: &[Tensor], max: f64) -> f64 {
    let norm = total_norm(gradients);
    let scale = max / (norm + 1e-6);
    // Not `scale < 1.0`: where the norm is not a number the gradients become so too, as PyTorch's do.
    if !matches!(scale.partial_cmp(&1.0), Some(std::cmp::Ordering::Greater | std::cmp::Ordering::Equal)) {
        no_grad(|| gradients.iter().for_each(|gradient| drop(gradient.shallow_clone().g_mul_scalar_(scale))));
    }
    norm
}

pub(super) fn cut(gradients: &[Tensor], max: f64) {
    no_grad(|| gradients.iter().for_each(|gradient| drop(gradient.shallow_clone().clamp_(-max, max))));
}

fn total_norm(gradients: &[Tensor]) -> f64 {
    let norms: Vec<Tensor> = gradients.iter().map(|gradient| gradient.norm().to_kind(Kind::Double)).collect();
    if norms.is_empty() { 0.0 } else { Tensor::stack(&norms, 0).norm().double_value(&[]) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::{self, VarStore};
    use crate::optim::group_by;
    use crate::reference::Reference;
    use tch::Device;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/optim.json"))
    }

    /// A network with known parameters and its gradients for a known batch.
    fn network(reference: &Reference) -> (VarStore, nn::Sequential) {
        let vs = VarStore::new(Device::Cpu);
        let net = nn::seq()
            .add(nn::linear(vs.root() / 0, 5, 7, Default::default()))
            .add_fn(Tensor::tanh)
            .add(nn::linear(vs.root() / 2, 7, 3, Default::default()));
        reference.load("/network/parameters", &vs);
        (vs, net)
    }

    fn loss(reference: &Reference, net: &nn::Sequential) -> Tensor {
        let xs = reference.tensor("/network/input");
        nn::Module::forward(net, &xs).cross_entropy_for_logits(&reference.tensor("/network/target"))
    }

    fn check_all(reference: &Reference, pointer: &str, of: impl Fn(&str) -> Tensor) {
        for name in ["0.weight", "0.bias", "2.weight", "2.bias"] {
            reference.check(&format!("{pointer}/{name}"), &of(name), 1e-5);
        }
    }

    #[test]
    fn clipped_gradients_are_pytorchs() {
        let reference = reference();
        for (name, max) in [("tight", 0.05), ("wide", 100.0)] {
            let (vs, net) = network(&reference);
            loss(&reference, &net).backward();
            let norm = clip_grad_norm(&vs, max);
            assert!((norm - reference.number("/network/norm")).abs() < 1e-5, "{norm}");
            check_all(&reference, &format!("/network/{name}"), |name| vs.variables()[name].grad());
        }
        let (vs, net) = network(&reference);
        loss(&reference, &net).backward();
        clip_grad_value(&vs, 0.02);
        check_all(&reference, "/network/cut", |name| vs.variables()[name].grad());
    }

    #[test]
    fn without_gradients_there_is_nothing_to_clip() {
        let (vs, _) = network(&reference());
        assert_eq!(clip_grad_norm(&vs, 1.0), 0.0);
    }

    #[test]
    fn steps_with_groups_and_weight_decay_are_pytorchs() {
        let reference = reference();
        let (vs, net) = network(&reference);
        group_by(&vs, |name, _| usize::from(name.ends_with("bias")));
        let mut optimizer = nn::AdamW::default().wd(0.1).build(&vs, 0.01).expect("an optimiser");
        optimizer.set_weight_decay_group(1, 0.0);
        optimizer.set_lr_group(1, 0.02);
        for _ in 0..5 {
            optimizer.zero_grad();
            loss(&reference, &net).backward();
            clip_grad_norm(&vs, 0.1);
            optimizer.step();
        }
        check_all(&reference, "/network/adamw", |name| vs.variables()[name].shallow_clone());

        let (vs, net) = network(&reference);
        let config = nn::Sgd { momentum: 0.9, wd: 0.05, nesterov: true, dampening: 0.0 };
        let mut optimizer = config.build(&vs, 0.1).expect("an optimiser");
        for _ in 0..5 {
            optimizer.backward_step(&loss(&reference, &net));
        }
        check_all(&reference, "/network/sgd", |name| vs.variables()[name].shallow_clone());
    }
}
