//! Sets a part of a tensor.

use std::ops::Range;

use torch::kind::Element;
use torch::{Kind, Scalar, TchError, Tensor};

use super::expression::Index;
use super::refusal;
use super::select::select;

/// What a part of a tensor is set to.
#[derive(Debug)]
#[non_exhaustive]
pub enum Value {
    /// Each element to one integer.
    Integer(i64),
    /// Each element to one number.
    Float(f64),
    /// Each element to one truth value.
    Bool(bool),
    /// To values that broadcast to the part's shape.
    Tensor(Tensor),
}

/// What [`IndexOp::set_i`](super::IndexOp::set_i) takes as a value: a number, a tensor, a list of numbers.
#[diagnostic::on_unimplemented(
    message = "a part of a tensor cannot be set to a value of type `{Self}`",
    note = "the value is a number, a tensor, or a list of numbers: `x.set_i((.., 0), 1.0)`"
)]
pub trait ValueForPart {
    /// The value.
    fn into_value(self) -> Value;
}

/// Says of types what a value of each sets a part to.
macro_rules! values {
    ($([$($generics:tt)*] $of:ty => |$it:ident| $value:expr;)*) => {$(
        impl<$($generics)*> ValueForPart for $of {
            fn into_value(self) -> Value {
                let $it = self;
                $value
            }
        }
    )*};
}

values! {
    [] i8 => |number| Value::Integer(number.into());
    [] i16 => |number| Value::Integer(number.into());
    [] i32 => |number| Value::Integer(number.into());
    [] i64 => |number| Value::Integer(number);
    [] u8 => |number| Value::Integer(number.into());
    [] u16 => |number| Value::Integer(number.into());
    [] u32 => |number| Value::Integer(number.into());
    [] usize => |number| i64::try_from(number).map_or(Value::Float(number as f64), Value::Integer);
    [] f32 => |number| Value::Float(number.into());
    [] f64 => |number| Value::Float(number);
    [] bool => |truth| Value::Bool(truth);
    [] Tensor => |tensor| Value::Tensor(tensor);
    [] &Tensor => |tensor| Value::Tensor(tensor.shallow_clone());
    [E: Element] &[E] => |list| Value::Tensor(Tensor::from_slice(list));
    [E: Element] Vec<E> => |list| Value::Tensor(Tensor::from_slice(&list));
    [E: Element] &Vec<E> => |list| Value::Tensor(Tensor::from_slice(list));
    [E: Element, const N: usize] [E; N] => |list| Value::Tensor(Tensor::from_slice(&list));
}

/// Writes a value into a part of a tensor.
pub(super) fn write(tensor: &mut Tensor, indices: Vec<Index>, value: Value) -> Result<(), TchError> {
    let mut part = select(tensor, indices)?;
    let (kind, device) = (part.view.f_kind()?, part.view.device());
    let value = match value {
        Value::Tensor(value) => apart(fitting(&value, kind)?.f_to_device(device)?, &part.view)?,
        number => {
            let number = scalar(number, kind)?;
            if part.is_view() {
                return part.view.f_fill_(number).map(drop);
            }
            Tensor::f_full([0i64; 0], number, (kind, device))?
        }
    };
    if !part.is_view() {
        let written = part.put(&value);
        // What the shape of the part is costs as much as the writing: only an error needs it.
        return written.map_err(|error| match part.copy().and_then(|copy| fits(&value, &copy.size())) {
            Err(reason) => reason,
            Ok(()) => error,
        });
    }
    fits(&value, &part.view.size())?;
    part.view.f_copy_(&value).map(drop)
}

/// A number for a tensor of a kind. An integer keeps no fraction, so that is no slip that may pass.
fn scalar(number: Value, kind: Kind) -> Result<Scalar, TchError> {
    let is_integer = matches!(kind, Kind::Uint8 | Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64);
    match number {
        Value::Float(number) if is_integer && number.fract() != 0.0 => Err(refusal(format!(
            "{number} is not an integer, and the tensor holds {kind:?}: `x.to_kind(Kind::Float)` can hold it"
        ))),
        Value::Float(number) if is_integer && number.abs() < 9e15 => Ok(Scalar::from(number as i64)),
        Value::Float(number) => Ok(Scalar::from(number)),
        Value::Integer(number) => Ok(Scalar::from(number)),
        Value::Bool(number) => Ok(Scalar::from(i64::from(number))),
        Value::Tensor(_) => Err(refusal("a tensor is not a number")),
    }
}

/// A value with the kind of the tensor that it goes into, without axes of size 1 at its start: they say nothing.
fn fitting(value: &Tensor, kind: Kind) -> Result<Tensor, TchError> {
    if !value.defined() {
        return Err(refusal("the value is a tensor that is not defined: it has no values"));
    }
    let from = value.f_kind()?;
    if !Tensor::f_can_cast(from, kind)? {
        return Err(refusal(format!(
            "values of kind {from:?} do not fit into a tensor of kind {kind:?} without loss: call `.to_kind(Kind::{kind:?})` first if \
             that is what you want"
        )));
    }
    let size = value.size();
    let ones = size.iter().take_while(|size| **size == 1).count();
    value.f_to_kind(kind)?.f_reshape(&size[ones..])
}

/// A tensor that shares no memory with what is going to be written: the tensor itself, or else a copy. libtorch would
/// read what it has written already, or refuse.
pub(super) fn apart(tensor: Tensor, written: &Tensor) -> Result<Tensor, TchError> {
    let shares = match (memory(&tensor), memory(written)) {
        (Some(read), Some(written)) => read.start < written.end && written.start < read.end,
        _ => false,
    };
    Ok(if shares { tensor.copy() } else { tensor })
}

/// The addresses from the first to the last of a tensor's elements; none where it has no elements, or they lie in no
/// one place.
fn memory(tensor: &Tensor) -> Option<Range<usize>> {
    if tensor.is_sparse() || tensor.numel() == 0 {
        return None;
    }
    let start = tensor.data_ptr() as usize;
    let steps = tensor.size().into_iter().zip(tensor.stride());
    // No stride of libtorch's is negative.
    let last: i64 = steps.map(|(size, stride)| (size - 1) * stride).sum();
    let element = tensor.kind().elt_size_in_bytes();
    Some(start..start + (usize::try_from(last).ok()? + 1) * element)
}

/// An error where a value does not broadcast to the shape of a part.
fn fits(value: &Tensor, shape: &[i64]) -> Result<(), TchError> {
    let size = value.size();
    let is_broadcast = size.len() <= shape.len()
        && size.iter().rev().zip(shape.iter().rev()).all(|(size, wanted)| *size == 1 || size == wanted);
    if is_broadcast {
        return Ok(());
    }
    Err(refusal(format!("a value of shape {size:?} does not broadcast to the part that it is for, of shape {shape:?}")))
}
