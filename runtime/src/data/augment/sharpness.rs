//! Images blurred and sharpened.

use rand::Rng;
use rand::rngs::StdRng;
use tch::{Kind, Tensor};

use super::color::{blend, check_factor};
use super::compose::Transform;
use super::{check_floats, sides};

/// Blurs images by a Gaussian with a deviation of `sigma` pixels, cut to `kernel_size` pixels along each side; the rim
/// is mirrored. As torchvision's `gaussian_blur`.
///
/// ```
/// use oxtorch::prelude::*;
/// let digits = digits().images.narrow(0, 0, 4);
/// let blurred = data::augment::gaussian_blur(&digits, 3, 0.8);
/// assert!(blurred.std(true).double_value(&[]) < digits.std(true).double_value(&[]));
/// ```
///
/// # Panics
///
/// Where the kernel's size is not odd, or too large to be mirrored: it is below twice the shorter side; or where sigma
/// is not positive.
pub fn gaussian_blur(images: &Tensor, kernel_size: i64, sigma: f64) -> Tensor {
    let [height, width] = sides("gaussian_blur", images);
    check_floats("gaussian_blur", images);
    assert!(
        kernel_size > 0 && kernel_size % 2 == 1 && kernel_size / 2 < height.min(width),
        "gaussian_blur: a kernel of {kernel_size} pixels for images of {height} by {width}; it is odd, and below twice \
         the shorter side"
    );
    assert!(sigma > 0.0, "gaussian_blur: a sigma of {sigma}; it must be positive");
    let half = (kernel_size / 2) as f64;
    let places = Tensor::linspace(-half, half, kernel_size, (Kind::Double, images.device()));
    let weights = (places / sigma).square().g_mul_scalar(-0.5).softmax(0, None::<Kind>).to_kind(images.kind());
    let flat = images.reshape([-1, 1, height, width]);
    let half = kernel_size / 2;
    let padded = flat.reflection_pad2d([half; 4]);
    let rows = padded.conv2d(&weights.view([1, 1, 1, -1]), None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
    let blurred = rows.conv2d(&weights.view([1, 1, -1, 1]), None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
    blurred.reshape(images.size())
}

/// Away from a blurred image: 0 is blurred a little, 1 changes nothing, 2 is twice as sharp. As torchvision's
/// `adjust_sharpness`.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::rand([3, 8, 8], (Kind::Float, Device::Cpu));
/// assert!(data::augment::adjust_sharpness(&image, 1.0).allclose(&image, 1e-6, 1e-6, false));
/// ```
///
/// # Panics
///
/// Where the factor is negative.
pub fn adjust_sharpness(images: &Tensor, factor: f64) -> Tensor {
    check_factor("adjust_sharpness", factor);
    let [height, width] = sides("adjust_sharpness", images);
    check_floats("adjust_sharpness", images);
    if height <= 2 || width <= 2 {
        return images.shallow_clone();
    }
    let kernel = Tensor::from_slice(&[1.0, 1.0, 1.0, 1.0, 5.0, 1.0, 1.0, 1.0, 1.0]).view([1, 1, 3, 3]) / 13.0;
    let kernel = kernel.to_kind(images.kind()).to_device(images.device());
    let flat = images.reshape([-1, 1, height, width]);
    let within = flat.conv2d(&kernel, None::<&Tensor>, [1, 1], [0, 0], [1, 1], 1);
    // The rim stays.
    let blurred = flat.copy();
    blurred.narrow(-2, 1, height - 2).narrow(-1, 1, width - 2).copy_(&within);
    blend(images, &blurred.reshape(images.size()), factor)
}

/// [`gaussian_blur`] with a deviation that each image draws, as torchvision's `GaussianBlur`.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, GaussianBlur};
/// let blurred = Compose::new(42).add(GaussianBlur::new(3)).apply(&digits().images.narrow(0, 0, 16));
/// assert_eq!(blurred.size(), [16, 1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct GaussianBlur {
    kernel_size: i64,
    sigma: [f64; 2],
}

impl GaussianBlur {
    /// With a deviation of 0.1 to 2 pixels.
    ///
    /// # Panics
    ///
    /// Where the kernel's size is not odd.
    pub fn new(kernel_size: i64) -> Self {
        assert!(kernel_size > 0 && kernel_size % 2 == 1, "GaussianBlur: a kernel of {kernel_size} pixels; it is odd");
        Self { kernel_size, sigma: [0.1, 2.0] }
    }

    /// The range of the deviation.
    ///
    /// # Panics
    ///
    /// Where the bounds are not positive and in order.
    pub fn sigma(mut self, low: f64, high: f64) -> Self {
        assert!(0.0 < low && low <= high, "GaussianBlur: a sigma from {low} to {high}; give positive bounds in order");
        self.sigma = [low, high];
        self
    }
}

impl Transform for GaussianBlur {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        gaussian_blur(image, self.kernel_size, random.random_range(self.sigma[0]..=self.sigma[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn images_are_blurred_and_sharpened_as_torchvision_does_it() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/vision_transforms.json"));
        let image = reference.tensor("/image");
        let batch = Tensor::stack(&[image.flip([1i64]), image.shallow_clone()], 0);
        for (name, kernel_size, sigma) in [("small", 3, 0.5), ("large", 7, 2.0)] {
            reference.check(&format!("/blur/{name}"), &gaussian_blur(&image, kernel_size, sigma), 1e-5);
            reference.check(&format!("/blur/{name}"), &gaussian_blur(&batch, kernel_size, sigma).get(1), 1e-5);
        }
        for (name, factor) in [("blurred", 0.0), ("sharper", 1.8)] {
            reference.check(&format!("/sharpness/{name}"), &adjust_sharpness(&image, factor), 1e-5);
            reference.check(&format!("/sharpness/{name}"), &adjust_sharpness(&batch, factor).get(1), 1e-5);
        }
        let narrow = image.narrow(1, 0, 2);
        assert!(adjust_sharpness(&narrow, 0.0).equal(&narrow));
    }

    #[test]
    fn a_kernel_that_does_not_fit_is_said() {
        let image = Tensor::zeros([1, 4, 9], (Kind::Float, tch::Device::Cpu));
        assert!(panic_message(|| gaussian_blur(&image, 4, 1.0)).contains("4 pixels for images of 4 by 9"));
        assert!(panic_message(|| gaussian_blur(&image, 9, 1.0)).contains("9 pixels"));
        assert!(panic_message(|| gaussian_blur(&image, 3, 0.0)).contains("sigma of 0"));
        assert_eq!(gaussian_blur(&image, 7, 1.0).size(), [1, 4, 9]);
    }
}
