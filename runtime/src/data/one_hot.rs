//! Classes as columns of zeros and ones.

use tch::Tensor;

use crate::elements::first_beyond;

/// 1 in the column of each label and 0 elsewhere: labels `[...]` int64 to `[..., classes]` float32.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(one_hot(&Tensor::from_slice(&[2i64, 0]), 3), Tensor::from_slice2(&[[0f32, 0.0, 1.0], [1.0, 0.0, 0.0]]));
/// ```
///
/// # Panics
///
/// Where a label is not in 0 to `classes`.
pub fn one_hot(labels: &Tensor, classes: i64) -> Tensor {
    if let Some(label) = first_beyond(labels, classes) {
        panic!("one_hot: a label of {label} for {classes} classes, which count from 0");
    }
    labels.to_kind(tch::Kind::Int64).one_hot(classes).to_kind(tch::Kind::Float)
}
