//! Masks over a picture.

use tch::{Kind, Tensor};

use super::canvas::{check_colors, color_of, in_color, like};

/// A copy of an image in which each mask is colored: `(1 - alpha) * image + alpha * color` where it is true, so that 0
/// is the image and 1 the color alone. A later mask covers an earlier one.
///
/// The image is `[3, H, W]`, or `[1, H, W]` in gray, `uint8` or floating point from 0 to 1. The masks are `[N, H, W]`
/// or one `[H, W]`, bool. The result is `[3, H, W]` of the same kind. The colors are red, green and blue from 0 to 255:
/// one for each mask, one for all, or `&[]` for the colors that classes have in plots.
///
/// Masks of all classes from a segmentation `[H, W]`:
///
/// ```
/// use oxtorch::prelude::*;
/// let photo = Tensor::rand([3, 4, 6], (Kind::Float, device()));
/// let classes = Tensor::randint(3, [4, 6], (Kind::Int64, device()));
/// let masks = classes.one_hot(3).permute([2, 0, 1]).to_kind(Kind::Bool);
/// let drawn = vision::draw_segmentation_masks(&photo, &masks, 0.6, &[]);
/// let red = vision::draw_segmentation_masks(&photo, &classes.eq(2), 0.6, &[[255, 0, 0]]);
/// image(&Tensor::stack(&[drawn, red], 0))?
/// # ;
/// # anyhow::Ok(())
/// ```
///
/// # Panics
///
/// Where the image or the masks have other shapes or kinds, `alpha` is not in 0 to 1, or there is more than one color
/// but not one for each mask.
#[track_caller]
pub fn draw_segmentation_masks(image: &Tensor, masks: &Tensor, alpha: f64, colors: &[[u8; 3]]) -> Tensor {
    let what = "draw_segmentation_masks";
    let image = in_color(what, image);
    let masks = checked(what, masks, &image);
    assert!((0.0..=1.0).contains(&alpha), "{what}: alpha is {alpha}; it is from 0, the image, to 1, the colors");
    check_colors(what, colors, masks.size()[0] as usize, "masks");
    let mut painted = image.shallow_clone();
    for (number, mask) in masks.unbind(0).iter().enumerate() {
        painted = like(&image, color_of(colors, number)).where_self(mask, &painted);
    }
    if image.is_floating_point() {
        return image.lerp(&painted, alpha);
    }
    let mixed = image.to_kind(Kind::Float).lerp(&painted.to_kind(Kind::Float), alpha);
    mixed.round().to_kind(image.kind())
}

/// Masks `[N, H, W]` where the image is.
#[track_caller]
fn checked(what: &str, masks: &Tensor, image: &Tensor) -> Tensor {
    let (size, sides) = (masks.size(), &image.size()[1..]);
    assert!(
        matches!(size.len(), 2 | 3) && size.ends_with(sides),
        "{what}: masks of {size:?} for an image of {sides:?}; they are [N, H, W] or [H, W], with its height and width"
    );
    assert!(
        masks.kind() == Kind::Bool,
        "{what}: masks of {:?}; they are bools: `classes.eq(1)` for a class, `shares.gt(0.5)` for probabilities",
        masks.kind()
    );
    masks.to_device(image.device()).reshape([-1, sides[0], sides[1]])
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn masks_are_mixed_into_the_image() {
        let reference = Reference::parse(include_str!("../../../tests/reference/vision.json"));
        let (photo, masks) = (reference.tensor("/masks/photo"), reference.tensor("/masks/masks"));
        let colors = [[255, 0, 0], [0, 128, 64]];
        reference.check("/masks/drawn", &draw_segmentation_masks(&photo, &masks, 0.8, &colors), 1e-6);
        let bytes = reference.tensor("/masks/bytes");
        let drawn = draw_segmentation_masks(&bytes, &masks, 0.5, &colors);
        reference.check("/masks/drawn_bytes", &drawn, 0.0);
        assert_eq!(drawn.kind(), Kind::Uint8);
    }

    #[test]
    fn without_a_mask_the_image_stays_as_it_is() {
        let bytes = Tensor::arange(256, (Kind::Int64, Device::Cpu)).to_kind(Kind::Uint8).view([1, 16, 16]);
        let nowhere = Tensor::zeros([16, 16], (Kind::Bool, Device::Cpu));
        assert_eq!(draw_segmentation_masks(&bytes, &nowhere, 0.7, &[]), bytes.repeat([3, 1, 1]));
        let none = Tensor::zeros([0, 16, 16], (Kind::Bool, Device::Cpu));
        assert_eq!(draw_segmentation_masks(&bytes, &none, 0.7, &[]), bytes.repeat([3, 1, 1]));
    }

    #[test]
    fn what_is_no_mask_is_said() {
        let message = |masks: Tensor, colors: &[[u8; 3]]| {
            let photo = Tensor::zeros([3, 2, 2], (Kind::Float, Device::Cpu));
            panic_message(|| draw_segmentation_masks(&photo, &masks, 0.5, colors))
        };
        let masks = |size: &[i64], kind| Tensor::zeros(size, (kind, Device::Cpu));
        assert!(message(masks(&[2, 3], Kind::Bool), &[]).contains("masks of [2, 3] for an image of [2, 2]"));
        assert!(message(masks(&[2, 2], Kind::Float), &[]).contains("they are bools"));
        assert!(message(masks(&[3, 2, 2], Kind::Bool), &[[0; 3]; 2]).contains("2 colors for 3 masks"));
    }
}
