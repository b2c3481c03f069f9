//! Non-maximum suppression: of several boxes around one thing, the best.

use tch::Tensor;

use super::boxes::{check, corners};
use super::iou::iou;
use crate::elements::elements;

/// The indices `[K]` int64 of the boxes that remain, the highest score first: a box goes if its [IoU](super::box_iou)
/// with one of a higher score that remains is more than `iou_threshold`. Boxes `[N, 4]`, scores `[N]`; of equal scores
/// the box that comes first counts as higher.
///
/// The overlaps are compared on the CPU in double precision, so that each device keeps the same boxes.
///
/// ```
/// use oxtorch::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [20.0, 0.0, 30.0, 10.0]]);
/// let keep = vision::nms(&boxes, &Tensor::from_slice(&[0.6f32, 0.9, 0.8]), 0.5);
/// assert_eq!(keep, Tensor::from_slice(&[1i64, 2]));
/// ```
///
/// # Panics
///
/// Where the boxes are not `[N, 4]`, or there is not one score for each.
#[track_caller]
pub fn nms(boxes: &Tensor, scores: &Tensor, iou_threshold: f64) -> Tensor {
    check("nms", boxes);
    check_count("nms", "scores", scores, boxes);
    remaining(boxes, scores, None, iou_threshold)
}

/// [`nms`] of each class on its own: boxes of different classes do not suppress each other. The classes are `idxs`
/// `[N]`, integers; the images of a batch if they are numbered, `image * classes + class` for both. The highest score
/// comes first.
///
/// ```
/// use oxtorch::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0.0, 10.0, 10.0], [1.0, 0.0, 11.0, 10.0], [0.0, 1.0, 10.0, 11.0]]);
/// let (scores, classes) = (Tensor::from_slice(&[0.6f32, 0.9, 0.8]), Tensor::from_slice(&[0i64, 1, 0]));
/// assert_eq!(vision::batched_nms(&boxes, &scores, &classes, 0.5), Tensor::from_slice(&[1i64, 2]));
/// ```
///
/// # Panics
///
/// As [`nms`], and where there is not one class for each box.
#[track_caller]
pub fn batched_nms(boxes: &Tensor, scores: &Tensor, idxs: &Tensor, iou_threshold: f64) -> Tensor {
    check("batched_nms", boxes);
    check_count("batched_nms", "scores", scores, boxes);
    check_count("batched_nms", "classes", idxs, boxes);
    remaining(boxes, scores, Some(idxs), iou_threshold)
}

#[track_caller]
fn check_count(what: &str, name: &str, values: &Tensor, boxes: &Tensor) {
    let (size, count) = (values.size(), boxes.size()[0]);
    assert!(size == [count], "{what}: {name} of {size:?} for {count} boxes; each box needs one, so they are [{count}]");
}

fn remaining(boxes: &Tensor, scores: &Tensor, classes: Option<&Tensor>, iou_threshold: f64) -> Tensor {
    let boxes = boxes.detach();
    let (_, order) = scores.detach().to_device(boxes.device()).sort_stable(true, 0, true);
    let corners = corners(&boxes);
    let classes = classes.map_or_else(|| vec![0; corners.len()], elements::<i64>);
    let mut kept: Vec<i64> = Vec::new();
    for candidate in elements::<i64>(&order) {
        let suppresses = |other: &i64| {
            let [other, candidate] = [*other, candidate].map(|index| index as usize);
            classes[other] == classes[candidate] && iou(&corners[other], &corners[candidate]) > iou_threshold
        };
        if !kept.iter().any(suppresses) {
            kept.push(candidate);
        }
    }
    Tensor::from_slice(&kept).to_device(boxes.device())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn boxes_remain_as_defined() {
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let get = |name: &str| reference.tensor(&format!("/nms/{name}"));
        let (boxes, scores, classes) = (get("boxes"), get("scores"), get("classes"));
        for threshold in ["0.3", "0.5", "0.7"] {
            let value = threshold.parse().expect("a number");
            for kind in [Kind::Float, Kind::Double] {
                let kept = nms(&boxes.to_kind(kind), &scores, value);
                reference.check(&format!("/nms/kept/{threshold}"), &kept, 0.0);
                let kept = batched_nms(&boxes.to_kind(kind), &scores, &classes, value);
                reference.check(&format!("/nms/kept_of_classes/{threshold}"), &kept, 0.0);
            }
        }
    }

    #[test]
    fn a_box_at_the_threshold_remains_and_the_first_of_equal_scores() {
        let boxes = Tensor::from_slice2(&[[0f32, 0.0, 10.0, 3.0], [0.0, 0.0, 10.0, 10.0]]);
        let scores = Tensor::from_slice(&[0.5f32, 0.5]);
        assert_eq!(nms(&boxes, &scores, 0.3), Tensor::from_slice(&[0i64, 1]));
        assert_eq!(nms(&boxes, &scores, 0.29), Tensor::from_slice(&[0i64]));
        let none = Tensor::zeros([0, 4], (Kind::Float, Device::Cpu));
        let kept = nms(&none, &scores.narrow(0, 0, 0), 0.5);
        assert_eq!((kept.size(), kept.kind()), (vec![0], Kind::Int64));
    }

    #[test]
    fn scores_that_do_not_fit_the_boxes_are_said() {
        let message = panic_message(|| {
            nms(&Tensor::ones([2, 4], (Kind::Float, Device::Cpu)), &Tensor::from_slice(&[0.5f32]), 0.5)
        });
        assert!(message.contains("nms: scores of [1] for 2 boxes; each box needs one"), "{message}");
    }
}
