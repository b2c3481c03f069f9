//! Each channel brought to a mean and a deviation.

use rand::rngs::StdRng;
use tch::{Kind, Tensor};

use super::compose::Transform;
use super::{check_floats, sides};

/// `(x - mean) / std` for each channel.
///
/// ```
/// use oxtorch::prelude::*;
/// let white = Tensor::ones([3, 2, 2], (Kind::Float, Device::Cpu));
/// let x = data::augment::normalize(&white, &[0.5, 0.5, 0.5], &[0.5, 0.25, 1.0]);
/// assert_eq!(x.i((.., 0, 0)), Tensor::from_slice(&[1f32, 2.0, 0.5]));
/// ```
///
/// # Panics
///
/// Where there are not as many numbers as channels, or a deviation is 0.
pub fn normalize(images: &Tensor, mean: &[f64], std: &[f64]) -> Tensor {
    check_floats("normalize", images);
    let (mean, std) = channels("normalize", images, mean, std);
    (images - mean) / std
}

/// `x * std + mean`: undoes [`normalize`], to look at what a network is given.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{denormalize, normalize};
/// let (mean, std) = ([0.25], [0.5]);
/// let x = digits().images;
/// assert!(denormalize(&normalize(&x, &mean, &std), &mean, &std).allclose(&x, 1e-6, 1e-6, false));
/// ```
///
/// # Panics
///
/// As there.
pub fn denormalize(images: &Tensor, mean: &[f64], std: &[f64]) -> Tensor {
    let (mean, std) = channels("denormalize", images, mean, std);
    images * std + mean
}

fn channels(what: &str, images: &Tensor, mean: &[f64], std: &[f64]) -> (Tensor, Tensor) {
    let _ = sides(what, images);
    let size = images.size();
    let count = size[size.len() - 3] as usize;
    assert!(
        mean.len() == count && std.len() == count,
        "{what}: {} means and {} deviations for images of {size:?}, which have {count} channels",
        mean.len(),
        std.len()
    );
    assert!(!std.contains(&0.0), "{what}: a deviation of 0 among {std:?} divides by 0");
    let kind = if images.is_floating_point() { images.kind() } else { Kind::Float };
    let per_channel =
        |values: &[f64]| Tensor::from_slice(values).to_device(images.device()).to_kind(kind).view([count as i64, 1, 1]);
    (per_channel(mean), per_channel(std))
}

/// [`normalize`] as a transform: the last one, as a rule.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, Normalize};
/// let normalize = Normalize::new(&[0.3], &[0.4]);
/// let x = Compose::new(0).add(normalize.clone()).apply(&digits().images);
/// let images = normalize.inverse(&x);
/// assert!(images.allclose(&digits().images, 1e-6, 1e-6, false));
/// ```
#[derive(Debug, Clone)]
pub struct Normalize {
    mean: Vec<f64>,
    std: Vec<f64>,
}

impl Normalize {
    /// A mean and a deviation for each channel.
    pub fn new(mean: &[f64], std: &[f64]) -> Self {
        Self { mean: mean.to_vec(), std: std.to_vec() }
    }

    /// [`denormalize`] with the same numbers.
    pub fn inverse(&self, images: &Tensor) -> Tensor {
        denormalize(images, &self.mean, &self.std)
    }
}

impl Transform for Normalize {
    fn image(&self, image: &Tensor, _: &mut StdRng) -> Tensor {
        normalize(image, &self.mean, &self.std)
    }

    fn batch(&self, images: &Tensor, _: &mut StdRng) -> Tensor {
        normalize(images, &self.mean, &self.std)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn normalised_channels_are_pytorchs_and_come_back() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let (image, mean, std) = (reference.tensor("/image"), [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
        let normal = normalize(&image.unsqueeze(0), &mean, &std);
        reference.check("/normalize", &normal.get(0), 1e-5);
        reference.check("/image", &Normalize::new(&mean, &std).inverse(&normal).get(0), 1e-6);
    }

    #[test]
    #[should_panic(expected = "1 means and 1 deviations for images of [3, 2, 2], which have 3 channels")]
    fn other_than_one_number_a_channel_is_refused() {
        let _ = normalize(&Tensor::zeros([3, 2, 2], (Kind::Float, tch::Device::Cpu)), &[0.5], &[0.5]);
    }
}
