//! Tensors of one element in text that is formatted with a precision.

use std::fmt::{self, Debug, Display};
use std::ops::Deref;

use tch::{Kind, Tensor};

/// Gives a tensor as what formats as its number, and other values as they are. The kernel inserts it around values that
/// are written with a precision.
#[doc(hidden)]
#[macro_export]
macro_rules! number {
    ($value:expr) => {
        $crate::cell::Number::of(&$value).oxtorch_number()
    };
}

/// A value that is formatted. Its method is that of tensors, where it is one, and else that of [`AsItIs`], which method
/// lookup finds behind it.
#[expect(missing_debug_implementations, reason = "the code around a value has it, and no cell shows it")]
pub struct Number<'a, T: ?Sized>(AsItIs<'a, T>);

/// Any value.
#[expect(missing_debug_implementations, reason = "the code around a value has it, and no cell shows it")]
pub struct AsItIs<'a, T: ?Sized>(&'a T);

impl<'a, T: ?Sized> Number<'a, T> {
    /// Of a value.
    pub fn of(value: &'a T) -> Self {
        Self(AsItIs(value))
    }
}

impl<'a, T: ?Sized> Deref for Number<'a, T> {
    type Target = AsItIs<'a, T>;

    fn deref(&self) -> &AsItIs<'a, T> {
        &self.0
    }
}

impl<'a, T: ?Sized> AsItIs<'a, T> {
    /// The value itself.
    pub fn oxtorch_number(&self) -> &'a T {
        self.0
    }
}

macro_rules! of_tensors {
    ($($ty:ty),*) => {
        $(impl<'a> Number<'a, $ty> {
            /// The tensor, to be written as a number.
            pub fn oxtorch_number(&self) -> Written<'a> {
                Written(self.0.0)
            }
        })*
    };
}

of_tensors!(Tensor, &Tensor, &&Tensor, &mut Tensor);

/// A tensor that is written as its number where it has one element and a precision is asked for; else as it is.
pub struct Written<'a>(&'a Tensor);

impl Display for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tensor = self.0;
        if f.precision().is_none() || !tensor.defined() || tensor.numel() != 1 {
            return Display::fmt(tensor, f);
        }
        let index = vec![0; tensor.dim()];
        match tensor.kind() {
            Kind::ComplexHalf | Kind::ComplexFloat | Kind::ComplexDouble => Display::fmt(tensor, f),
            Kind::Bool => Display::fmt(&(tensor.int64_value(&index) != 0), f),
            _ if tensor.is_floating_point() => Display::fmt(&tensor.double_value(&index), f),
            _ => Display::fmt(&tensor.int64_value(&index), f),
        }
    }
}

impl Debug for Written<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Debug::fmt(self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_of_one_element_is_written_as_its_number() {
        let loss = Tensor::from(0.123_456_f32);
        assert_eq!(format!("{:.3}|{:8.2}|{:+.1}", number!(loss), number!(&loss), number!(loss)), "0.123|    0.12|+0.1");
        let count = Tensor::from_slice(&[7_i64]);
        assert_eq!(format!("{:.2}", number!(count)), "7");
        assert_eq!(format!("{:?}", number!(loss)), format!("{loss:?}"));
        let row = Tensor::from_slice(&[1.0, 2.0]);
        assert_eq!(format!("{:.2}", number!(row)), format!("{row:.2}"));
    }

    #[test]
    fn other_values_are_written_as_they_are() {
        fn generic<T: Display>(value: T) -> String {
            format!("{:.1}", number!(value))
        }
        assert_eq!(format!("{:.2}|{:.3}|{:.1}", number!(0.125), number!("abcd"), number!(2 + 3)), "0.12|abc|5");
        assert_eq!(generic(1.25), "1.2");
    }
}
