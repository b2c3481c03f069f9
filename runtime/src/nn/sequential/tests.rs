use crate::nn::VarStore;
use tch::{Device, Kind};

use super::*;
use crate::nn::{Chain, ChainT, linear};
use crate::tests::panic_message;

#[test]
fn a_chain_gives_what_its_layers_give_one_after_the_other() {
    let vs = VarStore::new(Device::Cpu);
    let (hidden, out) =
        (|| linear(&vs.root() / "a", 3, 4, Default::default()), linear(&vs.root() / "b", 4, 2, Default::default()));
    let hidden = hidden();
    let expected = out.forward(&hidden.forward(&Tensor::ones([5, 3], (Kind::Float, Device::Cpu))).tanh());
    let net = seq().add(hidden).add_fn(Tensor::tanh).add(out);
    let xs = Tensor::ones([5, 3], (Kind::Float, Device::Cpu));
    assert!(net.forward(&xs).equal(&expected));
    assert_eq!((net.len(), net.is_empty(), seq().is_empty()), (3, false, true));
    let all = net.forward_all(&xs, None);
    assert_eq!(all.iter().map(Tensor::size).collect::<Vec<_>>(), [[5, 4], [5, 4], [5, 2]]);
    assert!(all[2].equal(&expected));
    assert_eq!(net.forward_all(&xs, Some(1)).len(), 1);
    assert!(seq().forward(&xs).equal(&xs) && seq_t().forward_t(&xs, true).equal(&xs));
}

#[test]
fn a_layer_is_found_by_its_index() {
    let vs = VarStore::new(Device::Cpu);
    let net = seq_t().add(linear(&vs.root() / "a", 3, 4, Default::default())).relu();
    assert!(net.layer::<tch::nn::Linear>(0).ws.equal(&vs.variables()["a.weight"]));
    let message = |index| {
        let find = || drop(net.layer::<tch::nn::Linear>(index).ws.size());
        panic_message(find)
    };
    assert!(message(1).contains("layer 1 is ReLU, not tch::nn::linear::Linear"), "{}", message(1));
    assert!(message(2).contains("no layer 2 in a chain of 2"));
}

#[test]
fn a_chain_may_stand_in_another_and_is_told_of_training() {
    let xs = Tensor::ones([2], (Kind::Float, Device::Cpu));
    let double = seq().add_fn(|xs| xs * 2.0);
    let net = seq_t().add(double).add_fn_t(|xs, train| if train { xs + 1.0 } else { xs.shallow_clone() });
    let net = seq_t().add(net).dropout(0.0).add(tch::nn::seq().relu());
    assert_eq!(net.forward_t(&xs, true), Tensor::from_slice(&[3f32, 3.0]));
    assert_eq!(net.forward_t(&xs, false), Tensor::from_slice(&[2f32, 2.0]));
    assert_eq!(net.forward_all_t(&xs, true, None).len(), 3);
}

#[test]
fn a_layer_is_found_by_its_name() {
    let vs = VarStore::new(Device::Cpu);
    let net = seq().add_named("hidden", linear(vs.root(), 3, 4, Default::default())).tanh();
    assert!(net.layer::<tch::nn::Linear>("hidden").ws.equal(&vs.variables()["weight"]));
    assert_eq!(net.names(), ["hidden", ""]);
    let missing = panic_message(|| net.layer::<tch::nn::Linear>("out").ws.size());
    assert!(missing.contains("no layer \"out\" in the chain; `add_named` gave the names [\"hidden\"]"), "{missing}");
    assert!(panic_message(|| seq().add_named("a", seq()).add_named("a", seq())).contains("\"a\" already"));
    assert!(panic_message(|| seq().add_named("", seq())).contains("without letters"));
}

#[test]
fn a_panic_says_in_which_layer_of_which_chain_it_was() {
    let vs = VarStore::new(Device::Cpu);
    let inner = seq().add_named("out", linear(&vs.root() / "out", 4, 2, Default::default()));
    let net = seq_t().add(linear(&vs.root() / "in", 3, 5, Default::default())).relu().add(inner);
    let xs = Tensor::zeros([7, 3], (Kind::Float, Device::Cpu));
    let expected = [
        "in layer 0 (\"out\", Linear) of Sequential, input Float [7, 5]",
        "in layer 2 (Sequential) of SequentialT, input Float [7, 5]",
    ];
    for _ in 0..2 {
        crate::cell::panic_places();
        assert!(panic_message(|| net.forward_t(&xs, true)).contains("cannot be multiplied"));
        assert_eq!(crate::cell::panic_places(), expected);
    }
    let boxed: Box<dyn Module> = Box::new(linear(&vs.root() / "boxed", 4, 2, Default::default()));
    let _ = panic_message(|| seq().add_boxed(boxed).forward(&xs));
    assert_eq!(crate::cell::panic_places(), ["in layer 0 (Linear) of Sequential, input Float [7, 3]"]);
}

#[test]
fn boxes_are_layers_like_others() {
    let xs = Tensor::ones([2], (Kind::Float, Device::Cpu));
    let layers: Vec<Box<dyn Module>> =
        vec![Box::new(seq().add_fn(|xs| xs * 2.0)), Box::new(seq().add_fn(|xs| xs + 1.0))];
    let net: Sequential = layers.into_iter().collect();
    assert_eq!(net.forward(&xs), Tensor::from_slice(&[3f32, 3.0]));
    let trained: Vec<Box<dyn ModuleT>> =
        vec![Box::new(net), Box::new(seq_t().add_fn_t(|xs, train| xs + f64::from(train)))];
    let net: SequentialT = trained.into_iter().collect();
    assert_eq!(net.forward_t(&xs, true), Tensor::from_slice(&[4f32, 4.0]));
    assert_eq!(net.add_boxed(Box::new(seq_t().relu())).forward_t(&xs, false), Tensor::from_slice(&[3f32, 3.0]));
}

#[test]
fn a_shared_layer_has_the_gradients_of_all_its_places() {
    let vs = VarStore::new(Device::Cpu);
    let layer = shared(linear(vs.root(), 3, 3, Default::default()));
    let xs = Tensor::randn([4, 3], (Kind::Float, Device::Cpu));
    let net = seq().add(layer.clone()).tanh().add(layer.clone());
    let twice = layer.forward(&layer.forward(&xs).tanh());
    assert!(net.forward(&xs).equal(&twice));
    let gradient = |output: &Tensor| crate::autograd::grad(&output.sum(None), &vs.variables()["weight"]);
    assert!(gradient(&net.forward(&xs)).equal(&gradient(&twice)));
    let text = crate::summary::summary(&vs).forward(&net, [4, 3]).to_string();
    assert!(text.contains("(shared)") && text.contains("Total parameters: 12"), "{text}");
}
