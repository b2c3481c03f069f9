//! A rectangle of the image taken out (Z. Zhong et al., Random erasing data augmentation, 2020).

use rand::Rng;
use rand::rngs::StdRng;
use tch::Tensor;

use super::compose::Transform;
use super::resize::{checked_scale, random_part};
use super::sides;
use crate::nn::check_probability;

/// Sets the rectangle of `[height, width]` at `[top, left]` to a value, in a copy.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::ones([1, 4, 4], (Kind::Float, Device::Cpu));
/// let erased = data::augment::erase(&image, [0, 1], [2, 3], 0.0);
/// assert_eq!(erased.sum(Kind::Float).double_value(&[]), 10.0);
/// ```
///
/// # Panics
///
/// Where the rectangle is not within the image.
pub fn erase(images: &Tensor, corner: [i64; 2], size: [i64; 2], value: f64) -> Tensor {
    let images = images.copy();
    let _ = super::crop(&images, corner, size).fill_(value);
    images
}

/// Erases a rectangle of some images.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandomErasing};
/// let erased = Compose::new(42).add(RandomErasing::new(0.5).value(0.5)).apply(&digits().images.narrow(0, 0, 16));
/// assert_eq!(erased.size(), [16, 1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RandomErasing {
    p: f64,
    scale: [f64; 2],
    ratio: [f64; 2],
    value: f64,
}

impl RandomErasing {
    /// With probability `p`, 0.02 to 0.33 of the area, of 0.3 to 3.3 heights to the width, with 0.
    ///
    /// # Panics
    ///
    /// Where `p` is not in 0 to 1.
    pub fn new(p: f64) -> Self {
        check_probability("RandomErasing", p);
        Self { p, scale: [0.02, 0.33], ratio: [0.3, 3.3], value: 0.0 }
    }

    /// How much of the area is erased.
    ///
    /// # Panics
    ///
    /// Where the bounds are not in order and in 0 to 1.
    pub fn scale(mut self, low: f64, high: f64) -> Self {
        self.scale = checked_scale("RandomErasing", low, high);
        self
    }

    /// What is put there.
    pub fn value(mut self, value: f64) -> Self {
        self.value = value;
        self
    }
}

impl Transform for RandomErasing {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        let sides = sides("RandomErasing", image);
        if !random.random_bool(self.p) {
            return image.shallow_clone();
        }
        match random_part(sides, self.scale, self.ratio, random) {
            Some((corner, size)) => erase(image, corner, size, self.value),
            None => image.shallow_clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn a_rectangle_is_erased_in_a_copy() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let image = reference.tensor("/image");
        reference.check("/erase", &erase(&image, [1, 2], [2, 3], 0.25), 0.0);
        reference.check("/image", &image, 0.0);
    }

    #[test]
    fn rectangles_come_as_often_and_as_large_as_asked_for() {
        let image = Tensor::ones([2, 40, 40], (Kind::Float, Device::Cpu));
        let erasing = RandomErasing::new(0.5).scale(0.1, 0.2);
        let mut random = StdRng::seed_from_u64(3);
        let shares = (0..200).map(|_| 1.0 - erasing.image(&image, &mut random).mean(Kind::Float).double_value(&[]));
        let erased: Vec<f64> = shares.filter(|share| *share > 0.0).collect();
        assert!((70..130).contains(&erased.len()), "{}", erased.len());
        assert!(erased.iter().all(|share| (0.085..0.22).contains(share)), "{erased:?}");
    }
}
