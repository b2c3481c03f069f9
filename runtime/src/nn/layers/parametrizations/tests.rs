use tch::nn::{Module, ModuleT};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::nn::{ConvConfig, ConvTransposeConfig, conv_transpose2d, conv2d, functional_call, linear};
use crate::reference::Reference;
use crate::tests::panic_message;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../../../tests/reference/parametrizations.json"))
}

/// A layer is PyTorch's after the same seed, in what it gives, and in the gradients of its variables.
fn check<L: ModuleT>(name: &str, weight: &str, make: impl Fn(&Path<'_>) -> L) -> VarStore {
    let reference = reference();
    let at = |what: &str| format!("/{name}/{what}");
    let made = || {
        let vs = VarStore::new(Device::Cpu);
        let layer = make(&vs.root());
        (vs, layer)
    };
    let _ = reference.drawn(&at(&format!("begin/{weight}")), 3, || made().0.variables()[weight].shallow_clone(), 1e-6);
    let (vs, layer) = made();
    reference.load(&at("begin"), &vs);
    let input = reference.tensor(&at("input"));
    reference.check(&at("eval"), &layer.forward_t(&input, false), 1e-5);
    let output = layer.forward_t(&input, true);
    reference.check(&at("train"), &output, 1e-5);
    (&output * &output).sum(None).backward();
    for (name, variable) in vs.variables() {
        if variable.requires_grad() {
            reference.check(&at(&format!("gradients/{name}")), &variable.grad(), 1e-4);
        } else {
            reference.check(&at(&format!("end/{name}")), &variable, 1e-5);
        }
    }
    vs
}

#[test]
fn weight_norms_are_pytorchs() {
    const V: &str = "parametrizations.weight.original1";
    check("weight_linear", V, |path| {
        weight_norm(path, |path| linear(path, 4, 3, Default::default()), Default::default())
    });
    let config = ConvConfig { stride: 2, padding: 1, groups: 2, ..Default::default() };
    check("weight_conv", V, |path| weight_norm(path, |path| conv2d(path, 4, 6, 3, config), Default::default()));
    let whole = WeightNormConfig { dim: None };
    check("weight_whole", V, |path| weight_norm(path, |path| linear(path, 4, 3, Default::default()), whole));
    let inputs = WeightNormConfig { dim: Some(1) };
    check("weight_inputs", V, |path| weight_norm(path, |path| linear(path, 4, 3, Default::default()), inputs));
}

#[test]
fn spectral_norms_are_pytorchs() {
    const V: &str = "parametrizations.weight.0._v";
    let make = |path: &Path<'_>| linear(path, 4, 3, Default::default());
    check("spectral_linear", V, |path| spectral_norm(path, make, Default::default()));
    let config = SpectralNormConfig { n_power_iterations: 3, ..Default::default() };
    let conv = ConvConfig { padding: 1, bias: false, ..Default::default() };
    check("spectral_conv", V, |path| spectral_norm(path, |path| conv2d(path, 2, 5, 3, conv), config));
    let conv = ConvTransposeConfig { stride: 2, ..Default::default() };
    check("spectral_transposed", V, |path| {
        spectral_norm(path, |path| conv_transpose2d(path, 3, 2, 3, conv), Default::default())
    });
}

#[test]
fn a_pass_outside_training_changes_nothing() {
    let vs = VarStore::new(Device::Cpu);
    let layer = spectral_norm(vs.root(), |path| linear(path, 6, 5, Default::default()), Default::default());
    let xs = Tensor::randn([2, 6], (Kind::Float, Device::Cpu));
    assert!(layer.forward_t(&xs, false).equal(&layer.forward_t(&xs, false)));
    // Two passes ahead of one backward pass, as in a GAN.
    (layer.forward_t(&xs, true) + layer.forward_t(&xs, true)).sum(None).backward();
    (0..50).for_each(|_| drop(layer.forward_t(&xs, true)));
    let greatest = layer.weight().svd(true, true).1.max();
    assert!((greatest.double_value(&[]) - 1.0).abs() < 1e-3, "{greatest}");
}

#[test]
fn a_network_made_with_other_weights_takes_them() {
    let vs = VarStore::new(Device::Cpu);
    let make = |path: &Path<'_>| {
        let weight = weight_norm(path / "a", |path| linear(path, 3, 3, Default::default()), Default::default());
        crate::nn::seq_t().add(weight).add(spectral_norm(
            path / "b",
            |path| linear(path, 3, 2, Default::default()),
            Default::default(),
        ))
    };
    let net = make(&vs.root());
    let xs = Tensor::randn([4, 3], (Kind::Float, Device::Cpu));
    let expected = net.forward_t(&xs, false);
    let none: [(String, Tensor); 0] = [];
    assert!(functional_call(&vs, &none, make).forward_t(&xs, false).allclose(&expected, 1e-6, 1e-6, false));
    let doubled = [(
        "a.parametrizations.weight.original0".to_owned(),
        vs.variables()["a.parametrizations.weight.original0"].shallow_clone() * 2.0,
    )];
    let other = functional_call(&vs, &doubled, make).forward_t(&xs, false);
    assert!(!other.allclose(&expected, 1e-3, 1e-3, false));
    assert!(net.forward_t(&xs, false).equal(&expected));
}

#[test]
fn a_dimension_that_is_not_there_is_named() {
    let vs = VarStore::new(Device::Cpu);
    let make = |path: &Path<'_>| linear(path, 6, 5, Default::default());
    let config = WeightNormConfig { dim: Some(2) };
    assert!(panic_message(|| weight_norm(vs.root() / "a", make, config)).contains("dimension 2 of a weight of [5, 6]"));
    let config = SpectralNormConfig { dim: Some(-1), ..Default::default() };
    assert!(
        panic_message(|| spectral_norm(vs.root() / "b", make, config)).contains("dimension -1 of a weight of [5, 6]")
    );
}

#[test]
fn a_layer_of_doubles_stays_one() {
    let mut vs = VarStore::new(Device::Cpu);
    vs.set_kind(Kind::Double);
    let layer = weight_norm(vs.root(), |path| linear(path, 3, 2, Default::default()), Default::default());
    assert_eq!(layer.forward(&Tensor::ones([1, 3], (Kind::Double, Device::Cpu))).kind(), Kind::Double);
}
