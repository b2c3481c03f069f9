//! Pictures of the `image` crate as tensors, and back.

use image::{DynamicImage, RgbImage};
use tch::Tensor;

use super::FileError;
use crate::data::{bytes_of, tensor_of};
use crate::modes::no_grad;

/// A picture as a tensor on the CPU, `[3, H, W]` float32 in 0 to 1; opacity is dropped. As
/// [`load_image`](crate::data::load_image) for a picture that is in memory.
///
/// ```
/// use oxtorch::prelude::*;
/// let picture = image::DynamicImage::from(image::RgbImage::from_pixel(4, 2, image::Rgb([255, 0, 51])));
/// let tensor = io::image_to_tensor(&picture);
/// assert_eq!(tensor.size(), [3, 2, 4]);
/// assert!((tensor.double_value(&[2, 0, 0]) - 0.2).abs() < 1e-6);
/// assert_eq!(io::tensor_to_image(&tensor)?.get_pixel(3, 1).0, [255, 0, 51]);
/// ```
pub fn image_to_tensor(picture: &DynamicImage) -> Tensor {
    let picture = picture.to_rgb8();
    tensor_of(picture.as_raw(), (picture.height(), picture.width()), 3).expect("a picture has a byte for each channel")
}

/// A tensor as a picture: `[H, W]`, `[1, H, W]` or `[3, H, W]`, floating point clamped to 0 to 1, uint8 as it is.
///
/// # Errors
///
/// Where the shape is another.
pub fn tensor_to_image(tensor: &Tensor) -> Result<RgbImage, FileError> {
    let size = tensor.size();
    let (channels, height, width) = match size[..] {
        [height, width] => (1, height, width),
        [channels @ (1 | 3), height, width] => (channels, height, width),
        _ => {
            let what = format!("a tensor of {size:?} is not a picture, which is [H, W], [1, H, W] or [3, H, W]");
            return Err(tch::TchError::Shape(what).into());
        }
    };
    let bytes = no_grad(|| bytes_of(&tensor.f_view([channels, height, width])?.f_expand([3, height, width], false)?))?;
    let picture = RgbImage::from_raw(width as u32, height as u32, bytes);
    picture.ok_or_else(|| tch::TchError::Shape(format!("a tensor of {size:?} has no pixels to show")).into())
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn grey_tensors_are_pictures_too_and_others_are_refused() {
        let grey = Tensor::from_slice(&[0.0f32, 0.5, 1.0, 2.0]).view([2, 2]);
        let picture = tensor_to_image(&grey).expect("a picture");
        assert_eq!(picture.as_raw()[..], [0, 0, 0, 128, 128, 128, 255, 255, 255, 255, 255, 255]);
        let bytes = Tensor::from_slice(&[7u8, 9]).view([1, 1, 2]);
        assert_eq!(tensor_to_image(&bytes).expect("a picture").get_pixel(1, 0).0, [9, 9, 9]);
        let error = tensor_to_image(&Tensor::zeros([2, 3, 3], (Kind::Float, Device::Cpu))).expect_err("two channels");
        assert!(error.to_string().contains("[2, 3, 3]"), "{error}");
    }
}
