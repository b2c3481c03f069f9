//! The UCI handwritten digits: 1,797 real images of 8 by 8 pixels, shipped with the runtime.
//!
//! ```
//! use oxtorch::prelude::*;
//! let (train, test) = digits().split(0.2, 42)?;
//! assert_eq!(train.images.size(), [1438, 1, 8, 8]);
//! assert_eq!(test.labels.size(), [359]);
//! # anyhow::Ok(())
//! ```
//!
//! Each image counts the inked pixels in 4 by 4 blocks of a 32 by 32 scan, 0 to 16. The set is small enough to train on
//! in seconds and real enough that a model makes mistakes worth looking at. Source: E. Alpaydin and C. Kaynak, Optical
//! Recognition of Handwritten Digits, UCI Machine Learning Repository, <https://doi.org/10.24432/C50P49> (CC BY 4.0).

use std::sync::OnceLock;

use tch::{Kind, Tensor};

use super::shipped::unpacked_text;
use crate::data::LabelledImages;

const COUNT: usize = 1797;
const PIXELS: usize = 64;
/// The highest value of a pixel in the file.
const INK: f64 = 16.0;
static FILE: &[u8] = include_bytes!("../../../data/digits.csv.gz");

/// What [`digits`] gives.
pub type Digits = LabelledImages;

/// All 1,797 digits on the CPU: images `[1797, 1, 8, 8]` float32 in 0 to 1, labels `[1797]` int64.
///
/// ```
/// use oxtorch::prelude::*;
/// let digits = digits();
/// assert_eq!(digits.images.size(), [1797, 1, 8, 8]);
/// assert_eq!(digits.labels.int64_value(&[0]), 0);
/// ```
pub fn digits() -> Digits {
    let (pixels, labels) = table();
    let images = Tensor::from_slice(pixels).to_kind(Kind::Float) / INK;
    LabelledImages {
        images: images.view([COUNT as i64, 1, 8, 8]),
        labels: Tensor::from_slice(labels).to_kind(Kind::Int64),
        classes: (0..10).map(|digit| digit.to_string()).collect(),
    }
}

/// Pixels and labels of the shipped file, unpacked once.
fn table() -> (&'static [u8], &'static [u8]) {
    static TABLE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (pixels, labels) = TABLE.get_or_init(|| {
        let text = unpacked_text(FILE);
        let (mut pixels, mut labels) = (Vec::with_capacity(COUNT * PIXELS), Vec::with_capacity(COUNT));
        for line in text.lines() {
            let mut fields = line.split(',').map(|field| field.parse::<u8>().expect("the shipped file holds numbers"));
            pixels.extend(fields.by_ref().take(PIXELS));
            labels.extend(fields);
        }
        (pixels, labels)
    });
    (pixels, labels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_holds_every_digit() {
        let (pixels, labels) = table();
        assert_eq!((pixels.len(), labels.len()), (COUNT * PIXELS, COUNT));
        assert_eq!(*pixels.iter().max().expect("pixels"), 16);
        let counts: Vec<usize> = (0..10).map(|digit| labels.iter().filter(|label| **label == digit).count()).collect();
        // As the description of the data set at its source says.
        assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
    }

    #[test]
    fn images_are_float_in_0_to_1() {
        let digits = digits();
        assert_eq!(digits.images.size(), [1797, 1, 8, 8]);
        assert_eq!((digits.images.kind(), digits.labels.kind()), (Kind::Float, Kind::Int64));
        assert_eq!((digits.images.min().double_value(&[]), digits.images.max().double_value(&[])), (0.0, 1.0));
    }
}
