//! Image files as tensors, and back. The formats are PNG, JPEG, GIF and PNM (PGM, PPM).

use std::path::{Path, PathBuf};

use image::imageops::{self, FilterType};
use image::{DynamicImage, GrayImage, ImageReader, Luma, RgbImage};
use tch::{Device, Kind, TchError, Tensor};
use thiserror::Error;

use crate::io::replace::replace_file;
use crate::modes::no_grad;

/// The endings of the files that can be read.
pub(super) const ENDINGS: [&str; 7] = ["png", "jpg", "jpeg", "gif", "pgm", "ppm", "pnm"];

/// Images side by side in the grid of a batch, and the pixels between them, as `make_grid` of torchvision has them.
const COLUMNS: i64 = 8;
const GAP: i64 = 2;

/// Why an image file could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ImageFileError {
    /// The file could not be read, or holds no image of a known format.
    #[error("cannot read the image {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: image::ImageError,
    },
    /// The file could not be written.
    #[error("cannot save the image {}", path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        source: image::ImageError,
    },
    /// The tensor is no image.
    #[error(
        "a tensor of shape {0:?} is not a savable image: it has to be [H, W], [1, H, W], [3, H, W] or a batch \
         of these, with no size of 0"
    )]
    Shape(Vec<i64>),
    /// The tensor's values could not be read.
    #[error("the image's values cannot be read")]
    Tensor(#[from] TchError),
    /// A folder of images could not be listed.
    #[error("cannot list the folder {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// What went wrong.
        source: std::io::Error,
    },
    /// The folder has no folders in it, which would be the classes.
    #[error("{} has no folder in it: an image folder has one for each class, with the images of that class", .0.display())]
    NoClasses(PathBuf),
    /// A class has no image.
    #[error("{} holds no image: files of the class {class:?} have to end in .png, .jpg, .jpeg, .gif, .pgm, .ppm or .pnm", path.display())]
    EmptyClass {
        /// The folder of the class.
        path: PathBuf,
        /// Its name.
        class: String,
    },
    /// There is no image of that index.
    #[error("there is no image {index} among {len}")]
    Index {
        /// As it was asked for.
        index: usize,
        /// How many there are.
        len: usize,
    },
}

/// An image file as a tensor on the CPU: `[3, H, W]`, float32 in 0 to 1, red, green and blue. Opacity is dropped.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::{load_image, save_image};
/// let red = Tensor::from_slice(&[1.0f32, 0.0, 0.0]).view([3, 1, 1]).expand([3, 16, 24], false);
/// save_image(&red, "red.png")?;
/// let image = load_image("red.png")?;
/// assert_eq!(image.size(), [3, 16, 24]);
/// assert!(image.equal(&red));
/// # std::fs::remove_file("red.png")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the file cannot be read or is no image in PNG, JPEG, GIF or PNM.
pub fn load_image(path: impl AsRef<Path>) -> Result<Tensor, ImageFileError> {
    load(path.as_ref(), None, false)
}

/// An image of a given height and width, if one is given; one channel or three.
pub(super) fn load(path: &Path, size: Option<(u32, u32)>, is_gray: bool) -> Result<Tensor, ImageFileError> {
    let image = open(path).map_err(|source| ImageFileError::Read { path: path.to_owned(), source })?;
    let (height, width) = size.unwrap_or((image.height(), image.width()));
    let is_other_size = (height, width) != (image.height(), image.width());
    let (bytes, channels) = if is_gray {
        let mut image = grey(&image.into_rgb8());
        if is_other_size {
            image = imageops::resize(&image, width, height, FilterType::Triangle);
        }
        (image.into_raw(), 1)
    } else {
        let mut image = image.into_rgb8();
        if is_other_size {
            image = imageops::resize(&image, width, height, FilterType::Triangle);
        }
        (image.into_raw(), 3)
    };
    Ok(tensor_of(&bytes, (height, width), channels)?)
}

/// Bytes as float32 in 0 to 1.
pub(crate) fn to_unit_range(bytes: &Tensor) -> Tensor {
    bytes.to_kind(Kind::Float).g_div_scalar_(255.0)
}

/// Bytes, pixel by pixel, as `[C, H, W]` float32 in 0 to 1.
pub(crate) fn tensor_of(bytes: &[u8], (height, width): (u32, u32), channels: i64) -> Result<Tensor, TchError> {
    let pixels = Tensor::f_from_data_size(bytes, &[i64::from(height), i64::from(width), channels], Kind::Uint8)?;
    Ok(to_unit_range(&pixels.f_permute([2, 0, 1])?.f_contiguous()?))
}

/// The luminance of ITU-R BT.601, rounded, which is what torchvision takes for grey.
fn grey(image: &RgbImage) -> GrayImage {
    GrayImage::from_fn(image.width(), image.height(), |x, y| {
        let [red, green, blue] = image.get_pixel(x, y).0.map(u32::from);
        Luma([((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8])
    })
}

/// The contents decide on the format, not the name.
fn open(path: &Path) -> image::ImageResult<DynamicImage> {
    ImageReader::open(path)?.with_guessed_format()?.decode()
}

/// Writes a tensor as an image file, whose ending names the format: `.png`, `.jpg`, `.jpeg`, `.gif`, `.pgm`
/// (gray) or `.ppm`.
///
/// The tensor is `[H, W]`, `[1, H, W]` (both gray) or `[3, H, W]`; a batch of them, `[N, C, H, W]`, becomes a grid of
/// eight columns with two pixels of black between. Floating point is clamped to 0 to 1, and all is as `save_image` of
/// torchvision has it; uint8 is taken as it is. For another number of columns, or values of another range, use
/// [`image()`](crate::picture::image) and its `columns` and `save`.
///
/// ```
/// use oxtorch::prelude::*;
/// let file = std::env::temp_dir().join("oxtorch-example-gray.png");
/// data::save_image(&Tensor::rand([1, 28, 28], (Kind::Float, Device::Cpu)), &file)?;
/// assert_eq!(load_image(&file)?.size(), [3, 28, 28]);
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the shape is another, the format is not known or the file cannot be written.
pub fn save_image(image: &Tensor, path: impl AsRef<Path>) -> Result<(), ImageFileError> {
    match image.size()[..] {
        [1, 1 | 3, _, _] => save(&image.select(0, 0), path.as_ref()),
        [count, 1 | 3, height, width] if count.min(height).min(width) > 0 => {
            save(&no_grad(|| grid(image))?, path.as_ref())
        }
        _ => save(image, path.as_ref()),
    }
}

/// A batch of images `[N, C, H, W]` as one, `[C, rows, columns]`.
fn grid(images: &Tensor) -> Result<Tensor, TchError> {
    let (count, channels, height, width) = images.size4()?;
    let columns = count.min(COLUMNS);
    let rows = (count + columns - 1) / columns;
    let (down, across) = (height + GAP, width + GAP);
    let size = [channels, rows * down + GAP, columns * across + GAP];
    let grid = Tensor::f_zeros(size, (images.kind(), images.device()))?;
    for (at, image) in (0..).zip(images.f_unbind(0)?) {
        let row = grid.f_narrow(1, at / columns * down + GAP, height)?;
        row.f_narrow(2, at % columns * across + GAP, width)?.f_copy_(&image)?;
    }
    Ok(grid)
}

fn save(image: &Tensor, path: &Path) -> Result<(), ImageFileError> {
    let shape = image.size();
    let (channels, height, width) = match shape[..] {
        [height, width] => (1, height, width),
        [channels @ (1 | 3), height, width] => (channels, height, width),
        _ => return Err(ImageFileError::Shape(shape)),
    };
    let (Ok(columns @ 1..), Ok(rows @ 1..)) = (u32::try_from(width), u32::try_from(height)) else {
        return Err(ImageFileError::Shape(shape));
    };
    let image = no_grad(|| bytes_of(&image.f_view([channels, height, width])?))?;
    let short = || ImageFileError::Shape(shape.clone());
    let picture: DynamicImage = match channels {
        1 => GrayImage::from_raw(columns, rows, image).ok_or_else(short)?.into(),
        _ => RgbImage::from_raw(columns, rows, image).ok_or_else(short)?.into(),
    };
    let failed = |source| ImageFileError::Save { path: path.to_owned(), source };
    replace_file(path, |error| failed(error.into()), |new| picture.save(new).map_err(failed))
}

/// The bytes of an image `[C, H, W]`, pixel by pixel; floating point is clamped to 0 to 1.
pub(crate) fn bytes_of(image: &Tensor) -> Result<Vec<u8>, TchError> {
    let image = image.f_to_device(Device::Cpu)?;
    let image = match image.kind() {
        Kind::Uint8 => image,
        _ => image
            .f_to_kind(Kind::Float)?
            .f_mul_scalar(255.0)?
            .f_add_scalar(0.5)?
            .f_clamp(0.0, 255.0)?
            .f_to_kind(Kind::Uint8)?,
    };
    let pixels = image.f_permute([1, 2, 0])?.f_contiguous()?;
    let mut bytes = vec![0; pixels.numel()];
    pixels.f_copy_data_u8(&mut bytes, pixels.numel())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn portable_maps_are_read_as_pillow_reads_them_and_written() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/package_files.json"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["pgm", "ppm"] {
            let file = reference.value(&format!("/{name}/file")).as_str().expect("base64");
            let path = folder.path().join(format!("picture.{name}"));
            fs::write(&path, BASE64_STANDARD.decode(file).expect("base64")).expect("writes");
            let image = load_image(&path).expect("an image");
            reference.check(&format!("/{name}/pixels"), &(&image * 255.0).round().to_kind(Kind::Uint8), 0.0);
            let channels = if name == "pgm" { 1 } else { 3 };
            save_image(&image.narrow(0, 0, channels), &path).expect("saves");
            assert_eq!(load_image(&path).expect("an image"), image);
        }
    }

    #[test]
    fn a_batch_is_saved_as_a_grid_of_eight_columns() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("grid.png");
        let images = Tensor::rand([10, 1, 3, 4], (Kind::Float, Device::Cpu)).round();
        save_image(&images, &file).expect("saves");
        let grid = load_image(&file).expect("an image").select(0, 0);
        assert_eq!(grid.size(), [2 * 5 + 2, 8 * 6 + 2]);
        let cut = |row: i64, column: i64| grid.narrow(0, row * 5 + 2, 3).narrow(1, column * 6 + 2, 4);
        assert_eq!((cut(0, 7), cut(1, 1)), (images.get(7).squeeze_dim(0), images.get(9).squeeze_dim(0)));
        // What lies between, and the rest of the last row, is black.
        assert_eq!(grid.sum(Kind::Float), images.sum(Kind::Float));
        save_image(&images.narrow(0, 0, 1), &file).expect("saves");
        assert_eq!(load_image(&file).expect("an image").size(), [3, 3, 4]);
    }

    #[test]
    fn images_are_read_and_resized_as_torchvision_does() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/data_files.json"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["rgb", "grey", "opacity", "palette"] {
            let file = reference.value(&format!("/images/{name}/file")).as_str().expect("base64");
            let path = folder.path().join(format!("{name}.png"));
            fs::write(&path, BASE64_STANDARD.decode(file).expect("base64")).expect("writes");
            reference.check(&format!("/images/{name}/tensor"), &load_image(&path).expect("an image"), 1e-7);
            let resized = load(&path, Some((5, 7)), false).expect("an image");
            // Both take the mean of triangles and round to whole levels, in arithmetic of their own.
            reference.check(&format!("/images/{name}/resized"), &resized, 1.01 / 255.0);
            let grey = load(&path, None, true).expect("an image");
            reference.check(&format!("/images/{name}/grey"), &grey, 1e-7);
        }
    }

    #[test]
    fn what_is_saved_is_loaded_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("image.png");
        let levels = Tensor::arange(2 * 4 * 3, (Kind::Float, Device::Cpu)).view([3, 2, 4]) / 255.0;
        save_image(&levels, &path).expect("saves");
        assert!(load_image(&path).expect("loads").equal(&levels));
        let beyond = Tensor::from_slice2(&[[-1.0f32, 0.5], [2.0, 1.0]]);
        save_image(&beyond, &path).expect("saves");
        let loaded = load(&path, None, true).expect("loads");
        let expected = Tensor::from_slice2(&[[0.0f32, 128.0 / 255.0], [1.0, 1.0]]).view([1, 2, 2]);
        assert!(loaded.equal(&expected), "{loaded}");
        save_image(&Tensor::from_slice2(&[[0u8, 51]]), &path).expect("saves");
        assert!((load_image(&path).expect("loads").double_value(&[2, 0, 1]) - 0.2).abs() < 1e-6);
    }

    #[test]
    fn what_is_no_image_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("text.png");
        fs::write(&path, "no image").expect("writes");
        for path in [path, folder.path().join("none.png")] {
            let error = load_image(&path).expect_err("no image").to_string();
            assert_eq!(error, format!("cannot read the image {}", path.display()));
        }
        for shape in [&[4][..], &[2, 3, 3], &[1, 2, 4, 4], &[2, 2, 4, 4], &[3, 0, 2]] {
            let tensor = Tensor::zeros(shape, (Kind::Float, Device::Cpu));
            let error = save_image(&tensor, folder.path().join("image.png")).expect_err("no image").to_string();
            assert!(error.contains(&format!("{shape:?} is not a savable image")), "{error}");
        }
        let error = save_image(&Tensor::zeros([2, 2], (Kind::Float, Device::Cpu)), folder.path().join("image.xyz"));
        assert!(error.expect_err("no format").to_string().ends_with("image.xyz"));
    }
}
