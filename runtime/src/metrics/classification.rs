//! Shares of what was classified rightly.

use tch::{Kind, Tensor};

use super::{Average, confusion_matrix, pairs, share};
use crate::nn;

/// The share of predictions that are right: scores `[N, C]` or classes `[N]` for targets `[N]`; of tokens scores
/// `[B, T, V]` for targets `[B, T]`, of pixels `[N, C, H, W]` for `[N, H, W]`. Targets of -100 do not count, as in the
/// losses. 0 for none.
///
/// The method `logits.accuracy_for_logits(&targets)` of tch is right for `[N, C]` and `[N]` alone, and says so of no
/// other shapes: targets in a column, `[N, 1]`, it compares with each prediction, and of `[N, C, H, W]` it takes the
/// greatest along W.
///
/// ```
/// use oxtorch::prelude::*;
/// let (predictions, labels) = (Tensor::from_slice(&[0i64, 2, 1, 1]), Tensor::from_slice(&[0i64, 2, 2, 1]));
/// assert_eq!(metrics::accuracy(&predictions, &labels), 0.75);
/// ```
///
/// # Panics
///
/// Where there is not one prediction for each target.
pub fn accuracy(predictions: &Tensor, targets: &Tensor) -> f64 {
    let (predicted, targets) = pairs("accuracy", predictions, targets);
    let right = predicted.eq_tensor(&targets).sum(Kind::Int64).int64_value(&[]);
    let counted = targets.ne(-100).sum(Kind::Int64).int64_value(&[]);
    share(right as f64, counted as f64)
}

/// The share of targets that are among the `k` classes of the greatest scores: `[N, C]` for targets `[N]`.
///
/// ```
/// use oxtorch::prelude::*;
/// let scores = Tensor::from_slice2(&[[0.1f32, 0.7, 0.2], [0.5, 0.4, 0.1]]);
/// let labels = Tensor::from_slice(&[2i64, 2]);
/// assert_eq!(metrics::top_k_accuracy(&scores, &labels, 2), 0.5);
/// ```
///
/// # Panics
///
/// Where the scores are not `[N, C]`, there is not one row for each target, or `k` is not in 1 to C.
pub fn top_k_accuracy(scores: &Tensor, targets: &Tensor, k: i64) -> f64 {
    let size = scores.size();
    assert!(
        size.len() == 2 && targets.size() == size[..1],
        "top_k_accuracy: scores of {size:?} for targets of {:?}; they are [N, C] and [N]",
        targets.size()
    );
    assert!((1..=size[1]).contains(&k), "top_k_accuracy: k is {k}; there are {} classes, so give 1 to {0}", size[1]);
    let (_, best) = scores.detach().topk(k, 1, true, false);
    let found = best.eq_tensor(&targets.to_device(best.device()).unsqueeze(1)).any_dim(1, false);
    share(found.sum(Kind::Int64).int64_value(&[]) as f64, size[0] as f64)
}

/// Of what was predicted as a class, the share that is one: `TP / (TP + FP)`, averaged over the classes.
///
/// ```
/// use oxtorch::prelude::*;
/// let (predictions, labels) = (Tensor::from_slice(&[0i64, 1, 1, 1]), Tensor::from_slice(&[0i64, 1, 0, 1]));
/// let precision = metrics::precision(&predictions, &labels, metrics::Average::Macro);
/// assert!((precision - (1.0 + 2.0 / 3.0) / 2.0).abs() < 1e-9);
/// ```
///
/// # Panics
///
/// Where there is not one prediction for each target, or a class is negative.
pub fn precision(predictions: &Tensor, targets: &Tensor, average: Average) -> f64 {
    let matrix = confusion_matrix(predictions, targets, count(predictions, targets));
    matrix.averaged(&matrix.precision(), average)
}

/// Of what is of a class, the share that was found: `TP / (TP + FN)`, averaged over the classes.
///
/// ```
/// use oxtorch::prelude::*;
/// let (predictions, labels) = (Tensor::from_slice(&[0i64, 1, 1, 1]), Tensor::from_slice(&[0i64, 1, 0, 1]));
/// assert_eq!(metrics::recall(&predictions, &labels, metrics::Average::Macro), 0.75);
/// ```
///
/// # Panics
///
/// As [`precision`].
pub fn recall(predictions: &Tensor, targets: &Tensor, average: Average) -> f64 {
    let matrix = confusion_matrix(predictions, targets, count(predictions, targets));
    matrix.averaged(&matrix.recall(), average)
}

/// The harmonic mean of precision and recall, `2 TP / (2 TP + FP + FN)`, averaged over the classes.
///
/// ```
/// use oxtorch::prelude::*;
/// let (predictions, labels) = (Tensor::from_slice(&[0i64, 1, 1, 1]), Tensor::from_slice(&[0i64, 1, 0, 1]));
/// let f1 = metrics::f1_score(&predictions, &labels, metrics::Average::Macro);
/// assert!((f1 - (2.0 / 3.0 + 0.8) / 2.0).abs() < 1e-9);
/// ```
///
/// # Panics
///
/// As [`precision`].
pub fn f1_score(predictions: &Tensor, targets: &Tensor, average: Average) -> f64 {
    let matrix = confusion_matrix(predictions, targets, count(predictions, targets));
    matrix.averaged(&matrix.f1(), average)
}

/// As many classes as the scores have, else as are named.
fn count(predictions: &Tensor, targets: &Tensor) -> usize {
    let name = "precision, recall and F1";
    if predictions.dim() == targets.dim() + 1 && predictions.dim() > 1 {
        return nn::rows(name, predictions, targets).0.size()[1] as usize;
    }
    let greatest = |tensor: &Tensor| if tensor.numel() == 0 { -1 } else { tensor.max().int64_value(&[]) };
    let (predicted, targets) = &pairs(name, predictions, targets);
    (greatest(predicted).max(greatest(targets)) + 1).max(0) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn shares_are_scikit_learns() {
        let reference = Reference::parse(include_str!("../../../tests/reference/metrics.json"));
        let (scores, targets) = (reference.tensor("/scores"), reference.tensor("/targets"));
        let near = |name: &str, actual: f64| {
            let expected = reference.number(&format!("/{name}"));
            assert!((actual - expected).abs() < 1e-9, "{name}: {actual} instead of {expected}");
        };
        near("accuracy", accuracy(&scores, &targets));
        near("accuracy", accuracy(&scores.argmax(1, false), &targets));
        near("top_2", top_k_accuracy(&scores, &targets, 2));
        for (average, name) in [(Average::Macro, "macro"), (Average::Micro, "micro"), (Average::Weighted, "weighted")] {
            near(&format!("averages/precision_{name}"), precision(&scores, &targets, average));
            near(&format!("averages/recall_{name}"), recall(&scores, &targets, average));
            near(&format!("averages/f1_{name}"), f1_score(&scores, &targets, average));
        }
    }

    #[test]
    fn tokens_and_pixels_have_an_accuracy_and_padding_has_none() {
        let targets = Tensor::from_slice2(&[[0i64, 1, 2], [3, 3, -100]]);
        let predicted = Tensor::from_slice2(&[[0i64, 1, 1], [3, 0, 0]]);
        let scores = predicted.one_hot(4).to_kind(Kind::Float);
        assert_eq!(accuracy(&scores, &targets), 0.6);
        assert_eq!(accuracy(&scores.movedim_int(-1, 1), &targets), 0.6);
        assert_eq!(accuracy(&predicted, &targets), 0.6);
    }

    #[test]
    fn what_does_not_pair_up_is_said() {
        let message = |run: &(dyn Fn() -> f64 + std::panic::RefUnwindSafe)| {
            std::panic::catch_unwind(run).expect_err("a panic").downcast_ref::<String>().cloned().unwrap_or_default()
        };
        let three = || Tensor::from_slice(&[0i64, 1, 2]);
        let scores = || Tensor::from_slice(&[0f32; 8]).view([2, 4]);
        assert!(message(&|| accuracy(&scores(), &three())).contains("[2] predictions for targets of [3]"));
        assert!(message(&|| accuracy(&scores().view([2, 2, 2]), &three())).contains("predictions of [2, 2, 2]"));
        let shares = || Tensor::from_slice(&[0.9f32, 0.8, 0.1]);
        assert!(message(&|| accuracy(&shares(), &three())).contains("`p.gt(0.5)`"));
        assert!(message(&|| accuracy(&shares().view([3, 1]), &three())).contains("scores [N, 1]"));
        assert_eq!(accuracy(&shares().gt(0.5), &Tensor::from_slice(&[1i64, 1, 0])), 1.0);
        assert!(
            message(&|| accuracy(&Tensor::zeros([2, 3, 3], (Kind::Float, tch::Device::Cpu)), &three().repeat([2, 1])))
                .contains("axis 1 or on the last")
        );
        assert!(message(&|| top_k_accuracy(&scores(), &Tensor::from_slice(&[0i64, 1]), 5)).contains("k is 5"));
    }
}
