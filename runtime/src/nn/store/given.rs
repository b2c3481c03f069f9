//! Networks that are made of weights that are there: `functional_call`.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tch::Tensor;

use super::path::Path;
use super::var_store::VarStore;
use crate::lock::lock;

/// Weights by name, and whether a layer has taken them.
type Weights = BTreeMap<String, (Tensor, bool)>;

/// The weights that layers get instead of new ones.
#[derive(Debug)]
pub(super) struct Given {
    weights: Mutex<Weights>,
}

fn names(weights: &Weights) -> String {
    weights.keys().map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ")
}

impl Given {
    /// The weight of a name, for a variable of a size.
    pub(super) fn take(&self, name: &str, size: &[i64]) -> Tensor {
        let mut weights = lock(&self.weights);
        if !weights.contains_key(name) {
            panic!("functional_call: the network asks for a variable {name:?}; the store has {}", names(&weights));
        }
        let (weight, is_taken) = weights.get_mut(name).expect("it is there");
        assert!(
            weight.size() == size,
            "functional_call: the variable {name:?} has the size {:?}, and the network asks for {size:?}",
            weight.size()
        );
        *is_taken = true;
        weight.shallow_clone()
    }

    fn left(&self) -> Vec<String> {
        let weights = lock(&self.weights);
        weights.iter().filter(|(_, (_, is_taken))| !is_taken).map(|(name, _)| name.clone()).collect()
    }
}

/// A network with other weights in place of those of its store: `torch.func.functional_call`, for meta-learning or an
/// ensemble. The function makes the network, as for the store itself; its layers get the weights that are given, by
/// their names in the store, and the store's own for all others. The weights may be part of a graph, which gradients
/// then go through. The store stays as it is.
///
/// ```
/// use oxtorch::prelude::*;
/// fn net(path: &nn::Path) -> nn::Sequential {
///     let hidden = nn::linear(path / "hidden", 1, 40, Default::default());
///     nn::seq().add(hidden).relu().add(nn::linear(path / "out", 40, 1, Default::default()))
/// }
/// let vs = nn::VarStore::new(device());
/// let model = net(&vs.root());
/// let x = Tensor::randn([8, 1], (Kind::Float, device()));
///
/// // A step of MAML (C. Finn et al., 2017, <https://arxiv.org/abs/1703.03400>).
/// let weights = vs.named_parameters();
/// let loss = model.forward(&x).square().mean(Kind::Float);
/// let gradients = autograd::Grad::of(&loss).create_graph().by(&weights);
/// let steps = weights.iter().zip(gradients);
/// let adapted: Vec<_> = steps.map(|((name, weight), gradient)| (name.clone(), weight - gradient * 0.01)).collect();
/// let fast = nn::functional_call(&vs, &adapted, net);
/// fast.forward(&x).square().mean(Kind::Float).backward();
/// assert!(weights.iter().all(|(_, weight)| weight.grad().defined()));
/// ```
///
/// # Panics
///
/// If a weight has a name that the store does not have, or another size; if the network asks for other variables than
/// the store has, or has layers of `tch::nn`, which make their weights themselves.
pub fn functional_call<N, W: Borrow<Tensor>>(
    vs: &VarStore,
    weights: &[(String, W)],
    network: impl FnOnce(&Path<'_>) -> N,
) -> N {
    let mut all: Weights = vs.variables().into_iter().map(|(name, variable)| (name, (variable, false))).collect();
    for (name, weight) in weights {
        if !all.contains_key(name) {
            panic!("functional_call: the store has no variable {name:?}; it has {}", names(&all));
        }
        all.insert(name.clone(), (weight.borrow().shallow_clone(), false));
    }
    let given = Arc::new(Given { weights: Mutex::new(all) });
    let mut empty = VarStore::new(vs.device());
    empty.set_kind(vs.kind());
    let made = network(&empty.root().with_weights(Arc::clone(&given)));
    let others = empty.variables();
    if let Some(name) = others.keys().next() {
        panic!(
            "functional_call: the layer of the variable {name:?} is of `tch::nn`, which takes no weights; use that of `nn`"
        );
    }
    let left: Vec<String> =
        given.left().into_iter().filter(|name| weights.iter().any(|(given, _)| given == name)).collect();
    assert!(left.is_empty(), "functional_call: the network has not asked for the weights {left:?}");
    made
}

#[cfg(test)]
mod tests {
    use tch::nn::{Module, ModuleT};
    use tch::{Device, Kind};

    use super::*;
    use crate::autograd::grad;
    use crate::nn;
    use crate::tests::panic_message;

    fn net(path: &Path<'_>) -> nn::SequentialT {
        nn::seq_t()
            .add(nn::linear(path / "in", 3, 4, Default::default()))
            .add(nn::batch_norm1d(path / "norm", 4, Default::default()))
            .add(nn::linear(path / "out", 4, 2, Default::default()))
    }

    #[test]
    fn gradients_go_through_the_weights_that_are_given() {
        let vs = VarStore::new(Device::Cpu);
        let model = net(&vs.root());
        let x = Tensor::randn([5, 3], (Kind::Float, Device::Cpu));
        let scale = Tensor::from(2.0f32).set_requires_grad(true);
        let weights: Vec<_> = vs.named_parameters().into_iter().map(|(name, weight)| (name, weight * &scale)).collect();
        let fast = nn::functional_call(&vs, &weights, net);
        let doubled = fast.forward_t(&x, false);
        assert!(grad(&doubled.sum(None), &scale).double_value(&[]) != 0.0);
        // The statistics are the store's own: what trains one network trains them for both.
        let _ = fast.forward_t(&x, true);
        assert_ne!(vs.variables()["norm.running_mean"], Tensor::zeros([4], (Kind::Float, Device::Cpu)));
        assert_eq!(vs.len(), 8);
        for (name, mut weight) in vs.variables() {
            if let Some((_, given)) = weights.iter().find(|(given, _)| *given == name) {
                tch::no_grad(|| weight.copy_(given));
            }
        }
        assert!(model.forward_t(&x, false).allclose(&fast.forward_t(&x, false), 1e-5, 1e-6, false));
    }

    #[test]
    fn random_numbers_are_those_without_it() {
        let vs = VarStore::new(Device::Cpu);
        net(&vs.root());
        let none: [(String, Tensor); 0] = [];
        let draw = || Tensor::rand([1], (Kind::Float, Device::Cpu));
        let attempt = || {
            nn::seed(1);
            let expected = draw();
            nn::seed(1);
            nn::functional_call(&vs, &none, net);
            draw() == expected
        };
        // Random numbers are the process's, and another test may draw some in between.
        assert!((0..100).any(|_| attempt()));
    }

    #[test]
    fn what_does_not_fit_says_which() {
        let vs = VarStore::new(Device::Cpu);
        net(&vs.root());
        let named = |name: &str, size: i64| vec![(name.to_owned(), Tensor::zeros([size], (Kind::Float, Device::Cpu)))];
        let call = |weights: Vec<(String, Tensor)>| panic_message(|| drop(nn::functional_call(&vs, &weights, net)));
        assert!(call(named("other.bias", 4)).contains("no variable \"other.bias\""));
        assert!(call(named("in.bias", 3)).contains("[3]"));
        let none: [(String, Tensor); 0] = [];
        let more = |path: &Path<'_>| nn::linear(path / "more", 3, 4, Default::default());
        assert!(panic_message(|| drop(nn::functional_call(&vs, &none, more))).contains("\"more.weight\""));
        let theirs = |path: &Path<'_>| {
            tch::nn::linear(path / "in", 3, 4, Default::default())
                .forward(&Tensor::zeros([1, 3], (Kind::Float, Device::Cpu)))
        };
        assert!(panic_message(|| drop(nn::functional_call(&vs, &none, theirs))).contains("tch::nn"));
        let half = |path: &Path<'_>| nn::linear(path / "in", 3, 4, Default::default());
        assert!(panic_message(|| drop(nn::functional_call(&vs, &named("out.bias", 2), half))).contains("out.bias"));
    }
}
