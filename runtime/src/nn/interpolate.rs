//! Images and feature maps of another size: `torch.nn.functional.interpolate`.

use tch::Tensor;

/// How the values between those that are there are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InterpolateMode {
    /// The nearest value, as older programs find it.
    #[default]
    Nearest,
    /// The nearest value, as image libraries find it.
    NearestExact,
    /// Linear between two values, for `[N, C, L]`.
    Linear,
    /// Linear along both sides, for `[N, C, H, W]`.
    Bilinear,
    /// By cubic polynomials, for `[N, C, H, W]`. It may leave the range of the values.
    Bicubic,
    /// Linear along all sides, for `[N, C, D, H, W]`.
    Trilinear,
    /// The mean of the values that fall into each new one.
    Area,
}

/// What [`interpolate`] makes. Either `size` or `scale_factor` is needed.
#[derive(Debug, Clone, Default)]
pub struct InterpolateConfig {
    /// The size of each dimension behind the channels, or one number for all. Default `None`.
    pub size: Option<Vec<i64>>,
    /// By what each of these dimensions is multiplied, or one number for all; the size is rounded down. Default `None`.
    pub scale_factor: Option<Vec<f64>>,
    /// Default nearest.
    pub mode: InterpolateMode,
    /// Whether the middles of the corner pixels stay where they are, rather than their outer corners. For the linear
    /// modes and bicubic. Default false.
    pub align_corners: bool,
    /// Whether values are averaged where a side shrinks, as in image libraries. For bilinear and bicubic. Default
    /// false.
    pub antialias: bool,
}

/// Resizes `[N, C, L]`, `[N, C, H, W]` or `[N, C, D, H, W]`, through which gradients flow.
///
/// ```
/// use oxtorch::prelude::*;
/// use nn::{InterpolateConfig, InterpolateMode};
/// let x = Tensor::rand([2, 3, 16, 16], (Kind::Float, device()));
/// let twice = InterpolateConfig { scale_factor: Some(vec![2.0]), ..Default::default() };
/// assert_eq!(nn::interpolate(&x, &twice).size(), [2, 3, 32, 32]);
/// let size = Some(vec![20, 10]);
/// let smooth = InterpolateConfig { size, mode: InterpolateMode::Bilinear, antialias: true, ..Default::default() };
/// assert_eq!(nn::interpolate(&x, &smooth).size(), [2, 3, 20, 10]);
/// ```
///
/// # Panics
///
/// If not one of `size` and `scale_factor` is given, with one number or one for each dimension; if a size would be 0;
/// if the mode is for other dimensions, or has no aligned corners or no antialiasing.
#[track_caller]
pub fn interpolate(xs: &Tensor, config: &InterpolateConfig) -> Tensor {
    use InterpolateMode as Mode;

    let (mode, aligned) = (config.mode, config.align_corners);
    check(xs, config);
    let (size, scales) = target(xs, config);
    let scale = |at: usize| scales.get(at).copied();
    match (mode, &size[..], config.antialias) {
        (Mode::Nearest, [_], _) => xs.upsample_nearest1d(size, scale(0)),
        (Mode::Nearest, [_, _], _) => xs.upsample_nearest2d(size, scale(0), scale(1)),
        (Mode::Nearest, ..) => xs.upsample_nearest3d(size, scale(0), scale(1), scale(2)),
        (Mode::NearestExact, [_], _) => xs.internal_upsample_nearest_exact1d(size, scale(0)),
        (Mode::NearestExact, [_, _], _) => xs.internal_upsample_nearest_exact2d(size, scale(0), scale(1)),
        (Mode::NearestExact, ..) => xs.internal_upsample_nearest_exact3d(size, scale(0), scale(1), scale(2)),
        (Mode::Linear, ..) => xs.upsample_linear1d(size, aligned, scale(0)),
        (Mode::Bilinear, _, false) => xs.upsample_bilinear2d(size, aligned, scale(0), scale(1)),
        (Mode::Bilinear, _, true) => xs.internal_upsample_bilinear2d_aa(size, aligned, scale(0), scale(1)),
        (Mode::Bicubic, _, false) => xs.upsample_bicubic2d(size, aligned, scale(0), scale(1)),
        (Mode::Bicubic, _, true) => xs.internal_upsample_bicubic2d_aa(size, aligned, scale(0), scale(1)),
        (Mode::Trilinear, ..) => xs.upsample_trilinear3d(size, aligned, scale(0), scale(1), scale(2)),
        (Mode::Area, [_], _) => xs.adaptive_avg_pool1d(size),
        (Mode::Area, [_, _], _) => xs.adaptive_avg_pool2d(size),
        (Mode::Area, ..) => xs.adaptive_avg_pool3d(size),
    }
}

#[track_caller]
fn check(xs: &Tensor, config: &InterpolateConfig) {
    use InterpolateMode as Mode;

    let mode = config.mode;
    let dims = match mode {
        Mode::Linear => 3..=3,
        Mode::Bilinear | Mode::Bicubic => 4..=4,
        Mode::Trilinear => 5..=5,
        Mode::Nearest | Mode::NearestExact | Mode::Area => 3..=5,
    };
    assert!(
        dims.contains(&xs.dim()),
        "interpolate: {mode:?} of {:?}; it takes a batch, a channel, and then {} dimensions: `unsqueeze(0)` makes a \
         batch of one image",
        xs.size(),
        if dims.start() == dims.end() { (dims.start() - 2).to_string() } else { "1 to 3".to_owned() }
    );
    assert!(
        !config.align_corners || matches!(mode, Mode::Linear | Mode::Bilinear | Mode::Bicubic | Mode::Trilinear),
        "interpolate: {mode:?} has no align_corners; the linear modes and Bicubic have"
    );
    assert!(
        !config.antialias || matches!(mode, Mode::Bilinear | Mode::Bicubic),
        "interpolate: {mode:?} has no antialias; Bilinear and Bicubic have"
    );
}

/// The new size, and by what each dimension is multiplied if that was said.
#[track_caller]
fn target(xs: &Tensor, config: &InterpolateConfig) -> (Vec<i64>, Vec<f64>) {
    let sizes = &xs.size()[2..];
    let (size, scales) = match (&config.size, &config.scale_factor) {
        (Some(size), None) => (each("size", size, sizes), Vec::new()),
        (None, Some(scales)) => {
            let scales = each("scale_factor", scales, sizes);
            (sizes.iter().zip(&scales).map(|(size, scale)| (*size as f64 * scale) as i64).collect(), scales)
        }
        (size, scales) => {
            panic!("interpolate: size {size:?} and scale_factor {scales:?}; give one of them")
        }
    };
    assert!(size.iter().all(|size| *size > 0), "interpolate: from {sizes:?} to {size:?}; no dimension can be 0");
    (size, scales)
}

/// A number for each dimension.
#[track_caller]
fn each<T: Copy + std::fmt::Debug>(what: &str, given: &[T], sizes: &[i64]) -> Vec<T> {
    match given {
        [all] => vec![*all; sizes.len()],
        given if given.len() == sizes.len() => given.to_vec(),
        given => panic!("interpolate: {what} {given:?} for {sizes:?}; give one number, or one for each dimension"),
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    fn mode(name: &str) -> InterpolateMode {
        match name {
            "nearest" => InterpolateMode::Nearest,
            "nearest-exact" => InterpolateMode::NearestExact,
            "linear" => InterpolateMode::Linear,
            "bilinear" => InterpolateMode::Bilinear,
            "bicubic" => InterpolateMode::Bicubic,
            "trilinear" => InterpolateMode::Trilinear,
            "area" => InterpolateMode::Area,
            other => panic!("no mode {other}"),
        }
    }

    #[test]
    fn all_modes_are_pytorchs_with_their_gradients() {
        let reference = Reference::parse(include_str!("../../../tests/reference/interpolate.json"));
        let cases = reference.value("/cases").as_array().expect("cases").len();
        assert!(cases > 20);
        for case in 0..cases {
            let at = |what: &str| format!("/cases/{case}/{what}");
            let options = &reference.value(&at("options"));
            let config = InterpolateConfig {
                size: options["size"]
                    .is_array()
                    .then(|| reference.numbers(&at("options/size")).into_iter().map(|size| size as i64).collect()),
                scale_factor: options["scale_factor"]
                    .is_array()
                    .then(|| reference.numbers(&at("options/scale_factor"))),
                mode: mode(options["mode"].as_str().expect("a mode")),
                align_corners: options["align_corners"] == true,
                antialias: options["antialias"] == true,
            };
            let dims = reference.number(&at("dims"));
            let input = reference.tensor(&format!("/inputs/{dims}")).set_requires_grad(true);
            let output = interpolate(&input, &config);
            reference.check(&at("output"), &output, 1e-5);
            output.square().sum(None).backward();
            reference.check(&at("gradient"), &input.grad(), 1e-4);
        }
    }

    #[test]
    fn bytes_have_nearest_neighbours_and_doubles_stay_doubles() {
        let twice = InterpolateConfig { scale_factor: Some(vec![2.0]), ..Default::default() };
        let bytes = Tensor::from_slice(&[1u8, 2]).view([1, 1, 2]);
        assert_eq!(interpolate(&bytes, &twice).flatten(0, -1), Tensor::from_slice(&[1u8, 1, 2, 2]));
        let smooth = InterpolateConfig { mode: InterpolateMode::Bicubic, ..twice };
        assert_eq!(
            interpolate(&Tensor::zeros([1, 1, 4, 4], (Kind::Double, Device::Cpu)), &smooth).kind(),
            Kind::Double
        );
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let xs = Tensor::zeros([1, 3, 8, 8], (Kind::Float, Device::Cpu));
        let size = || Some(vec![4]);
        let config = |mode| InterpolateConfig { size: size(), mode, ..Default::default() };
        let says = |config: InterpolateConfig| panic_message(|| interpolate(&xs, &config));
        assert!(says(InterpolateConfig::default()).contains("size None and scale_factor None; give one of them"));
        assert!(says(config(InterpolateMode::Linear)).contains("Linear of [1, 3, 8, 8]"));
        let cases = [
            (InterpolateConfig { align_corners: true, size: size(), ..Default::default() }, "no align_corners"),
            (InterpolateConfig { antialias: true, size: size(), ..Default::default() }, "no antialias"),
            (InterpolateConfig { size: Some(vec![1, 2, 3]), ..Default::default() }, "size [1, 2, 3] for [8, 8]"),
            (InterpolateConfig { scale_factor: Some(vec![0.1]), ..Default::default() }, "to [0, 0]"),
        ];
        for (config, expected) in cases {
            let message = says(config);
            assert!(message.contains(expected), "{message}");
        }
    }
}
