//! The formats of numbers: which are read, and how blocks of quantised ones become float32.

use std::ops::Range;

use tch::{Kind, TchError, Tensor};

use crate::io::mapped::Mapped;
use crate::modes::no_grad;

/// How many numbers share a scale.
const BLOCK: usize = 32;

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Plain(Kind),
    /// Half bytes from -8 on, times a scale.
    Q4_0,
    /// Half bytes from 0 on, times a scale, and an offset.
    Q4_1,
    /// Bytes, times a scale.
    Q8_0,
}

/// llama.cpp's numbers and names of all formats, with those that are read.
const FORMATS: [(u32, &str, Option<Format>); 34] = [
    (0, "F32", Some(Format::Plain(Kind::Float))),
    (1, "F16", Some(Format::Plain(Kind::Half))),
    (30, "BF16", Some(Format::Plain(Kind::BFloat16))),
    (2, "Q4_0", Some(Format::Q4_0)),
    (3, "Q4_1", Some(Format::Q4_1)),
    (8, "Q8_0", Some(Format::Q8_0)),
    (28, "F64", Some(Format::Plain(Kind::Double))),
    (24, "I8", Some(Format::Plain(Kind::Int8))),
    (25, "I16", Some(Format::Plain(Kind::Int16))),
    (26, "I32", Some(Format::Plain(Kind::Int))),
    (27, "I64", Some(Format::Plain(Kind::Int64))),
    (6, "Q5_0", None),
    (7, "Q5_1", None),
    (9, "Q8_1", None),
    (10, "Q2_K", None),
    (11, "Q3_K", None),
    (12, "Q4_K", None),
    (13, "Q5_K", None),
    (14, "Q6_K", None),
    (15, "Q8_K", None),
    (16, "IQ2_XXS", None),
    (17, "IQ2_XS", None),
    (18, "IQ3_XXS", None),
    (19, "IQ1_S", None),
    (20, "IQ4_NL", None),
    (21, "IQ3_S", None),
    (22, "IQ2_S", None),
    (23, "IQ4_XS", None),
    (29, "IQ1_M", None),
    (34, "TQ1_0", None),
    (35, "TQ2_0", None),
    (39, "MXFP4", None),
    (40, "NVFP4", None),
    (41, "Q1_0", None),
];

pub(super) fn name_of(number: u32) -> &'static str {
    FORMATS.iter().find(|(known, ..)| *known == number).map_or("unknown", |(_, name, _)| name)
}

/// The names of the formats that are read.
pub(super) fn names_read() -> Vec<&'static str> {
    FORMATS.iter().filter(|(.., format)| format.is_some()).map(|(_, name, _)| *name).collect()
}

impl Format {
    pub(super) fn of(number: u32) -> Option<Self> {
        FORMATS.iter().find(|(known, ..)| *known == number)?.2
    }

    /// How many bytes a block of numbers has.
    fn block(self) -> usize {
        match self {
            Self::Plain(kind) => kind.elt_size_in_bytes(),
            Self::Q4_0 => 2 + BLOCK / 2,
            Self::Q4_1 => 4 + BLOCK / 2,
            Self::Q8_0 => 2 + BLOCK,
        }
    }

    /// How many bytes a tensor of a shape has. A block lies within a row.
    pub(super) fn bytes(self, shape: &[i64]) -> Option<usize> {
        let (last, others) = shape.split_last().unwrap_or((&1, &[]));
        let length = if matches!(self, Self::Plain(_)) { 1 } else { BLOCK };
        let blocks = usize::try_from(*last).ok().filter(|last| last.is_multiple_of(length))? / length;
        let extents = others.iter().map(|extent| usize::try_from(*extent).ok());
        extents.chain([Some(blocks)]).try_fold(self.block(), |bytes, extent| bytes.checked_mul(extent?))
    }

    /// The numbers at a place that has as many bytes as the shape needs.
    pub(super) fn tensor(self, file: &Mapped, place: Range<usize>, shape: &[i64]) -> Result<Tensor, TchError> {
        if let Self::Plain(kind) = self {
            return file.tensor(place, shape, kind);
        }
        let blocks = (place.len() / self.block()) as i64;
        let blocks = file.tensor(place, &[blocks, self.block() as i64], Kind::Uint8)?;
        no_grad(|| self.numbers(&blocks)?.f_view(shape))
    }

    /// Blocks of bytes, `[N, B]`, as numbers, `[N, 32]`.
    fn numbers(self, blocks: &Tensor) -> Result<Tensor, TchError> {
        // A scale is float16.
        let scale = |start| blocks.f_narrow(1, start, 2)?.f_view_dtype(Kind::Half)?.f_to_kind(Kind::Float);
        match self {
            Self::Plain(kind) => blocks.f_view_dtype(kind),
            Self::Q4_0 => Ok(halves(&blocks.f_narrow(1, 2, BLOCK as i64 / 2)?)?.f_sub_scalar(8)? * scale(0)?),
            Self::Q4_1 => Ok(halves(&blocks.f_narrow(1, 4, BLOCK as i64 / 2)?)? * scale(0)? + scale(2)?),
            Self::Q8_0 => {
                Ok(blocks.f_narrow(1, 2, BLOCK as i64)?.f_view_dtype(Kind::Int8)?.f_to_kind(Kind::Float)? * scale(0)?)
            }
        }
    }
}

/// The lower halves of bytes, then the upper ones.
fn halves(bytes: &Tensor) -> Result<Tensor, TchError> {
    let (low, high) = (bytes.f_bitwise_and(15)?, bytes.f_bitwise_right_shift_tensor_scalar(4)?);
    Tensor::f_cat(&[low, high], 1)?.f_to_kind(Kind::Float)
}
