//! The elements of a tensor as Rust's numbers.

use tch::kind::Element;
use tch::{Device, TchError, Tensor};

use crate::modes::no_grad;

/// The elements in row-major order, converted to the type that is asked for; from any device.
#[track_caller]
pub(crate) fn elements<T: Element>(tensor: &Tensor) -> Vec<T> {
    f_elements(tensor).unwrap_or_else(|error| panic!("{error}"))
}

/// As [`elements`].
///
/// # Errors
///
/// Where libtorch cannot convert or copy them.
pub(crate) fn f_elements<T: Element>(tensor: &Tensor) -> Result<Vec<T>, TchError> {
    let mut elements = vec![T::ZERO; tensor.numel()];
    // On the CPU before they are converted: a GPU may have no room for numbers of 64 bits, or know none.
    let copy = || tensor.f_to_device(Device::Cpu)?.f_to_kind(T::KIND)?.f_copy_data(&mut elements, tensor.numel());
    no_grad(copy)?;
    Ok(elements)
}

/// An index that is not below the count, or below 0: the least one if that is below 0, else the greatest.
pub(crate) fn first_beyond(indices: &Tensor, count: i64) -> Option<i64> {
    let ends = (indices.numel() > 0).then(|| [indices.min(), indices.max()].map(|end| end.int64_value(&[])));
    let [low, high] = ends?;
    Some(if low < 0 { low } else { high }).filter(|index| !(0..count).contains(index))
}
