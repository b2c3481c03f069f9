//! Images turned about their centre.

use rand::Rng;
use rand::rngs::StdRng;
use tch::Tensor;

use super::affine::{AffineConfig, InterpolationMode, affine};
use super::compose::Transform;
use super::{check_floats, sides};

/// Turns images counter-clockwise by an angle in degrees, with bilinear interpolation; what comes from outside is
/// `fill`. As torchvision's `rotate`, without growing the image.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([1, 2, 2]);
/// let turned = data::augment::rotate(&image, 90.0, 0.0);
/// assert!(turned.allclose(&image.rot90(1, [1i64, 2]), 1e-5, 1e-5, false));
/// ```
pub fn rotate(images: &Tensor, degrees: f64, fill: f64) -> Tensor {
    let _ = sides("rotate", images);
    check_floats("rotate", images);
    let interpolation = InterpolationMode::Bilinear;
    affine(images, &AffineConfig { angle: -degrees, interpolation, fill, ..Default::default() })
}

/// Turns each image by an angle of its own.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandomRotation};
/// let turned = Compose::new(42).add(RandomRotation::new(15.0)).apply(&digits().images.narrow(0, 0, 16));
/// assert_eq!(turned.size(), [16, 1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RandomRotation {
    degrees: f64,
    fill: f64,
}

impl RandomRotation {
    /// By up to so many degrees either way.
    ///
    /// # Panics
    ///
    /// Where the number is negative.
    pub fn new(degrees: f64) -> Self {
        assert!(degrees >= 0.0, "RandomRotation: {degrees} degrees; give a bound for both ways, such as 15.0");
        Self { degrees, fill: 0.0 }
    }

    /// What comes from outside the image. Default 0.
    pub fn fill(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }
}

impl Transform for RandomRotation {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        rotate(image, random.random_range(-self.degrees..=self.degrees), self.fill)
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn turned_images_are_sampled_as_pytorch_samples_them() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let image = reference.tensor("/image");
        for (name, degrees, fill) in [("30", 30.0, 0.0), ("-75", -75.0, 0.0), ("filled", 30.0, 0.5)] {
            reference.check(&format!("/rotate/{name}"), &rotate(&image, degrees, fill), 1e-5);
            let batch = image.unsqueeze(0).expand([2, -1, -1, -1], false);
            reference.check(&format!("/rotate/{name}"), &rotate(&batch, degrees, fill).get(1), 1e-5);
        }
        assert!(rotate(&image, 180.0, 0.0).allclose(&image.flip([1i64, 2]), 1e-4, 1e-4, false));
        assert_eq!(rotate(&image, 0.0, 0.0).kind(), Kind::Float);
    }
}
