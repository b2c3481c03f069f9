//! Weights by name, as PyTorch's `state_dict` has them.

mod edit;
mod error;
mod load;
mod shards;

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::path::{Path, PathBuf};

use tch::Tensor;
use tch::nn::VarStore;

pub use self::error::{Loaded, StateDictError};
pub use self::load::load_state_dict;
use super::{FileError, Gguf, load_npz, safetensors, save_npz};
use crate::io::replace::replace_file;

/// Tensors by name.
///
/// ```
/// use oxtorch::prelude::*;
/// let trained = nn::VarStore::new(Device::Cpu);
/// let _layer = nn::linear(trained.root() / "backbone" / "fc", 4, 2, Default::default());
/// let vs = nn::VarStore::new(device());
/// let layer = nn::linear(vs.root() / "fc", 4, 2, Default::default());
/// io::StateDict::of(&trained).rename("backbone.", "").load(&vs)?;
/// assert_eq!(layer.ws.to_device(Device::Cpu), trained.variables()["backbone.fc.weight"]);
/// ```
pub struct StateDict {
    origin: String,
    tensors: BTreeMap<String, Tensor>,
}

impl StateDict {
    /// The variables of a store.
    pub fn of(vs: &VarStore) -> Self {
        Self::of_variables(vs.variables())
    }

    /// The tensors that come from somewhere.
    pub(crate) fn new(origin: impl fmt::Display, tensors: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self { origin: origin.to_string(), tensors: tensors.into_iter().collect() }
    }

    pub(crate) fn of_variables(variables: impl IntoIterator<Item = (String, Tensor)>) -> Self {
        Self::new("the other network", variables.into_iter().map(|(name, tensor)| (name, tensor.detach())))
    }

    /// The tensors of a file, on the CPU:
    ///
    /// - `.safetensors`: they lie in the file, which is mapped into memory, and the system reads what is looked at: a
    ///   large file is there at once. To change a tensor does not change the file. Nothing may write to the file or
    ///   shorten it meanwhile, as `cp` and `Tensor::write_safetensors` do; it may be removed or replaced, as
    ///   [`StateDict::save`] does. Float8 is read, and
    ///   libtorch computes with it once it is cast: [`StateDict::to_kind`].
    /// - `.index.json`: Hugging Face's list of the `.safetensors` files that the weights of a large network are in.
    /// - `.gguf`: llama.cpp's, as float32 where the numbers are quantised; see [`Gguf`].
    /// - `.npz` of NumPy.
    /// - `.pt`, `.pth`, `.bin`: of what `torch.save` writes only `torch.save(dict(model.state_dict()), "x.pt")` can be
    ///   read; the `state_dict` itself is a pickle of a type of Python's.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is of another format.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::read_with(path.as_ref(), |path| {
            Err(FileError::damaged(path, "does not end in .safetensors, .index.json, .gguf, .npz or .pt"))
        })
    }

    /// As [`StateDict::read`], also with the endings that a store of variables has for it.
    pub(crate) fn read_for_store(path: &Path) -> Result<Self, FileError> {
        Self::read_with(path, |path| Tensor::load_multi(path).map_err(|error| FileError::refused(path, &error)))
    }

    /// What no ending is known of is for `other` to read.
    fn read_with(
        path: &Path,
        other: impl FnOnce(&Path) -> Result<Vec<(String, Tensor)>, FileError>,
    ) -> Result<Self, FileError> {
        if std::fs::metadata(path).map_err(FileError::reading(path))?.is_dir() {
            return Err(FileError::damaged(path, "is a folder: give the file of weights in it"));
        }
        let tensors = match ending(path) {
            "npz" => load_npz(path)?,
            "safetensors" => safetensors::read(path)?,
            "json" => shards::read(path)?,
            "gguf" => Gguf::open(path)?.tensors()?,
            // Of pickles libtorch reads plain dictionaries of tensors alone; with these endings a store of variables
            // may have written as well.
            "pt" | "pth" | "bin" => Tensor::loadz_multi(path).or_else(|_| Tensor::load_multi(path)).map_err(|_| {
                let what = "is not a plain dictionary of tensors, all that libtorch reads of Python's pickles. In Python, \
                            `from safetensors.torch import save_file; save_file(model.state_dict(), \"model.safetensors\")`, \
                            or `torch.save(dict(model.state_dict()), path)`";
                FileError::damaged(path, what)
            })?,
            _ => other(path)?,
        };
        Ok(Self::new(path.display(), tensors))
    }

    /// Writes the tensors into a file, `.safetensors` or `.npz`, which Python reads by `safetensors.torch.load_file` or
    /// `numpy.load`. A file of that name is replaced when the new one is whole.
    ///
    /// # Errors
    ///
    /// Where the file cannot be written, or has another ending.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), FileError> {
        let path = path.as_ref();
        match ending(path) {
            "npz" => save_npz(&self.tensors.iter().collect::<Vec<_>>(), path),
            "safetensors" => {
                let tensors: Vec<(&String, Tensor)> =
                    self.tensors.iter().map(|(name, tensor)| (name, tensor.contiguous())).collect();
                replace_file(path, FileError::writing(path), |new| {
                    let written = Tensor::write_safetensors(&tensors, new);
                    written.map_err(|error| FileError::refused_writing(path, &error))
                })
            }
            _ => Err(FileError::Kind {
                path: PathBuf::from(path),
                what: "weights: end it in .safetensors or .npz".to_owned(),
            }),
        }
    }

    /// Where the tensors come from, such as the path of a file.
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// How many tensors there are.
    pub fn len(&self) -> usize {
        self.tensors.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.tensors.is_empty()
    }

    /// The tensors with their names, in the order of the alphabet; so does `for (name, tensor) in &dict`.
    pub fn iter(&self) -> btree_map::Iter<'_, String, Tensor> {
        self.tensors.iter()
    }

    /// The names in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor by its name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

impl<S: Into<String>> FromIterator<(S, Tensor)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (S, Tensor)>>(tensors: I) -> Self {
        Self::new("the state dict", tensors.into_iter().map(|(name, tensor)| (name.into(), tensor)))
    }
}

impl IntoIterator for StateDict {
    type Item = (String, Tensor);
    type IntoIter = btree_map::IntoIter<String, Tensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.tensors.into_iter()
    }
}

impl<'a> IntoIterator for &'a StateDict {
    type Item = (&'a String, &'a Tensor);
    type IntoIter = btree_map::Iter<'a, String, Tensor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The names with their shapes.
impl fmt::Debug for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.tensors.iter().map(|(name, tensor)| (name, tensor.size()))).finish()
    }
}

#[cfg(test)]
mod tests;
