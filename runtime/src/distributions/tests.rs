//! All families against PyTorch, what they have in common, and a piece of homework.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tch::{Device, Kind, Tensor};

use super::{
    Categorical, Distribution, Independent, KlDivergence, MixtureSameFamily, MultivariateNormal, Normal, kl_divergence,
};
use crate::reference::Reference;
use crate::tests::panic_message;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../tests/reference/distributions.json"))
}

/// The tensors of a list that the script wrote, as leaves.
fn leaves(reference: &Reference, pointer: &str) -> Vec<Tensor> {
    let count = reference.value(pointer).as_array().expect("a list").len();
    (0..count).map(|i| reference.tensor(&format!("{pointer}/{i}")).set_requires_grad(true)).collect()
}

/// Whether `actual` is what the script wrote, and panics where PyTorch has nothing.
fn check_if_known(reference: &Reference, pointer: &str, actual: impl FnOnce() -> Tensor) {
    if reference.value(pointer).is_null() {
        assert!(catch_unwind(AssertUnwindSafe(actual)).is_err(), "PyTorch has no {pointer}");
    } else {
        reference.check(pointer, &actual(), 2e-5);
    }
}

/// Values of one distribution, and their gradients to the parameters.
fn check_values<D: Distribution>(name: &str, make: impl Fn(&[Tensor]) -> D) {
    let reference = reference();
    let at = |key: &str| format!("/{name}/{key}");
    let parameters = leaves(&reference, &at("parameters"));
    let dist = make(&parameters);
    let (value, probability) = (reference.tensor(&at("value")), reference.tensor(&at("probability")));
    let shape = |key: &str| reference.numbers(&at(key)).into_iter().map(|n| n as i64).collect::<Vec<_>>();
    assert_eq!((dist.batch_shape(), dist.event_shape()), (shape("batch_shape"), shape("event_shape")), "{name}");

    let check = |key: &str, actual: &dyn Fn() -> Tensor| check_if_known(&reference, &at(key), actual);
    check("log_prob", &|| dist.log_prob(&value));
    check("entropy", &|| dist.entropy());
    check("perplexity", &|| dist.perplexity());
    check("mean", &|| dist.mean());
    check("variance", &|| dist.variance());
    check("stddev", &|| dist.stddev());
    check("mode", &|| dist.mode());
    check("cdf", &|| dist.cdf(&value));
    check("icdf", &|| dist.icdf(&probability));

    check_gradients(&reference, &at("log_prob_gradients"), &dist.log_prob(&value), &parameters);
    if !reference.value(&at("entropy")).is_null() {
        check_gradients(&reference, &at("entropy_gradients"), &dist.entropy(), &parameters);
    }
    check_draws(&reference, name, &dist, &parameters);
}

fn check_gradients(reference: &Reference, pointer: &str, values: &Tensor, parameters: &[Tensor]) {
    // PyTorch's gradient to a parameter that does not count is none, which the script writes as 0.
    let none = parameters.iter().map(|parameter| parameter.sum(None) * 0.0);
    let sum = none.fold(values.sum(None), |sum, none| sum + none);
    let gradients = Tensor::run_backward(&[sum], parameters, true, false);
    for (i, gradient) in gradients.iter().enumerate() {
        reference.check(&format!("{pointer}/{i}"), gradient, 1e-4);
    }
}

/// After a seed the numbers are those of PyTorch, also for more draws than fit into a vector register.
fn check_draws(reference: &Reference, name: &str, dist: &dyn Distribution, parameters: &[Tensor]) {
    for (key, shape) in [("sample", [].as_slice()), ("samples", &[6, 5])] {
        let pointer = format!("/{name}/{key}");
        let drawn = reference.drawn(&pointer, 7, || dist.sample(shape), 1e-5);
        assert!(!drawn.requires_grad(), "{name}");
        assert_eq!(drawn.kind(), reference.tensor(&pointer).kind(), "{name}");
    }
    let pointer = format!("/{name}/rsample");
    assert_eq!(dist.has_rsample(), !reference.value(&pointer).is_null(), "{name}");
    if dist.has_rsample() {
        let drawn = reference.drawn(&pointer, 7, || dist.rsample(&[4]), 1e-5);
        // The plain sum of a Dirichlet's draw is 1, whatever its parameters.
        check_gradients(reference, &format!("{pointer}_gradients"), &drawn.square(), parameters);
    } else {
        assert!(catch_unwind(AssertUnwindSafe(|| dist.rsample(&[4]))).is_err(), "{name}");
    }
}

/// As [`check_values`], and the divergence from one distribution to another.
pub(super) fn check_family<D: KlDivergence>(name: &str, make: impl Fn(&[Tensor]) -> D) {
    check_values(name, &make);
    let reference = reference();
    let at = |key: &str| format!("/{name}/{key}");
    let (ours, others) = (leaves(&reference, &at("parameters")), leaves(&reference, &at("others")));
    let kl = kl_divergence(&make(&ours), &make(&others));
    reference.check(&at("kl"), &kl, 2e-5);
    check_gradients(&reference, &at("kl_gradients"), &kl, &ours.into_iter().chain(others).collect::<Vec<_>>());
}

#[test]
fn independent_ones_are_pytorchs() {
    check_family("independent", |given| Independent::new(Normal::new(&given[0], &given[1]), 1));
}

#[test]
fn mixtures_are_pytorchs() {
    check_values("mixture", |given| {
        MixtureSameFamily::new(Categorical::from_logits(&given[0]), Normal::new(&given[1], &given[2]))
    });
    check_values("mixture_of_vectors", |given| {
        let components = Independent::new(Normal::new(&given[1], &given[2]), 1);
        MixtureSameFamily::new(Categorical::from_probs(&given[0]), components)
    });
}

/// What PyTorch cannot draw from.
#[test]
fn one_choice_for_all_batches_chooses_anew_for_each() {
    let choice = Categorical::from_probs(Tensor::from_slice(&[0.5f32, 0.5]));
    let means = Tensor::from_slice(&[-100f32, 100.0]).expand([64, 2], false);
    let drawn = MixtureSameFamily::new(choice, Normal::new(&means, 1.0)).sample(&[]);
    assert_eq!(drawn.size(), [64]);
    let positive = drawn.gt(0.0).sum(Kind::Int64).int64_value(&[]);
    assert!((10..54).contains(&positive), "{positive}");
}

#[test]
fn numbers_take_kind_and_device_of_the_tensor_beside_them() {
    let double = Normal::new(Tensor::from_slice(&[0.0f64, 1.0]), 1);
    assert_eq!(double.sample(&[3]).kind(), Kind::Double);
    assert_eq!(double.scale().size(), [2]);
    assert_eq!(Normal::new(0.0, 1.0).sample(&[]).kind(), Kind::Float);
    assert_eq!(Normal::new(0f32, Tensor::ones([2, 1], (Kind::BFloat16, Device::Cpu))).entropy().kind(), Kind::BFloat16);
}

#[test]
fn what_is_wrong_with_parameters_is_said() {
    let numbers = |numbers: &[f64]| Tensor::from_slice(numbers);
    let cases = [
        (
            numbers(&[0.0]),
            numbers(&[1.0, -2.0]),
            "`scale` has to be positive, but 1 of 2 are not, such as -2; `.exp()`",
        ),
        (numbers(&[f64::NAN]), numbers(&[1.0]), "`loc` has to be a number, but 1 of 1 are not, such as NaN"),
        (numbers(&[1.0, 2.0]), numbers(&[1.0; 3]), "do not broadcast to one shape: `loc` [2], `scale` [3]"),
        (Tensor::from(1i64), numbers(&[1.0]), "`loc` is of Int64; parameters are floats"),
    ];
    for (loc, scale, expected) in cases {
        let message = panic_message(|| Normal::new(&loc, &scale));
        assert!(message.starts_with("Normal: ") && message.contains(expected), "{message}");
    }
}

#[test]
#[should_panic(expected = "Normal: a value of [4] for a batch of [3] and events of []; its shape has to end with [3]")]
fn a_value_of_another_shape_is_refused() {
    let batch = Normal::new(Tensor::zeros([3], (Kind::Float, Device::Cpu)), 1.0);
    let _ = batch.log_prob(&Tensor::zeros([4], (Kind::Float, Device::Cpu)));
}

#[test]
#[should_panic(expected = "MixtureSameFamily: it has no entropy in closed form")]
fn what_has_no_closed_form_says_so() {
    let components = Normal::new(Tensor::zeros([2], (Kind::Float, Device::Cpu)), 1.0);
    let _ = MixtureSameFamily::new(Categorical::from_probs(Tensor::from_slice(&[0.5, 0.5])), components).entropy();
}

#[test]
#[should_panic(expected = "Independent: 2 axes of a batch of [3]; it has 1")]
fn more_axes_than_a_batch_has_are_refused() {
    let _ = Independent::new(Normal::new(Tensor::zeros([3], (Kind::Float, Device::Cpu)), 1.0), 2);
}

/// Homework: fit a mixture of two Gaussians to points by gradient descent, then draw from it.
#[test]
fn a_mixture_learns_where_the_points_are() {
    use crate::nn::{Adam, VarStore};
    let options = (Kind::Float, Device::Cpu);
    let clusters =
        [[-2.0f32, 0.0], [3.0, 1.0]].map(|center| Tensor::randn([200, 2], options) * 0.5 + Tensor::from_slice(&center));
    let points = Tensor::cat(&clusters, 0);

    let vs = VarStore::new(Device::Cpu);
    let root = vs.root();
    let logits = root.zeros("logits", &[2]);
    let means = root.var_copy("means", &Tensor::from_slice2(&[[-1f32, -1.0], [1.0, 2.0]]));
    let log_scales = root.zeros("log_scales", &[2, 2]);
    let model = || {
        let components = MultivariateNormal::from_scale_diag(&means, log_scales.exp());
        MixtureSameFamily::new(Categorical::from_logits(&logits), components)
    };
    let mut optimizer = Adam::default().build(&vs, 0.05).expect("variables to train");
    for _ in 0..200 {
        optimizer.backward_step(&-model().log_prob(&points).mean(Kind::Float));
    }
    let fitted = model();
    let mean = fitted.mean();
    assert!(mean.allclose(&Tensor::from_slice(&[0.5f32, 0.5]), 0.0, 0.15, false), "{mean}");
    assert!(log_scales.exp().allclose(&(log_scales.ones_like() * 0.5), 0.0, 0.1, false), "{log_scales}");
    assert_eq!(fitted.sample(&[7]).size(), [7, 2]);
}
