//! Tests: steps of each optimiser are PyTorch's.

use tch::{Device, Kind, Tensor};

use crate::modes::no_grad;
use crate::nn::{self, Module, VarStore};
use crate::optim::*;
use crate::reference::Reference;

/// A network with known parameters and a known batch.
pub(in crate::optim) struct Case {
    pub(in crate::optim) reference: Reference,
    pub(in crate::optim) vs: VarStore,
    pub(in crate::optim) net: nn::Sequential,
}

impl Case {
    pub(in crate::optim) fn new() -> Self {
        Self::in_groups(0)
    }

    /// With the biases in a group.
    pub(in crate::optim) fn in_groups(biases: usize) -> Self {
        let reference = Reference::parse(include_str!("../../../../tests/reference/optimizers.json"));
        let vs = VarStore::new(Device::Cpu);
        let net = nn::seq()
            .add(nn::linear(vs.root() / 0, 5, 7, Default::default()))
            .add_fn(Tensor::tanh)
            .add(nn::linear(vs.root() / 2, 7, 3, Default::default()));
        reference.load("/original", &vs);
        group_by(&vs, |name, _| if name.ends_with("bias") { biases } else { 0 });
        Self { reference, vs, net }
    }

    pub(in crate::optim) fn loss(&self) -> Tensor {
        let xs = self.reference.tensor("/input").to_kind(self.vs.variables()["0.weight"].kind());
        self.net.forward(&xs).cross_entropy_for_logits(&self.reference.tensor("/target"))
    }

    pub(in crate::optim) fn train(&self, optimizer: &mut Optimizer, steps: usize) {
        for _ in 0..steps {
            optimizer.backward_step(&self.loss());
        }
    }

    #[track_caller]
    pub(in crate::optim) fn check(&self, pointer: &str, tolerance: f64) {
        for (name, variable) in self.vs.variables() {
            self.reference.check(&format!("{pointer}/{name}"), &variable, tolerance);
        }
    }

    /// All parameters as one vector.
    pub(in crate::optim) fn weights(&self) -> Tensor {
        let flat: Vec<Tensor> =
            nn::by_name(&self.vs).iter().map(|(_, variable)| variable.detach().flatten(0, -1)).collect();
        Tensor::cat(&flat, 0).copy()
    }
}

/// Builds an optimiser for a store.
pub(in crate::optim) type Build = fn(&VarStore) -> Optimizer;

#[track_caller]
fn check(pointer: &str, config: impl OptimizerConfig, lr: f64) {
    let case = Case::new();
    let mut optimizer = config.build(&case.vs, lr).expect("builds");
    optimizer.set_maximize(["maximize", "_all", "decoupled"].iter().any(|option| pointer.ends_with(option)));
    case.train(&mut optimizer, 10);
    case.check(&format!("/{pointer}"), 2e-5);
}

#[test]
fn steps_of_adam_are_pytorchs() {
    let other = Adam { beta1: 0.8, beta2: 0.95, eps: 1e-3, wd: 0.1, amsgrad: false };
    check("Adam", Adam::default(), 0.02);
    check("Adam_wd", other, 0.02);
    check("Adam_amsgrad", adam(0.5, 0.6, 0.0).amsgrad(true), 0.1);
    check("Adam_maximize", Adam::default(), 0.02);
    check("AdamW", AdamW::default(), 0.02);
    check("AdamW_wd", adamw(0.8, 0.95, 0.5).eps(1e-3), 0.02);
    check("AdamW_amsgrad", AdamW::default().beta1(0.5).beta2(0.6).amsgrad(true), 0.1);
}

#[test]
fn steps_of_sgd_are_pytorchs() {
    check("SGD", Sgd::default(), 0.2);
    check("SGD_wd", Sgd::default().wd(0.1), 0.2);
    check("SGD_momentum", sgd(0.9, 0.3, 0.05, false), 0.2);
    check("SGD_nesterov", SGD { momentum: 0.9, nesterov: true, ..Default::default() }, 0.2);
    check("SGD_maximize", sgd(0.9, 0.0, 0.05, false), 0.2);
}

#[test]
fn steps_of_rms_prop_are_pytorchs() {
    check("RMSprop", RMSprop::default(), 0.01);
    check("RMSprop_wd", RmsProp::default().alpha(0.9).eps(1e-3).wd(0.1), 0.01);
    check("RMSprop_momentum", RmsProp::default().momentum(0.8), 0.01);
    check("RMSprop_centered", rms_prop(0.99, 1e-8, 0.1, 0.8, true), 0.01);
}

#[test]
fn steps_of_adagrad_and_adadelta_are_pytorchs() {
    let other = Adagrad { lr_decay: 0.2, wd: 0.1, initial_accumulator_value: 0.3, eps: 1e-3 };
    check("Adagrad", Adagrad::default(), 0.1);
    check("Adagrad_all", other, 0.1);
    check("Adadelta", Adadelta::default(), 1.0);
    check("Adadelta_all", Adadelta { rho: 0.7, eps: 1e-4, wd: 0.1 }, 0.5);
}

#[test]
fn steps_of_nadam_and_radam_are_pytorchs() {
    check("NAdam", NAdam::default(), 0.02);
    check("NAdam_wd", NAdam::default().beta1(0.8).beta2(0.95).eps(1e-3).wd(0.1).momentum_decay(0.1), 0.02);
    check("NAdam_decoupled", NAdam::default().wd(0.5).decoupled_weight_decay(true), 0.02);
    check("RAdam", RAdam::default(), 0.02);
    check("RAdam_wd", RAdam::default().beta1(0.8).beta2(0.95).eps(1e-3).wd(0.1), 0.02);
    check("RAdam_decoupled", RAdam::default().wd(0.5).decoupled_weight_decay(true), 0.02);
}

#[test]
fn steps_of_lion_are_those_of_the_paper() {
    check("Lion", Lion::default(), 0.01);
    check("Lion_wd", Lion { beta1: 0.8, beta2: 0.9, wd: 0.5 }, 0.01);
}

#[test]
fn sparse_gradients_are_taken_where_pytorch_takes_them() {
    let reference = Case::new().reference;
    let configs: [(&str, Build); 2] = [
        ("SGD", |vs| Sgd::default().momentum(0.5).build(vs, 0.1).expect("builds")),
        ("Adagrad", |vs| Adagrad::default().build(vs, 0.1).expect("builds")),
    ];
    let layer = |vs: &VarStore| {
        let config = nn::EmbeddingConfig { sparse: true, ..Default::default() };
        nn::embedding(vs.root(), 5, 3, config)
    };
    for (name, build) in configs {
        let vs = VarStore::new(Device::Cpu);
        let embedding = layer(&vs);
        no_grad(|| embedding.ws.shallow_clone().copy_(&reference.tensor(&format!("/sparse/{name}/begin"))));
        let mut optimizer = build(&vs);
        for step in 0..4 {
            let words = Tensor::from_slice(&[0, 3, 3, step]);
            optimizer.backward_step(&embedding.forward(&words).square().sum(Kind::Float));
        }
        reference.check(&format!("/sparse/{name}/end"), &embedding.ws, 1e-6);
    }
    let vs = VarStore::new(Device::Cpu);
    let embedding = layer(&vs);
    let mut optimizer = Adam::default().build(&vs, 0.1).expect("builds");
    let loss = embedding.forward(&Tensor::from_slice(&[1_i64])).sum(Kind::Float);
    let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| optimizer.backward_step(&loss)));
    let message = *refused.expect_err("refuses").downcast::<String>().expect("a message");
    assert!(message.starts_with("Adam does not take sparse gradients"), "{message}");
}

#[test]
fn complex_parameters_are_trained_as_pairs_of_numbers() {
    let reference = Case::new().reference;
    let vs = VarStore::new(Device::Cpu);
    let complex = |numbers: &[[f32; 2]]| Tensor::from_slice2(numbers).view_as_complex();
    let z = vs.root().add("z", complex(&[[1.0, 2.0], [-0.5, 0.3]]), true);
    let mut optimizer = Adam::default().build(&vs, 0.1).expect("builds");
    for _ in 0..10 {
        optimizer.backward_step(&(&z - complex(&[[0.2, -1.0]])).abs().square().sum(Kind::Float));
    }
    reference.check("/complex", &z.detach().view_as_real(), 1e-5);
}

#[test]
fn what_lies_otherwise_in_memory_is_trained_the_same() {
    let step = |arrange: &dyn Fn(&Tensor) -> Tensor, config: Build| {
        let vs = VarStore::new(Device::Cpu);
        let begin = Tensor::arange(12, (Kind::Float, Device::Cpu)).reshape([3, 4]) / 10.0;
        let weight = vs.root().add("weight", arrange(&begin), true);
        let mut optimizer = config(&vs);
        for _ in 0..3 {
            optimizer.backward_step(&(weight.square() * &begin).sum(Kind::Float));
        }
        weight.detach().contiguous()
    };
    let with_gaps = |begin: &Tensor| {
        let wide = Tensor::zeros([3, 8], (Kind::Float, Device::Cpu));
        let mut columns = wide.slice(1, 0, 8, 2);
        columns.copy_(begin);
        columns
    };
    let configs: [Build; 3] = [
        |vs| AdamW::default().build(vs, 0.1).expect("builds"),
        |vs| Sgd::default().build(vs, 0.1).expect("builds"),
        |vs| Sgd::default().momentum(0.9).build(vs, 0.1).expect("builds"),
    ];
    for config in configs {
        let plain = step(&Tensor::copy, config);
        for arrange in [&with_gaps as &dyn Fn(&Tensor) -> Tensor, &|begin| begin.tr().contiguous().tr()] {
            assert!((step(arrange, config) - &plain).abs().max().double_value(&[]) < 1e-6);
        }
    }
}
