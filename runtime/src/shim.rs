//! Calls of the C++ shim that `tch` has no wrapper for: lists of tensors, and what went wrong.

use std::ffi::{CStr, c_int};

use tch::{TchError, Tensor};
use torch_sys::C_tensor;

/// A tensor as C++ takes it, which is for as long as the tensor lives.
pub(crate) fn pointer(tensor: &Tensor) -> *mut C_tensor {
    tensor.as_ptr().cast_mut()
}

/// Tensors as C++ takes a list of them.
pub(crate) fn pointers<'t>(tensors: impl IntoIterator<Item = &'t Tensor>) -> Vec<*mut C_tensor> {
    tensors.into_iter().map(pointer).collect()
}

/// The length of a list, as C++ takes it.
pub(crate) fn length<T>(list: &[T]) -> c_int {
    c_int::try_from(list.len()).expect("nobody has so many tensors")
}

/// What the last call on this thread failed with.
pub(crate) fn succeeded() -> Result<(), TchError> {
    // SAFETY: gives a text that is ours, or null.
    let failure = unsafe { torch_sys::get_and_reset_last_err() };
    if failure.is_null() {
        return Ok(());
    }
    // SAFETY: it ends with a 0, and was allocated by C.
    let message = unsafe {
        let message = CStr::from_ptr(failure).to_string_lossy().into_owned();
        libc::free(failure.cast());
        message
    };
    Err(TchError::Torch(message))
}
