//! How well scores put one class ahead of the other.

use tch::Tensor;

use crate::elements::elements;

/// The area under the receiver operating characteristic: the probability that a sample of class 1 scores higher than
/// one of class 0, ties counting half (J. A. Hanley and B. J. McNeil, 1982). Scores `[N]` in floating point for targets
/// `[N]` of 0 and 1, integers or bools. NaN where a class is missing.
///
/// As in all of [`metrics`](super), predictions come first; `roc_auc_score` of scikit-learn has them second. The kinds
/// tell which is which, so the other order is an error.
///
/// ```
/// use oxtorch::prelude::*;
/// let scores = Tensor::from_slice(&[0.1f32, 0.4, 0.35, 0.8]);
/// assert_eq!(metrics::roc_auc(&scores, &Tensor::from_slice(&[0i64, 0, 1, 1])), 0.75);
/// ```
///
/// # Panics
///
/// Where there is not one score for each target, scores are integers or targets are not, a score is NaN, or a target is
/// neither 0 nor 1.
pub fn roc_auc(scores: &Tensor, targets: &Tensor) -> f64 {
    let (of_scores, of_targets) = (scores.numel(), targets.numel());
    assert!(of_scores == of_targets, "roc_auc: {of_scores} scores for {of_targets} targets; each target needs one");
    assert!(
        scores.is_floating_point() && !targets.is_floating_point(),
        "roc_auc: scores of {:?} for targets of {:?}; it is `roc_auc(&scores, &targets)`, where scores are floating point and targets 0 and 1 as \
         integers or bools: `to_kind(Kind::Float)` and `to_kind(Kind::Int64)` make them so",
        scores.kind(),
        targets.kind()
    );
    let (scores, targets) = (elements::<f64>(scores), elements::<f64>(targets));
    assert!(!scores.iter().any(|score| score.is_nan()), "roc_auc: a score is NaN");
    if let Some(target) = targets.iter().find(|target| ![0.0, 1.0].contains(*target)) {
        panic!("roc_auc: a target of {target}; targets are 0 and 1");
    }
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    // The ranks of class 1, where equal scores share the mean of their ranks (Mann and Whitney's U).
    let mut ranks = 0.0;
    let mut from = 0;
    while from < order.len() {
        let equal = order[from..].iter().take_while(|index| scores[**index] == scores[order[from]]).count();
        let rank = from as f64 + (equal as f64 + 1.0) / 2.0;
        ranks += rank * order[from..from + equal].iter().map(|index| targets[*index]).sum::<f64>();
        from += equal;
    }
    let ones: f64 = targets.iter().sum();
    let zeros = targets.len() as f64 - ones;
    (ranks - ones * (ones + 1.0) / 2.0) / (ones * zeros)
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn the_area_is_scikit_learns_with_ties_too() {
        let reference = Reference::parse(include_str!("../../../tests/reference/metrics.json"));
        let (scores, targets) = (reference.tensor("/roc/scores"), reference.tensor("/roc/targets"));
        assert!((roc_auc(&scores, &targets) - reference.number("/roc/auc")).abs() < 1e-9);
        assert!(roc_auc(&scores, &targets.zeros_like()).is_nan());
        assert_eq!(roc_auc(&scores, &targets.to_kind(Kind::Bool)), roc_auc(&scores, &targets));
    }

    #[test]
    fn the_order_of_scikit_learn_is_an_error() {
        let (scores, targets) = (|| Tensor::from_slice(&[1.0f32, 0.0, 1.0]), || Tensor::from_slice(&[1i64, 0, 0]));
        assert_eq!(roc_auc(&scores(), &targets()), 0.75);
        let message = |run: &(dyn Fn() -> f64 + std::panic::RefUnwindSafe)| {
            std::panic::catch_unwind(run).expect_err("a panic").downcast_ref::<String>().cloned().unwrap_or_default()
        };
        for text in [
            message(&|| roc_auc(&targets(), &scores())),
            message(&|| roc_auc(&scores(), &targets().to_kind(Kind::Float))),
            message(&|| roc_auc(&targets(), &targets())),
        ] {
            assert!(text.contains("it is `roc_auc(&scores, &targets)`"), "{text}");
        }
    }
}
