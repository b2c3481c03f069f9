//! Mirrored images.

use rand::Rng;
use rand::rngs::StdRng;
use tch::Tensor;

use super::compose::Transform;
use super::sides;
use crate::nn::check_probability;

/// Left and right exchanged.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([1, 2, 2]);
/// assert_eq!(data::augment::hflip(&image).flatten(0, -1), Tensor::from_slice(&[1f32, 0.0, 3.0, 2.0]));
/// ```
pub fn hflip(images: &Tensor) -> Tensor {
    let _ = sides("hflip", images);
    images.flip([-1i64])
}

/// Top and bottom exchanged.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([1, 2, 2]);
/// assert_eq!(data::augment::vflip(&image).flatten(0, -1), Tensor::from_slice(&[2f32, 3.0, 0.0, 1.0]));
/// ```
pub fn vflip(images: &Tensor) -> Tensor {
    let _ = sides("vflip", images);
    images.flip([-2i64])
}

macro_rules! random_flip {
    ($(#[$doc:meta])* $name:ident, $flip:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name {
            p: f64,
        }

        impl $name {
            /// With probability `p`; torchvision's default is 0.5.
            ///
            /// # Panics
            ///
            /// Where `p` is not in 0 to 1.
            pub fn new(p: f64) -> Self {
                check_probability(stringify!($name), p);
                Self { p }
            }
        }

        impl Transform for $name {
            fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
                if random.random_bool(self.p) { $flip(image) } else { image.shallow_clone() }
            }
        }
    };
}

random_flip!(
    /// Exchanges left and right of some images.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// use data::augment::{Compose, RandomHorizontalFlip, hflip};
    /// let images = digits().images;
    /// assert_eq!(Compose::new(0).add(RandomHorizontalFlip::new(1.0)).apply(&images), hflip(&images));
    /// ```
    RandomHorizontalFlip,
    hflip
);
random_flip!(
    /// Exchanges top and bottom of some images.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// use data::augment::{Compose, RandomVerticalFlip, vflip};
    /// let images = digits().images;
    /// assert_eq!(Compose::new(0).add(RandomVerticalFlip::new(1.0)).apply(&images), vflip(&images));
    /// ```
    RandomVerticalFlip,
    vflip
);

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn flips_are_pytorchs_and_come_as_often_as_asked_for() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let image = reference.tensor("/image");
        reference.check("/hflip", &hflip(&image), 0.0);
        reference.check("/vflip", &vflip(&image), 0.0);
        let mut random = StdRng::seed_from_u64(5);
        let flipped = |_: &i32| !RandomHorizontalFlip::new(0.25).image(&image, &mut random).equal(&image);
        let count = (0..400).filter(flipped).count();
        assert!((70..130).contains(&count), "{count} of 400");
    }
}
