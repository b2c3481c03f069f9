//! Brightness, contrast, saturation and hue, as torchvision defines them for tensors. Three channels are red, green and
//! blue; one is grey, which has neither saturation nor hue.

use rand::Rng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::Tensor;

use super::compose::Transform;
use super::{check_floats, sides};

/// `0.2989 * red + 0.587 * green + 0.114 * blue`: `[..., 3, H, W]` to `[..., 1, H, W]`. One channel stays as it is.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::rand([3, 4, 4], (Kind::Float, Device::Cpu));
/// assert_eq!(data::augment::rgb_to_grayscale(&image).size(), [1, 4, 4]);
/// ```
///
/// # Panics
///
/// Where there are other than one or three channels.
pub fn rgb_to_grayscale(images: &Tensor) -> Tensor {
    if is_gray("rgb_to_grayscale", images) {
        return images.shallow_clone();
    }
    let channel = |index| images.narrow(-3, index, 1);
    channel(0) * 0.2989 + channel(1) * 0.587 + channel(2) * 0.114
}

fn is_gray(what: &str, images: &Tensor) -> bool {
    let _ = sides(what, images);
    check_floats(what, images);
    let size = images.size();
    match size[size.len() - 3] {
        1 => true,
        3 => false,
        channels => panic!("{what}: images of {size:?} with {channels} channels; colors are for 1 or 3"),
    }
}

/// `factor * image + (1 - factor) * other`, cut to 0 to 1.
pub(super) fn blend(images: &Tensor, other: &Tensor, factor: f64) -> Tensor {
    (images * factor + other * (1.0 - factor)).clamp(0.0, 1.0)
}

pub(super) fn check_factor(what: &str, factor: f64) {
    assert!(factor >= 0.0, "{what}: a factor of {factor}; it must not be negative, and 1 changes nothing");
}

/// `factor * image`, cut to 0 to 1: 0 is black, 1 changes nothing.
///
/// ```
/// use oxtorch::prelude::*;
/// let grey = Tensor::full([3, 2, 2], 0.4, (Kind::Float, Device::Cpu));
/// assert!((data::augment::adjust_brightness(&grey, 1.5).max().double_value(&[]) - 0.6).abs() < 1e-6);
/// ```
///
/// # Panics
///
/// Where the factor is negative.
pub fn adjust_brightness(images: &Tensor, factor: f64) -> Tensor {
    check_factor("adjust_brightness", factor);
    let _ = sides("adjust_brightness", images);
    check_floats("adjust_brightness", images);
    (images * factor).clamp(0.0, 1.0)
}

/// `factor * image + (1 - factor) * m`, with the mean m of the grey image: 0 is grey all over, 1 changes nothing.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::from_slice(&[0.25f32, 0.75]).view([1, 1, 2]);
/// let image = data::augment::adjust_contrast(&image, 0.5);
/// assert_eq!(image.flatten(0, -1), Tensor::from_slice(&[0.375f32, 0.625]));
/// ```
///
/// # Panics
///
/// Where the factor is negative, or there are other than one or three channels.
pub fn adjust_contrast(images: &Tensor, factor: f64) -> Tensor {
    check_factor("adjust_contrast", factor);
    let mean = rgb_to_grayscale(images).mean_dim([-3i64, -2, -1].as_slice(), true, images.kind());
    blend(images, &mean, factor)
}

/// `factor * image + (1 - factor) * grey image`: 0 is grey, 1 changes nothing.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::rand([3, 4, 4], (Kind::Float, Device::Cpu));
/// let grey = data::augment::adjust_saturation(&image, 0.0);
/// assert_eq!(grey.i(0), grey.i(2));
/// ```
///
/// # Panics
///
/// Where the factor is negative, or there are other than one or three channels.
pub fn adjust_saturation(images: &Tensor, factor: f64) -> Tensor {
    check_factor("adjust_saturation", factor);
    if is_gray("adjust_saturation", images) {
        return images.shallow_clone();
    }
    blend(images, &rgb_to_grayscale(images), factor)
}

/// Turns the color circle by a share of it, -0.5 to 0.5: 0 changes nothing, 0.5 and -0.5 give the opposite colors.
///
/// ```
/// use oxtorch::prelude::*;
/// let red = Tensor::from_slice(&[1f32, 0.0, 0.0]).view([3, 1, 1]);
/// let green = data::augment::adjust_hue(&red, 1.0 / 3.0).flatten(0, -1);
/// assert!(green.allclose(&Tensor::from_slice(&[0f32, 1.0, 0.0]), 1e-5, 1e-5, false));
/// ```
///
/// # Panics
///
/// Where the share is not in -0.5 to 0.5, or there are other than one or three channels.
pub fn adjust_hue(images: &Tensor, share: f64) -> Tensor {
    assert!((-0.5..=0.5).contains(&share), "adjust_hue: {share} of the circle; it must be between -0.5 and 0.5");
    if is_gray("adjust_hue", images) {
        return images.shallow_clone();
    }
    let [hue, saturation, value] = to_hsv(images);
    from_hsv(&(hue + share).remainder(1.0), &saturation, &value)
}

/// Hue, saturation and value, each from 0 to 1 (A. R. Smith, Color gamut transform pairs, 1978).
fn to_hsv(images: &Tensor) -> [Tensor; 3] {
    let [red, green, blue] = [0, 1, 2].map(|index| images.narrow(-3, index, 1));
    let value = images.amax([-3i64].as_slice(), true);
    let range = &value - images.amin([-3i64].as_slice(), true);
    // Where the range is 0 all are the same, and so is each difference of them.
    let divisor = range.where_self(&range.gt(0.0), &range.ones_like());
    let from_red = (&green - &blue) / &divisor;
    let from_green = (&blue - &red) / &divisor + 2.0;
    let from_blue = (&red - &green) / &divisor + 4.0;
    let sixths =
        from_red.where_self(&value.eq_tensor(&red), &from_green.where_self(&value.eq_tensor(&green), &from_blue));
    let saturation = &range / value.where_self(&value.gt(0.0), &value.ones_like());
    [(sixths / 6.0).remainder(1.0), saturation, value]
}

/// `value - value * saturation * max(0, min(k, 4 - k, 1))`, with `k = (n + 6 * hue) mod 6` for n of 5, 3 and 1.
fn from_hsv(hue: &Tensor, saturation: &Tensor, value: &Tensor) -> Tensor {
    let chroma = value * saturation;
    let channel = |n: f64| {
        let k = (hue * 6.0 + n).remainder(6.0);
        value - &chroma * k.minimum(&(4.0 - &k)).clamp(0.0, 1.0)
    };
    Tensor::cat(&[channel(5.0), channel(3.0), channel(1.0)], -3)
}

/// Changes brightness, contrast, saturation and hue at random, in an order that is random too. The default changes
/// nothing.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{ColorJitter, Compose};
/// let images = Tensor::rand([4, 3, 8, 8], (Kind::Float, Device::Cpu));
/// let jitter = ColorJitter::new().brightness(0.2).contrast(0.2).saturation(0.2).hue(0.05);
/// assert_eq!(Compose::new(42).add(jitter).apply(&images).size(), [4, 3, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ColorJitter {
    brightness: f64,
    contrast: f64,
    saturation: f64,
    hue: f64,
}

impl ColorJitter {
    /// Changes nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// By a factor from `1 - range`, or 0, to `1 + range`.
    ///
    /// # Panics
    ///
    /// Where the range is negative; so for the next two.
    pub fn brightness(mut self, range: f64) -> Self {
        self.brightness = checked("brightness", range);
        self
    }

    /// By a factor from `1 - range`, or 0, to `1 + range`.
    pub fn contrast(mut self, range: f64) -> Self {
        self.contrast = checked("contrast", range);
        self
    }

    /// By a factor from `1 - range`, or 0, to `1 + range`.
    pub fn saturation(mut self, range: f64) -> Self {
        self.saturation = checked("saturation", range);
        self
    }

    /// By a share of the circle from `-range` to `range`.
    ///
    /// # Panics
    ///
    /// Where the range is not in 0 to 0.5.
    pub fn hue(mut self, range: f64) -> Self {
        assert!((0.0..=0.5).contains(&range), "ColorJitter: a range of {range} for the hue; it must be from 0 to 0.5");
        self.hue = range;
        self
    }
}

fn checked(what: &str, range: f64) -> f64 {
    assert!(range >= 0.0, "ColorJitter: a range of {range} for the {what}; it must not be negative");
    range
}

impl Transform for ColorJitter {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        let mut order = [0, 1, 2, 3];
        order.shuffle(random);
        let mut image = image.shallow_clone();
        for change in order {
            let range = [self.brightness, self.contrast, self.saturation, self.hue][change];
            if range == 0.0 {
                continue;
            }
            let mut factor = || random.random_range((1.0 - range).max(0.0)..=1.0 + range);
            image = match change {
                0 => adjust_brightness(&image, factor()),
                1 => adjust_contrast(&image, factor()),
                2 => adjust_saturation(&image, factor()),
                _ => adjust_hue(&image, random.random_range(-range..=range)),
            };
        }
        image
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tch::Kind;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn colors_are_changed_as_torchvision_defines_it() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let (image, grey) = (reference.tensor("/image"), reference.tensor("/grey"));
        type Case = (&'static str, fn(&Tensor, f64) -> Tensor, f64);
        let cases: [Case; 8] = [
            ("brightness", adjust_brightness, 0.6),
            ("brighter", adjust_brightness, 1.7),
            ("contrast", adjust_contrast, 0.4),
            ("sharper", adjust_contrast, 1.8),
            ("saturation", adjust_saturation, 0.3),
            ("stronger", adjust_saturation, 1.6),
            ("hue", adjust_hue, 0.2),
            ("hue_back", adjust_hue, -0.35),
        ];
        for (name, adjust, factor) in cases {
            reference.check(&format!("/color/{name}"), &adjust(&image, factor), 1e-5);
            let batch = Tensor::stack(&[image.flip([1i64]), image.shallow_clone()], 0);
            reference.check(&format!("/color/{name}"), &adjust(&batch, factor).get(1), 1e-5);
        }
        reference.check("/color/grey_contrast", &adjust_contrast(&grey, 0.4), 1e-5);
        assert!(adjust_saturation(&grey, 0.3).equal(&grey) && adjust_hue(&grey, 0.3).equal(&grey));
    }

    #[test]
    fn a_jitter_stays_within_its_ranges() {
        let grey = Tensor::full([3, 1, 1], 0.5, (Kind::Float, tch::Device::Cpu));
        let mut random = StdRng::seed_from_u64(2);
        let bright = |_| ColorJitter::new().brightness(0.2).image(&grey, &mut random).get(0).double_value(&[0, 0]);
        let values: Vec<f64> = (0..100).map(bright).collect();
        assert!(values.iter().all(|value| (0.4 - 1e-6..=0.6 + 1e-6).contains(value)), "{values:?}");
        assert!(values.iter().any(|value| *value < 0.42) && values.iter().any(|value| *value > 0.58));
        assert!(ColorJitter::new().image(&grey, &mut random).equal(&grey));
    }

    #[test]
    #[should_panic(expected = "4 channels; colors are for 1 or 3")]
    fn other_than_one_or_three_channels_have_no_colors() {
        let _ = adjust_contrast(&Tensor::zeros([4, 2, 2], (Kind::Float, tch::Device::Cpu)), 0.5);
    }
}
