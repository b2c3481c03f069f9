//! Numbers of each kind of floats, as `torch.finfo` knows them.

use tch::Kind;

/// The distance from 1 to the next number.
pub(super) fn eps(kind: Kind) -> f64 {
    match kind {
        Kind::Double => f64::EPSILON,
        Kind::Half => 1.0 / 1024.0,
        Kind::BFloat16 => 1.0 / 128.0,
        _ => f32::EPSILON.into(),
    }
}

/// The smallest positive number of full precision.
pub(super) fn tiny(kind: Kind) -> f64 {
    match kind {
        Kind::Double => f64::MIN_POSITIVE,
        Kind::Half => 1.0 / 16384.0,
        _ => f32::MIN_POSITIVE.into(),
    }
}

/// The lowest number that is not infinite.
pub(super) fn lowest(kind: Kind) -> f64 {
    match kind {
        Kind::Double => f64::MIN,
        Kind::Half => -65504.0,
        // Eight bits of precision, and the exponents of float32.
        Kind::BFloat16 => -(2.0 - 1.0 / 128.0) * 127f64.exp2(),
        _ => f32::MIN.into(),
    }
}
