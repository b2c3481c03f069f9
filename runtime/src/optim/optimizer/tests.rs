//! Tests: groups, what is saved, and what becomes of parameters that come, go or have no gradient.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::{Device, Kind, Tensor};

use crate::io::StateDict;
use crate::nn::{self, Module, VarStore};
use crate::optim::algorithms::tests::{Build, Case};
use crate::optim::*;

fn message<T>(run: impl FnOnce() -> T) -> String {
    *catch_unwind(AssertUnwindSafe(run)).err().expect("panics").downcast::<String>().expect("a message")
}

/// One of each, with a state of all kinds.
const ALL: [(&str, Build); 10] = [
    ("Adam", |vs| Adam::default().amsgrad(true).build(vs, 0.02).expect("builds")),
    ("AdamW", |vs| AdamW::default().build(vs, 0.02).expect("builds")),
    ("SGD", |vs| Sgd::default().build(vs, 0.1).expect("builds")),
    ("SGD with momentum", |vs| Sgd::default().momentum(0.9).dampening(0.2).build(vs, 0.1).expect("builds")),
    ("RMSprop", |vs| rms_prop(0.9, 1e-8, 0.1, 0.8, true).build(vs, 0.01).expect("builds")),
    ("Adagrad", |vs| Adagrad::default().lr_decay(0.1).build(vs, 0.1).expect("builds")),
    ("Adadelta", |vs| Adadelta::default().build(vs, 1.0).expect("builds")),
    ("NAdam", |vs| NAdam::default().build(vs, 0.02).expect("builds")),
    ("RAdam", |vs| RAdam::default().build(vs, 0.02).expect("builds")),
    ("Lion", |vs| Lion::default().wd(0.1).build(vs, 0.01).expect("builds")),
];

#[test]
fn a_training_that_is_saved_goes_on_to_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let schedule = CosineAnnealingLR::new(0.05, 20);
    let run = |case: &Case, optimizer: &mut Optimizer, steps: usize| {
        for _ in 0..steps {
            optimizer.set_lr(schedule.lr(optimizer.steps()));
            optimizer.set_lr_group(1, 0.5 * schedule.lr(optimizer.steps()));
            optimizer.backward_step_clip_norm(&case.loss(), 0.5);
        }
    };
    for (name, build) in ALL {
        let [whole, first, mut second] = [(); 3].map(|()| Case::in_groups(1));
        let mut optimizer = build(&whole.vs);
        optimizer.set_maximize_group(1, name == "Lion");
        run(&whole, &mut optimizer, 11);

        let [weights, state] =
            ["weights", "state"].map(|file| folder.path().join(format!("{name} {file}.safetensors")));
        let mut optimizer = build(&first.vs);
        optimizer.set_maximize_group(1, name == "Lion");
        run(&first, &mut optimizer, 5);
        first.vs.save(&weights).expect("saves");
        optimizer.save(&state).expect("saves");

        let mut optimizer = build(&second.vs);
        second.vs.load(&weights).expect("loads");
        optimizer.load(&state).expect("loads");
        run(&second, &mut optimizer, 6);
        assert!(second.weights().equal(&whole.weights()), "{name}");
        assert_eq!(optimizer.steps(), 11);
        // A state in memory is not changed by what comes later.
        let kept = optimizer.state_dict();
        run(&second, &mut optimizer, 1);
        assert_eq!(kept.get("steps").expect("steps").int64_value(&[]), 11);
    }
}

#[test]
fn settings_are_saved_with_the_state() {
    let case = Case::in_groups(3);
    let mut optimizer = AdamW::default().build(&case.vs, 0.02).expect("builds");
    optimizer.set_weight_decay_group(3, 0.0);
    optimizer.set_betas(0.8, 0.9);
    case.train(&mut optimizer, 2);
    let saved = optimizer.state_dict();
    let mut other = AdamW::default().build(&case.vs, 1.0).expect("builds");
    other.load_state_dict(&saved).expect("loads");
    assert_eq!(format!("{other:?}"), format!("{optimizer:?}"));
    assert_eq!((other.lr(), other.lr_group(3)), (0.02, 0.02));
    let number = |name: &str| saved.get(name).expect("saved").double_value(&[]);
    assert_eq!((number("group.3.weight_decay"), number("group.0.beta1")), (0.0, 0.8));
    assert_eq!(number("state.2.bias.step"), 2.0);
    assert_eq!(saved.get("state.0.weight.exp_avg").expect("saved").size(), [7, 5]);
}

#[test]
fn a_state_that_does_not_fit_is_refused_and_changes_nothing() {
    let (case, grouped) = (Case::new(), Case::in_groups(1));
    let mut adam = Adam::default().build(&case.vs, 0.02).expect("builds");
    case.train(&mut adam, 2);
    let saved = adam.state_dict();
    let refusal = |optimizer: &mut Optimizer, saved: &StateDict| {
        let before = format!("{optimizer:?}");
        let error = optimizer.load_state_dict(saved).expect_err("does not fit").to_string();
        assert_eq!(format!("{optimizer:?}"), before);
        error
    };
    let mut sgd = Sgd::default().build(&case.vs, 0.1).expect("builds");
    assert!(refusal(&mut sgd, &saved).contains("it is the state of Adam, and this is SGD"));
    let mut groups = Adam::default().build(&grouped.vs, 0.1).expect("builds");
    assert!(refusal(&mut groups, &saved).contains("parameters in the groups {0}, and this in {0, 1}"));
    assert!(refusal(&mut adam, &StateDict::of(&case.vs)).contains("not the state of an optimizer"));

    let vs = VarStore::new(Device::Cpu);
    let _layer = nn::linear(vs.root() / 0, 4, 7, Default::default());
    let mut other = Adam::default().build(&vs, 0.1).expect("builds");
    let error = refusal(&mut other, &saved);
    assert!(error.contains("unexpected: 2.bias.exp_avg"), "{error}");
    assert!(error.contains("shape of 0.weight.exp_avg: [7, 5] there, [7, 4] here"), "{error}");
    let missing = adam.load("nowhere.safetensors").expect_err("no file").to_string();
    assert!(missing.contains("nowhere.safetensors"), "{missing}");
}

#[test]
fn groups_have_settings_and_schedules_of_their_own() {
    let case = Case::in_groups(2);
    let mut optimizer = AdamW::default().wd(0.1).build(&case.vs, 0.01).expect("builds");
    optimizer.configure_group(2, adamw(0.7, 0.9, 0.0));
    let schedule = LambdaLR::new(0.03, |step| 0.8_f64.powi(step as i32));
    for step in 0..10 {
        optimizer.set_lr_group(2, schedule.lr(step));
        optimizer.backward_step(&case.loss());
    }
    case.check("/groups", 1e-5);

    let mut other = AdamW::default().build(&case.vs, 0.01).expect("builds");
    other.set_betas_group(2, 0.7, 0.9);
    other.set_momentum_group(2, 0.6);
    other.set_weight_decay_group(2, 0.3);
    let shown = format!("{other:?}");
    assert!(shown.starts_with("AdamW (\nParameter Group 0\n    lr: 0.01\n"), "{shown}");
    assert!(shown.contains(
        "Parameter Group 2\n    lr: 0.01\n    maximize: 0\n    beta1: 0.6\n    beta2: 0.9\n    weight_decay: 0.3"
    ));
}

#[test]
fn what_no_group_or_algorithm_has_is_said() {
    let (case, grouped) = (Case::new(), Case::in_groups(2));
    let mut optimizer = Sgd::default().build(&case.vs, 0.1).expect("builds");
    let text = message(|| optimizer.set_lr_group(3, 0.1));
    assert!(
        text.starts_with("there is no group 3 of parameters: the optimiser has 1, counted from 0. Make groups"),
        "{text}"
    );
    assert!(
        message(|| optimizer.configure_group(0, Lion::default())).contains("cannot follow Lion: the optimiser is SGD")
    );
    assert_eq!(message(|| optimizer.set_betas(0.9, 0.99)), "SGD has no beta1");
    assert_eq!(message(|| optimizer.set_lr(f64::NAN)), "SGD: lr is NaN; it must be at least 0");
    let mut optimizer = Adam::default().build(&grouped.vs, 0.1).expect("builds");
    let text = message(|| optimizer.set_weight_decay_group(1, 0.1));
    assert!(
        text.starts_with("there is no group 1 of parameters: the optimiser has parameters in 0, 2. Make"),
        "{text}"
    );
    assert_eq!(message(|| optimizer.set_momentum(1.0)), "Adam: beta1 is 1; it must be at least 0 and below 1");
    for (refused, why) in [
        (Adam::default().build(&case.vs, -0.1), "Adam: lr is -0.1; it must be at least 0"),
        (Sgd::default().nesterov(true).build(&case.vs, 0.1), "nesterov needs a momentum"),
        (Adadelta::default().rho(1.5).build(&case.vs, 1.0), "rho is 1.5; it must be between 0 and 1"),
    ] {
        let error = refused.expect_err("refused").to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn parameters_without_gradients_stay_and_begin_later() {
    let case = Case::new();
    let mut optimizer = Adam::default().wd(0.1).build(&case.vs, 0.02).expect("builds");
    let xs = case.reference.tensor("/input");
    let first = case.vs.variables()["0.weight"].copy();
    for step in 0..10 {
        let variables = case.vs.variables();
        let layer = |xs: &Tensor, at: &str| {
            xs.linear(&variables[&format!("{at}.weight")], Some(&variables[&format!("{at}.bias")]))
        };
        let hidden = layer(&xs, "0").tanh();
        let hidden = if step < 4 { hidden.detach() } else { hidden };
        optimizer.backward_step(&layer(&hidden, "2").cross_entropy_for_logits(&case.reference.tensor("/target")));
        assert_eq!(case.vs.variables()["0.weight"].equal(&first), step < 4);
    }
    case.check("/partial", 1e-5);
}

#[test]
fn variables_that_come_later_are_trained_in_their_groups() {
    let vs = VarStore::new(Device::Cpu);
    let mut optimizer = Sgd::default().build(&vs, 0.5).expect("builds");
    optimizer.set_weight_decay(0.1);
    let first = vs.root().ones("first", &[1]);
    optimizer.backward_step(&first.sum(Kind::Float));
    let second = vs.root().set_group(1).ones("second", &[1]);
    optimizer.set_lr_group(1, 0.25);
    optimizer.backward_step(&(&first + &second).sum(Kind::Float));
    let value = |tensor: &Tensor| (tensor.double_value(&[0]) * 1e4).round() / 1e4;
    // Twice 0.5 * (1 + 0.1 * p), and once 0.25 * (1 + 0.1).
    assert_eq!((value(&first), value(&second)), (-0.0725, 0.725));
    // A variable can change its group.
    group_by(&vs, |_, _| 1);
    optimizer.zero_grad();
    assert!(!first.grad().defined());
    (&first * 4.0).sum(Kind::Float).backward();
    optimizer.set_weight_decay(0.0);
    optimizer.step();
    assert_eq!(value(&first), -1.0725);
}

#[test]
fn a_variable_with_two_names_is_one_parameter() {
    let vs = VarStore::new(Device::Cpu);
    let tied = vs.root().ones("a", &[1]);
    let _ = vs.root().add("b", tied.shallow_clone(), true);
    let mut optimizer = Sgd::default().momentum(0.5).build(&vs, 0.25).expect("builds");
    optimizer.backward_step(&tied.sum(Kind::Float));
    assert_eq!(tied.double_value(&[0]), 0.75);
    let state = optimizer.state_dict();
    let names: Vec<&str> = state.names().filter(|name| name.starts_with("state.")).collect();
    assert_eq!(names, ["state.a.momentum_buffer"]);
}

#[test]
fn a_store_that_is_cast_is_trained_on() {
    for (name, build) in ALL {
        let mut case = Case::new();
        let mut optimizer = build(&case.vs);
        case.train(&mut optimizer, 2);
        case.vs.double();
        case.train(&mut optimizer, 2);
        let weights = case.weights();
        assert!(weights.kind() == Kind::Double && weights.isfinite().all().int64_value(&[]) == 1, "{name}");
    }
}

#[test]
fn frozen_variables_stay() {
    let mut case = Case::new();
    let mut optimizer = AdamW::default().wd(0.5).build(&case.vs, 0.1).expect("builds");
    case.train(&mut optimizer, 1);
    case.vs.freeze();
    let before = case.weights();
    optimizer.zero_grad();
    optimizer.step();
    assert!(case.weights().equal(&before));
}

/// As a student would port a training loop.
#[test]
fn homework_with_a_warm_up_two_groups_and_a_best_state() {
    let x = Tensor::randn([64, 8], (Kind::Float, Device::Cpu));
    let y = x.narrow(1, 0, 1) * 2.0 - 1.0;
    let vs = VarStore::new(Device::Cpu);
    let body = nn::linear(vs.root() / "body", 8, 16, Default::default());
    let head = nn::linear((vs.root() / "head").set_group(1), 16, 1, Default::default());
    let mut optimizer = NAdam::default().build(&vs, 0.01).expect("builds");
    let (slow, fast) = (LinearLR::new(0.01, 0.1, 1.0, 10), ConstantLR::new(0.02, 1.0, 1));
    let mut best: Option<(f64, StateDict)> = None;
    for step in 0..200 {
        optimizer.set_lr_group(0, slow.lr(step));
        optimizer.set_lr_group(1, fast.lr(step));
        let loss = head.forward(&body.forward(&x).tanh()).mse_loss(&y, tch::Reduction::Mean);
        optimizer.zero_grad();
        loss.backward();
        clip_grad_norm(&vs, 1.0);
        optimizer.step();
        let loss = loss.double_value(&[]);
        if best.as_ref().is_none_or(|(lowest, _)| loss < *lowest) {
            best = Some((loss, optimizer.state_dict()));
        }
    }
    let (loss, state) = best.expect("steps");
    assert!(loss < 0.05, "{loss}");
    optimizer.load_state_dict(&state).expect("its own");
}
