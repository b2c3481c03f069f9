//! Films of pictures, tensors and figures, as GIF: the steps of a diffusion, an agent that plays, a training.
//!
//! ```
//! use oxtorch::prelude::*;
//! let noise = Tensor::rand([8, 1, 16, 16], (Kind::Float, Device::Cpu));
//! Animation::new().frames(&noise).fps(4)
//! # ;
//! ```

use std::fmt;
use std::path::Path;

use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame, RgbImage, RgbaImage};
use tch::Tensor;
use thiserror::Error;

use crate::checkpoint::checkpoint;
use crate::display::{MimeBundle, RichDisplay};
use crate::io::replace::replace_file;
use crate::picture::{Image, brightness};
use crate::plot::scene::{self, Scene};
use crate::plot::{Figure, Figures, PlotError};

/// From 1, the best colors, to 30, the fastest. Frames of 256 colors and fewer keep them all.
const SPEED: i32 = 10;

/// Why there is no animation.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AnimationError {
    /// What was to be a frame is none.
    #[error("no frame {frame}: {what}")]
    Frame {
        /// Which one, from 0.
        frame: usize,
        /// What went wrong.
        what: String,
    },
    /// Nothing to show.
    #[error("an animation without frames: add some with `.frame(&x)` or `.push(&x)`")]
    Empty,
    /// A frame is of another size than the first.
    #[error("frame {frame} has {} by {} pixels and the first has {} by {}: all need the same size", size.0, size.1, first.0, first.1)]
    Size {
        /// Which one, from 0.
        frame: usize,
        /// Its size.
        size: (u32, u32),
        /// That of the first one.
        first: (u32, u32),
    },
    /// The frames could not be encoded.
    #[error("the animation cannot be encoded: {0}")]
    Encode(#[from] image::ImageError),
    /// The file's ending is another.
    #[error("an animation can be saved as .gif, not as {0}")]
    Format(String),
    /// The file could not be written.
    #[error("the animation cannot be saved as {path}")]
    Save {
        /// The file.
        path: String,
        /// What went wrong.
        source: std::io::Error,
    },
}

/// What can be a frame: a tensor (as [`image()`](crate::picture::image()) reads it), a picture, a figure.
pub trait ToFrame {
    /// Its pixels.
    ///
    /// # Errors
    ///
    /// Why it cannot be drawn.
    fn to_frame(&self) -> Result<RgbaImage, String>;
}

impl ToFrame for Tensor {
    fn to_frame(&self) -> Result<RgbaImage, String> {
        Image::new(self).and_then(|image| image.draw()).map_err(|error| error.to_string())
    }
}

impl ToFrame for Image {
    fn to_frame(&self) -> Result<RgbaImage, String> {
        self.draw().map_err(|error| error.to_string())
    }
}

impl ToFrame for Figure {
    fn to_frame(&self) -> Result<RgbaImage, String> {
        drawn(self.scene())
    }
}

impl ToFrame for Figures {
    fn to_frame(&self) -> Result<RgbaImage, String> {
        drawn(self.scene())
    }
}

impl ToFrame for RgbaImage {
    fn to_frame(&self) -> Result<RgbaImage, String> {
        Ok(self.clone())
    }
}

impl ToFrame for RgbImage {
    fn to_frame(&self) -> Result<RgbaImage, String> {
        Ok(DynamicImage::from(self.clone()).into_rgba8())
    }
}

fn drawn(scene: Result<Scene, PlotError>) -> Result<RgbaImage, String> {
    scene.and_then(|scene| scene::pixels(&scene)).map_err(|error| error.to_string())
}

/// Frames that are shown one after the other, again and again. Shown as GIF.
#[derive(Clone)]
#[must_use = "an animation is shown if the cell ends with it; elsewhere write `display(&animation)`"]
pub struct Animation {
    frames: Vec<RgbaImage>,
    fps: f64,
    /// The first frame that could not be made, and why.
    fault: Option<(usize, String)>,
}

impl Default for Animation {
    fn default() -> Self {
        Self { frames: Vec::new(), fps: 10.0, fault: None }
    }
}

impl Animation {
    /// Without a frame, at 10 frames a second.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a frame: a tensor that is a picture, an [`Image`], a [`Figure`]. What cannot be drawn is said when the
    /// animation is shown or saved.
    pub fn frame(mut self, frame: &impl ToFrame) -> Self {
        self.add(frame.to_frame());
        self
    }

    /// Adds a frame in a loop.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let mut film = Animation::new();
    /// for step in 1..4 {
    ///     let ys: Vec<f64> = (0..20).map(|x| (f64::from(x * step) / 10.0).sin()).collect();
    ///     film.push(&Figure::new().line("", &ys).y_range(-1.0, 1.0).size(200, 150));
    /// }
    /// assert_eq!(film.len(), 3);
    /// ```
    pub fn push(&mut self, frame: &impl ToFrame) {
        self.add(frame.to_frame());
    }

    /// Adds a frame for each index of a tensor's first dimension: `[T, H, W]`, `[T, C, H, W]`, or `[T, N, C, H, W]` for
    /// a grid of N pictures in each. Brightness is the same in all: the lowest value of the whole tensor is black and
    /// the highest white, by the rule of [`image()`](crate::picture::image()).
    pub fn frames(mut self, tensor: &Tensor) -> Self {
        let shape = tensor.size();
        if !(3..=5).contains(&shape.len()) {
            let kinds = "they are [T, H, W], [T, C, H, W] or [T, N, C, H, W]";
            self.add(Err(format!("a tensor of shape {shape:?} holds no frames: {kinds}")));
            return self;
        }
        match brightness(tensor) {
            Ok(bytes) => {
                for index in 0..shape[0] {
                    checkpoint();
                    self.push(&bytes.get(index));
                }
            }
            Err(error) => self.add(Err(error.to_string())),
        }
        self
    }

    fn add(&mut self, frame: Result<RgbaImage, String>) {
        match frame {
            Ok(pixels) => self.frames.push(pixels),
            Err(what) => {
                let frame = self.frames.len();
                self.fault.get_or_insert((frame, what));
            }
        }
    }

    /// How many frames a second, 0.1 to 50: browsers show no more. By default 10.
    pub fn fps(mut self, fps: impl Into<f64>) -> Self {
        let fps = fps.into();
        self.fps = if fps.is_finite() { fps.clamp(0.1, 50.0) } else { 10.0 };
        self
    }

    /// The number of frames.
    pub fn len(&self) -> usize {
        self.frames.len()
    }

    /// Whether there are no frames.
    pub fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    /// The bytes of a GIF file.
    ///
    /// # Errors
    ///
    /// Where there is no frame, one could not be made, or one is of another size than the first.
    pub fn gif(&self) -> Result<Vec<u8>, AnimationError> {
        if let Some((frame, what)) = &self.fault {
            return Err(AnimationError::Frame { frame: *frame, what: what.clone() });
        }
        let first = self.frames.first().ok_or(AnimationError::Empty)?.dimensions();
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new_with_speed(&mut bytes, SPEED);
        encoder.set_repeat(Repeat::Infinite)?;
        let delay = Delay::from_numer_denom_ms((1000.0 / self.fps).round() as u32, 1);
        for (frame, pixels) in self.frames.iter().enumerate() {
            checkpoint();
            let size = pixels.dimensions();
            if size != first {
                return Err(AnimationError::Size { frame, size, first });
            }
            encoder.encode_frame(Frame::from_parts(pixels.clone(), 0, 0, delay))?;
        }
        drop(encoder);
        Ok(bytes)
    }

    /// Writes the animation to a file that ends in `.gif`.
    ///
    /// # Errors
    ///
    /// Where the ending is another or the file cannot be written, and as for [`Animation::gif`].
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), AnimationError> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<(), AnimationError> {
        let name = || path.display().to_string();
        if path.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("gif")) {
            return Err(AnimationError::Format(name()));
        }
        let bytes = self.gif()?;
        let failed = |source| AnimationError::Save { path: name(), source };
        replace_file(path, failed, |new| std::fs::write(new, &bytes).map_err(failed))
    }
}

impl fmt::Debug for Animation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.frames.first().map_or((0, 0), RgbaImage::dimensions);
        let (count, fps) = (self.frames.len(), self.fps);
        write!(f, "<animation of {count} frames, {width} x {height}, {fps} a second>")
    }
}

impl RichDisplay for Animation {
    fn mime_bundle(&self) -> MimeBundle {
        use base64::Engine as _;
        match self.gif() {
            Ok(gif) => {
                let data = base64::engine::general_purpose::STANDARD.encode(gif);
                MimeBundle::text(format!("{self:?}")).with("image/gif", data)
            }
            Err(error) => MimeBundle::text(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::AnimationDecoder;
    use image::codecs::gif::GifDecoder;
    use tch::{Device, Kind};

    use super::*;

    fn decoded(gif: Vec<u8>) -> Vec<Frame> {
        GifDecoder::new(Cursor::new(gif)).expect("a GIF").into_frames().collect_frames().expect("frames")
    }

    #[test]
    fn frames_keep_their_order_their_pixels_and_their_time() {
        let film = Tensor::from_slice(&[0.0f32, 0.5, 2.0]).view([3, 1, 1, 1]).expand([3, 1, 8, 8], false);
        let film = Animation::new().frames(&film).fps(5);
        assert_eq!(format!("{film:?}"), "<animation of 3 frames, 192 x 192, 5 a second>");
        let frames = decoded(film.gif().expect("encodes"));
        let greys: Vec<u8> = frames.iter().map(|frame| frame.buffer().get_pixel(5, 5)[0]).collect();
        assert_eq!(greys, [0, 64, 255], "one scale for all frames");
        assert_eq!(frames[0].delay().numer_denom_ms(), (200, 1));
    }

    #[test]
    fn frames_are_made_of_tensors_pictures_and_figures() {
        let tensor = Tensor::zeros([1, 30, 40], (Kind::Uint8, Device::Cpu));
        let picture = Image::new(&tensor).expect("an image").scale(4);
        let figure = Figure::new().line("", &[1.0, 2.0]).size(160, 120);
        let figures = Figures::grid(1, 1).add(figure.clone()).size(160, 120);
        let mut film = Animation::new().frame(&picture).frame(&figure);
        film.push(&figures);
        film.push(&RgbImage::new(160, 120));
        assert_eq!(decoded(film.gif().expect("encodes")).len(), 4);
        let grids = Animation::new().frames(&Tensor::zeros([2, 3, 1, 8, 8], (Kind::Float, Device::Cpu)));
        assert_eq!(grids.len(), 2);
    }

    #[test]
    fn what_makes_no_film_is_said() {
        let small = Animation::new().frame(&RgbaImage::new(10, 10));
        let mixed = small.clone().frame(&RgbaImage::new(10, 11));
        let vector = Animation::new().frames(&Tensor::zeros([5], (Kind::Float, Device::Cpu)));
        let errors = [
            (Animation::new().gif().expect_err("empty"), "an animation without frames"),
            (mixed.gif().expect_err("two sizes"), "frame 1 has 10 by 11 pixels and the first has 10 by 10"),
            (vector.gif().expect_err("a vector"), "no frame 0: a tensor of shape [5] holds no frames"),
            (small.save("film.mp4").expect_err("no such format"), "not as film.mp4"),
        ];
        for (error, expected) in errors {
            assert!(error.to_string().contains(expected), "{error}");
        }
    }

    #[test]
    fn a_film_is_shown_and_saved_as_gif() {
        let film = Animation::new().frame(&RgbaImage::new(10, 10));
        let shown = film.mime_bundle();
        assert!(shown.get("image/gif").and_then(|gif| gif.as_str()).is_some_and(|gif| gif.starts_with("R0lGOD")));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("film.gif");
        film.save(&path).expect("saves");
        assert!(std::fs::read(path).expect("reads").starts_with(b"GIF89a"));
    }
}
