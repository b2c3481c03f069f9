//! Tests of the norms against PyTorch's values.

use tch::nn::{LayerNormConfig, Module, ModuleT};
use tch::{Device, Kind, Tensor};

use super::*;
use crate::nn::VarStore;
use crate::reference::Reference;
use crate::tests::panic_message;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../../../tests/reference/norms.json"))
}

#[test]
fn rms_norms_are_pytorchs() {
    let reference = reference();
    let cases = [("plain", vec![4], None), ("eps", vec![4], Some(0.1)), ("two", vec![3, 4], None)];
    for (name, shape, eps) in cases {
        let vs = VarStore::new(Device::Cpu);
        let norm = rms_norm(vs.root(), shape.clone(), RMSNormConfig { eps, ..Default::default() });
        assert!(norm.ws.as_ref().is_some_and(|ws| ws.equal(&ws.ones_like())));
        reference.load(&format!("/rms/{name}/parameters"), &vs);
        let input = reference.tensor("/rms/input").set_requires_grad(true);
        let output = norm.forward(&input);
        reference.check(&format!("/rms/{name}/output"), &output, 1e-5);
        output.pow_tensor_scalar(3).sum(Kind::Float).backward();
        reference.check(&format!("/rms/{name}/gradient"), &input.grad(), 1e-4);
        reference.check(&format!("/rms/{name}/weight_gradient"), &vs.variables()["weight"].grad(), 1e-4);
    }
    let vs = VarStore::new(Device::Cpu);
    let bare = rms_norm(vs.root(), vec![4], RMSNormConfig { elementwise_affine: false, ..Default::default() });
    reference.check("/rms/bare", &bare.forward(&reference.tensor("/rms/input")), 1e-5);
    assert!(vs.variables().is_empty());
    let text = panic_message(|| bare.forward(&Tensor::ones([4, 3], (Kind::Float, Device::Cpu))));
    assert!(text.contains("a tensor of [4, 3]; its last dimensions are [4] here"), "{text}");
}

#[test]
fn the_eps_of_a_layer_norm_is_that_of_its_configuration() {
    let reference = reference();
    let vs = VarStore::new(Device::Cpu);
    let norm = layer_norm(vs.root(), vec![4], LayerNormConfig { eps: 0.1, ..Default::default() });
    reference.check("/layer_norm_eps", &norm.forward(&reference.tensor("/rms/input")), 1e-5);
}

#[test]
fn instance_norms_are_pytorchs() {
    let reference = reference();
    for nd in 1..=3 {
        let make = |vs: &VarStore, config| match nd {
            1 => instance_norm1d(vs.root(), 3, config),
            2 => instance_norm2d(vs.root(), 3, config),
            _ => instance_norm3d(vs.root(), 3, config),
        };
        let at = |name: &str| format!("/instance/{nd}/{name}");
        let input = reference.tensor(&at("input"));
        let vs = VarStore::new(Device::Cpu);
        let plain = make(&vs, InstanceNormConfig::default());
        assert!(vs.variables().is_empty(), "neither weights nor statistics by default");
        for train in [true, false] {
            reference.check(&at("plain"), &plain.forward_t(&input, train), 1e-5);
            reference.check(&at("one"), &plain.forward_t(&input.get(0), train), 1e-5);
        }
        let config = InstanceNormConfig { affine: true, track_running_stats: true, eps: 0.01, ..Default::default() };
        let tracked = make(&vs, config);
        reference.load(&at("parameters"), &vs);
        let output = tracked.forward_t(&input, true);
        reference.check(&at("trained"), &output, 1e-5);
        output.pow_tensor_scalar(3).sum(Kind::Float).backward();
        reference.check(&at("gradient"), &vs.variables()["weight"].grad(), 1e-4);
        for statistic in ["running_mean", "running_var"] {
            reference.check(&at(statistic), &vs.variables()[statistic], 1e-5);
        }
        reference.check(&at("evaluated"), &tracked.forward_t(&input, false), 1e-5);
    }
}

#[test]
fn what_an_instance_norm_cannot_take_is_named() {
    let vs = VarStore::new(Device::Cpu);
    let norm = instance_norm2d(vs.root(), 3, Default::default());
    let ones = |size: &[i64]| Tensor::ones(size, (Kind::Float, Device::Cpu));
    let text = panic_message(|| norm.forward_t(&ones(&[2, 4, 5, 5]), true));
    assert!(text.contains("[2, 4, 5, 5]; it takes [N, C, H, W] or [C, H, W] with C = 3"), "{text}");
    assert!(panic_message(|| norm.forward_t(&ones(&[3, 5]), true)).contains("it takes"));
    assert!(panic_message(|| norm.forward_t(&ones(&[2, 3, 1, 1]), false)).contains("more than 1 value"));
}
