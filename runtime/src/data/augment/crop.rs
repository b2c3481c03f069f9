//! A part of an image: from the centre, or from anywhere.

use rand::Rng;
use rand::rngs::StdRng;
use tch::Tensor;

use super::compose::Transform;
use super::sides;

/// The part of `[height, width]` whose upper left corner is at `[top, left]`.
///
/// ```
/// use oxtorch::prelude::*;
/// let image = Tensor::arange(16, (Kind::Float, Device::Cpu)).view([1, 4, 4]);
/// let cut = data::augment::crop(&image, [1, 2], [2, 2]);
/// assert_eq!(cut.flatten(0, -1), Tensor::from_slice(&[6f32, 7.0, 10.0, 11.0]));
/// ```
///
/// # Panics
///
/// Where the part is not within the image.
pub fn crop(images: &Tensor, [top, left]: [i64; 2], [height, width]: [i64; 2]) -> Tensor {
    let [rows, columns] = sides("crop", images);
    assert!(
        top >= 0 && left >= 0 && height > 0 && width > 0 && top + height <= rows && left + width <= columns,
        "crop: {height} by {width} from row {top} and column {left} is not within an image of {rows} by {columns}"
    );
    images.narrow(-2, top, height).narrow(-1, left, width)
}

/// The middle of an image, `[height, width]`; of a smaller image with zeros around it, as torchvision does.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(data::augment::center_crop(&digits().images, [6, 6]).size(), [1797, 1, 6, 6]);
/// ```
pub fn center_crop(images: &Tensor, [height, width]: [i64; 2]) -> Tensor {
    let [rows, columns] = sides("center_crop", images);
    let (missing_rows, missing_columns) = ((height - rows).max(0), (width - columns).max(0));
    let (above, left) = (missing_rows / 2, missing_columns / 2);
    let images = pad(images, [left, missing_columns - left, above, missing_rows - above], "constant");
    let [rows, columns] = sides("center_crop", &images);
    // As Python rounds: halves to the even number.
    let start = |surplus: i64| (surplus as f64 / 2.0).round_ties_even() as i64;
    crop(&images, [start(rows - height), start(columns - width)], [height, width])
}

fn pad(images: &Tensor, around: [i64; 4], mode: &str) -> Tensor {
    if around == [0; 4] {
        return images.shallow_clone();
    }
    images.pad(around, mode, None)
}

/// [`center_crop`] as a transform.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{CenterCrop, Compose};
/// let middle = Compose::new(0).add(CenterCrop::new([4, 4])).apply(&digits().images);
/// assert_eq!(middle.size(), [1797, 1, 4, 4]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct CenterCrop([i64; 2]);

impl CenterCrop {
    /// Of `[height, width]`.
    pub fn new(size: [i64; 2]) -> Self {
        Self(size)
    }
}

impl Transform for CenterCrop {
    fn image(&self, image: &Tensor, _: &mut StdRng) -> Tensor {
        center_crop(image, self.0)
    }

    fn batch(&self, images: &Tensor, _: &mut StdRng) -> Tensor {
        center_crop(images, self.0)
    }
}

/// A part of `[height, width]` from anywhere in the image, which may be padded first.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandomCrop};
/// let shifted = Compose::new(42).add(RandomCrop::new([8, 8]).padding(2)).apply(&digits().images);
/// assert_eq!(shifted.size(), [1797, 1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RandomCrop {
    size: [i64; 2],
    padding: i64,
    mode: &'static str,
}

impl RandomCrop {
    /// Without padding.
    pub fn new(size: [i64; 2]) -> Self {
        Self { size, padding: 0, mode: "constant" }
    }

    /// Puts so many rows and columns of zeros around the image first.
    pub fn padding(mut self, padding: i64) -> Self {
        assert!(padding >= 0, "RandomCrop: a padding of {padding}; it must not be negative");
        self.padding = padding;
        self
    }

    /// Pads with the image's own rows and columns, mirrored at its edge.
    pub fn reflect(mut self) -> Self {
        self.mode = "reflect";
        self
    }
}

impl Transform for RandomCrop {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        let image = pad(image, [self.padding; 4], self.mode);
        let ([rows, columns], [height, width]) = (sides("RandomCrop", &image), self.size);
        assert!(
            height <= rows && width <= columns,
            "RandomCrop: {height} by {width} of an image that is {rows} by {columns} with its padding"
        );
        let corner = [random.random_range(0..=rows - height), random.random_range(0..=columns - width)];
        crop(&image, corner, self.size)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn centres_are_torchvisions() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/augment.json"));
        let image = reference.tensor("/image");
        reference.check("/center_crop", &center_crop(&image, [2, 4]), 0.0);
        reference.check("/center_crop_padded", &center_crop(&image, [8, 3]), 0.0);
    }

    #[test]
    fn a_random_crop_is_a_part_of_the_padded_image_and_all_parts_come_up() {
        let image = Tensor::arange(9, (Kind::Float, Device::Cpu)).view([1, 3, 3]) + 1.0;
        let padded = image.pad([1i64; 4], "constant", None);
        let mut random = StdRng::seed_from_u64(0);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let part = RandomCrop::new([3, 3]).padding(1).image(&image, &mut random);
            let places = (0..3).flat_map(|top| (0..3).map(move |left| [top, left]));
            let mut found = places.filter(|corner| crop(&padded, *corner, [3, 3]).equal(&part));
            let _ = seen.insert(found.next().expect("a part of the padded image"));
        }
        assert_eq!(seen.len(), 9);
        let mirrored = RandomCrop::new([5, 5]).padding(1).reflect().image(&image, &mut random);
        assert!(mirrored.equal(&image.pad([1i64; 4], "reflect", None)));
    }

    #[test]
    #[should_panic(expected = "4 by 4 of an image that is 3 by 3")]
    fn a_part_larger_than_the_image_is_refused() {
        let image = Tensor::zeros([1, 3, 3], (Kind::Float, Device::Cpu));
        let _ = RandomCrop::new([4, 4]).image(&image, &mut StdRng::seed_from_u64(0));
    }
}
