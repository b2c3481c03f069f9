//! How much boxes overlap.

use tch::Tensor;

use super::boxes::{box_area, check, upcast};

/// The area that two boxes share, as a share of the area that they cover together (the Jaccard index): of each of
/// `boxes1` `[N, 4]` with each of `boxes2` `[M, 4]`, `[N, M]`, differentiable. NaN for two boxes without an area.
///
/// ```
/// use oxtorch::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0.0, 2.0, 2.0], [1.0, 0.0, 3.0, 2.0]]);
/// let iou = vision::box_iou(&boxes, &boxes);
/// assert!((iou - Tensor::from_slice2(&[[1f32, 1.0 / 3.0], [1.0 / 3.0, 1.0]])).abs().max().double_value(&[]) < 1e-6);
/// ```
///
/// # Panics
///
/// Where the boxes are not `[N, 4]` and `[M, 4]`.
#[track_caller]
pub fn box_iou(boxes1: &Tensor, boxes2: &Tensor) -> Tensor {
    Overlap::new("box_iou", boxes1, boxes2).iou()
}

/// [`box_iou`] less the share of the smallest box around both that neither covers (H. Rezatofighi et al., Generalized
/// intersection over union, 2019): from -1 to 1, `[N, M]`. It also has a gradient where boxes do not touch, so
/// `1 - generalized_box_iou` is a loss.
///
/// ```
/// use oxtorch::prelude::*;
/// let predicted = Tensor::from_slice2(&[[0f32, 0.0, 1.0, 1.0]]).set_requires_grad(true);
/// let target = Tensor::from_slice2(&[[3f32, 0.0, 4.0, 1.0]]);
/// let loss = (-vision::generalized_box_iou(&predicted, &target) + 1.0).mean(Kind::Float);
/// assert_eq!(loss.double_value(&[]), 1.5); // half of the box around both is empty
/// loss.backward();
/// assert!(predicted.grad().abs().sum(Kind::Float).double_value(&[]) > 0.0);
/// ```
///
/// # Panics
///
/// As [`box_iou`].
#[track_caller]
pub fn generalized_box_iou(boxes1: &Tensor, boxes2: &Tensor) -> Tensor {
    let overlap = Overlap::new("generalized_box_iou", boxes1, boxes2);
    overlap.iou() - (&overlap.around - &overlap.union) / &overlap.around
}

/// Areas of each pair of boxes, `[N, M]`.
struct Overlap {
    intersection: Tensor,
    union: Tensor,
    /// Of the smallest box around both.
    around: Tensor,
}

impl Overlap {
    #[track_caller]
    fn new(what: &str, boxes1: &Tensor, boxes2: &Tensor) -> Self {
        check(what, boxes1);
        check(what, boxes2);
        let (areas1, areas2) = (box_area(boxes1).unsqueeze(1), box_area(boxes2));
        let (first, second) = (boxes1.unsqueeze(1).chunk(2, -1), boxes2.chunk(2, -1));
        let ([upper1, lower1], [upper2, lower2]) = ([&first[0], &first[1]], [&second[0], &second[1]]);
        let intersection = area_between(&upper1.maximum(upper2), &lower1.minimum(lower2));
        let union = areas1 + areas2 - &intersection;
        Self { intersection, union, around: area_between(&upper1.minimum(upper2), &lower1.maximum(lower2)) }
    }

    fn iou(&self) -> Tensor {
        &self.intersection / &self.union
    }
}

/// The area between corners `[N, M, 2]`, 0 where the lower right one is not below and to the right of the other.
fn area_between(upper_left: &Tensor, lower_right: &Tensor) -> Tensor {
    let sides = upcast(&(lower_right - upper_left)).clamp_min(0);
    sides.select(-1, 0) * sides.select(-1, 1)
}

/// [`box_iou`] of two boxes, and 0 where they share nothing.
pub(crate) fn iou(a: &[f64; 4], b: &[f64; 4]) -> f64 {
    let area = |corners: &[f64; 4]| (corners[2] - corners[0]) * (corners[3] - corners[1]);
    let width = (a[2].min(b[2]) - a[0].max(b[0])).max(0.0);
    let height = (a[3].min(b[3]) - a[1].max(b[1])).max(0.0);
    let shared = width * height;
    if shared == 0.0 { 0.0 } else { shared / (area(a) + area(b) - shared) }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;
    use crate::vision::corners;

    #[test]
    fn overlaps_and_their_gradients_are_as_defined() {
        type Overlaps = fn(&Tensor, &Tensor) -> Tensor;
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let (boxes, others) = (reference.tensor("/boxes"), reference.tensor("/others"));
        let functions: [(&str, Overlaps); 2] = [("iou", box_iou), ("generalized_iou", generalized_box_iou)];
        for (name, function) in functions {
            let leaf = boxes.copy().set_requires_grad(true);
            let overlaps = function(&leaf, &others);
            reference.check(&format!("/{name}"), &overlaps, 1e-6);
            overlaps.sum(Kind::Float).backward();
            reference.check(&format!("/{name}_gradient"), &leaf.grad(), 1e-5);
            assert_eq!(function(&boxes.to_kind(Kind::Double), &others.to_kind(Kind::Double)).kind(), Kind::Double);
            assert_eq!(function(&boxes.narrow(0, 0, 0), &others).size(), [0, 5]);
        }
    }

    #[test]
    fn two_boxes_overlap_as_two_lists_of_one() {
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let (boxes, others) = (reference.tensor("/boxes"), reference.tensor("/others"));
        let rows = corners(&boxes).into_iter().flat_map(|a| corners(&others).into_iter().map(move |b| iou(&a, &b)));
        reference.check("/iou", &Tensor::from_slice(&rows.collect::<Vec<_>>()).view([8, 5]), 1e-6);
        let empty = [1.0, 1.0, 1.0, 1.0];
        assert_eq!(iou(&empty, &empty), 0.0);
        let empty = Tensor::ones([1, 4], (Kind::Float, Device::Cpu));
        assert!(box_iou(&empty, &empty).double_value(&[0, 0]).is_nan());
    }
}
