//! Tests: steps of L-BFGS are PyTorch's.

use std::cell::Cell;

use tch::{Device, Kind, Tensor};

use crate::nn::{self, Module, VarStore};
use crate::optim::algorithms::tests::Case;
use crate::optim::*;

fn double() -> Case {
    let mut case = Case::new();
    case.vs.double();
    case
}

fn loss(case: &Case) -> Tensor {
    let squares = nn::by_name(&case.vs).into_iter().map(|(_, variable)| variable.square().sum(Kind::Double));
    // tch's loss computes in float32.
    let targets = case.reference.tensor("/target");
    let xs = case.reference.tensor("/input").to_kind(Kind::Double);
    case.net.forward(&xs).log_softmax(-1, Kind::Double).nll_loss(&targets) + squares.sum::<Tensor>() * 0.01
}

fn take_steps(optimizer: &mut LBFGSOptimizer, case: &Case, count: usize) {
    for _ in 0..count {
        optimizer.step(|| loss(case));
    }
}

#[test]
fn steps_and_numbers_of_evaluations_are_pytorchs() {
    let base = LBFGS::default();
    for (name, config, lr) in [
        ("plain", base.max_iter(5), 0.5),
        ("short_history", base.max_iter(7).history_size(2), 0.3),
        ("strong_wolfe", base.max_iter(6).strong_wolfe(true), 1.0),
        ("few_evaluations", base.max_iter(10).max_eval(4).strong_wolfe(true), 1.0),
    ] {
        let case = double();
        let mut optimizer = config.build(&case.vs, lr).expect("builds");
        let losses: Vec<f64> = (0..4).map(|_| optimizer.step(|| loss(&case))).collect();
        let expected = case.reference.numbers(&format!("/LBFGS/{name}/losses"));
        assert!(losses.iter().zip(&expected).all(|(a, b)| (a - b).abs() < 1e-7), "{name}: {losses:?}, {expected:?}");
        let evaluations = case.reference.number(&format!("/LBFGS/{name}/evaluations"));
        assert_eq!(optimizer.evaluations() as f64, evaluations, "{name}");
        case.check(&format!("/LBFGS/{name}/parameters"), 1e-6);
    }
}

fn valley(xy: &Tensor) -> Tensor {
    let (x, y) = (xy.get(0), xy.get(1));
    (1.0_f64 - &x).square() + (y - x.square()).square() * 100.0
}

#[test]
fn the_way_through_rosenbrocks_valley_is_pytorchs() {
    let reference = Case::new().reference;
    let vs = VarStore::new(Device::Cpu);
    let xy = vs.root().add("xy", Tensor::from_slice(&[-1.5, 2.0]), true);
    let mut optimizer = LBFGS::default().strong_wolfe(true).build(&vs, 1.0).expect("builds");
    let path: Vec<Tensor> = (0..3)
        .map(|_| {
            // As ported from Python: the closure calls `backward` itself.
            optimizer.step(|| {
                let loss = valley(&xy);
                loss.backward();
                loss
            });
            xy.detach().copy()
        })
        .collect();
    reference.check("/rosenbrock/path", &Tensor::stack(&path, 0), 1e-7);
    assert_eq!(optimizer.evaluations() as f64, reference.number("/rosenbrock/evaluations"));
}

#[test]
fn a_state_that_is_saved_goes_on_to_the_same_numbers() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let [weights, state] = ["weights", "state"].map(|file| folder.path().join(format!("{file}.safetensors")));
    let build = |case: &Case| LBFGS::default().max_iter(3).strong_wolfe(true).build(&case.vs, 0.9).expect("builds");
    let (whole, first, mut second) = (double(), double(), double());
    let mut optimizer = build(&whole);
    take_steps(&mut optimizer, &whole, 5);

    let mut optimizer = build(&first);
    take_steps(&mut optimizer, &first, 2);
    first.vs.save(&weights).expect("saves");
    optimizer.save(&state).expect("saves");

    let mut optimizer = LBFGS::default().max_iter(3).strong_wolfe(true).build(&second.vs, 0.1).expect("builds");
    second.vs.load(&weights).expect("loads");
    optimizer.load(&state).expect("loads");
    take_steps(&mut optimizer, &second, 3);
    assert!(second.weights().equal(&whole.weights()));
    assert_eq!((optimizer.steps(), optimizer.lr()), (5, 0.9));

    let vs = VarStore::new(Device::Cpu);
    let _other = vs.root().zeros("w", &[3]);
    let mut other = LBFGS::default().build(&vs, 1.0).expect("builds");
    let error = other.load(&state).expect_err("another network").to_string();
    assert!(error.contains("it is for 66 parameters, and this has 3"), "{error}");
}

#[test]
fn variables_that_come_later_are_trained_too() {
    let vs = VarStore::new(Device::Cpu);
    let first = vs.root().ones("first", &[2]);
    let mut optimizer = LBFGS::default().strong_wolfe(true).build(&vs, 1.0).expect("builds");
    optimizer.step(|| (&first - 3.0).square().sum(Kind::Float));
    let second = vs.root().ones("second", &[3]);
    let calls = Cell::new(0);
    optimizer.step(|| {
        calls.set(calls.get() + 1);
        (&first - 2.0).square().sum(Kind::Float) + (&second + 1.0).square().sum(Kind::Float)
    });
    assert!((first - 2.0).abs().max().double_value(&[]) < 1e-4);
    assert!((second + 1.0).abs().max().double_value(&[]) < 1e-4);
    assert!(calls.get() > 1);
}

#[test]
fn settings_out_of_range_are_refused() {
    let vs = VarStore::new(Device::Cpu);
    let error = LBFGS::default().build(&vs, f64::NAN).expect_err("no number").to_string();
    assert!(error.contains("LBFGS: lr is NaN; it must be at least 0"), "{error}");
    assert!(LBFGS::default().history_size(0).build(&vs, 1.0).is_err());
    let mut nothing = LBFGS::default().build(&vs, 1.0).expect("builds");
    let weight = Tensor::ones([1], (Kind::Float, Device::Cpu)).set_requires_grad(true);
    assert_eq!(nothing.step(|| weight.sum(Kind::Float)), 1.0);
}
