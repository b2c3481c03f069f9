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

/// Height and width of images.
fn sides(what: &str, images: &Tensor) -> [i64; 2] {
    match images.size()[..] {
        [.., _, height, width] => [height, width],
        ref size => panic!("{what}: a tensor of {size:?}; images are [C, H, W], or [N, C, H, W] in a batch"),
    }
}
