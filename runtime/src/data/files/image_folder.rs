//! A folder of images as a data set: one folder in it for each class, as torchvision's `ImageFolder` has it.

use std::fs;
use std::path::{Path, PathBuf};

use tch::Tensor;

use super::ImageFileError;
use super::image_file::{ENDINGS, load};
use crate::checkpoint::checkpoint;

/// Images in folders that are named after their classes. A file is read when its image is asked for.
#[derive(Debug, Clone)]
pub struct ImageFolder {
    root: PathBuf,
    classes: Vec<String>,
    files: Vec<(PathBuf, i64)>,
    size: Option<(u32, u32)>,
    is_gray: bool,
}

/// The images below a folder: each folder in it is a class, in the order of their names, and all images in and below
/// that folder belong to it. Files that do not end in `.png`, `.jpg`, `.jpeg`, `.gif`, `.pgm`, `.ppm` or `.pnm` are
/// passed over.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::{image_folder, save_image};
/// for class in ["cat", "dog"] {
///     std::fs::create_dir_all(format!("pets/{class}"))?;
///     save_image(&Tensor::rand([3, 40, 60], (Kind::Float, Device::Cpu)), format!("pets/{class}/0.png"))?;
/// }
/// let pets = image_folder("pets")?.resize(32, 32);
/// assert_eq!(pets.classes(), ["cat", "dog"]);
/// let (image, label) = pets.get(1)?;
/// assert_eq!((image.size(), label), (vec![3, 32, 32], 1));
/// # std::fs::remove_dir_all("pets")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the folder cannot be listed, holds no folders, or a class holds no image.
pub fn image_folder(path: impl AsRef<Path>) -> Result<ImageFolder, ImageFileError> {
    list(path.as_ref())
}

impl ImageFolder {
    /// Gives all images this height and width in pixels, so that they can be stacked. Each new pixel is the mean of
    /// those below it, weighted by a triangle (bilinear, antialiased).
    ///
    /// # Panics
    ///
    /// Where a side is 0.
    pub fn resize(mut self, height: u32, width: u32) -> Self {
        assert!(height > 0 && width > 0, "images cannot be resized to {height} by {width} pixels");
        self.size = Some((height, width));
        self
    }

    /// Gives all images one channel of grey.
    pub fn grayscale(mut self) -> Self {
        self.is_gray = true;
        self
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no image.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The names of the classes, by index.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The file of an image, and the index of its class.
    pub fn file(&self, index: usize) -> Option<(&Path, i64)> {
        self.files.get(index).map(|(path, class)| (path.as_path(), *class))
    }

    /// An image, `[3, H, W]` (grey: `[1, H, W]`) float32 in 0 to 1 on the CPU, and the index of its class.
    ///
    /// # Errors
    ///
    /// Where there is no such index or the file cannot be read.
    pub fn get(&self, index: usize) -> Result<(Tensor, i64), ImageFileError> {
        let (path, class) = self.file(index).ok_or(ImageFileError::Index { index, len: self.len() })?;
        Ok((load(path, self.size, self.is_gray)?, class))
    }
}

fn list(root: &Path) -> Result<ImageFolder, ImageFileError> {
    let (folders, _) = entries(root)?;
    if folders.is_empty() {
        return Err(ImageFileError::NoClasses(root.to_owned()));
    }
    let (mut classes, mut files) = (Vec::new(), Vec::new());
    for (folder, index) in folders.into_iter().zip(0..) {
        let class = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let before = files.len();
        for folder in below(&folder)? {
            let images = entries(&folder)?.1.into_iter().filter(|file| is_image(file));
            files.extend(images.map(|file| (file, index)));
        }
        if files.len() == before {
            return Err(ImageFileError::EmptyClass { path: folder, class });
        }
        classes.push(class);
    }
    Ok(ImageFolder { root: root.to_owned(), classes, files, size: None, is_gray: false })
}

/// The folders and the files in a folder, by name.
fn entries(folder: &Path) -> Result<(Vec<PathBuf>, Vec<PathBuf>), ImageFileError> {
    checkpoint();
    let error = |source| ImageFileError::List { path: folder.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(error)?.map(|entry| Ok(entry?.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>().map_err(error)?;
    paths.sort();
    Ok(paths.into_iter().partition(|path| path.is_dir()))
}

/// A folder and all folders below it, in the order of their paths as text, which is torchvision's.
fn below(folder: &Path) -> Result<Vec<PathBuf>, ImageFileError> {
    let mut found = vec![folder.to_owned()];
    let mut next = 0;
    while next < found.len() {
        let (inner, _) = entries(&found[next])?;
        found.extend(inner);
        next += 1;
    }
    found.sort_by(|a, b| a.as_os_str().cmp(b.as_os_str()));
    Ok(found)
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.contains(&ending.to_lowercase().as_str()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tch::{Device, Kind};

    use super::*;
    use crate::data::save_image;
    use crate::reference::Reference;

    #[test]
    fn files_and_classes_stand_in_torchvisions_order() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/data_files.json"));
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        for file in reference.value("/folder/files").as_array().expect("a list") {
            let path = root.join(file.as_str().expect("a path"));
            fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
            fs::write(path, "").expect("writes");
        }
        let images = image_folder(root).expect("a good folder");
        assert_eq!(json!(images.classes()), *reference.value("/folder/classes"));
        let ours: Vec<_> = (0..images.len())
            .filter_map(|index| images.file(index))
            .map(|(path, class)| json!([path.strip_prefix(root).expect("below"), class]))
            .collect();
        assert_eq!(json!(ours), *reference.value("/folder/samples"));
    }

    #[test]
    fn images_come_in_one_size_with_their_class() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (class, value) in [("a", 0.2), ("b", 0.6)] {
            fs::create_dir(folder.path().join(class)).expect("creates");
            let image = Tensor::full([3, 10, 20], value, (Kind::Float, Device::Cpu));
            save_image(&image, folder.path().join(class).join("0.PNG")).expect("saves");
        }
        let images = image_folder(folder.path()).expect("a good folder").resize(4, 6);
        let (image, class) = images.get(1).expect("an image");
        assert_eq!((image.size(), class), (vec![3, 4, 6], 1));
        assert!((image - 0.6).abs().max().double_value(&[]) < 1e-6);
        let (image, _) = images.grayscale().get(0).expect("an image");
        assert_eq!(image.size(), [1, 4, 6]);
        assert!((image - 0.2).abs().max().double_value(&[]) < 1e-6);
    }

    #[test]
    fn what_is_no_folder_of_classes_is_named() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let error = image_folder(folder.path().join("none")).expect_err("no folder").to_string();
        assert!(error.starts_with("cannot list the folder") && error.ends_with("none"), "{error}");
        let error = image_folder(folder.path()).expect_err("no classes").to_string();
        assert!(error.contains("has no folder in it"), "{error}");
        fs::create_dir(folder.path().join("cat")).expect("creates");
        fs::write(folder.path().join("cat/notes.txt"), "").expect("writes");
        let error = image_folder(folder.path()).expect_err("no images").to_string();
        assert!(error.contains("cat holds no image") && error.contains("the class \"cat\""), "{error}");
        fs::write(folder.path().join("cat/broken.jpg"), "no image").expect("writes");
        let images = image_folder(folder.path()).expect("a file with the right name");
        let error = images.get(0).expect_err("no image").to_string();
        assert!(error.ends_with("cat/broken.jpg"), "{error}");
        assert_eq!(images.get(1).expect_err("one image").to_string(), "there is no image 1 among 1");
    }
}
