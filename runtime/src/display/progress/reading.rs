//! Values that a progress bar shows behind it.

use std::fmt;

use tch::Tensor;

/// What a bar can show as a postfix: numbers, text, and tensors of one element.
pub trait Reading {
    /// The value, to be written when the bar is drawn.
    #[doc(hidden)]
    fn latest(&self) -> Latest;
}

/// A value that has not been written as text yet: most are replaced before they are shown.
#[doc(hidden)]
#[derive(Debug)]
pub enum Latest {
    /// A measurement, shown with four significant digits.
    Number(f64),
    /// Shown as it is.
    Text(String),
    /// Read when it is shown.
    Tensor(Tensor),
}

impl fmt::Display for Latest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(value) => f.write_str(&significant(*value)),
            Self::Text(text) => f.write_str(text),
            Self::Tensor(tensor) => match f64::try_from(tensor) {
                Ok(value) => f.write_str(&significant(value)),
                Err(_) => write!(f, "{:?}", tensor.size()),
            },
        }
    }
}

/// A number with four significant digits.
fn significant(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-4..=6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.*}", (3 - magnitude).max(0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

macro_rules! readings {
    ($latest:expr => $($ty:ty),*) => {$(
        impl Reading for $ty {
            fn latest(&self) -> Latest {
                let latest: fn(&$ty) -> Latest = $latest;
                latest(self)
            }
        }
    )*};
}

readings!(|value| Latest::Number(*value) => f64);
readings!(|value| Latest::Number(f64::from(*value)) => f32);
readings!(|value| Latest::Text(value.to_string()) =>
    i8, i16, i32, i64, isize, u8, u16, u32, u64, usize, bool, char, str, String);
readings!(|value| Latest::Tensor(value.detach()) => Tensor);

impl<T: Reading + ?Sized> Reading for &T {
    fn latest(&self) -> Latest {
        (**self).latest()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_have_four_digits() {
        for (value, text) in [
            (0.0, "0"),
            (0.123456, "0.1235"),
            (1.0, "1"),
            (99.99999, "100"),
            (1234.5678, "1235"),
            (123456.0, "123456"),
            (1.0e-7, "1.000e-7"),
            (0.00012345, "0.0001234"),
            (2.0e12, "2.000e12"),
            (-2.5, "-2.5"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(value), text);
        }
    }

    #[test]
    fn other_values_are_shown_as_they_are() {
        assert_eq!(1_000_000.latest().to_string(), "1000000");
        assert_eq!("cpu".to_owned().latest().to_string(), "cpu");
        assert_eq!(Tensor::from(0.25f32).set_requires_grad(true).latest().to_string(), "0.25");
        assert_eq!(Tensor::from_slice(&[1, 2]).latest().to_string(), "[2]");
    }
}
