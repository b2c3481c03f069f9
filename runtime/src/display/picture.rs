//! Tensors as pictures: one image, or a grid of them.
//!
//! | shape | is read as |
//! | --- | --- |
//! | `[H, W]` | one grey image |
//! | `[C, H, W]` | one image; C is 1 (grey), 3 (RGB) or 4 (RGB and opacity) |
//! | `[N, C, H, W]` | N such images in a grid |
//!
//! Values: `uint8` and other integers are intensities from 0 to 255; `bool` is black and white; floating point in 0 to
//! 1 is taken as it is, and any other range is scaled so that the lowest value of the whole tensor is black and the
//! highest white. NaN is black.
//!
//! ```
//! use oxtorch::prelude::*;
//! let digits = digits();
//! image(&digits.images.narrow(0, 0, 32))?.columns(8);
//! # anyhow::Ok(())
//! ```

use std::fmt;
use std::io::Cursor;
use std::path::Path;

use image::imageops::{self, FilterType};
use image::{ImageFormat, ImageResult, Rgba, RgbaImage};
use tch::{Device, Kind, TchError, Tensor};
use thiserror::Error;

use crate::display::{DisplayHandle, MimeBundle, RichDisplay, display};
use crate::io::replace::replace_file;
use crate::modes::no_grad;
use crate::plot::cut;
use crate::plot::scene::{Anchor, centered, pixels, scene};

/// What the longer side of an image with few pixels is scaled up to, at least.
const VISIBLE: u32 = 192;
/// The same for one image of a grid.
const VISIBLE_CELL: u32 = 64;
/// Pixels between the images of a grid.
const GAP: u32 = 4;
/// The height of a caption's line.
const CAPTION: u32 = 20;
const CAPTION_SIZE: f64 = 12.5;
/// The width that a grid keeps to when it chooses its columns.
const GRID_WIDTH: u32 = 640;
/// Larger pictures than that would freeze a notebook page.
const MOST_PIXELS: u64 = 64_000_000;

/// Why a tensor is no picture.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageError {
    /// The shape is none of those that are known.
    #[error(
        "a tensor of shape {0:?} is not an image, which is [H, W], [C, H, W] or [N, C, H, W], with C = 1, 3 or 4 and no \
         size of 0"
    )]
    Shape(Vec<i64>),
    /// The tensor holds complex numbers.
    #[error("complex numbers have no brightness: show `.abs()` or `.real()`")]
    Complex,
    /// The picture would have too many pixels for a notebook page.
    #[error("a picture of {width} x {height} pixels is too large to show: take fewer images, or make them smaller")]
    TooLarge {
        /// In pixels.
        width: u64,
        /// In pixels.
        height: u64,
    },
    /// There are captions that no image would have.
    #[error(
        "{captions} captions for {images} images: each has one below it, in order. `&captions[..{images}]` is as many as there are images"
    )]
    Captions {
        /// How many there are.
        captions: usize,
        /// How many images there are.
        images: usize,
    },
    /// The values could not be read.
    #[error("the tensor's values cannot be read")]
    Tensor(#[from] TchError),
    /// The file could not be written.
    #[error("the picture cannot be saved as {path}")]
    Save {
        /// The file.
        path: String,
        /// What went wrong.
        source: image::ImageError,
    },
}

/// A picture made of a tensor. Shown as PNG.
#[derive(Clone)]
#[must_use = "a picture is shown if the cell ends with it; elsewhere write `display(&picture)`"]
pub struct Image {
    /// All of one size.
    cells: Vec<RgbaImage>,
    columns: Option<usize>,
    scale: Option<u32>,
    captions: Vec<String>,
}

/// A picture of a tensor: `[H, W]`, `[C, H, W]`, or `[N, C, H, W]` as a grid. See [the module](self) for how values
/// become colors. A cell that ends with it shows it.
///
/// ```
/// use oxtorch::prelude::*;
/// let images = Tensor::rand([6, 1, 28, 28], (Kind::Float, Device::Cpu));
/// image(&images)?.columns(3).caption(&["a", "b", "c"])
/// # ;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the shape is none of these, or the numbers are complex.
pub fn image(tensor: &Tensor) -> Result<Image, ImageError> {
    Image::new(tensor)
}

/// Shows a picture of a tensor in the output of the running cell, also from a function: `display` of [`image()`]. It is
/// a `Result`, so it ends with `?`.
///
/// ```
/// use oxtorch::prelude::*;
/// fn show_first(images: &Tensor) -> Result<()> {
///     show_image(&images.get(0))?;
///     Ok(())
/// }
/// show_first(&Tensor::rand([6, 3, 28, 28], (Kind::Float, Device::Cpu)))?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// As for [`image()`].
pub fn show_image(tensor: &Tensor) -> Result<DisplayHandle, ImageError> {
    Ok(display(&Image::new(tensor)?))
}

impl Image {
    /// See [`image()`].
    pub fn new(tensor: &Tensor) -> Result<Self, ImageError> {
        let shape = tensor.size();
        let (count, channels, height, width) = match shape[..] {
            [height, width] => (1, 1, height, width),
            [channels, height, width] => (1, channels, height, width),
            [count, channels, height, width] => (count, channels, height, width),
            _ => return Err(ImageError::Shape(shape)),
        };
        let sizes = [count, height, width].map(|size| u32::try_from(size).ok().filter(|size| *size > 0));
        let ([Some(count), Some(height), Some(width)], 1 | 3 | 4) = (sizes, channels) else {
            return Err(ImageError::Shape(shape));
        };
        fits(u64::from(width) * u64::from(count), height.into())?;
        let values = no_grad(|| intensities(tensor))?;
        let plane = (width * height) as usize;
        let cells = values.chunks(channels as usize * plane).map(|cell| {
            RgbaImage::from_fn(width, height, |x, y| {
                let at = (y * width + x) as usize;
                let value = |channel: usize| cell[channel * plane + at];
                match channels {
                    1 => Rgba([value(0), value(0), value(0), 255]),
                    3 => Rgba([value(0), value(1), value(2), 255]),
                    _ => Rgba([value(0), value(1), value(2), value(3)]),
                }
            })
        });
        Ok(Self { cells: cells.collect(), columns: None, scale: None, captions: Vec::new() })
    }

    /// How many images a row of the grid has. By default as many as make a square, within 640 pixels.
    pub fn columns(mut self, columns: usize) -> Self {
        self.columns = Some(columns.max(1));
        self
    }

    /// How many pixels of the picture one pixel of the tensor takes in each direction. By default images with few
    /// pixels are enlarged until they can be seen.
    pub fn scale(mut self, scale: u32) -> Self {
        self.scale = Some(scale.max(1));
        self
    }

    /// A line of text below each image, in order; images without one stay bare. More captions than images are an error,
    /// which is said where the picture is shown or saved.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let digits = digits();
    /// image(&digits.images.narrow(0, 0, 3))?.caption(&["zero", "one", "two"]);
    /// # anyhow::Ok(())
    /// ```
    pub fn caption<S: ToString>(mut self, captions: &[S]) -> Self {
        self.captions = captions.iter().map(S::to_string).collect();
        self
    }

    /// The bytes of a PNG file.
    ///
    /// # Errors
    ///
    /// Where it cannot be [drawn](Self::draw).
    pub fn png(&self) -> Result<Vec<u8>, ImageError> {
        let mut bytes = Cursor::new(Vec::new());
        let written: ImageResult<()> = self.draw()?.write_to(&mut bytes, ImageFormat::Png);
        written.map_err(|source| ImageError::Save { path: "PNG".to_owned(), source })?;
        Ok(bytes.into_inner())
    }

    /// Writes the picture to a file, whose ending names the format: `.png`, `.jpg` or `.gif`. A pixel of the tensor is
    /// one of the file, as with torchvision's `save_image`, unless [`scale`](Self::scale) says otherwise; with captions
    /// the file is as the picture is shown.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let file = std::env::temp_dir().join("oxtorch-example-cat.png");
    /// image(&Tensor::rand([3, 20, 30], (Kind::Float, Device::Cpu)))?.save(&file)?;
    /// assert_eq!(load_image(&file)?.size(), [3, 20, 30]);
    /// # anyhow::Ok(())
    /// ```
    ///
    /// # Errors
    ///
    /// Where it cannot be [drawn](Self::draw), the ending is unknown or the file not writable.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), ImageError> {
        self.save_to(path.as_ref())
    }

    fn save_to(&self, path: &Path) -> Result<(), ImageError> {
        let scale = self.scale.or(self.captions.is_empty().then_some(1));
        let picture = self.draw_scaled(scale)?;
        let failed = |source| ImageError::Save { path: path.display().to_string(), source };
        let picture = match ImageFormat::from_path(path).map_err(failed)? {
            // JPEG has no opacity.
            ImageFormat::Jpeg => image::DynamicImage::from(picture).into_rgb8().into(),
            _ => image::DynamicImage::from(picture),
        };
        replace_file(path, |error| failed(error.into()), |new| picture.save(new).map_err(failed))
    }

    /// The width and height of the tensor, where the picture shows that alone.
    pub(crate) fn one(&self) -> Option<(u32, u32)> {
        (self.cells.len() == 1 && self.captions.is_empty()).then(|| self.cells[0].dimensions())
    }

    /// The picture as it is shown.
    ///
    /// # Errors
    ///
    /// Where it would be too large, or has more captions than images.
    pub fn draw(&self) -> Result<RgbaImage, ImageError> {
        self.draw_scaled(self.scale)
    }

    /// The picture, enlarged until it can be seen where there is no scale.
    fn draw_scaled(&self, scale: Option<u32>) -> Result<RgbaImage, ImageError> {
        let (captions, images) = (self.captions.len(), self.cells.len());
        if captions > images {
            return Err(ImageError::Captions { captions, images });
        }
        let (width, height) = self.cells[0].dimensions();
        let grid = self.cells.len() > 1;
        let visible = if grid { VISIBLE_CELL } else { VISIBLE };
        let scale = scale.unwrap_or_else(|| visible.div_ceil(width.max(height)));
        fits(u64::from(width) * u64::from(scale), u64::from(height) * u64::from(scale))?;
        let (width, height) = (width * scale, height * scale);
        if !grid && self.captions.is_empty() {
            return Ok(enlarged(&self.cells[0], width, height));
        }
        let columns = self.columns.unwrap_or_else(|| best_columns(self.cells.len(), width)).min(self.cells.len());
        let rows = self.cells.len().div_ceil(columns);
        let line = if self.captions.is_empty() { 0 } else { CAPTION };
        let (step_x, step_y) = (u64::from(width + GAP), u64::from(height + line + GAP));
        let (all_x, all_y) = (columns as u64 * step_x + u64::from(GAP), rows as u64 * step_y + u64::from(GAP));
        fits(all_x, all_y)?;
        let mut picture = RgbaImage::from_pixel(all_x as u32, all_y as u32, Rgba([255, 255, 255, 255]));
        for (index, cell) in self.cells.iter().enumerate() {
            let x = u64::from(GAP) + (index % columns) as u64 * step_x;
            let y = u64::from(GAP) + (index / columns) as u64 * step_y;
            imageops::overlay(&mut picture, &enlarged(cell, width, height), x as i64, y as i64);
            if let Some(caption) = self.captions.get(index) {
                write_centered(&mut picture, caption, x as u32, y as u32 + height, width);
            }
        }
        Ok(picture)
    }
}

/// How many images of which size: their pixels would fill pages.
impl fmt::Debug for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, height) = self.cells[0].dimensions();
        match self.cells.len() {
            1 => write!(f, "<image, {width} x {height}>"),
            count => write!(f, "<{count} images, {width} x {height} each>"),
        }
    }
}

impl RichDisplay for Image {
    fn mime_bundle(&self) -> MimeBundle {
        match self.png() {
            Ok(png) => MimeBundle::png(&png).with("text/plain", format!("{self:?}")),
            Err(error) => MimeBundle::text(error.to_string()),
        }
    }
}

fn fits(width: u64, height: u64) -> Result<(), ImageError> {
    if width.saturating_mul(height) > MOST_PIXELS || width.max(height) > u64::from(u32::MAX / 4) {
        return Err(ImageError::TooLarge { width, height });
    }
    Ok(())
}

/// The tensor with its values as brightness, by [the rule](self) for its kind: `uint8` on the CPU, of the same shape.
pub(crate) fn brightness(tensor: &Tensor) -> Result<Tensor, ImageError> {
    let values = no_grad(|| intensities(tensor))?;
    Ok(Tensor::f_from_slice(&values)?.f_view(tensor.size().as_slice())?)
}

/// The values as bytes, in the order of the tensor.
fn intensities(tensor: &Tensor) -> Result<Vec<u8>, ImageError> {
    let cpu = tensor.detach().f_to_device(Device::Cpu)?;
    let bytes = match cpu.f_kind()? {
        Kind::Uint8 => cpu,
        Kind::Bool => cpu.f_to_kind(Kind::Uint8)? * 255,
        Kind::Int8 | Kind::Int16 | Kind::Int | Kind::Int64 => cpu.f_clamp(0, 255)?.f_to_kind(Kind::Uint8)?,
        Kind::ComplexHalf | Kind::ComplexFloat | Kind::ComplexDouble => return Err(ImageError::Complex),
        _ => {
            let values = cpu.f_to_kind(Kind::Double)?;
            let finite = values.f_masked_select(&values.f_isfinite()?)?;
            let (low, high) = match finite.numel() {
                0 => (0.0, 1.0),
                _ => (finite.f_min()?.double_value(&[]), finite.f_max()?.double_value(&[])),
            };
            let (low, high) = if low >= 0.0 && high <= 1.0 { (0.0, 1.0) } else { (low, high) };
            // All values the same: there is nothing to tell apart, and no division by zero.
            let range = if high > low { high - low } else { 1.0 };
            ((values - low) / range)
                .f_nan_to_num(0.0, 1.0, 0.0)?
                .f_clamp(0.0, 1.0)?
                .f_mul_scalar(255.0)?
                .f_round()?
                .f_to_kind(Kind::Uint8)?
        }
    };
    let mut values = vec![0u8; bytes.numel()];
    bytes.f_contiguous()?.f_copy_data(&mut values, bytes.numel())?;
    Ok(values)
}

/// Nearest neighbour: each pixel of a small image stays a square with sharp edges.
fn enlarged(cell: &RgbaImage, width: u32, height: u32) -> RgbaImage {
    imageops::resize(cell, width, height, FilterType::Nearest)
}

/// About as many columns as rows, a little wider than high, not wider than a notebook's page.
fn best_columns(count: usize, width: u32) -> usize {
    let square = (count as f64).sqrt().ceil() as usize;
    let fitting = ((GRID_WIDTH - GAP) / (width + GAP)).max(1) as usize;
    // Eight and more go into rows of at least eight where they fit: a strip reads more easily than a block.
    square.max(count.min(8)).min(fitting)
}

/// Draws a line of text below an image, cut where it is too long for it.
fn write_centered(picture: &mut RgbaImage, text: &str, left: u32, top: u32, width: u32) {
    let text = cut(text, f64::from(width) / CAPTION_SIZE);
    let middle = (f64::from(width) / 2.0, f64::from(CAPTION) / 2.0);
    let text = centered(middle, text, CAPTION_SIZE, Anchor::Middle);
    // Without its caption an image is still worth showing.
    if let Ok(drawn) = pixels(&scene((width, CAPTION), vec![text.into()])) {
        imageops::replace(picture, &drawn, left.into(), top.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(tensor: &Tensor) -> Vec<[u8; 4]> {
        let picture = Image::new(tensor).expect("an image").scale(1).draw().expect("draws");
        picture.pixels().map(|pixel| pixel.0).collect()
    }

    fn greys(tensor: &Tensor) -> Vec<u8> {
        pixels(tensor).into_iter().map(|pixel| pixel[0]).collect()
    }

    #[test]
    fn values_become_brightness_by_one_rule_for_each_dtype() {
        let row = |values: &[f64]| Tensor::from_slice(values).view([1, -1]);
        assert_eq!(greys(&row(&[0.0, 0.5, 0.25])), [0, 128, 64]);
        assert_eq!(greys(&row(&[-1.0, 0.0, 3.0])), [0, 64, 255]);
        assert_eq!(greys(&row(&[f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.5])), [0, 255, 0, 128]);
        assert_eq!(greys(&row(&[7.0, 7.0])), [0, 0]);
        assert_eq!(greys(&row(&[0.0, 1.0]).to_kind(Kind::Bool)), [0, 255]);
        assert_eq!(greys(&row(&[0.0, 10.0, 200.0]).to_kind(Kind::Uint8)), [0, 10, 200]);
        assert_eq!(greys(&row(&[-5.0, 10.0, 300.0]).to_kind(Kind::Int64)), [0, 10, 255]);
        assert_eq!(greys(&row(&[0.0, 0.5]).to_kind(Kind::Half)), [0, 128]);
        assert_eq!(greys(&row(&[0.0, 0.5]).set_requires_grad(true)), [0, 128]);
    }

    #[test]
    fn channels_are_planes() {
        let rgb = Tensor::from_slice(&[10u8, 11, 20, 21, 30, 31]).view([3, 1, 2]);
        assert_eq!(pixels(&rgb), [[10, 20, 30, 255], [11, 21, 31, 255]]);
        let rgba = Tensor::from_slice(&[10u8, 20, 30, 40]).view([4, 1, 1]);
        assert_eq!(pixels(&rgba), [[10, 20, 30, 40]]);
        // Not contiguous: what is shown follows the shape, not the memory.
        assert_eq!(greys(&Tensor::from_slice(&[1u8, 2]).view([1, 2]).transpose(0, 1)), [1, 2]);
    }

    #[test]
    fn small_images_are_enlarged_until_they_can_be_seen() {
        let picture = Image::new(&Tensor::zeros([8, 8], (Kind::Float, Device::Cpu))).expect("an image");
        assert_eq!(picture.draw().expect("draws").dimensions(), (192, 192));
        assert_eq!(picture.scale(3).draw().expect("draws").dimensions(), (24, 24));
    }

    #[test]
    fn a_batch_is_a_grid() {
        let batch = Tensor::ones([10, 1, 8, 8], (Kind::Float, Device::Cpu));
        let picture = Image::new(&batch).expect("images").scale(1).columns(4);
        let step = 8 + GAP;
        assert_eq!(picture.draw().expect("draws").dimensions(), (4 * step + GAP, 3 * step + GAP));
        let captioned = picture.caption(&[1, 2, 3]);
        assert_eq!(captioned.draw().expect("draws").dimensions().1, 3 * (step + CAPTION) + GAP);
        assert_eq!(captioned.mime_bundle().plain(), "<10 images, 8 x 8 each>");
    }

    #[test]
    fn captions_that_no_image_has_are_refused() {
        let batch = Tensor::ones([2, 1, 8, 8], (Kind::Float, Device::Cpu));
        let picture = |captions: &[&str]| Image::new(&batch).expect("images").caption(captions);
        assert!(picture(&["one"]).draw().is_ok());
        let error = picture(&["one", "two", "three"]).png().expect_err("a caption too many").to_string();
        assert!(error.starts_with("3 captions for 2 images"), "{error}");
        assert_eq!(picture(&["one", "two", "three"]).mime_bundle().plain(), error);
    }

    #[test]
    fn a_caption_stays_within_its_image() {
        let black = Tensor::zeros([2, 1, 4, 4], (Kind::Float, Device::Cpu));
        let picture = Image::new(&black).expect("images").scale(10).caption(&["a caption that is far too long", ""]);
        let picture = picture.draw().expect("draws");
        let written = |(x, y, pixel): &(u32, u32, &Rgba<u8>)| *y > 40 + GAP && pixel[0] < 200 && *x > 0;
        let columns: Vec<u32> = picture.enumerate_pixels().filter(written).map(|(x, ..)| x).collect();
        assert!(!columns.is_empty(), "something is written");
        assert!(columns.iter().all(|x| (GAP - 1..=GAP + 40).contains(x)), "{columns:?}");
    }

    #[test]
    fn what_is_no_image_is_an_error_that_names_the_shape() {
        let shapes: [&[i64]; 8] = [&[], &[5], &[2, 5, 5], &[0, 5], &[3, 0, 5], &[0, 1, 8, 8], &[2, 7, 8, 8], &[1; 5]];
        for shape in shapes {
            let error = Image::new(&Tensor::zeros(shape, (Kind::Float, Device::Cpu))).expect_err("no image");
            assert!(error.to_string().contains(&format!("{shape:?}")), "{error}");
        }
        let complex = Tensor::zeros([2, 2], (Kind::ComplexFloat, Device::Cpu));
        assert!(matches!(Image::new(&complex), Err(ImageError::Complex)));
        let large = Image::new(&Tensor::zeros([100, 100], (Kind::Uint8, Device::Cpu))).expect("an image").scale(1000);
        assert!(matches!(large.draw(), Err(ImageError::TooLarge { .. })));
        assert!(large.mime_bundle().plain().contains("too large"));
    }

    #[test]
    fn a_picture_reads_back_from_its_file() {
        let folder = std::env::temp_dir().join(format!("oxtorch-picture-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let picture = Image::new(&Tensor::ones([8, 8], (Kind::Float, Device::Cpu))).expect("an image");
        for name in ["a.png", "a.jpg", "a.gif"] {
            picture.save(folder.join(name)).expect("saves");
            assert_eq!(image::open(folder.join(name)).expect("opens").width(), 8, "a pixel is a pixel");
        }
        assert!(picture.save(folder.join("a.txt")).is_err());
        std::fs::remove_dir_all(&folder).expect("removes");
    }
}
