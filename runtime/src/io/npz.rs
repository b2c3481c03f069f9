//! NumPy's `.npz`: several arrays by name.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Write};
use std::path::Path;

use tch::Tensor;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::FileError;
use super::npy::{no_type, read, type_name, write};
use crate::io::replace::replace_file;

/// The arrays of a `.npz` file, which `numpy.savez` and `numpy.savez_compressed` write, by name in their order.
///
/// ```
/// use oxtorch::prelude::*;
/// let (x, y) = (Tensor::from_slice(&[1.0f32, 2.0]), Tensor::from_slice(&[3i64]));
/// io::save_npz(&[("x", &x), ("y", &y)], "data.npz")?;
/// let arrays = io::load_npz("data.npz")?;
/// assert_eq!(arrays[1].0, "y");
/// assert_eq!(arrays[1].1, y);
/// # std::fs::remove_file("data.npz")?;
/// ```
///
/// # Errors
///
/// Where the file cannot be read, is damaged, or one of its arrays does not hold numbers.
pub fn load_npz(path: impl AsRef<Path>) -> Result<Vec<(String, Tensor)>, FileError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(FileError::reading(path))?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|error| archived(path, error))?;
    let mut arrays = Vec::new();
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| archived(path, error))?;
        let name = entry.name().strip_suffix(".npy").unwrap_or(entry.name()).to_owned();
        let tensor = read(&mut entry)
            .map_err(|error| FileError::damaged(path, format!("is damaged: array {name:?}: {error}")))?;
        arrays.push((name, tensor));
    }
    Ok(arrays)
}

/// Writes tensors by name as a `.npz` file, which `numpy.load` reads. A file of that name is replaced when the new one
/// is whole.
///
/// # Errors
///
/// Where the file cannot be written, or NumPy has no such numbers.
pub fn save_npz<S: AsRef<str>>(tensors: &[(S, &Tensor)], path: impl AsRef<Path>) -> Result<(), FileError> {
    let named: Vec<(&str, &Tensor)> = tensors.iter().map(|(name, tensor)| (name.as_ref(), *tensor)).collect();
    save(&named, path.as_ref())
}

fn save(tensors: &[(&str, &Tensor)], path: &Path) -> Result<(), FileError> {
    let types = tensors.iter().map(|(_, tensor)| type_name(tensor.kind()).ok_or_else(|| no_type(path, tensor.kind())));
    let types = types.collect::<Result<Vec<_>, _>>()?;
    replace_file(path, FileError::writing(path), |new| {
        let file = File::create(new).map_err(FileError::writing(path))?;
        archive(tensors, &types, file).map_err(FileError::writing(path))
    })
}

fn archive(tensors: &[(&str, &Tensor)], types: &[&str], file: File) -> io::Result<()> {
    let mut archive = ZipWriter::new(BufWriter::new(file));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).large_file(true);
    for ((name, tensor), type_name) in tensors.iter().zip(types) {
        archive.start_file(format!("{name}.npy"), options)?;
        write(tensor, type_name, &mut archive)?;
    }
    archive.finish()?.flush()
}

fn archived(path: &Path, error: ZipError) -> FileError {
    match error {
        ZipError::Io(error) => FileError::reading(path)(error),
        error => FileError::damaged(path, format!("is damaged: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::npy::tests::{file, reference};
    use super::*;

    #[test]
    fn archives_of_numpy_are_read_and_ours_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let reference = reference();
        for name in ["plain", "compressed"] {
            let path = folder.path().join("theirs.npz");
            std::fs::write(&path, file(&reference, &format!("/npz/{name}"))).expect("writes");
            let arrays = load_npz(&path).expect("reads");
            assert_eq!(arrays.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["float32", "int64"]);
            for (name, tensor) in &arrays {
                reference.check(&format!("/arrays/{name}"), tensor, 0.0);
            }
            let ours = folder.path().join("ours.npz");
            save_npz(&arrays.iter().map(|(name, tensor)| (name, tensor)).collect::<Vec<_>>(), &ours).expect("writes");
            let again = load_npz(&ours).expect("reads");
            assert!(again.iter().zip(&arrays).all(|(a, b)| a.0 == b.0 && a.1.equal(&b.1)));
        }
        let path = folder.path().join("cut.npz");
        let whole = file(&reference, "/npz/plain");
        std::fs::write(&path, &whole[..whole.len() / 2]).expect("writes");
        let error = load_npz(&path).expect_err("cut").to_string();
        assert!(error.contains("cut.npz is damaged"), "{error}");
    }
}
