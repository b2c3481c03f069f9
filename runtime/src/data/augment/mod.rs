//! Augmentation: each image is cut, turned and colored a little differently each time that it is seen.
//!
//! Images are float tensors `[C, H, W]` or batches `[N, C, H, W]`, with values from 0 to 1. The functions do the same
//! to each image; the types, named as in `torchvision.transforms`, draw at random and are put together by [`Compose`].
//! [`mixup`] and [`cutmix`] mix the images of a batch and their labels.
//!
//! ```
//! use oxtorch::prelude::*;
//! use data::augment::{ColorJitter, Compose, Normalize, RandomCrop, RandomHorizontalFlip};
//! let augment = Compose::new(42)
//!     .add(RandomCrop::new([8, 8]).padding(2))
//!     .add(RandomHorizontalFlip::new(0.5))
//!     .add(ColorJitter::new().brightness(0.2).contrast(0.2))
//!     .add(Normalize::new(&[0.3], &[0.35]));
//! let loader = DataLoader::new(digits(), 64).map(move |(images, labels)| (augment.apply(&images), labels));
//! for (images, _) in &loader {
//!     assert_eq!(images.size()[1..], [1, 8, 8]);
//! }
//! ```

mod affine;
mod auto;
mod color;
mod compose;
mod crop;
mod erasing;
mod flip;
mod mix;
mod normalize;
mod resize;
mod rotation;
mod sharpness;

pub use affine::{AffineConfig, InterpolationMode, RandomAffine, affine};
pub use auto::{RandAugment, autocontrast, equalize, posterize, solarize};
pub use color::{ColorJitter, adjust_brightness, adjust_contrast, adjust_hue, adjust_saturation, rgb_to_grayscale};
pub use compose::{Compose, Transform};
pub use crop::{CenterCrop, RandomCrop, center_crop, crop};
pub use erasing::{RandomErasing, erase};
pub use flip::{RandomHorizontalFlip, RandomVerticalFlip, hflip, vflip};
pub use mix::{cutmix, mixup};
pub use normalize::{Normalize, denormalize, normalize};
pub use rand::rngs::StdRng;
pub use resize::{RandomResizedCrop, Resize, resize};
pub use rotation::{RandomRotation, rotate};
pub use sharpness::{GaussianBlur, adjust_sharpness, gaussian_blur};

use tch::Tensor;

/// An error if images are not of floats: their numbers would be cut off.
#[track_caller]
fn check_floats(what: &str, images: &Tensor) {
    assert!(
        images.is_floating_point(),
        "{what}: images of {:?}; give floats from 0 to 1: `images.to_kind(Kind::Float) / 255` makes them of bytes",
        images.kind()
    );
}

/// Height and width of images.
fn sides(what: &str, images: &Tensor) -> [i64; 2] {
    match images.size()[..] {
        [.., _, height, width] => [height, width],
        ref size => panic!("{what}: a tensor of {size:?}; images are [C, H, W], or [N, C, H, W] in a batch"),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::tests::panic_message;

    #[test]
    fn images_of_bytes_are_refused_where_floats_are_computed() {
        let bytes = Tensor::ones([3, 4, 4], (Kind::Uint8, Device::Cpu));
        type Change = fn(&Tensor) -> Tensor;
        let changes: [(&str, Change); 13] = [
            ("adjust_brightness", |x| adjust_brightness(x, 0.5)),
            ("adjust_contrast", |x| adjust_contrast(x, 0.5)),
            ("adjust_saturation", |x| adjust_saturation(x, 0.5)),
            ("adjust_hue", |x| adjust_hue(x, 0.1)),
            ("rgb_to_grayscale", rgb_to_grayscale),
            ("gaussian_blur", |x| gaussian_blur(x, 3, 1.0)),
            ("adjust_sharpness", |x| adjust_sharpness(x, 2.0)),
            ("posterize", |x| posterize(x, 4)),
            ("solarize", |x| solarize(x, 0.5)),
            ("autocontrast", autocontrast),
            ("equalize", equalize),
            ("affine", |x| affine(x, &AffineConfig::default())),
            ("normalize", |x| normalize(x, &[0.0; 3], &[1.0; 3])),
        ];
        for (name, change) in changes {
            let message = panic_message(|| change(&bytes));
            assert!(message.contains("images of Uint8; give floats"), "{name}: {message}");
        }
    }
}
