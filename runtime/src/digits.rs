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

use std::io::Read;
use std::sync::OnceLock;

use flate2::read::GzDecoder;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::{Device, Kind, Tensor};
use thiserror::Error;

const COUNT: usize = 1797;
const PIXELS: usize = 64;
/// The highest value of a pixel in the file.
const INK: f64 = 16.0;
static FILE: &[u8] = include_bytes!("../data/digits.csv.gz");

/// Images of handwritten digits and what they show.
#[derive(Debug)]
pub struct Digits {
    /// `[N, 1, 8, 8]`, float32: 0 is paper, 1 is ink.
    pub images: Tensor,
    /// `[N]`, int64: the digit that each image shows, 0 to 9.
    pub labels: Tensor,
}

/// Why digits could not be divided.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The fraction lies outside 0 to 1, or one side would be empty.
    #[error("a test fraction of {fraction} leaves {train} of {total} images to train on and {test} to test on")]
    Fraction {
        /// As it was asked for.
        fraction: f64,
        /// Images to train on.
        train: usize,
        /// Images to test on.
        test: usize,
        /// All images.
        total: usize,
    },
}

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
    Digits { images: images.view([COUNT as i64, 1, 8, 8]), labels: Tensor::from_slice(labels).to_kind(Kind::Int64) }
}

impl Digits {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.numel()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Shuffles the images and divides them: `(train, test)`, of which `test` has `test_fraction` (rounded).
    ///
    /// The same seed gives the same division, on every machine.
    ///
    /// # Errors
    ///
    /// Where one of the two would be empty.
    pub fn split(&self, test_fraction: f64, seed: u64) -> Result<(Digits, Digits), SplitError> {
        let total = self.len();
        // A cast from float saturates: a fraction below 0 or not a number gives 0.
        let test = ((total as f64 * test_fraction).round() as usize).min(total);
        if test == 0 || test == total || test_fraction > 1.0 {
            return Err(SplitError::Fraction { fraction: test_fraction, train: total - test, test, total });
        }
        let mut order: Vec<i64> = (0..total as i64).collect();
        order.shuffle(&mut StdRng::seed_from_u64(seed));
        let (test, train) = order.split_at(test);
        Ok((self.select(train), self.select(test)))
    }

    /// The same digits on another device.
    pub fn to_device(&self, device: Device) -> Digits {
        Digits { images: self.images.to_device(device), labels: self.labels.to_device(device) }
    }

    fn select(&self, indices: &[i64]) -> Digits {
        let indices = Tensor::from_slice(indices).to_device(self.labels.device());
        Digits { images: self.images.index_select(0, &indices), labels: self.labels.index_select(0, &indices) }
    }
}

/// Pixels and labels of the shipped file, unpacked once.
fn table() -> (&'static [u8], &'static [u8]) {
    static TABLE: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    let (pixels, labels) = TABLE.get_or_init(|| {
        let mut text = String::new();
        GzDecoder::new(FILE).read_to_string(&mut text).expect("the shipped file is whole: a test reads it");
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

    #[test]
    fn a_split_keeps_every_image_with_its_label_and_repeats_with_its_seed() {
        let all = digits();
        let (train, test) = all.split(0.25, 7).expect("a good fraction");
        assert_eq!((train.len(), test.len()), (1348, 449));
        let sum = |digits: &Digits| {
            // Ties each label to its image: the sum changes when a label moves to another one.
            let ink = digits.images.flatten(1, -1).sum_dim_intlist(1i64, false, Kind::Double);
            (ink * (&digits.labels + 1)).sum(Kind::Double).double_value(&[])
        };
        assert!((sum(&train) + sum(&test) - sum(&all)).abs() < 1e-6);
        let (again, _) = all.split(0.25, 7).expect("a good fraction");
        assert!(again.images.equal(&train.images) && again.labels.equal(&train.labels));
        let (other, _) = all.split(0.25, 8).expect("a good fraction");
        assert!(!other.labels.equal(&train.labels));
    }

    #[test]
    fn a_split_with_an_empty_side_is_an_error() {
        for fraction in [0.0, 1.0, -0.5, 1.5, f64::NAN, 0.0001] {
            let error = digits().split(fraction, 0).expect_err("an empty side");
            assert!(error.to_string().contains("of 1797 images"), "{error}");
        }
    }
}
