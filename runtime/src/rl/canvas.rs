//! Smooth shapes on a small picture, drawn at twice the size.

use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};
use tch::{Kind, Tensor};

pub(super) type Color = [u8; 3];
pub(super) const INK: Color = [52, 58, 70];
pub(super) const SKY: Color = [250, 250, 252];
pub(super) const BLUE: Color = [66, 111, 196];
pub(super) const RED: Color = [208, 72, 66];
pub(super) const GREEN: Color = [64, 156, 96];
pub(super) const WOOD: Color = [202, 152, 101];

const OVERSAMPLING: f64 = 2.0;

pub(super) struct Canvas(RgbImage);

impl Canvas {
    pub(super) fn new(width: u32, height: u32, color: Color) -> Self {
        let times = OVERSAMPLING as u32;
        Self(RgbImage::from_pixel(width * times, height * times, Rgb(color)))
    }

    /// Colors the pixels within the box for which `inside` holds at their centre.
    fn fill(&mut self, from: (f64, f64), to: (f64, f64), color: Color, inside: impl Fn(f64, f64) -> bool) {
        let (width, height) = self.0.dimensions();
        let span = |low: f64, high: f64, size: u32| {
            ((low * OVERSAMPLING).floor().max(0.0) as u32)..((high * OVERSAMPLING).ceil().max(0.0) as u32).min(size)
        };
        for y in span(from.1, to.1, height) {
            for x in span(from.0, to.0, width) {
                if inside((f64::from(x) + 0.5) / OVERSAMPLING, (f64::from(y) + 0.5) / OVERSAMPLING) {
                    self.0.put_pixel(x, y, Rgb(color));
                }
            }
        }
    }

    pub(super) fn rectangle(&mut self, from: (f64, f64), to: (f64, f64), color: Color) {
        self.fill(from, to, color, |x, y| x >= from.0 && x <= to.0 && y >= from.1 && y <= to.1);
    }

    pub(super) fn circle(&mut self, at: (f64, f64), radius: f64, color: Color) {
        let (from, to) = ((at.0 - radius, at.1 - radius), (at.0 + radius, at.1 + radius));
        self.fill(from, to, color, |x, y| (x - at.0).hypot(y - at.1) <= radius);
    }

    /// A line with round ends.
    pub(super) fn line(&mut self, a: (f64, f64), b: (f64, f64), width: f64, color: Color) {
        let half = width / 2.0;
        let (dx, dy) = (b.0 - a.0, b.1 - a.1);
        let square = (dx * dx + dy * dy).max(f64::MIN_POSITIVE);
        let (from, to) = ((a.0.min(b.0) - half, a.1.min(b.1) - half), (a.0.max(b.0) + half, a.1.max(b.1) + half));
        self.fill(from, to, color, |x, y| {
            let along = (((x - a.0) * dx + (y - a.1) * dy) / square).clamp(0.0, 1.0);
            (x - a.0 - along * dx).hypot(y - a.1 - along * dy) <= half
        });
    }

    /// An arrow of this length around a point.
    pub(super) fn arrow(&mut self, at: (f64, f64), direction: (f64, f64), length: f64, color: Color) {
        let (dx, dy) = (direction.0 * length / 2.0, direction.1 * length / 2.0);
        let (tail, tip) = ((at.0 - dx, at.1 - dy), (at.0 + dx, at.1 + dy));
        self.line(tail, tip, 3.0, color);
        for side in [-1.0, 1.0] {
            let wing = (tip.0 - 0.6 * dx - side * 0.6 * dy, tip.1 - 0.6 * dy + side * 0.6 * dx);
            self.line(wing, tip, 3.0, color);
        }
    }

    /// Below a curve: the pixels whose y is more than that of the curve.
    pub(super) fn ground(&mut self, curve: impl Fn(f64) -> f64, color: Color) {
        let (width, height) = self.0.dimensions();
        let size = (f64::from(width) / OVERSAMPLING, f64::from(height) / OVERSAMPLING);
        self.fill((0.0, 0.0), size, color, |x, y| y >= curve(x));
    }

    pub(super) fn flag(&mut self, foot: (f64, f64), height: f64) {
        let top = (foot.0, foot.1 - height);
        self.line(foot, top, 2.5, INK);
        for i in 0..12 {
            let y = top.1 + f64::from(i) * height / 30.0;
            let reach = height * 0.45 * (1.0 - (f64::from(i) - 5.5).abs() / 6.0);
            self.line((top.0 + 1.0, y), (top.0 + 1.0 + reach, y), height / 22.0, GREEN);
        }
    }

    /// uint8 `[3, H, W]`.
    pub(super) fn tensor(&self) -> Tensor {
        let (width, height) = (self.0.width() / OVERSAMPLING as u32, self.0.height() / OVERSAMPLING as u32);
        let picture = imageops::resize(&self.0, width, height, FilterType::Triangle);
        Tensor::from_slice(picture.as_raw())
            .reshape([i64::from(height), i64::from(width), 3])
            .permute([2, 0, 1])
            .contiguous()
            .to_kind(Kind::Uint8)
    }
}
