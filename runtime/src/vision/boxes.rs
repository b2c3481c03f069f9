//! Boxes one by one: formats, areas, and which are within a picture.

use tch::{Kind, Tensor};

use crate::elements::elements;

/// What the four numbers of a box are, as in `torchvision.tv_tensors`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BoundingBoxFormat {
    /// `x1, y1, x2, y2`: the upper left and the lower right corner, as the functions of this module take them.
    Xyxy,
    /// `x1, y1, width, height`: the upper left corner and the size, as COCO has them.
    Xywh,
    /// `cx, cy, width, height`: the center and the size, as YOLO and DETR have them.
    Cxcywh,
}

/// Boxes `[..., 4]` in another format, differentiable.
///
/// ```
/// use oxtorch::prelude::*;
/// use vision::BoundingBoxFormat::{Cxcywh, Xywh, Xyxy};
/// let boxes = Tensor::from_slice2(&[[10f32, 20.0, 4.0, 6.0]]);
/// assert_eq!(vision::box_convert(&boxes, Xywh, Xyxy), Tensor::from_slice2(&[[10f32, 20.0, 14.0, 26.0]]));
/// assert_eq!(vision::box_convert(&boxes, Cxcywh, Xyxy), Tensor::from_slice2(&[[8f32, 17.0, 12.0, 23.0]]));
/// ```
///
/// # Panics
///
/// Where the last axis is not of 4.
#[track_caller]
pub fn box_convert(boxes: &Tensor, in_format: BoundingBoxFormat, out_format: BoundingBoxFormat) -> Tensor {
    let numbers = numbers("box_convert", boxes);
    if in_format == out_format {
        return boxes.copy();
    }
    Tensor::stack(&from_corners(to_corners(numbers, in_format), out_format), -1)
}

fn to_corners([a, b, c, d]: [Tensor; 4], format: BoundingBoxFormat) -> [Tensor; 4] {
    match format {
        BoundingBoxFormat::Xyxy => [a, b, c, d],
        BoundingBoxFormat::Xywh => {
            let (x2, y2) = (&a + c, &b + d);
            [a, b, x2, y2]
        }
        BoundingBoxFormat::Cxcywh => {
            let (half_width, half_height) = (c * 0.5, d * 0.5);
            [&a - &half_width, &b - &half_height, a + half_width, b + half_height]
        }
    }
}

fn from_corners([x1, y1, x2, y2]: [Tensor; 4], format: BoundingBoxFormat) -> [Tensor; 4] {
    match format {
        BoundingBoxFormat::Xyxy => [x1, y1, x2, y2],
        BoundingBoxFormat::Xywh => {
            let (width, height) = (x2 - &x1, y2 - &y1);
            [x1, y1, width, height]
        }
        BoundingBoxFormat::Cxcywh => [(&x1 + &x2) / 2.0, (&y1 + &y2) / 2.0, x2 - x1, y2 - y1],
    }
}

/// The areas `[N]` of boxes `[N, 4]`, differentiable. Those of boxes in half precision are float32, which holds them.
///
/// ```
/// use oxtorch::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0.0, 2.0, 3.0], [1.0, 1.0, 5.0, 2.0]]);
/// assert_eq!(vision::box_area(&boxes), Tensor::from_slice(&[6f32, 4.0]));
/// ```
///
/// # Panics
///
/// Where the boxes are not `[N, 4]`.
#[track_caller]
pub fn box_area(boxes: &Tensor) -> Tensor {
    check("box_area", boxes);
    let [x1, y1, x2, y2] = numbers("box_area", &upcast(boxes));
    (x2 - x1) * (y2 - y1)
}

/// Boxes `[..., 4]`, of which what is beyond an image of `[height, width]` is cut off.
///
/// ```
/// use oxtorch::prelude::*;
/// let boxes = Tensor::from_slice2(&[[-3f32, 5.0, 90.0, 70.0]]);
/// let clipped = vision::clip_boxes_to_image(&boxes, [60, 80]);
/// assert_eq!(clipped, Tensor::from_slice2(&[[0f32, 5.0, 80.0, 60.0]]));
/// ```
///
/// # Panics
///
/// Where the last axis is not of 4.
#[track_caller]
pub fn clip_boxes_to_image(boxes: &Tensor, [height, width]: [i64; 2]) -> Tensor {
    let [x1, y1, x2, y2] = numbers("clip_boxes_to_image", boxes);
    let (x, y) = (|x: Tensor| x.clamp(0, width), |y: Tensor| y.clamp(0, height));
    Tensor::stack(&[x(x1), y(y1), x(x2), y(y2)], -1)
}

/// The indices `[K]` int64 of those of the boxes `[N, 4]` whose sides are both `min_size` or longer.
///
/// ```
/// use oxtorch::prelude::*;
/// let boxes = Tensor::from_slice2(&[[0f32, 0.0, 9.0, 1.0], [0.0, 0.0, 9.0, 9.0]]);
/// let keep = vision::remove_small_boxes(&boxes, 2.0);
/// assert_eq!(boxes.index_select(0, &keep), Tensor::from_slice2(&[[0f32, 0.0, 9.0, 9.0]]));
/// ```
///
/// # Panics
///
/// Where the boxes are not `[N, 4]`.
#[track_caller]
pub fn remove_small_boxes(boxes: &Tensor, min_size: f64) -> Tensor {
    check("remove_small_boxes", boxes);
    let [x1, y1, x2, y2] = numbers("remove_small_boxes", boxes);
    (x2 - x1).ge(min_size).logical_and(&(y2 - y1).ge(min_size)).nonzero().squeeze_dim(1)
}

/// The corners of boxes `[N, 4]` as numbers.
pub(crate) fn corners(boxes: &Tensor) -> Vec<[f64; 4]> {
    elements::<f64>(boxes).chunks_exact(4).map(|corner| [corner[0], corner[1], corner[2], corner[3]]).collect()
}

#[track_caller]
pub(super) fn check(what: &str, boxes: &Tensor) {
    let size = boxes.size();
    assert!(
        matches!(size[..], [_, 4]),
        "{what}: boxes of {size:?}; they are [N, 4], and a single one is `boxes.unsqueeze(0)`"
    );
}

/// As torchvision has it: half precision does not hold the areas of usual boxes, and bytes do not either.
pub(super) fn upcast(tensor: &Tensor) -> Tensor {
    match tensor.kind() {
        Kind::Half | Kind::BFloat16 => tensor.to_kind(Kind::Float),
        Kind::Uint8 | Kind::Int8 | Kind::Int16 => tensor.to_kind(Kind::Int),
        _ => tensor.shallow_clone(),
    }
}

/// Each of the four numbers of all boxes.
#[track_caller]
fn numbers(what: &str, boxes: &Tensor) -> [Tensor; 4] {
    let size = boxes.size();
    assert!(size.last() == Some(&4), "{what}: boxes of {size:?}; each has 4 numbers, so they are [N, 4]");
    [0, 1, 2, 3].map(|number| boxes.select(-1, number))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::BoundingBoxFormat::{Cxcywh, Xywh, Xyxy};
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn formats_become_each_other_as_in_torchvision() {
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let formats = [("xyxy", Xyxy), ("xywh", Xywh), ("cxcywh", Cxcywh)];
        for (from, in_format) in formats {
            for (to, out_format) in formats {
                let boxes = reference.tensor(&format!("/formats/{from}"));
                reference.check(&format!("/formats/{to}"), &box_convert(&boxes, in_format, out_format), 1e-5);
            }
        }
        let batch = reference.tensor("/formats/xyxy").view([2, 4, 4]);
        assert_eq!(box_convert(&batch, Xyxy, Xywh).size(), [2, 4, 4]);
    }

    #[test]
    fn areas_and_parts_within_an_image_are_torchvisions() {
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let boxes = reference.tensor("/boxes");
        reference.check("/area", &box_area(&boxes), 1e-6);
        reference.check("/clipped", &clip_boxes_to_image(&boxes, [30, 40]), 0.0);
        reference.check("/not_small", &remove_small_boxes(&boxes, 6.0), 0.0);
        assert_eq!(box_area(&(boxes.to_kind(Kind::Half) * 20.0)).kind(), Kind::Float);
    }

    #[test]
    fn no_boxes_are_no_error_and_one_without_a_list_is_said() {
        let none = Tensor::zeros([0, 4], (Kind::Double, Device::Cpu));
        assert_eq!(box_convert(&none, Xywh, Cxcywh).size(), [0, 4]);
        assert_eq!(clip_boxes_to_image(&none, [5, 5]).size(), [0, 4]);
        assert_eq!(remove_small_boxes(&none, 1.0).size(), [0]);
        assert_eq!((box_area(&none).size(), box_area(&none).kind()), (vec![0], Kind::Double));
        let message = panic_message(|| box_area(&Tensor::from_slice(&[0f32, 0.0, 1.0, 1.0])));
        assert!(message.contains("box_area: boxes of [4]; they are [N, 4]"), "{message}");
    }
}
