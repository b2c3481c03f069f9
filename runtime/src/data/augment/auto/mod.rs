//! Augmentation by a number of changes of a strength, which draws them from a list.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use tch::Tensor;

use super::affine::{AffineConfig, affine};
use super::compose::Transform;
use super::sharpness::adjust_sharpness;
use super::{adjust_brightness, adjust_contrast, adjust_saturation, sides};

mod tones;

pub use tones::{autocontrast, equalize, posterize, solarize};

/// A change that [`RandAugment`] may draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Identity,
    ShearX,
    ShearY,
    TranslateX,
    TranslateY,
    Rotate,
    Brightness,
    Color,
    Contrast,
    Sharpness,
    Posterize,
    Solarize,
    AutoContrast,
    Equalize,
}

const CHANGES: [Change; 14] = [
    Change::Identity,
    Change::ShearX,
    Change::ShearY,
    Change::TranslateX,
    Change::TranslateY,
    Change::Rotate,
    Change::Brightness,
    Change::Color,
    Change::Contrast,
    Change::Sharpness,
    Change::Posterize,
    Change::Solarize,
    Change::AutoContrast,
    Change::Equalize,
];

impl Change {
    /// How much of it a strength from 0 to 1 is, and whether it goes both ways.
    fn amount(self, strength: f64, [height, width]: [i64; 2]) -> (f64, bool) {
        match self {
            Self::ShearX | Self::ShearY => (0.3 * strength, true),
            Self::TranslateX => (150.0 / 331.0 * width as f64 * strength, true),
            Self::TranslateY => (150.0 / 331.0 * height as f64 * strength, true),
            Self::Rotate => (30.0 * strength, true),
            Self::Brightness | Self::Color | Self::Contrast | Self::Sharpness => (0.9 * strength, true),
            // PyTorch rounds halves to the even number.
            Self::Posterize => (8.0 - (4.0 * strength).round_ties_even(), false),
            Self::Solarize => (1.0 - strength, false),
            Self::Identity | Self::AutoContrast | Self::Equalize => (0.0, false),
        }
    }

    fn apply(self, images: &Tensor, amount: f64, fill: f64) -> Tensor {
        let geometry = AffineConfig { fill, ..Default::default() };
        let sheared = |shear| AffineConfig { shear, center: Some([0.0; 2]), ..geometry };
        let degrees = amount.atan().to_degrees();
        match self {
            Self::Identity => images.shallow_clone(),
            Self::ShearX => affine(images, &sheared([degrees, 0.0])),
            Self::ShearY => affine(images, &sheared([0.0, degrees])),
            Self::TranslateX => affine(images, &AffineConfig { translate: [amount.trunc(), 0.0], ..geometry }),
            Self::TranslateY => affine(images, &AffineConfig { translate: [0.0, amount.trunc()], ..geometry }),
            Self::Rotate => affine(images, &AffineConfig { angle: -amount, ..geometry }),
            Self::Brightness => adjust_brightness(images, 1.0 + amount),
            Self::Color => adjust_saturation(images, 1.0 + amount),
            Self::Contrast => adjust_contrast(images, 1.0 + amount),
            Self::Sharpness => adjust_sharpness(images, 1.0 + amount),
            Self::Posterize => posterize(images, amount as u32),
            Self::Solarize => solarize(images, amount),
            Self::AutoContrast => autocontrast(images),
            Self::Equalize => equalize(images),
        }
    }
}

/// Makes a few changes to each image, which it draws from torchvision's list, all of one strength (E. D. Cubuk et al.,
/// RandAugment, 2020): nothing, shearing, moving, turning, brightness, colors, contrast, sharpness, fewer tones,
/// inverted bright tones, and stretched and equal tones.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandAugment};
/// let augment = Compose::new(42).add(RandAugment::new().num_ops(2).magnitude(9));
/// let images = augment.apply(&Tensor::rand([4, 3, 32, 32], (Kind::Float, Device::Cpu)));
/// assert_eq!(images.size(), [4, 3, 32, 32]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RandAugment {
    num_ops: usize,
    magnitude: usize,
    num_magnitude_bins: usize,
    fill: f64,
}

impl Default for RandAugment {
    fn default() -> Self {
        Self { num_ops: 2, magnitude: 9, num_magnitude_bins: 31, fill: 0.0 }
    }
}

impl RandAugment {
    /// Two changes of strength 9 in 0 to 30.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many changes an image gets. Default 2.
    pub fn num_ops(mut self, num_ops: usize) -> Self {
        self.num_ops = num_ops;
        self
    }

    /// How strong they are: 0 to 30. Default 9.
    ///
    /// # Panics
    ///
    /// Where it is above 30, or above the last strength of [`RandAugment::num_magnitude_bins`].
    pub fn magnitude(mut self, magnitude: usize) -> Self {
        let most = self.num_magnitude_bins - 1;
        assert!(magnitude <= most, "RandAugment: a magnitude of {magnitude}; it is 0 to {most}");
        self.magnitude = magnitude;
        self
    }

    /// How many strengths there are. Default 31.
    ///
    /// # Panics
    ///
    /// Where there are less than two, or the magnitude is none of them.
    pub fn num_magnitude_bins(mut self, bins: usize) -> Self {
        let magnitude = self.magnitude;
        assert!(bins >= 2, "RandAugment: {bins} strengths; there are two at least");
        assert!(
            magnitude < bins,
            "RandAugment: {bins} strengths for a magnitude of {magnitude}; set the magnitude first"
        );
        self.num_magnitude_bins = bins;
        self
    }

    /// What comes from outside the image. Default 0.
    pub fn fill(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }

    fn strength(&self) -> f64 {
        self.magnitude as f64 / (self.num_magnitude_bins - 1) as f64
    }
}

impl Transform for RandAugment {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        let sides = sides("RandAugment", image);
        (0..self.num_ops).fold(image.shallow_clone(), |image, _| {
            let change = CHANGES.choose(random).copied().unwrap_or(Change::Identity);
            let (amount, goes_both_ways) = change.amount(self.strength(), sides);
            let sign = if goes_both_ways && random.random_bool(0.5) { -1.0 } else { 1.0 };
            change.apply(&image, sign * amount, self.fill)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Compose;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn changes_and_their_strengths_are_those_of_torchvision() {
        let reference = Reference::parse(include_str!("../../../../../tests/reference/vision_transforms.json"));
        let image = reference.tensor("/image");
        for magnitude in [9, 30] {
            let strength = RandAugment::new().magnitude(magnitude).strength();
            for change in CHANGES {
                let (amount, goes_both_ways) = change.amount(strength, sides("", &image));
                for (sign, name) in [(1.0, "+"), (-1.0, "-")].into_iter().take(1 + usize::from(goes_both_ways)) {
                    let changed = change.apply(&image, sign * amount, 0.0);
                    reference.check(&format!("/rand_augment/{magnitude}/{change:?}{name}"), &changed, 1e-4);
                }
            }
        }
    }

    #[test]
    fn images_draw_their_own_changes() {
        let images = Tensor::rand([1, 3, 12, 12], (tch::Kind::Float, tch::Device::Cpu)).expand([30, 3, 12, 12], false);
        let augment = || Compose::new(3).add(RandAugment::new().magnitude(20).fill(0.5)).apply(&images);
        let first = augment();
        assert!(first.equal(&augment()) && !first.get(0).equal(&first.get(1)));
        assert!(first.min().double_value(&[]) >= 0.0 && first.max().double_value(&[]) <= 1.0);
        let none = Compose::new(3).add(RandAugment::new().num_ops(0)).apply(&images);
        assert!(none.equal(&images));
        let grey = digits();
        assert_eq!(Compose::new(1).add(RandAugment::new().num_ops(4)).apply(&grey).size(), grey.size());
        assert!(panic_message(|| RandAugment::new().magnitude(31)).contains("31; it is 0 to 30"));
        assert!(
            panic_message(|| RandAugment::new().num_magnitude_bins(5)).contains("5 strengths for a magnitude of 9")
        );
    }

    fn digits() -> Tensor {
        crate::data::digits().images.narrow(0, 0, 60)
    }
}
