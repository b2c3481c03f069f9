//! Boxes around things in a picture: their formats, how much they overlap, which of them to keep, and how they and
//! masks look in the picture. Names and definitions are those of `torchvision.ops` and `torchvision.utils`.
//!
//! Boxes are tensors `[N, 4]`, in pixels, of which x counts to the right and y down. Unless a function says otherwise,
//! the numbers of each are `x1, y1, x2, y2` with `x1 < x2` and `y1 < y2`: its upper left and its lower right corner.
//!
//! What a detector found becomes a picture:
//!
//! ```
//! use oxtorch::prelude::*;
//! use vision::BoundingBoxFormat::{Cxcywh, Xyxy};
//! let photo = Tensor::rand([3, 60, 80], (Kind::Float, device()));
//! let rows = [[30f32, 30.0, 20.0, 20.0], [31.0, 30.0, 20.0, 20.0], [70.0, 20.0, 30.0, 20.0]];
//! let predicted = Tensor::from_slice2(&rows);
//! let (scores, classes) = (Tensor::from_slice(&[0.9f32, 0.8, 0.7]), Tensor::from_slice(&[0i64, 0, 1]));
//!
//! let boxes = vision::clip_boxes_to_image(&vision::box_convert(&predicted, Cxcywh, Xyxy), [60, 80]);
//! let keep = vision::batched_nms(&boxes, &scores, &classes, 0.5);
//! assert_eq!(keep, Tensor::from_slice(&[0i64, 2]));
//!
//! let style = vision::BoxStyle::new().labels(&["cat", "dog"]).width(2);
//! let drawn = vision::draw_bounding_boxes(&photo, &boxes.index_select(0, &keep), style);
//! image(&drawn)?
//! # ;
//! # anyhow::Ok(())
//! ```
//!
//! How good a detector is: [`metrics::mean_average_precision`](crate::metrics::mean_average_precision); how good masks
//! are: [`metrics::mean_iou`](crate::metrics::mean_iou).

mod boxes;
mod canvas;
mod draw_boxes;
mod draw_masks;
mod focal_loss;
mod iou;
mod nms;

pub(crate) use boxes::corners;
pub use boxes::{BoundingBoxFormat, box_area, box_convert, clip_boxes_to_image, remove_small_boxes};
pub use draw_boxes::{BoxStyle, draw_bounding_boxes};
pub use draw_masks::draw_segmentation_masks;
pub use focal_loss::sigmoid_focal_loss;
pub(crate) use iou::iou;
pub use iou::{box_iou, generalized_box_iou};
pub use nms::{batched_nms, nms};
