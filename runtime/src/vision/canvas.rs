//! The picture that boxes and masks are drawn on.

use tch::{Kind, Tensor};

use crate::plot::of_class;

/// Red, green and blue, from 0 to 255.
pub(super) type Color = [u8; 3];

/// A copy `[3, H, W]` of a picture `[3, H, W]` or, in gray, `[1, H, W]`.
#[track_caller]
pub(super) fn in_color(what: &str, image: &Tensor) -> Tensor {
    let (size, kind) = (image.size(), image.kind());
    let [channels @ (1 | 3), _, _] = size[..] else {
        panic!(
            "{what}: an image of {size:?}; it is [3, H, W] or, in gray, [1, H, W], and `images.get(0)` is \
             one of a batch"
        );
    };
    assert!(
        kind == Kind::Uint8 || image.is_floating_point(),
        "{what}: an image of {kind:?}; its values are 0 to 255 in Uint8, or 0 to 1 in floating point: \
         `to_kind(Kind::Uint8)`"
    );
    image.detach().repeat([3 / channels, 1, 1])
}

/// The color as a picture has it, `[3, 1, 1]`: from 0 to 1 in floating point.
pub(super) fn like(image: &Tensor, color: Color) -> Tensor {
    let color = Tensor::from_slice(&color.map(f64::from)).view([3, 1, 1]);
    let color = if image.is_floating_point() { color / 255.0 } else { color };
    color.to_kind(image.kind()).to_device(image.device())
}

/// The given color of that number, where one is given for all, that one, and where none is, that of plots.
pub(super) fn color_of(given: &[Color], number: usize) -> Color {
    match given {
        [] => of_class(number).rgb,
        [one] => *one,
        many => many[number],
    }
}

#[track_caller]
pub(super) fn check_colors(what: &str, given: &[Color], count: usize, of: &str) {
    let colors = given.len();
    assert!(
        colors <= 1 || colors >= count,
        "{what}: {colors} colors for {count} {of}; give one for each, one for all, or none for the colors of plots"
    );
}
