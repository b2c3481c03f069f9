//! What an action is in the memory of a replay buffer.

use tch::{Kind, Tensor};

/// An action that a replay buffer keeps, of any shape and dtype:
///
/// | action | kept as | in a batch |
/// | --- | --- | --- |
/// | `usize` or another integer: one of a few | int64 `[1]` | int64 `[N, 1]`, for `gather` of `[N, actions]` |
/// | `f64`, `f32`: a force | float32 `[1]` | float32 `[N, 1]` |
/// | `[f64; A]`, `&[f64]`: forces | float32 `[A]` | float32 `[N, A]` |
/// | `[usize; A]`, `&[usize]`: one of each of several agents | int64 `[A]` | int64 `[N, A]` |
/// | tensor `[...]`, of any kind | as it is; `[1]` where it has no dimension | `[N, ...]` |
pub trait IntoAction {
    /// The tensor to keep.
    fn into_action(self) -> Tensor;
}

impl IntoAction for Tensor {
    fn into_action(self) -> Tensor {
        if self.dim() == 0 { self.reshape([1]) } else { self }
    }
}

impl IntoAction for &Tensor {
    fn into_action(self) -> Tensor {
        self.shallow_clone().into_action()
    }
}

impl IntoAction for &[f64] {
    fn into_action(self) -> Tensor {
        Tensor::from_slice(self).to_kind(Kind::Float)
    }
}

impl IntoAction for &[usize] {
    fn into_action(self) -> Tensor {
        Tensor::from_slice(&self.iter().map(|action| *action as i64).collect::<Vec<_>>())
    }
}

impl<const A: usize> IntoAction for [f64; A] {
    fn into_action(self) -> Tensor {
        self.as_slice().into_action()
    }
}

impl<const A: usize> IntoAction for [usize; A] {
    fn into_action(self) -> Tensor {
        self.as_slice().into_action()
    }
}

macro_rules! numbers {
    ($as:ty: $($number:ty)*) => {$(
        impl IntoAction for $number {
            fn into_action(self) -> Tensor {
                Tensor::from_slice(&[self as $as])
            }
        }
    )*};
}
numbers!(i64: usize i64 i32 u8);
numbers!(f32: f64 f32);
