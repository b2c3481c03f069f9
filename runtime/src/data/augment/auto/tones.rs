//! What RandAugment does to the tones of an image, as torchvision defines it for floats from 0 to 1.

use tch::{Kind, Tensor};

use crate::data::augment::{check_floats, sides};

/// Keeps so many bits of each value.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::from_slice(&[0.1f32, 0.4, 0.6, 1.0]).view([1, 1, 4]);
/// assert_eq!(data::augment::posterize(&image, 1), Tensor::from_slice(&[0f32, 0.0, 0.5, 0.5]).view([1, 1, 4]));
/// ```
///
/// # Panics
///
/// Where there are not 0 to 8 bits.
pub fn posterize(images: &Tensor, bits: u32) -> Tensor {
    assert!(bits <= 8, "posterize: {bits} bits; values have 0 to 8");
    check_floats("posterize", images);
    let levels = f64::from(1u32 << bits);
    (images * levels).floor().clamp(0.0, levels - 1.0) / levels
}

/// Inverts the values that are not below a threshold.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::from_slice(&[0.25f32, 0.75]).view([1, 1, 2]);
/// assert_eq!(data::augment::solarize(&image, 0.5), Tensor::from_slice(&[0.25f32, 0.25]).view([1, 1, 2]));
/// ```
pub fn solarize(images: &Tensor, threshold: f64) -> Tensor {
    check_floats("solarize", images);
    images.where_self(&images.lt(threshold), &(1.0 - images))
}

/// Stretches each channel of each image to values from 0 to 1.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::from_slice(&[0.25f32, 0.5, 0.75]).view([1, 1, 3]);
/// assert_eq!(data::augment::autocontrast(&image), Tensor::from_slice(&[0f32, 0.5, 1.0]).view([1, 1, 3]));
/// ```
pub fn autocontrast(images: &Tensor) -> Tensor {
    let _ = sides("autocontrast", images);
    check_floats("autocontrast", images);
    let (low, high) = (images.amin([-2i64, -1].as_slice(), true), images.amax([-2i64, -1].as_slice(), true));
    let range = &high - &low;
    // A channel of one value stays as it is.
    let is_even = range.eq(0.0);
    let (low, range) = (low.masked_fill(&is_even, 0.0), range.masked_fill(&is_even, 1.0));
    ((images - low) / range).clamp(0.0, 1.0)
}

/// Gives all of 256 tones about as many pixels, in each channel of each image.
///
/// ```
/// use oxtorch::prelude::*;
/// let dark = Tensor::rand([1, 128, 128], (Kind::Float, Device::Cpu)) * 0.2;
/// let equal = data::augment::equalize(&dark);
/// assert!((equal.mean(Kind::Float).double_value(&[]) - 0.5).abs() < 0.1);
/// ```
pub fn equalize(images: &Tensor) -> Tensor {
    let [height, width] = sides("equalize", images);
    check_floats("equalize", images);
    let bytes = (images * (256.0 - 1e-3)).to_kind(Kind::Uint8).to_kind(Kind::Int64).reshape([-1, height * width]);
    let counts = Tensor::zeros([bytes.size()[0], 256], (Kind::Int64, images.device()));
    let counts = counts.scatter_add(1, &bytes, &bytes.ones_like());
    let below = counts.cumsum(1, Kind::Int64);
    // What the brightest tone does not have is shared among the others.
    let brightest = bytes.amax([1i64].as_slice(), true);
    let step = (height * width - counts.gather(1, &brightest, false)).divide_scalar_mode(255, "floor");
    let half = step.divide_scalar_mode(2, "floor");
    let tones = (below.narrow(1, 0, 255) + half).divide_tensor_mode(&step.clamp_min(1), "floor").clamp(0, 255);
    let tones = tones.constant_pad_nd([1, 0]);
    let equal = bytes.where_self(&step.eq(0), &tones.gather(1, &bytes, false));
    (equal.to_kind(images.kind()) / 255.0).reshape(images.size())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn tones_are_those_of_torchvision() {
        let reference = Reference::parse(include_str!("../../../../../tests/reference/vision_transforms.json"));
        let image = reference.tensor("/image");
        type Change = fn(&Tensor) -> Tensor;
        let changes: [(&str, Change); 5] = [
            ("posterize", |image| posterize(image, 3)),
            ("solarize", |image| solarize(image, 0.6)),
            ("autocontrast", autocontrast),
            ("equalize", equalize),
            ("none", |image| posterize(image, 0)),
        ];
        for (name, change) in changes {
            reference.check(&format!("/tones/{name}"), &change(&image), 1e-6);
            let batch = Tensor::stack(&[image.flip([1i64]) * 0.5, image.shallow_clone()], 0);
            reference.check(&format!("/tones/{name}"), &change(&batch).get(1), 1e-6);
        }
        let even = Tensor::full([1, 3, 3], 0.4, (Kind::Float, tch::Device::Cpu));
        assert!(autocontrast(&even).equal(&even));
        assert!((equalize(&even) - 102.0 / 255.0).abs().max().double_value(&[]) < 1e-6);
        assert!(panic_message(|| posterize(&even, 9)).contains("9 bits"));
    }
}
