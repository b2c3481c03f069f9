//! How good predictions are: functions for a whole set, and values that gather batch after batch.
//!
//! Predictions of classes are either scores `[N, C]`, such as logits, of which the greatest counts, or classes `[N]`.
//! Targets are classes `[N]` int64. Names and definitions are scikit-learn's; the order of the arguments is that of
//! PyTorch's losses and of torchmetrics, **predictions first, targets second**, where scikit-learn has `y_true` first.
//! Precision and recall of swapped arguments are each other.
//!
//! | for | |
//! | --- | --- |
//! | classes | [`accuracy`], [`top_k_accuracy`], [`precision`], [`recall`], [`f1_score`], [`ConfusionMatrix`] |
//! | scores | [`roc_auc`] |
//! | numbers | [`mae`], [`mse`], [`r2_score`] |
//! | pixels | [`mean_iou`], [`pixel_accuracy`], [`mean_class_accuracy`] |
//! | boxes | [`mean_average_precision`] |
//! | text | [`perplexity`], [`bleu`], [`chrf`], [`rouge_n`], [`rouge_l`], [`word_error_rate`], [`edit_distance`] |
//!
//! ```
//! use oxtorch::prelude::*;
//! let logits = Tensor::from_slice2(&[[2.0f32, 0.1], [0.3, 1.0], [0.9, 0.2]]);
//! let labels = Tensor::from_slice(&[0i64, 1, 1]);
//! assert!((metrics::accuracy(&logits, &labels) - 2.0 / 3.0).abs() < 1e-9);
//! let confusion = metrics::confusion_matrix(&logits, &labels, 2).names(&["cat", "dog"]);
//! assert_eq!(confusion.recall(), [1.0, 0.5]);
//! confusion
//! # ;
//! ```

mod classification;
mod confusion;
mod detection;
mod language;
mod mean;
mod ranking;
mod regression;
mod segmentation;

pub use classification::{accuracy, f1_score, precision, recall, top_k_accuracy};
pub use confusion::{Average, ConfusionMatrix, confusion_matrix};
pub use detection::{AveragePrecision, Detections, GroundTruths, mean_average_precision};
pub use language::{Rouge, bleu, chrf, edit_distance, perplexity, rouge_l, rouge_n, word_error_rate};
pub use mean::Mean;
pub use ranking::roc_auc;
pub use regression::{mae, mse, r2_score};
pub use segmentation::{MeanIou, mean_class_accuracy, mean_iou, pixel_accuracy};

use tch::{Device, Kind, Tensor};

use crate::nn;

/// Classes `[N]` from scores `[N, C]` or from classes, on the CPU.
#[track_caller]
fn classes(what: &str, predictions: &Tensor) -> Tensor {
    let predictions = predictions.detach();
    let classes = match predictions.size()[..] {
        [_] if predictions.is_floating_point() => panic!(
            "{what}: predictions [N] of {:?}; classes are integers: for two classes, `p.gt(0.5)` makes them from probabilities",
            predictions.kind()
        ),
        [_] => predictions,
        [_, 1] => panic!(
            "{what}: scores [N, 1] for two classes; `scores.squeeze_dim(1).gt(0.0)` makes classes from logits, `.gt(0.5)` from \
             probabilities"
        ),
        [_, _] => predictions.argmax(1, false),
        _ => panic!(
            "{what}: predictions of {:?}; they are [N, C] for scores or [N] for classes: `view` or `flatten` brings them there",
            predictions.size()
        ),
    };
    classes.to_device(Device::Cpu).to_kind(Kind::Int64)
}

/// Predicted and true classes `[M]`, as many of each: of scores `[N, C]`, of those of tokens or pixels as
/// [`nn::cross_entropy`] takes them, or of classes.
#[track_caller]
fn pairs(what: &str, predictions: &Tensor, targets: &Tensor) -> (Tensor, Tensor) {
    let targets = targets.detach().to_device(Device::Cpu);
    let predicted = match (predictions.dim(), targets.dim()) {
        (2.., dims @ 2..) if predictions.dim() == dims + 1 => {
            let (scores, targets) = nn::rows(what, &predictions.detach().to_device(Device::Cpu), &targets);
            return (scores.argmax(1, false), targets);
        }
        (2.., 2..) if predictions.size() == targets.size() && !predictions.is_floating_point() => {
            return (classes(what, &predictions.flatten(0, -1)), targets.flatten(0, -1).to_kind(Kind::Int64));
        }
        _ => classes(what, predictions),
    };
    assert!(
        predicted.size() == targets.size(),
        "{what}: {:?} predictions for targets of {:?}; each target needs one",
        predicted.size(),
        targets.size()
    );
    (predicted, targets.to_kind(Kind::Int64))
}

/// `part / whole`, and 0 of nothing: scikit-learn's `zero_division=0`.
fn share(part: f64, whole: f64) -> f64 {
    if whole == 0.0 { 0.0 } else { part / whole }
}
