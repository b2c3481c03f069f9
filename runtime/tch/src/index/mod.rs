//! Parts of tensors, by the rules of PyTorch's `x[...]`: [`IndexOp::i`] reads a part, [`IndexOp::set_i`] sets it.
//!
//! | Python | Rust |
//! | --- | --- |
//! | `x[0]`, `x[-1]`, `x[i, j]` | `x.i(0)`, `x.i(-1)`, `x.i((i, j))` |
//! | `x[1:3]`, `x[:-1]`, `x[-3:]`, `x[:, 1]` | `x.i(1..3)`, `x.i(..-1)`, `x.i(-3..)`, `x.i((.., 1))` |
//! | `x[::2]`, `x[1:9:2]` | `x.i((..).step_by(2))`, `x.i((1..9).step_by(2))` |
//! | `x[..., 0]` | `x.i((Ellipsis, 0))` |
//! | `x[:, None]` | `x.i((.., NewAxis))`, `x.i((.., None))` |
//! | `x[[0, 2]]`, `x[rows]` | `x.i([0, 2])`, `x.i(&rows)` |
//! | `x[rows, cols]` | `x.i((&rows, &cols))` |
//! | `x[x > 0]` | `x.i(&x.gt(0.0))` |
//! | `x[:, 0] = 1.0`, `x[x < 0] = 0.0` | `x.set_i((.., 0), 1.0)`, `x.set_i(&x.lt(0.0), 0.0)` |
//! | `x[rows] += v` | `x.set_i(&rows, x.i(&rows) + v)` |
//!
//! A range is Python's range: a negative end counts from the back, and an end beyond the axis is the end of the axis. A
//! range with both ends inside the axis that is the wrong way round is empty. `a..=b` includes `b`, also where it is
//! negative.
//!
//! Numbers, ranges and new axes give a view of the same memory. Lists, index tensors and masks give a copy: those of
//! one index go together, element by element, with broadcasting, so that `x.i((&rows, &cols))` has one value for each
//! pair, where `x.i((&rows, ..)).i((.., &cols))` is the grid. Where they stand apart, as in `x.i((&rows, .., &cols))`,
//! their axes come first.
//!
//! ```
//! use tch::{Device, IndexOp, Kind, Tensor};
//! let x = Tensor::arange(12, (Kind::Int64, Device::Cpu)).reshape([3, 4]);
//! let (rows, cols) = (Tensor::from_slice(&[0i64, 2]), Tensor::from_slice(&[1i64, -1]));
//! assert_eq!(x.i((&rows, &cols)), Tensor::from_slice(&[1i64, 11]));
//! assert_eq!(x.i((.., ..-1)).size(), [3, 3]);
//! assert_eq!(x.i(&x.gt(8)), Tensor::from_slice(&[9i64, 10, 11]));
//! ```
//!
//! The rules are those of <https://numpy.org/doc/stable/user/basics.indexing.html> with PyTorch's differences: a number
//! next to index tensors selects before they do, and a part that a mask or a list is in is always a copy.

mod assign;
mod expression;
mod select;

use torch::{TchError, Tensor};

pub use assign::{Value, ValueForPart};
pub use expression::{AxisIndex, Ellipsis, Index, IndexExpression, Integer, ListElement, Steps};
pub use torch::index::*;

/// Reads and sets parts of a tensor: `x.i((.., 0))`, `x.set_i((.., 0), 1.0)`.
///
/// An index is a number, a range, a range with steps, a list of numbers or of `bool`s, a tensor of integers, a mask (a
/// tensor of `bool`), [`NewAxis`] or `None`, [`Ellipsis`], or a tuple of up to 8 of them, one for each axis. [The
/// module](self) has examples.
pub trait IndexOp<T> {
    /// The part of a tensor that an index stands for: a view of the same memory, or a copy where a list, an index
    /// tensor or a mask is in the index.
    ///
    /// # Panics
    ///
    /// Where [`f_i`](Self::f_i) is an error.
    #[track_caller]
    fn i(&self, index: T) -> Tensor;

    /// The part of a tensor that an index stands for, or an error: an index out of range, more indices than axes, a
    /// mask of another shape than its axes, index tensors whose shapes do not broadcast, or that hold no integers.
    fn f_i(&self, index: T) -> Result<Tensor, TchError>;

    /// Sets a part of a tensor in place to a number, or to the values of a tensor or a list that broadcast to the
    /// part's shape.
    ///
    /// ```
    /// use tch::{Device, IndexOp, Kind, Tensor};
    /// let mut x = Tensor::zeros([2, 3], (Kind::Float, Device::Cpu));
    /// x.set_i((0, 1), 5.0);
    /// x.set_i((1, ..), [1.0, -2.0, 3.0]);
    /// x.set_i(&x.lt(0.0), 0.0);
    /// x.set_i((.., 2), x.i((.., 2)) + 1.0);
    /// assert_eq!(x, Tensor::from_slice2(&[[0f32, 5.0, 1.0], [1.0, 0.0, 4.0]]));
    /// ```
    ///
    /// Where an index tensor names an element twice, which of its values the element gets is not defined; to add them
    /// up, there is `x.index_add(...)`.
    ///
    /// # Panics
    ///
    /// Where [`f_set_i`](Self::f_set_i) is an error.
    #[track_caller]
    fn set_i<V: ValueForPart>(&mut self, index: T, value: V);

    /// Sets a part of a tensor in place, or an error: those of [`f_i`](Self::f_i), values that do not broadcast to the
    /// part's shape, and values that the kind of the tensor cannot hold, such as fractions for a tensor of integers.
    fn f_set_i<V: ValueForPart>(&mut self, index: T, value: V) -> Result<(), TchError>;
}

impl<T: IndexExpression> IndexOp<T> for Tensor {
    #[track_caller]
    fn i(&self, index: T) -> Tensor {
        or_panic(select::read(self, index.into_indices()))
    }

    fn f_i(&self, index: T) -> Result<Tensor, TchError> {
        select::read(self, index.into_indices())
    }

    #[track_caller]
    fn set_i<V: ValueForPart>(&mut self, index: T, value: V) {
        or_panic(assign::write(self, index.into_indices(), value.into_value()));
    }

    fn f_set_i<V: ValueForPart>(&mut self, index: T, value: V) -> Result<(), TchError> {
        assign::write(self, index.into_indices(), value.into_value())
    }
}

/// Panics with the text of an error alone: what it is an error of stands in it.
#[track_caller]
fn or_panic<T>(result: Result<T, TchError>) -> T {
    match result {
        Ok(value) => value,
        Err(TchError::Torch(text)) => panic!("{text}"),
        Err(error) => panic!("{error}"),
    }
}

/// An error as those of libtorch are.
fn refusal(text: impl Into<String>) -> TchError {
    TchError::Torch(text.into())
}
