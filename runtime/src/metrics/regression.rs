//! How far predicted numbers are from the true ones.

use tch::Tensor;

use super::share;
use crate::elements::elements;

/// `mean((prediction - target)^2)` over all elements of two tensors of one shape.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(metrics::mse(&Tensor::from_slice(&[1.0, 2.0]), &Tensor::from_slice(&[1.0, 4.0])), 2.0);
/// ```
///
/// # Panics
///
/// Where the shapes differ: broadcast `[N, 1]` against `[N]`, every target would be compared with every prediction.
pub fn mse(predictions: &Tensor, targets: &Tensor) -> f64 {
    mean_of("mse", predictions, targets, |difference| difference * difference)
}

/// `mean(|prediction - target|)` over all elements of two tensors of one shape.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(metrics::mae(&Tensor::from_slice(&[1.0, 2.0]), &Tensor::from_slice(&[1.0, 4.0])), 1.0);
/// ```
///
/// # Panics
///
/// As [`mse`].
pub fn mae(predictions: &Tensor, targets: &Tensor) -> f64 {
    mean_of("mae", predictions, targets, f64::abs)
}

/// The share of the targets' variance that the predictions explain,
/// `1 - sum((prediction - target)^2) / sum((target - mean)^2)`: 1 is perfect, 0 no better than the mean. Over all
/// elements of two tensors of one shape.
///
/// ```
/// use oxtorch::prelude::*;
/// let targets = Tensor::from_slice(&[1.0, 2.0, 3.0]);
/// assert_eq!(metrics::r2_score(&targets, &targets), 1.0);
/// ```
///
/// # Panics
///
/// As [`mse`].
pub fn r2_score(predictions: &Tensor, targets: &Tensor) -> f64 {
    let left = mse(predictions, targets);
    let targets = elements::<f64>(targets);
    let mean = share(targets.iter().sum(), targets.len() as f64);
    let variance = share(targets.iter().map(|target| (target - mean).powi(2)).sum(), targets.len() as f64);
    // As scikit-learn has it for targets that are all the same.
    if variance == 0.0 { if left == 0.0 { 1.0 } else { 0.0 } } else { 1.0 - left / variance }
}

#[track_caller]
fn mean_of(what: &str, predictions: &Tensor, targets: &Tensor, of: fn(f64) -> f64) -> f64 {
    let (of_predictions, of_targets) = (predictions.size(), targets.size());
    assert!(
        of_predictions == of_targets,
        "{what}: predictions of {of_predictions:?} for targets of {of_targets:?}; `view` or `squeeze` makes them equal"
    );
    let (predictions, targets) = (elements::<f64>(predictions), elements::<f64>(targets));
    let sum: f64 = predictions.iter().zip(&targets).map(|(prediction, target)| of(prediction - target)).sum();
    share(sum, targets.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn errors_are_scikit_learns() {
        let reference = Reference::parse(include_str!("../../../tests/reference/metrics.json"));
        let (predictions, targets) =
            (reference.tensor("/regression/predictions"), reference.tensor("/regression/targets"));
        for (name, actual) in [
            ("mse", mse(&predictions, &targets)),
            ("mae", mae(&predictions, &targets)),
            ("r2", r2_score(&predictions, &targets)),
        ] {
            let expected = reference.number(&format!("/regression/{name}"));
            assert!((actual - expected).abs() < 1e-6, "{name}: {actual} instead of {expected}");
        }
        let constant = Tensor::from_slice(&[2.0, 2.0]);
        assert_eq!((r2_score(&constant, &constant), r2_score(&(&constant + 1.0), &constant)), (1.0, 0.0));
    }

    #[test]
    fn a_column_against_a_row_is_refused() {
        let run = || mse(&Tensor::from_slice(&[1.0, 2.0]).view([2, 1]), &Tensor::from_slice(&[1.0, 2.0]));
        let message = panic_message(run);
        assert!(message.contains("[2, 1] for targets of [2]"), "{message}");
    }
}
