//! Images with the class that each of them shows.

use tch::{Device, Tensor};
use thiserror::Error;

use super::split::shuffled;

/// Images and what each of them shows: `digits()`, for one. A clone shares the tensors.
#[derive(Debug)]
pub struct LabelledImages {
    /// `[N, channels, height, width]`, float32 in 0 to 1.
    pub images: Tensor,
    /// `[N]`, int64: the index of each image's class.
    pub labels: Tensor,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

/// Why a data set could not be divided.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum SplitError {
    /// The fraction lies outside 0 to 1, or one side would be empty.
    #[error("a test fraction of {fraction} leaves {train} of {total} samples to train on and {test} to test on")]
    Fraction {
        /// As it was asked for.
        fraction: f64,
        /// Samples to train on.
        train: usize,
        /// Samples to test on.
        test: usize,
        /// All samples.
        total: usize,
    },
}

impl Clone for LabelledImages {
    fn clone(&self) -> Self {
        self.map(Tensor::shallow_clone)
    }
}

impl LabelledImages {
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
    pub fn split(&self, test_fraction: f64, seed: u64) -> Result<(LabelledImages, LabelledImages), SplitError> {
        let total = self.len();
        // A cast from float saturates: a fraction below 0 or not a number gives 0.
        let test = ((total as f64 * test_fraction).round() as usize).min(total);
        if test == 0 || test == total || test_fraction > 1.0 {
            return Err(SplitError::Fraction { fraction: test_fraction, train: total - test, test, total });
        }
        let order: Vec<i64> = shuffled(total, seed).into_iter().map(|index| index as i64).collect();
        let (test, train) = order.split_at(test);
        Ok((self.select(train), self.select(test)))
    }

    /// The same images on another device.
    pub fn to_device(&self, device: Device) -> LabelledImages {
        self.map(|part| part.to_device(device))
    }

    fn select(&self, indices: &[i64]) -> LabelledImages {
        let indices = Tensor::from_slice(indices).to_device(self.labels.device());
        self.map(|part| part.index_select(0, &indices))
    }

    fn map(&self, change: impl Fn(&Tensor) -> Tensor) -> LabelledImages {
        let (images, labels) = (change(&self.images), change(&self.labels));
        LabelledImages { images, labels, classes: self.classes.clone() }
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::data::digits;

    #[test]
    fn a_split_keeps_every_image_with_its_label_and_repeats_with_its_seed() {
        let all = digits();
        let (train, test) = all.split(0.25, 7).expect("a good fraction");
        assert_eq!((train.len(), test.len()), (1348, 449));
        let sum = |set: &LabelledImages| {
            // Ties each label to its image: the sum changes when a label moves to another one.
            let ink = set.images.flatten(1, -1).sum_dim_intlist(1i64, false, Kind::Double);
            (ink * (&set.labels + 1)).sum(Kind::Double).double_value(&[])
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
            assert!(error.to_string().contains("of 1797 samples"), "{error}");
        }
    }
}
