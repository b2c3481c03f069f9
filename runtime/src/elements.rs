//! The elements of a tensor as Rust's numbers.

use tch::kind::Element;
use tch::{TchError, Tensor};

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
    no_grad(|| tensor.f_to_kind(T::KIND)?.f_copy_data(&mut elements, tensor.numel()))?;
    Ok(elements)
}
