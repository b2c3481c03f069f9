//! `bail!` and `ensure!`, as in anyhow, for any function whose error an `anyhow::Error` can become: one that returns
//! anyhow's `Result`, one that returns `Result<_, Box<dyn Error>>`, and the top level of a cell.

/// Returns early with an error.
///
/// ```
/// use oxtorch::prelude::*;
///
/// fn half(n: i64) -> Result<i64> {
///     if n % 2 == 1 {
///         bail!("{n} is odd");
///     }
///     Ok(n / 2)
/// }
/// assert_eq!(half(3).unwrap_err().to_string(), "3 is odd");
/// ```
#[macro_export]
macro_rules! bail {
    ($($message:tt)*) => {
        return ::core::result::Result::Err(::core::convert::Into::into($crate::anyhow::anyhow!($($message)*)))
    };
}

/// Returns early with an error unless a condition holds.
///
/// ```
/// use oxtorch::prelude::*;
///
/// fn root(x: f64) -> Result<f64> {
///     ensure!(x >= 0.0, "{x} has no real root");
///     Ok(x.sqrt())
/// }
/// assert!(root(-1.0).is_err());
/// ```
#[macro_export]
macro_rules! ensure {
    ($condition:expr $(,)?) => {
        if !$condition {
            $crate::bail!(concat!("Condition failed: `", stringify!($condition), "`"))
        }
    };
    ($condition:expr, $($message:tt)*) => {
        if !$condition {
            $crate::bail!($($message)*)
        }
    };
}
