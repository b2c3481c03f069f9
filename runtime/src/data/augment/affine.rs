//! Images turned, moved, scaled and sheared.

use rand::Rng;
use rand::rngs::StdRng;
use tch::Tensor;

use super::compose::Transform;
use super::{check_floats, sides};

/// How the values between pixels are found: torchvision's `InterpolationMode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InterpolationMode {
    /// The nearest pixel.
    #[default]
    Nearest,
    /// Linear along both sides.
    Bilinear,
}

/// What [`affine`] does. The default changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct AffineConfig {
    /// How far it turns, clockwise, in degrees. Default 0.
    pub angle: f64,
    /// How far it moves to the right and down, in pixels. Default 0.
    pub translate: [f64; 2],
    /// By what both sides are multiplied. Default 1.
    pub scale: f64,
    /// How far it is sheared along x and along y, in degrees. Default 0.
    pub shear: [f64; 2],
    /// Around which place, in pixels from the left and from the top. Default `None`: the middle.
    pub center: Option<[f64; 2]>,
    /// Default nearest.
    pub interpolation: InterpolationMode,
    /// What comes from outside the image. Default 0.
    pub fill: f64,
}

impl Default for AffineConfig {
    fn default() -> Self {
        Self {
            angle: 0.0,
            translate: [0.0; 2],
            scale: 1.0,
            shear: [0.0; 2],
            center: None,
            interpolation: InterpolationMode::Nearest,
            fill: 0.0,
        }
    }
}

/// Turns, scales, shears and moves images about their middle, as torchvision's `affine`. (Its `angle` goes clockwise,
/// that of [`rotate`](super::rotate) the other way.)
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{AffineConfig, affine};
/// let image = Tensor::arange(4, (Kind::Float, Device::Cpu)).view([1, 2, 2]);
/// let moved = affine(&image, &AffineConfig { translate: [1.0, 0.0], fill: 9.0, ..Default::default() });
/// assert_eq!(moved, Tensor::from_slice2(&[[9f32, 0.0], [9.0, 2.0]]).unsqueeze(0));
/// ```
///
/// # Panics
///
/// Where the scale is not positive.
pub fn affine(images: &Tensor, config: &AffineConfig) -> Tensor {
    let [height, width] = sides("affine", images);
    check_floats("affine", images);
    assert!(config.scale > 0.0, "affine: a scale of {}; it must be positive, and 1 changes nothing", config.scale);
    let (size, sides) = (images.size(), [width as f64, height as f64]);
    let [a, b, c, d, e, f] = config.origin(sides);
    // Where each place of the output comes from, in coordinates that run from -1 to 1 both ways.
    let aspect = sides[1] / sides[0];
    let theta = [a, b * aspect, 2.0 * c / sides[0], d / aspect, e, 2.0 * f / sides[1]];
    let theta = Tensor::from_slice(&theta).view([1, 2, 3]).to_kind(images.kind()).to_device(images.device());
    // All that stands ahead of height and width is changed in the same way: one image of so many channels.
    let flat = images.reshape([1, -1, height, width]);
    let grid = Tensor::affine_grid_generator(&theta, flat.size(), false);
    let mode = match config.interpolation {
        InterpolationMode::Bilinear => 0,
        InterpolationMode::Nearest => 1,
    };
    let zeros = 0;
    let sampled = (flat - config.fill).grid_sampler(&grid, mode, zeros, false) + config.fill;
    sampled.reshape(&size)
}

impl AffineConfig {
    /// The matrix, row by row, from places of the output to those of the input, both in pixels from the middle.
    fn origin(&self, sides: [f64; 2]) -> [f64; 6] {
        let [turn, shear_x, shear_y] = [self.angle, self.shear[0], self.shear[1]].map(f64::to_radians);
        let [center_x, center_y] = self.center.map_or([0.0; 2], |[x, y]| [x - sides[0] / 2.0, y - sides[1] / 2.0]);
        let (cos, sin) = ((turn - shear_y).cos() / shear_y.cos(), (turn - shear_y).sin() / shear_y.cos());
        let [a, b] = [cos, -cos * shear_x.tan() - turn.sin()];
        let [c, d] = [sin, -sin * shear_x.tan() + turn.cos()];
        // The inverse of turn and shear, whose determinant is 1, and of the scale.
        let [a, b, c, d] = [d, -b, -c, a].map(|value| value / self.scale);
        let (x, y) = (center_x + self.translate[0], center_y + self.translate[1]);
        [a, b, center_x - a * x - b * y, c, d, center_y - c * x - d * y]
    }
}

/// Turns, moves, scales and shears each image by amounts of its own, as torchvision's `RandomAffine`.
///
/// ```
/// use oxtorch::prelude::*;
/// use data::augment::{Compose, RandomAffine};
/// let change = RandomAffine::new(10.0).translate(0.1, 0.1).scale(0.9, 1.1).shear(5.0, 0.0);
/// let changed = Compose::new(42).add(change).apply(&digits().images.narrow(0, 0, 16));
/// assert_eq!(changed.size(), [16, 1, 8, 8]);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct RandomAffine {
    degrees: f64,
    translate: [f64; 2],
    scale: [f64; 2],
    shear: [f64; 2],
    interpolation: InterpolationMode,
    fill: f64,
}

impl RandomAffine {
    /// Turns by up to so many degrees either way.
    ///
    /// # Panics
    ///
    /// Where the number is negative.
    pub fn new(degrees: f64) -> Self {
        assert!(degrees >= 0.0, "RandomAffine: {degrees} degrees; give a bound for both ways, such as 15.0");
        let (translate, scale, shear) = ([0.0; 2], [1.0; 2], [0.0; 2]);
        Self { degrees, translate, scale, shear, interpolation: InterpolationMode::Nearest, fill: 0.0 }
    }

    /// Moves by whole pixels, up to these shares of width and height either way.
    ///
    /// # Panics
    ///
    /// Where a share is not in 0 to 1.
    pub fn translate(mut self, horizontal: f64, vertical: f64) -> Self {
        for share in [horizontal, vertical] {
            assert!((0.0..=1.0).contains(&share), "RandomAffine: a translation by {share} of a side; give 0 to 1");
        }
        self.translate = [horizontal, vertical];
        self
    }

    /// Multiplies both sides by a number in a range.
    ///
    /// # Panics
    ///
    /// Where the bounds are not positive and in order.
    pub fn scale(mut self, low: f64, high: f64) -> Self {
        assert!(0.0 < low && low <= high, "RandomAffine: a scale from {low} to {high}; give positive bounds in order");
        self.scale = [low, high];
        self
    }

    /// Shears along x and along y by up to so many degrees either way.
    ///
    /// # Panics
    ///
    /// Where a number is not in 0 to below 90.
    pub fn shear(mut self, x: f64, y: f64) -> Self {
        for degrees in [x, y] {
            assert!((0.0..90.0).contains(&degrees), "RandomAffine: a shear of {degrees} degrees; give 0 to below 90");
        }
        self.shear = [x, y];
        self
    }

    /// How the values between pixels are found. Default nearest.
    pub fn interpolation(mut self, interpolation: InterpolationMode) -> Self {
        self.interpolation = interpolation;
        self
    }

    /// What comes from outside the image. Default 0.
    pub fn fill(mut self, fill: f64) -> Self {
        self.fill = fill;
        self
    }
}

impl Transform for RandomAffine {
    fn image(&self, image: &Tensor, random: &mut StdRng) -> Tensor {
        let [height, width] = sides("RandomAffine", image);
        let mut either_way = |bound: f64| random.random_range(-bound..=bound);
        let angle = either_way(self.degrees);
        let moves = [self.translate[0] * width as f64, self.translate[1] * height as f64];
        let (translate, shear) = (moves.map(|most| either_way(most).round()), self.shear.map(&mut either_way));
        let scale = random.random_range(self.scale[0]..=self.scale[1]);
        let (interpolation, fill) = (self.interpolation, self.fill);
        affine(image, &AffineConfig { angle, translate, scale, shear, center: None, interpolation, fill })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::augment::Compose;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn images_are_changed_as_torchvision_changes_them() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/vision_transforms.json"));
        let image = reference.tensor("/image");
        let base = AffineConfig::default();
        let all = AffineConfig { angle: 25.0, translate: [1.0, -2.0], scale: 1.3, shear: [10.0, -5.0], ..base };
        let cases = [
            ("turned", AffineConfig { angle: 40.0, ..base }),
            ("moved", AffineConfig { translate: [2.0, 1.0], fill: 0.5, ..base }),
            ("smaller", AffineConfig { scale: 0.6, ..base }),
            ("sheared", AffineConfig { shear: [20.0, 0.0], center: Some([0.0, 0.0]), ..base }),
            ("all", all),
            ("smooth", AffineConfig { interpolation: InterpolationMode::Bilinear, ..all }),
        ];
        for (name, config) in cases {
            reference.check(&format!("/affine/{name}"), &affine(&image, &config), 1e-4);
            let batch = Tensor::stack(&[image.flip([1i64]), image.shallow_clone()], 0);
            reference.check(&format!("/affine/{name}"), &affine(&batch, &config).get(1), 1e-4);
        }
        assert!(affine(&image, &base).equal(&image));
    }

    #[test]
    fn each_image_draws_within_the_bounds() {
        let image = Tensor::ones([1, 9, 9], (tch::Kind::Float, tch::Device::Cpu));
        let still = Compose::new(0).add(RandomAffine::new(0.0)).apply(&image);
        assert!(still.equal(&image));
        let batch = image.expand([20, 1, 9, 9], false);
        let moved = Compose::new(0).add(RandomAffine::new(0.0).translate(0.4, 0.0)).apply(&batch);
        let columns =
            moved.sum_dim_intlist([1i64, 2].as_slice(), false, tch::Kind::Float).gt(0.0).sum(tch::Kind::Int64);
        // Up to 4 of 9 columns are empty; some images move and some do not.
        assert!((20 * 5..20 * 9).contains(&columns.int64_value(&[])), "{columns}");
        assert!(panic_message(|| RandomAffine::new(1.0).scale(2.0, 1.0)).contains("from 2 to 1"));
        assert!(panic_message(|| RandomAffine::new(1.0).shear(90.0, 0.0)).contains("90 degrees"));
        assert!(panic_message(|| RandomAffine::new(1.0).translate(2.0, 0.0)).contains("by 2 of a side"));
    }
}
