//! How well objects are found.

use std::collections::{BTreeMap, BTreeSet};

use tch::Tensor;

use crate::elements::elements;
use crate::vision::{corners, iou};

/// How many detections of a class count in an image: the best ones.
const MOST: usize = 100;
const THRESHOLDS: usize = 10;
const RECALLS: usize = 101;

/// What a detector found in one image.
#[derive(Debug)]
pub struct Detections {
    /// `[N, 4]`: `x1, y1, x2, y2` in pixels.
    pub boxes: Tensor,
    /// `[N]`: how sure it is of each.
    pub scores: Tensor,
    /// `[N]`: the class of each, integers.
    pub labels: Tensor,
}

/// What there is to find in one image.
#[derive(Debug)]
pub struct GroundTruths {
    /// `[M, 4]`: `x1, y1, x2, y2` in pixels.
    pub boxes: Tensor,
    /// `[M]`: the class of each, integers.
    pub labels: Tensor,
}

/// What [`mean_average_precision`] finds, from 0 to 1, with the names of torchmetrics. NaN where there is nothing to
/// find.
#[derive(Debug, Clone, PartialEq)]
pub struct AveragePrecision {
    /// Over the thresholds 0.5, 0.55, ..., 0.95: what COCO calls AP.
    pub map: f64,
    /// At the threshold 0.5, as in PASCAL VOC.
    pub map_50: f64,
    /// At the threshold 0.75.
    pub map_75: f64,
    /// `map` of each class that there is to find.
    pub map_per_class: BTreeMap<i64, f64>,
}

/// COCO's average precision (T.-Y. Lin et al., Microsoft COCO, 2014): how precise detections are at each recall,
/// averaged over recalls, thresholds and classes. Detections and ground truths of the same images, in the same order.
///
/// It is computed as pycocotools do:
///
/// 1. In each image, the 100 best detections of a class take, from the highest score down, each the box to be found
///    that it overlaps most and that no other has taken, if their [IoU](crate::vision::box_iou) reaches the threshold.
/// 2. The detections of all images, from the highest score down, give precisions and recalls. The precision at a recall
///    is the highest at that or a higher one.
/// 3. The mean over the recalls 0, 0.01, ..., 1 is the average precision of a class and threshold.
///
/// Sizes of objects and crowds are left out: every box counts, as a single object (`area="all"`, `iscrowd=0`).
///
/// ```
/// use oxtorch::prelude::*;
/// let detections = [metrics::Detections {
///     boxes: Tensor::from_slice2(&[[10f32, 10.0, 50.0, 50.0], [60.0, 60.0, 90.0, 90.0]]),
///     scores: Tensor::from_slice(&[0.9f32, 0.6]),
///     labels: Tensor::from_slice(&[0i64, 1]),
/// }];
/// let truths = [metrics::GroundTruths {
///     boxes: Tensor::from_slice2(&[[10f32, 10.0, 50.0, 50.0], [60.0, 60.0, 90.0, 80.0]]),
///     labels: Tensor::from_slice(&[0i64, 1]),
/// }];
/// let precision = metrics::mean_average_precision(&detections, &truths);
/// assert!((precision.map_50 - 1.0).abs() < 1e-9 && (precision.map_75 - 0.5).abs() < 1e-9);
/// precision
/// # ;
/// ```
///
/// # Panics
///
/// Where there is not one `GroundTruths` for each `Detections`, or boxes, scores and labels do not go together.
#[track_caller]
pub fn mean_average_precision(detections: &[Detections], truths: &[GroundTruths]) -> AveragePrecision {
    let (images, expected) = (detections.len(), truths.len());
    assert!(
        images == expected,
        "mean_average_precision: detections in {images} images for ground truths in {expected}; there is one of each for \
         an image, and one without boxes has `Tensor::zeros([0, 4], ..)`"
    );
    let detections: Vec<_> = detections.iter().map(Found::in_detections).collect();
    let truths: Vec<_> = truths.iter().map(Found::in_truths).collect();
    let classes: BTreeSet<i64> = truths.iter().flatten().map(|truth| truth.label).collect();
    let precisions: BTreeMap<i64, [f64; THRESHOLDS]> = classes
        .into_iter()
        .map(|class| {
            let matches = Matches::new(class, &detections, &truths);
            (class, std::array::from_fn(|threshold| matches.average_precision(threshold)))
        })
        .collect();
    let over_classes = |of_class: fn(&[f64; THRESHOLDS]) -> f64| mean(precisions.values().map(of_class));
    AveragePrecision {
        map: over_classes(|class| mean(class.iter().copied())),
        map_50: over_classes(|class| class[0]),
        map_75: over_classes(|class| class[5]),
        map_per_class: precisions.iter().map(|(class, values)| (*class, mean(values.iter().copied()))).collect(),
    }
}

fn mean(values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let count = values.len() as f64;
    values.sum::<f64>() / count
}

/// The IoU that a detection needs, of that number, rounded as NumPy's `linspace(0.5, 0.95, 10)` is.
fn threshold(number: usize) -> f64 {
    if number == THRESHOLDS - 1 { 0.95 } else { 0.5 + number as f64 * ((0.95 - 0.5) / 9.0) }
}

/// A box of an image.
struct Found {
    corners: [f64; 4],
    label: i64,
    /// Of a detection.
    score: f64,
}

impl Found {
    #[track_caller]
    fn in_detections(Detections { boxes, scores, labels }: &Detections) -> Vec<Self> {
        check("detections", boxes, &[("scores", scores), ("labels", labels)]);
        Self::all(boxes, labels, elements(scores))
    }

    #[track_caller]
    fn in_truths(GroundTruths { boxes, labels }: &GroundTruths) -> Vec<Self> {
        check("ground truths", boxes, &[("labels", labels)]);
        Self::all(boxes, labels, vec![1.0; labels.numel()])
    }

    fn all(boxes: &Tensor, labels: &Tensor, scores: Vec<f64>) -> Vec<Self> {
        let rows = corners(boxes).into_iter().zip(elements::<i64>(labels)).zip(scores);
        rows.map(|((corners, label), score)| Self { corners, label, score }).collect()
    }
}

#[track_caller]
fn check(of: &str, boxes: &Tensor, others: &[(&str, &Tensor)]) {
    let size = boxes.size();
    let [count, 4] = size[..] else {
        panic!("mean_average_precision: {of} with boxes of {size:?}; they are [N, 4], x1, y1, x2 and y2 of each");
    };
    for (name, values) in others {
        let size = values.size();
        assert!(
            size == [count],
            "mean_average_precision: {of} with {count} boxes and {name} of {size:?}; each box has one"
        );
    }
}

/// The detections of a class in all images, and what they hit.
struct Matches {
    /// Scores, and at which thresholds they hit, the highest score first.
    detections: Vec<(f64, [bool; THRESHOLDS])>,
    /// How many there are to find.
    expected: usize,
}

impl Matches {
    fn new(class: i64, detections: &[Vec<Found>], truths: &[Vec<Found>]) -> Self {
        let mut matches = Self { detections: Vec::new(), expected: 0 };
        for (detections, truths) in detections.iter().zip(truths) {
            let of_class = |found: &&Found| found.label == class;
            let truths: Vec<&Found> = truths.iter().filter(of_class).collect();
            let mut detections: Vec<&Found> = detections.iter().filter(of_class).collect();
            detections.sort_by(|a, b| b.score.total_cmp(&a.score));
            detections.truncate(MOST);
            matches.expected += truths.len();
            let hits: [Vec<bool>; THRESHOLDS] =
                std::array::from_fn(|number| hits(&detections, &truths, threshold(number)));
            let each = detections.iter().enumerate();
            matches
                .detections
                .extend(each.map(|(place, found)| (found.score, std::array::from_fn(|at| hits[at][place]))));
        }
        matches.detections.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        matches
    }

    fn average_precision(&self, threshold: usize) -> f64 {
        let mut right = 0.0;
        let mut curve: Vec<(f64, f64)> = Vec::new();
        for (place, (_, hits)) in self.detections.iter().enumerate() {
            right += f64::from(u8::from(hits[threshold]));
            curve.push((right / self.expected as f64, right / (place + 1) as f64));
        }
        let mut highest = 0.0f64;
        for (_, precision) in curve.iter_mut().rev() {
            highest = highest.max(*precision);
            *precision = highest;
        }
        let at_recall = |number: usize| {
            let recall = number as f64 * 0.01;
            let from = curve.partition_point(|(reached, _)| *reached < recall);
            curve.get(from).map_or(0.0, |(_, precision)| *precision)
        };
        mean((0..RECALLS).map(at_recall))
    }
}

/// Which detections of an image, the highest score first, hit something that none before them has hit.
fn hits(detections: &[&Found], truths: &[&Found], threshold: f64) -> Vec<bool> {
    let mut taken = vec![false; truths.len()];
    let hit = |detection: &&Found| {
        let mut best: Option<(usize, f64)> = None;
        for (place, truth) in truths.iter().enumerate().filter(|(place, _)| !taken[*place]) {
            let overlap = iou(&detection.corners, &truth.corners);
            // Of equal ones the last, as in pycocotools.
            if overlap >= best.map_or(threshold, |(_, overlap)| overlap) {
                best = Some((place, overlap));
            }
        }
        if let Some((place, _)) = best {
            taken[place] = true;
        }
        best.is_some()
    };
    detections.iter().map(hit).collect()
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    fn images(reference: &Reference) -> (Vec<Detections>, Vec<GroundTruths>) {
        let count = reference.value("/images").as_object().expect("images by number").len();
        let image = |image: usize| {
            let get = |name: &str| reference.tensor(&format!("/images/{image}/{name}"));
            let detections = Detections { boxes: get("boxes"), scores: get("scores"), labels: get("labels") };
            (detections, GroundTruths { boxes: get("true_boxes"), labels: get("true_labels") })
        };
        (0..count).map(image).unzip()
    }

    #[test]
    fn it_is_that_of_pycocotools() {
        let reference = Reference::parse(include_str!("../../../tests/reference/detection.json"));
        let (detections, truths) = images(&reference);
        let actual = mean_average_precision(&detections, &truths);
        let values: Vec<f64> = actual.map_per_class.values().copied().collect();
        reference.check("/per_class", &Tensor::from_slice(&values), 1e-9);
        for (name, actual) in [("map", actual.map), ("map_50", actual.map_50), ("map_75", actual.map_75)] {
            let expected = reference.number(&format!("/{name}"));
            assert!((actual - expected).abs() < 1e-9, "{name}: {actual} instead of {expected}");
        }
    }

    #[test]
    fn thresholds_are_numpys() {
        let reference = Reference::parse(include_str!("../../../tests/reference/detection.json"));
        assert_eq!((0..THRESHOLDS).map(threshold).collect::<Vec<_>>(), reference.numbers("/thresholds"));
    }

    #[test]
    fn images_without_boxes_count_and_nothing_to_find_is_nan() {
        let none = || Tensor::zeros([0, 4], (Kind::Float, Device::Cpu));
        let labels = |count| Tensor::zeros([count], (Kind::Int64, Device::Cpu));
        let found = |boxes: Tensor| {
            let count = boxes.size()[0];
            Detections { boxes, scores: Tensor::ones([count], (Kind::Float, Device::Cpu)), labels: labels(count) }
        };
        let one = || Tensor::from_slice2(&[[0f32, 0.0, 5.0, 5.0]]);
        let truths =
            [GroundTruths { boxes: one(), labels: labels(1) }, GroundTruths { boxes: none(), labels: labels(0) }];
        let nothing = mean_average_precision(&[found(none()), found(none())], &truths);
        assert_eq!((nothing.map, nothing.map_per_class[&0]), (0.0, 0.0));
        let all = mean_average_precision(&[found(one()), found(none())], &truths);
        assert!((all.map - 1.0).abs() < 1e-12);
        let unasked = mean_average_precision(&[found(one())], &truths[1..]);
        assert!(unasked.map.is_nan() && unasked.map_per_class.is_empty());
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        let message = |boxes: &[i64], labels: i64, images: usize| {
            let options = (Kind::Float, Device::Cpu);
            let truths =
                [GroundTruths { boxes: Tensor::zeros(boxes, options), labels: Tensor::zeros([labels], options) }];
            let detections = std::iter::repeat_with(|| Detections {
                boxes: Tensor::zeros([0, 4], options),
                scores: Tensor::zeros([0], options),
                labels: Tensor::zeros([0], options),
            });
            let detections: Vec<_> = detections.take(images).collect();
            panic_message(|| mean_average_precision(&detections, &truths))
        };
        assert!(message(&[2, 4], 2, 2).contains("detections in 2 images for ground truths in 1"));
        assert!(message(&[2, 5], 2, 1).contains("ground truths with boxes of [2, 5]"));
        assert!(message(&[2, 4], 3, 1).contains("ground truths with 2 boxes and labels of [3]"));
    }
}
