//! The format of llama.cpp: what is known of a language model, its tokens, and its weights, which may be quantised.
//!
//! <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>

mod contents;
mod formats;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};
use tch::Tensor;

use self::contents::Contents;
use self::formats::{Format, name_of, names_read};
use super::FileError;
use super::mapped::Mapped;

/// A `.gguf` file of llama.cpp and Ollama: what it says of its model, and the weights.
///
/// [`StateDict::read`](super::StateDict::read) gives the weights alone.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let file = io::Gguf::open("SmolLM2-135M-Instruct.Q8_0.gguf")?;
/// assert_eq!(file.get("general.architecture"), Some(&"llama".into()));
/// println!("{} tokens", file.get("tokenizer.ggml.tokens").and_then(|tokens| tokens.as_array()).map_or(0, Vec::len));
/// for (name, shape) in file.shapes() {
///     println!("{name} {shape:?} {}", file.format(name).unwrap_or_default());
/// }
/// let embedding = file.tensor("token_embd.weight")?;
/// # anyhow::Ok(())
/// ```
pub struct Gguf {
    path: PathBuf,
    file: Mapped,
    metadata: Map<String, Value>,
    tensors: Vec<Stored>,
}

/// A tensor as it is in the file.
struct Stored {
    name: String,
    shape: Vec<i64>,
    /// llama.cpp's number of the format.
    format: u32,
    /// Where its numbers begin in the file.
    start: usize,
}

impl Gguf {
    /// Reads all but the weights, which are mapped into memory.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, is of another format, or is damaged.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FileError> {
        let path = path.as_ref();
        let file = Mapped::open(path)?;
        let Contents { metadata, tensors } =
            Contents::read(file.bytes()).map_err(|what| FileError::damaged(path, what))?;
        Ok(Self { path: path.to_owned(), file, metadata, tensors })
    }

    /// What the file says of the model, by keys such as `general.architecture`, `llama.block_count` and
    /// `tokenizer.ggml.tokens`.
    pub fn metadata(&self) -> &Map<String, Value> {
        &self.metadata
    }

    /// A value of the metadata.
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.metadata.get(key)
    }

    /// The names of the tensors with their shapes, in the file's order. The shapes are as PyTorch has them, `[out, in]`
    /// for a linear layer; the file has the dimensions the other way round.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[i64])> {
        self.tensors.iter().map(|tensor| (tensor.name.as_str(), tensor.shape.as_slice()))
    }

    /// What a tensor's numbers are stored as, such as `Q8_0` or `F16`; nothing where there is no such tensor.
    pub fn format(&self, name: &str) -> Option<&'static str> {
        self.tensors.iter().find(|tensor| tensor.name == name).map(|tensor| name_of(tensor.format))
    }

    /// A tensor on the CPU. `Q4_0`, `Q4_1` and `Q8_0` become float32; `F32`, `F16`, `BF16`, `F64` and whole numbers
    /// stay what they are and lie in the file, as [`StateDict::read`](super::StateDict::read) says.
    ///
    /// # Errors
    ///
    /// Where there is no such tensor, it is in another format, or the file is damaged.
    pub fn tensor(&self, name: &str) -> Result<Tensor, FileError> {
        let tensor = self.tensors.iter().find(|tensor| tensor.name == name);
        self.read(tensor.ok_or_else(|| FileError::damaged(&self.path, format!("has no tensor {name:?}")))?)
    }

    /// All tensors by name.
    pub(super) fn tensors(&self) -> Result<Vec<(String, Tensor)>, FileError> {
        self.tensors.iter().map(|tensor| Ok((tensor.name.clone(), self.read(tensor)?))).collect()
    }

    fn read(&self, tensor: &Stored) -> Result<Tensor, FileError> {
        let Stored { name, shape, format, start } = tensor;
        let wrong = |what: String| FileError::damaged(&self.path, format!("has a tensor {name:?} {what}"));
        let known = Format::of(*format).ok_or_else(|| {
            wrong(format!(
                "in the format {}, which is not read: {} are. llama.cpp's `llama-quantize --allow-requantize` converts \
                 the file, as to Q8_0",
                name_of(*format),
                names_read().join(", ")
            ))
        })?;
        let bytes = known.bytes(shape);
        let bytes =
            bytes.ok_or_else(|| wrong(format!("of the shape {shape:?}, which {} cannot have", name_of(*format))))?;
        let end = start.checked_add(bytes).filter(|end| *end <= self.file.len());
        let end =
            end.ok_or_else(|| wrong("that ends behind the file: it was not written or copied in full".to_owned()))?;
        known.tensor(&self.file, *start..end, shape).map_err(|error| FileError::refused(&self.path, &error))
    }
}

/// The path, and the names with their shapes.
impl fmt::Debug for Gguf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.path.display())?;
        f.debug_map().entries(self.shapes()).finish()
    }
}

#[cfg(test)]
mod tests;
