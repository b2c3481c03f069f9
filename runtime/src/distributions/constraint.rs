//! What parameters and values have to be, and whether that is checked.

use std::sync::atomic::{AtomicBool, Ordering};

use tch::{Kind, Tensor};

use super::distribution::{Distribution, name};
use super::limits::eps;
use crate::elements::elements;
use crate::modes::no_grad;

static VALIDATES: AtomicBool = AtomicBool::new(true);

/// Whether distributions check their parameters when they are made, and the values that they are asked about. As
/// PyTorch's `Distribution.set_default_validate_args`; default true.
///
/// All checks of one call are read together, so that a call waits for the GPU once. A loop that is to keep a GPU busy
/// can do without, once it works: wrong parameters then give NaN.
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::Normal;
/// distributions::set_default_validate_args(false);
/// assert!(Normal::new(0.0, -1.0).log_prob(&Tensor::from(0.5)).double_value(&[]).is_nan());
/// distributions::set_default_validate_args(true);
/// ```
pub fn set_default_validate_args(validate: bool) {
    VALIDATES.store(validate, Ordering::Relaxed);
}

/// Which numbers are allowed.
#[derive(Debug)]
pub(super) enum Constraint<'a> {
    Real,
    Positive,
    NonNegative,
    UnitInterval,
    /// As the one before, of a parameter.
    Probability,
    Boolean,
    Count,
    /// An integer from 0 up to this, which does not belong.
    Below(i64),
    /// Both ends belong.
    Between(&'a Tensor, &'a Tensor),
    /// Above a parameter of this name.
    Above(&'static str, &'a Tensor),
    /// Along the last axis: not negative, with a sum of 1.
    Simplex,
    /// Along the last axis, when they are normalized: what cannot be is NaN then.
    Logits,
    /// Along the last axis: not negative, with a sum that they can be divided by.
    Weights,
    /// In the last two axes.
    LowerCholesky,
    /// In the last two axes.
    Symmetric,
}

impl Constraint<'_> {
    /// For each number whether it is allowed, or for each vector or matrix where the constraint is on these. False for
    /// NaN.
    fn holds(&self, value: &Tensor) -> Tensor {
        let non_negative = || value.ge(0.0);
        match self {
            Self::Real => value.isnan().logical_not(),
            Self::Logits => value.isnan().logical_not().all_dim(-1, false),
            Self::Positive => value.gt(0.0),
            Self::NonNegative => non_negative(),
            Self::UnitInterval | Self::Probability => non_negative().logical_and(&value.le(1.0)),
            Self::Boolean => value.eq(0.0).logical_or(&value.eq(1.0)),
            Self::Count => non_negative().logical_and(&is_whole(value)),
            Self::Below(end) => non_negative().logical_and(&value.lt(*end)).logical_and(&is_whole(value)),
            Self::Between(low, high) => value.ge_tensor(low).logical_and(&value.le_tensor(high)),
            Self::Above(_, low) => value.gt_tensor(low),
            Self::Simplex => {
                let terms = value.size().last().copied().unwrap_or(1);
                let tolerance = (eps(value.kind()) * terms as f64).max(1e-6);
                let sum = value.sum_dim_intlist(-1i64, false, None);
                non_negative().all_dim(-1, false).logical_and(&(sum - 1.0).abs().lt(tolerance))
            }
            Self::Weights => {
                let sum = value.sum_dim_intlist(-1i64, false, None);
                non_negative().all_dim(-1, false).logical_and(&sum.gt(0.0)).logical_and(&sum.isfinite())
            }
            Self::LowerCholesky => {
                let triangular = value.tril(0).eq_tensor(value).flatten(-2, -1).all_dim(-1, false);
                triangular.logical_and(&value.diagonal(0, -2, -1).gt(0.0).all_dim(-1, false))
            }
            Self::Symmetric => value.isclose(&value.mt(), 1e-5, 1e-6, false).flatten(-2, -1).all_dim(-1, false),
        }
    }

    fn in_words(&self) -> String {
        match self {
            Self::Real => "a number".into(),
            Self::Positive => "positive".into(),
            Self::NonNegative => "at least 0".into(),
            Self::UnitInterval | Self::Probability => "from 0 to 1".into(),
            Self::Boolean => "0 or 1".into(),
            Self::Count => "an integer of at least 0".into(),
            Self::Below(end) => format!("an integer from 0 to {}", end - 1),
            Self::Between(..) => "from `low` to `high`".into(),
            Self::Above(name, _) => format!("above `{name}`"),
            Self::Simplex => "probabilities along the last axis: at least 0, with a sum of 1".into(),
            Self::Logits => "numbers, and not all of them -inf along the last axis".into(),
            Self::Weights => "at least 0, with a finite sum above 0 along the last axis".into(),
            Self::LowerCholesky => "lower triangular with a positive diagonal".into(),
            Self::Symmetric => "symmetric".into(),
        }
    }

    /// What to do about it.
    fn remedy(&self) -> &'static str {
        match self {
            Self::Positive => "; `.exp()` or `.softplus()` makes the output of a network positive",
            Self::Probability => "; `from_logits` takes numbers of any size, and so does `.sigmoid()`",
            Self::Weights => "; `from_logits` takes numbers of any size",
            Self::Logits => "; a mask may exclude all categories, or a network that diverged return NaN",
            Self::LowerCholesky => "; `.tril(0)` of a covariance's Cholesky factor is one",
            Self::Symmetric => "; `(&a + a.mt()) / 2.0` is one",
            _ => "",
        }
    }

    /// What is wrong with a value, if anything is.
    fn complaint(&self, value: &Tensor) -> Option<String> {
        let wrong = self.holds(value).logical_not();
        let count = wrong.sum(Kind::Int64).int64_value(&[]);
        let (of, remedy) = (wrong.numel(), self.remedy());
        (count > 0).then(|| match value.f_broadcast_to(wrong.size()) {
            // On each number; else its shape would be a shorter one.
            Ok(value) => {
                let example = elements::<f64>(&value.masked_select(&wrong).slice(0, 0, 1, 1))[0];
                let nan =
                    if example.is_nan() { "; look at where the NaN comes from, such as the loss" } else { remedy };
                format!("{count} of {of} are not, such as {example}{nan}")
            }
            Err(_) => format!("{count} of {of} are not{remedy}"),
        })
    }
}

fn is_whole(value: &Tensor) -> Tensor {
    if value.is_floating_point() { value.remainder(1).eq(0.0) } else { value.ones_like().to_kind(Kind::Bool) }
}

/// Checks parameters, by their names; the device is waited for once.
///
/// # Panics
///
/// Where one breaks its constraint.
#[track_caller]
pub(super) fn check(family: &str, rules: &[(&str, &Tensor, &Constraint<'_>)]) {
    if !VALIDATES.load(Ordering::Relaxed) {
        return;
    }
    let broken = no_grad(|| {
        let each = rules.iter().map(|(_, value, constraint)| constraint.holds(value).all());
        let all = each.reduce(|all, one| all.logical_and(&one))?;
        if all.int64_value(&[]) == 1 {
            return None;
        }
        rules.iter().find_map(|(name, value, rule)| Some((name, rule.in_words(), rule.complaint(value)?)))
    });
    if let Some((name, words, complaint)) = broken {
        panic!("{family}: `{name}` has to be {words}, but {complaint}");
    }
}

/// Checks a value that a distribution is asked about, and converts integers to the kind of `like`.
///
/// # Panics
///
/// Where its shape does not fit, or it is not in the support.
#[track_caller]
pub(super) fn check_value<D: Distribution>(
    distribution: &D,
    support: &Constraint<'_>,
    value: &Tensor,
    like: &Tensor,
) -> Tensor {
    check_shape(distribution, value);
    check(name::<D>(), &[("value", value, support)]);
    if value.is_floating_point() { value.shallow_clone() } else { value.to_kind(like.kind()) }
}

/// # Panics
///
/// Where a value does not broadcast to the shape of a sample.
#[track_caller]
pub(super) fn check_shape<D: Distribution>(distribution: &D, value: &Tensor) {
    if !VALIDATES.load(Ordering::Relaxed) {
        return;
    }
    let (batch, event, size) = (distribution.batch_shape(), distribution.event_shape(), value.size());
    let expected = [&batch[..], &event[..]].concat();
    let broadcasts = size.iter().rev().zip(expected.iter().rev()).all(|(a, b)| a == b || *a == 1 || *b == 1);
    assert!(
        size.ends_with(&event) && broadcasts,
        "{}: a value of {size:?} for a batch of {batch:?} and events of {event:?}; its shape has to end with \
         {expected:?}, or broadcast to it",
        name::<D>()
    );
}
