//! How points are written: at most two decimals, and none that are not needed.

use std::fmt;

/// A number of points, as people read it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Points(pub(crate) f64);

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", rounded(self.0))
    }
}

/// The nearest hundredth, and the upper one of two.
pub(crate) fn rounded(points: f64) -> f64 {
    // 7.25 × 0.9 is a little less than 6.525 as a binary number, and nobody wants to explain that to a student.
    const BINARY_ERROR: f64 = 1e-7;
    (points * 100.0 + BINARY_ERROR).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_are_written_as_people_write_them() {
        for (points, written) in
            [(7.0, "7"), (0.1 + 0.2, "0.3"), (7.25 * 0.9, "6.53"), (2.0 / 3.0, "0.67"), (0.0, "0"), (0.004, "0")]
        {
            assert_eq!(Points(points).to_string(), written);
        }
    }
}
