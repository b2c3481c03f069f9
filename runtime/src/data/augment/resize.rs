//! Images of another size.

use rand::Rng;
use rand::rngs::StdRng;
use tch::Tensor;

use super::compose::Transform;
use super::{crop, sides};

/// To `[height, width]`, with bilinear interpolation that averages where the image shrinks (`antialias=True` in
/// torchvision).
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(data::augment::resize(&digits().images, [28, 28]).size(), [1797, 1, 28, 28]);
/// ```
///
/// # Panics
///
/// Where a side is not positive.
pub fn resize(images: &Tensor, size: [i64; 2]) -> Tensor {
    let [height, width] = sides("resize", images);
    assert!(size[0] > 0 && size[1] > 0, "resize: to {size:?}; height and width must be positive");
    if [height, width] == size {
        return images.shallow_clone();
    }
    let mut shape = images.size();
    let at = shape.len() - 2;
    let flat = images.reshape([1, -1, height, width]);
    let resized = flat.internal_upsample_bilinear2d_aa(size, false, None, None);
    shape[at..].copy_from_slice(&size);
    resized.reshape(&shape)
}

/// [`resize`] as a transform.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, Resize};
/// let wide = Tensor::rand([3, 20, 40], (Kind::Float, Device::Cpu));
/// assert_eq!(Compose::new(0).add(Resize::shorter(10)).apply(&wide).size(), [3, 10, 20]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Resize(Target);

#[derive(Debug, Clone, Copy)]
enum Target {
    Sides([i64; 2]),
    Shorter(i64),
}

impl Resize {
    /// To `[height, width]`, whatever the proportions were.
    pub fn new(size: [i64; 2]) -> Self {
        Self(Target::Sides(size))
    }

    /// Until the shorter side has so many pixels: the proportions stay.
    pub fn shorter(side: i64) -> Self {
        Self(Target::Shorter(side))
    }
}

impl Transform for Resize {
    fn image(&self, image: &Tensor, _: &mut StdRng) -> Tensor {
        let size = match self.0 {
            Target::Sides(size) => size,
            Target::Shorter(side) => {
                let [height, width] = sides("Resize", image);
                if height <= width { [side, side * width / height] } else { [side * height / width, side] }
            }
        };
        resize(image, size)
    }

    fn batch(&self, images: &Tensor, random: &mut StdRng) -> Tensor {
        self.image(images, random)
    }
}

/// A part of random area and proportions, brought to `[height, width]` (C. Szegedy et al., Going deeper with
/// convolutions, 2015).
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandomResizedCrop};
/// let resize = RandomResizedCrop::new([6, 6]).scale(0.5, 1.0);
/// let parts = Compose::new(42).add(resize).apply(&digits().images.narrow(0, 0, 16));
/// assert_eq!(parts.size(), [16, 1, 6, 6]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RandomResizedCrop {
    size: [i64; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
}

impl RandomResizedCrop {
    /// Parts of 0.08 to 1 of the area, and of 3:4 to 4:3.
    pub fn new(size: [i64; 2]) -> Self {
        Self { size, scale: [0.08, 1.0], ratio: [3.0 / 4.0, 4.0 / 3.0] }
    }

    /// How much of the area a part has.
    ///
    /// # Panics
    ///
    /// Where the bounds are not in order and in 0 to 1.
    pub fn scale(mut self, low: f64, high: f64) -> Self {
        self.scale = checked_scale("RandomResizedCrop", low, high);
        self
    }

    /// Width to height.
    ///
    /// # Panics
    ///
    /// Where the bounds are not positive and in order.
    pub fn ratio(mut self, low: f64, high: f64) -> Self {
        assert!(
            0.0 < low && low <= high,
            "RandomResizedCrop: a ratio from {low} to {high}; give positive ones in order"
        );
        self.ratio = [low, high];
        self
    }

    /// Corner and size of the part. After ten that do not fit, the largest middle of permitted proportions.
    fn part(&self, [rows, columns]: [i64; 2], random: &mut StdRng) -> ([i64; 2], [i64; 2]) {
        if let Some(part) = random_part([rows, columns], self.scale, self.ratio, random) {
            return part;
        }
        let proportion = (columns as f64 / rows as f64).clamp(self.ratio[0], self.ratio[1]);
        let width = columns.min((rows as f64 * proportion).round() as i64).max(1);
        let height = rows.min((columns as f64 / proportion).round() as i64).max(1);
        ([(rows - height) / 2, (columns - width) / 2], [height, width])
    }
}

/// The shares of an image's area that a random part has.
pub(super) fn checked_scale(what: &str, low: f64, high: f64) -> [f64; 2] {
    assert!(
        0.0 < low && low <= high && high <= 1.0,
        "{what}: a scale from {low} to {high}; both must be above 0 and up to 1, in this order"
    );
    [low, high]
}

/// Corner and size of a part of random area (of the whole) and width to height, as torchvision draws it: ten tries, the
/// ratio uniform in its logarithm.
pub(super) fn random_part(
    [rows, columns]: [i64; 2],
    scale: [f64; 2],
    ratio: [f64; 2],
    random: &mut StdRng,
) -> Option<([i64; 2], [i64; 2])> {
    (0..10).find_map(|_| {
        let area = (rows * columns) as f64 * random.random_range(scale[0]..=scale[1]);
        let ratio = random.random_range(ratio[0].ln()..=ratio[1].ln()).exp();
        let (width, height) = ((area * ratio).sqrt().round() as i64, (area / ratio).sqrt().round() as i64);
        (width > 0 && height > 0 && width <= columns && height <= rows).then(|| {
            ([random.random_range(0..=rows - height), random.random_range(0..=columns - width)], [height, width])
        })
    })
}

impl Transform for RandomResizedCrop {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        let (corner, part) = self.part(sides("RandomResizedCrop", image), random);
        resize(&crop(image, corner, part), self.size)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn resized_images_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let image = reference.tensor("/image");
        reference.check("/resize/smaller", &resize(&image, [3, 4]), 1e-5);
        reference.check("/resize/larger", &resize(&image, [9, 10]), 1e-5);
        let mut random = StdRng::seed_from_u64(0);
        reference.check("/resize/shorter", &Resize::shorter(3).image(&image, &mut random), 1e-5);
        reference.check("/resize/shorter", &Resize::shorter(3).batch(&image.unsqueeze(0), &mut random).get(0), 1e-5);
    }

    #[test]
    fn parts_have_the_area_and_the_proportions_that_are_asked_for() {
        let mut random = StdRng::seed_from_u64(1);
        let cut = RandomResizedCrop::new([8, 8]).scale(0.2, 0.6).ratio(0.5, 2.0);
        for _ in 0..100 {
            let ([top, left], [height, width]) = cut.part([100, 80], &mut random);
            assert!(top >= 0 && left >= 0 && top + height <= 100 && left + width <= 80);
            let (area, ratio) = ((height * width) as f64 / 8000.0, width as f64 / height as f64);
            assert!((0.19..0.61).contains(&area) && (0.48..2.1).contains(&ratio), "{area} {ratio}");
        }
        // No part of this image has the proportions: its middle has the nearest.
        let whole = RandomResizedCrop::new([2, 2]).scale(1.0, 1.0).ratio(1.0, 1.0);
        assert_eq!(whole.part([4, 9], &mut random), ([0, 2], [4, 4]));
        let image = Tensor::rand([3, 4, 9], (Kind::Float, Device::Cpu));
        assert_eq!(whole.image(&image, &mut random).size(), [3, 2, 2]);
    }
}
