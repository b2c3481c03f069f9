//! How well pixels are classified.

use tch::Tensor;

use super::{ConfusionMatrix, confusion_matrix, pairs};

/// What [`mean_iou`] finds, from 0 to 1.
#[derive(Debug, Clone, PartialEq)]
pub struct MeanIou {
    /// Of each class; NaN for one that is neither in the targets nor predicted.
    pub per_class: Vec<f64>,
    /// Of the classes that are there; NaN where none is.
    pub mean: f64,
}

/// Intersection over union of the pixels of each class, `TP / (TP + FP + FN)` over all images together, and the mean
/// over the classes: the measure of semantic segmentation in PASCAL VOC and Cityscapes.
///
/// Scores `[N, C, H, W]` or classes `[N, H, W]` for targets `[N, H, W]` int64. Pixels whose target is `ignore_index` do
/// not count: 255 in many data sets, -100 in PyTorch's losses. For more images than fit into memory, a
/// [`ConfusionMatrix`](super::ConfusionMatrix) gathers batches and has an `iou()` too.
///
/// ```
/// use oxtorch::prelude::*;
/// let predicted = Tensor::from_slice2(&[[0i64, 0, 1], [1, 1, 2]]).unsqueeze(0);
/// let targets = Tensor::from_slice2(&[[0i64, 1, 1], [1, 255, 2]]).unsqueeze(0);
/// let iou = metrics::mean_iou(&predicted, &targets, 3, 255);
/// assert_eq!(iou.per_class, [1.0 / 2.0, 2.0 / 3.0, 1.0]);
/// assert!((iou.mean - 13.0 / 18.0).abs() < 1e-9);
/// ```
///
/// # Panics
///
/// Where there is not one prediction for each target, or one that counts is not in 0 to `num_classes`.
#[track_caller]
pub fn mean_iou(predictions: &Tensor, targets: &Tensor, num_classes: usize, ignore_index: i64) -> MeanIou {
    let per_class = counted("mean_iou", predictions, targets, num_classes, ignore_index).iou();
    MeanIou { mean: mean_of_present(&per_class), per_class }
}

/// The confusion matrix of the pixels that count.
#[track_caller]
fn counted(what: &str, predictions: &Tensor, targets: &Tensor, classes: usize, ignore_index: i64) -> ConfusionMatrix {
    let (predicted, targets) = pairs(what, predictions, targets);
    let counted = targets.ne(ignore_index);
    confusion_matrix(&predicted.masked_select(&counted), &targets.masked_select(&counted), classes)
}

fn mean_of_present(values: &[f64]) -> f64 {
    let present: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    present.iter().sum::<f64>() / present.len() as f64
}

/// The share of the pixels whose class is right, over all images together (J. Long et al., Fully convolutional networks
/// for semantic segmentation, 2015); NaN where none counts. Arguments are those of [`mean_iou`].
///
/// ```
/// use oxtorch::prelude::*;
/// let predicted = Tensor::from_slice2(&[[0i64, 0, 1], [1, 1, 2]]).unsqueeze(0);
/// let targets = Tensor::from_slice2(&[[0i64, 1, 1], [1, 255, 2]]).unsqueeze(0);
/// assert_eq!(metrics::pixel_accuracy(&predicted, &targets, 3, 255), 4.0 / 5.0);
/// ```
///
/// # Panics
///
/// As [`mean_iou`].
#[track_caller]
pub fn pixel_accuracy(predictions: &Tensor, targets: &Tensor, num_classes: usize, ignore_index: i64) -> f64 {
    let matrix = counted("pixel_accuracy", predictions, targets, num_classes, ignore_index);
    if matrix.support().iter().sum::<u64>() == 0 { f64::NAN } else { matrix.accuracy() }
}

/// The mean over the classes of the share of each class's pixels that are found, so that a rare class counts as much as
/// a frequent one; of the classes that the targets have, and NaN where they have none. Arguments are those of
/// [`mean_iou`].
///
/// ```
/// use oxtorch::prelude::*;
/// let predicted = Tensor::from_slice2(&[[0i64, 0, 1], [1, 1, 2]]).unsqueeze(0);
/// let targets = Tensor::from_slice2(&[[0i64, 1, 1], [1, 255, 2]]).unsqueeze(0);
/// let accuracy = metrics::mean_class_accuracy(&predicted, &targets, 3, 255);
/// assert!((accuracy - (1.0 + 2.0 / 3.0 + 1.0) / 3.0).abs() < 1e-9);
/// ```
///
/// # Panics
///
/// As [`mean_iou`].
#[track_caller]
pub fn mean_class_accuracy(predictions: &Tensor, targets: &Tensor, num_classes: usize, ignore_index: i64) -> f64 {
    let matrix = counted("mean_class_accuracy", predictions, targets, num_classes, ignore_index);
    let found = matrix.recall().into_iter().zip(matrix.support());
    mean_of_present(&found.map(|(share, support)| if support == 0 { f64::NAN } else { share }).collect::<Vec<f64>>())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn it_is_as_defined_over_the_pixels_that_count() {
        let reference = Reference::parse(include_str!("../../../tests/reference/detection.json"));
        let (scores, targets) = (reference.tensor("/pixels/scores"), reference.tensor("/pixels/targets"));
        let classes = scores.argmax(1, false);
        for predictions in [scores, classes] {
            let iou = mean_iou(&predictions, &targets, 5, 255);
            reference.check("/pixels/iou", &Tensor::from_slice(&iou.per_class), 1e-12);
            assert!((iou.mean - reference.number("/pixels/mean")).abs() < 1e-12);
        }
    }

    #[test]
    fn accuracies_are_over_all_pixels_and_over_the_classes() {
        let reference = Reference::parse(include_str!("../../../tests/reference/dense_accuracy.json"));
        let (predicted, targets) = (reference.tensor("/predicted"), reference.tensor("/targets"));
        let (all, mean) = (reference.number("/all"), reference.number("/mean"));
        assert!((pixel_accuracy(&predicted, &targets, 5, 255) - all).abs() < 1e-12);
        assert!((mean_class_accuracy(&predicted, &targets, 5, 255) - mean).abs() < 1e-12);
    }

    #[test]
    fn targets_beyond_the_classes_are_named() {
        let zeros = || Tensor::zeros([1, 2, 2], (Kind::Int64, Device::Cpu));
        assert_eq!(mean_iou(&zeros(), &zeros(), 2, -100).mean, 1.0);
        assert!(mean_iou(&zeros(), &zeros(), 2, 0).mean.is_nan());
        assert!(
            pixel_accuracy(&zeros(), &zeros(), 2, 0).is_nan() && mean_class_accuracy(&zeros(), &zeros(), 2, 0).is_nan()
        );
        assert_eq!(mean_class_accuracy(&zeros(), &zeros(), 2, -100), 1.0);
        let message = panic_message(|| mean_iou(&zeros(), &(zeros() + 255i64), 2, -100));
        assert!(message.contains("a target of class 255; there are 2 classes"), "{message}");
    }
}
