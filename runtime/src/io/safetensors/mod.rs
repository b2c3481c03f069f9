//! Hugging Face's format of tensors by name, `.safetensors`: the file is mapped into memory, and its tensors lie there.

mod header;

use std::path::Path;

use tch::Tensor;

use self::header::Entry;
use super::FileError;
use super::mapped::Mapped;
use super::npy::widened;

/// The tensors of a file by name.
pub(super) fn read(path: &Path) -> Result<Vec<(String, Tensor)>, FileError> {
    let file = Mapped::open(path)?;
    let entries = header::entries(file.bytes()).map_err(|what| FileError::damaged(path, what))?;
    entries.into_iter().map(|entry| tensor(path, &file, entry)).collect()
}

fn tensor(path: &Path, file: &Mapped, entry: Entry) -> Result<(String, Tensor), FileError> {
    let kind = entry.numbers.kind;
    let tensor = file.tensor(entry.place, &entry.shape, kind).map_err(|error| FileError::refused(path, &error))?;
    let tensor = match entry.numbers.is_unsigned {
        true => widened(&tensor, kind.elt_size_in_bytes()).map_err(FileError::reading(path))?,
        false => tensor,
    };
    Ok((entry.name, tensor))
}

#[cfg(test)]
mod tests;
