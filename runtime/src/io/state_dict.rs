//! Weights by name, as PyTorch's `state_dict` has them.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tch::Tensor;
use tch::nn::VarStore;
use thiserror::Error;

use super::{FileError, load_npz, save_npz};
use crate::io::replace::replace_file;
use crate::modes::no_grad;

/// What PyTorch's batch norms count and libtorch's do not need.
const COUNTER: &str = "num_batches_tracked";

/// Why weights could not be taken over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateDictError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The weights are those of another network. None was taken.
    #[error("{origin} does not fit the network:{}", listed(missing, unexpected, shapes))]
    Mismatch {
        /// Where the weights come from.
        origin: String,
        /// Variables that have no weights.
        missing: Vec<String>,
        /// Weights that have no variable.
        unexpected: Vec<String>,
        /// Weights of another shape: the name, the shape there and here.
        shapes: Vec<(String, Vec<i64>, Vec<i64>)>,
    },
    /// The state is that of another optimizer. None was taken.
    #[error("{origin} does not fit the optimizer: {why}")]
    Optimizer {
        /// Where the state comes from.
        origin: String,
        /// What differs.
        why: String,
    },
}

fn listed(missing: &[String], unexpected: &[String], shapes: &[(String, Vec<i64>, Vec<i64>)]) -> String {
    /// Long networks have long lists, of which the first lines say enough.
    const MOST: usize = 10;
    let mut text = String::new();
    for (what, names) in [("missing", missing), ("unexpected", unexpected)] {
        if !names.is_empty() {
            let more = names.len().saturating_sub(MOST);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            text += &format!("\n  {what}: {}{more}", names[..names.len().min(MOST)].join(", "));
        }
    }
    for (name, there, here) in shapes.iter().take(MOST) {
        text += &format!("\n  shape of {name}: {there:?} there, {here:?} here");
    }
    if !missing.is_empty() && !unexpected.is_empty() {
        text += "\n`StateDict::rename` changes names that differ; `load_partial` loads what fits";
    }
    text
}

/// What [`StateDict::load_partial`] could not bring together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Variables that have no weights, and stay as they were.
    pub missing: Vec<String>,
    /// Weights that have no variable.
    pub unexpected: Vec<String>,
}

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

/// Sets the variables of a store to the weights of a file: `.safetensors`, `.npz`, or `.pt` (see [`StateDict::read`]).
/// All names and shapes must be the same, as in PyTorch's `load_state_dict`; only `num_batches_tracked` of batch norms
/// is left out.
///
/// # Errors
///
/// Where the file cannot be read, or is of another network: then no variable is changed, and the error lists what
/// differs.
pub fn load_state_dict(vs: &VarStore, path: impl AsRef<Path>) -> Result<(), StateDictError> {
    StateDict::read(path)?.load(vs)
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

    /// The tensors of a file, `.safetensors`, `.npz` or `.pt`, on the CPU. Of what `torch.save` writes only
    /// `torch.save(dict(model.state_dict()), "x.pt")` can be read; the `state_dict` itself is a pickle of a type of
    /// Python's.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read or is of another format.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, FileError> {
        Self::read_with(path.as_ref(), |path| {
            Err(FileError::damaged(path, "does not end in .safetensors, .npz or .pt"))
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
        std::fs::metadata(path).map_err(FileError::reading(path))?;
        let tensors = match ending(path) {
            "npz" => load_npz(path)?,
            "safetensors" => Tensor::read_safetensors(path).map_err(|error| FileError::refused(path, &error))?,
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

    /// The names in the order of the alphabet.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// A tensor by its name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// Calls what begins with `from` by a name that begins with `to` instead.
    pub fn rename(self, from: &str, to: &str) -> Self {
        self.map_names(|name| {
            Some(name.strip_prefix(from).map_or_else(|| name.to_owned(), |rest| format!("{to}{rest}")))
        })
    }

    /// Calls each tensor by the name that a function gives, and leaves out those for which it gives none.
    ///
    /// # Panics
    ///
    /// Where two tensors would have one name.
    pub fn map_names(mut self, mut map: impl FnMut(&str) -> Option<String>) -> Self {
        for (old, tensor) in std::mem::take(&mut self.tensors) {
            if let Some(name) = map(&old) {
                assert!(
                    !self.tensors.contains_key(&name),
                    "StateDict: {old:?} and another tensor would both be {name:?}"
                );
                self.tensors.insert(name, tensor);
            }
        }
        self
    }

    /// Sets all variables of a store; see [`load_state_dict`].
    ///
    /// # Errors
    ///
    /// Where a name or a shape differs. Then no variable is changed.
    pub fn load(&self, vs: &VarStore) -> Result<(), StateDictError> {
        self.load_variables(vs.variables())
    }

    pub(crate) fn load_variables(
        &self,
        variables: impl IntoIterator<Item = (String, Tensor)>,
    ) -> Result<(), StateDictError> {
        let mut variables = variables.into_iter().collect();
        let loaded = self.compare(&variables);
        if !(loaded.missing.is_empty() && loaded.unexpected.is_empty()) {
            return Err(self.mismatch(loaded, &variables));
        }
        self.set(&mut variables).map(drop)
    }

    /// Sets the variables of a store for which there are weights, and says which names are on one side only: PyTorch's
    /// `strict=False`.
    ///
    /// # Errors
    ///
    /// Where a shape differs. Then no variable is changed.
    pub fn load_partial(&self, vs: &VarStore) -> Result<Loaded, StateDictError> {
        self.set(&mut vs.variables().into_iter().collect())
    }

    fn set(&self, variables: &mut BTreeMap<String, Tensor>) -> Result<Loaded, StateDictError> {
        let loaded = self.compare(variables);
        if !self.other_shapes(variables).is_empty() {
            return Err(self.mismatch(loaded, variables));
        }
        no_grad(|| {
            for (name, variable) in variables {
                if let Some(tensor) = self.tensors.get(name) {
                    variable.copy_(tensor);
                }
            }
        });
        Ok(loaded)
    }

    /// Whether each variable has weights of its shape, or with `partial` those that have weights; gives the names of
    /// those that have none.
    pub(crate) fn check(
        &self,
        variables: impl IntoIterator<Item = (String, Tensor)>,
        partial: bool,
    ) -> Result<Vec<String>, StateDictError> {
        let variables = variables.into_iter().collect();
        let loaded = self.compare(&variables);
        let lacks = !partial && !loaded.missing.is_empty();
        if !lacks && self.other_shapes(&variables).is_empty() {
            return Ok(loaded.missing);
        }
        // What is there besides is no fault, and may tell what became of what is missing.
        Err(self
            .mismatch(if lacks { loaded } else { Loaded { missing: Vec::new(), unexpected: Vec::new() } }, &variables))
    }

    fn compare(&self, variables: &BTreeMap<String, Tensor>) -> Loaded {
        let is_counter = |name: &str| name == COUNTER || name.ends_with(&format!(".{COUNTER}"));
        let missing = variables.keys().filter(|name| !self.tensors.contains_key(*name)).cloned();
        let unexpected =
            self.names().filter(|name| !variables.contains_key(*name) && !is_counter(name)).map(str::to_owned);
        Loaded { missing: missing.collect(), unexpected: unexpected.collect() }
    }

    fn other_shapes(&self, variables: &BTreeMap<String, Tensor>) -> Vec<(String, Vec<i64>, Vec<i64>)> {
        let shapes = variables.iter().filter_map(|(name, variable)| {
            let (there, here) = (self.get(name)?.size(), variable.size());
            (there != here).then(|| (name.clone(), there, here))
        });
        shapes.collect()
    }

    fn mismatch(&self, Loaded { missing, unexpected }: Loaded, variables: &BTreeMap<String, Tensor>) -> StateDictError {
        StateDictError::Mismatch {
            origin: self.origin.clone(),
            missing,
            unexpected,
            shapes: self.other_shapes(variables),
        }
    }
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_default()
}

/// The names with their shapes.
impl fmt::Debug for StateDict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.tensors.iter().map(|(name, tensor)| (name, tensor.size()))).finish()
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::super::npy::tests::{file, reference};
    use super::*;
    use crate::nn::{
        self, Chain, Module, ModuleT, RNN, TransformerConfig, VarStore, seq, seq_t, transformer_encoder_layer,
    };
    use crate::reference::Reference;

    /// A file that a script in Python saved.
    fn saved(reference: &Reference, folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(format!("{name}.safetensors"));
        std::fs::write(&path, file(reference, &format!("/models/{name}/file"))).expect("writes");
        path
    }

    #[test]
    fn networks_with_weights_of_python_give_what_they_gave_there() {
        let (folder, reference) = (tempfile::tempdir().expect("a temporary folder"), reference());
        let load = |name: &str, vs: &VarStore| {
            load_state_dict(vs, saved(&reference, folder.path(), name))
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            reference.tensor(&format!("/models/{name}/input"))
        };
        let check = |name: &str, output: Tensor| reference.check(&format!("/models/{name}/output"), &output, 1e-5);

        let vs = VarStore::new(Device::Cpu);
        let root = vs.root();
        let mlp = seq().add(nn::linear(&root / "0", 6, 8, Default::default())).relu().add(nn::linear(
            &root / "2",
            8,
            3,
            Default::default(),
        ));
        let input = load("mlp", &vs);
        check("mlp", mlp.forward(&input));

        let vs = VarStore::new(Device::Cpu);
        let root = vs.root();
        let cnn = seq_t()
            .add(nn::conv2d(&root / "conv", 1, 4, 3, Default::default()))
            .add(nn::batch_norm2d(&root / "norm", 4, Default::default()))
            .relu()
            .flatten()
            .add(nn::linear(&root / "out", 4 * 16, 3, Default::default()));
        let input = load("cnn", &vs);
        check("cnn", cnn.forward_t(&input, false));

        let vs = VarStore::new(Device::Cpu);
        let config = nn::RNNConfig { num_layers: 2, bidirectional: true, ..Default::default() };
        let lstm = nn::lstm(&vs.root() / "lstm", 5, 4, config);
        let input = load("lstm", &vs);
        check("lstm", lstm.seq(&input).0);

        let vs = VarStore::new(Device::Cpu);
        let config = TransformerConfig { dim_feedforward: 16, dropout: 0.0, ..Default::default() };
        let encoder = transformer_encoder_layer(vs.root(), 8, 2, config);
        let input = load("transformer", &vs);
        check("transformer", encoder.forward_t(&input, false));
    }

    fn network(hidden: i64) -> VarStore {
        let vs = VarStore::new(Device::Cpu);
        let root = vs.root();
        let _ = (
            nn::linear(&root / "a", 2, hidden, Default::default()),
            nn::linear(&root / "b", hidden, 1, Default::default()),
        );
        vs
    }

    #[test]
    fn what_does_not_fit_is_listed_and_nothing_is_changed() {
        let (from, to) = (network(3), network(4));
        let before = to.variables()["a.weight"].copy();
        let dict = StateDict::of(&from).rename("b.", "c.");
        let error = dict.load(&to).expect_err("another network").to_string();
        for part in [
            "missing: b.bias, b.weight",
            "unexpected: c.bias, c.weight",
            "a.weight: [3, 2] there, [4, 2] here",
            "rename",
        ] {
            assert!(error.contains(part), "{part} in {error}");
        }
        assert!(to.variables()["a.weight"].equal(&before));
        assert!(dict.load_partial(&to).is_err());
        let loaded = dict.load_partial(&network(3)).expect("the shapes are the same");
        assert_eq!((loaded.missing.len(), loaded.unexpected.len()), (2, 2));
    }

    #[test]
    fn files_of_both_formats_read_back() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["w.safetensors", "w.npz"] {
            let (from, to) = (network(3), network(3));
            let path = folder.path().join(name);
            StateDict::of(&from).save(&path).expect("writes");
            load_state_dict(&to, &path).expect("loads");
            assert!(from.variables().iter().all(|(name, variable)| variable.equal(&to.variables()[name])), "{name}");
        }
        let whole = std::fs::read(folder.path().join("w.safetensors")).expect("reads");
        std::fs::write(folder.path().join("cut.safetensors"), &whole[..whole.len() - 4]).expect("writes");
        let read = |name: &str| StateDict::read(folder.path().join(name)).expect_err("damaged").to_string();
        assert!(read("cut.safetensors").contains("cut.safetensors cannot be used"), "{}", read("cut.safetensors"));
        std::fs::write(folder.path().join("w.pt"), b"PK").expect("writes");
        assert!(read("w.pt").contains("save_file"));
        std::fs::write(folder.path().join("dict.pt"), file(&reference(), "/dict")).expect("writes");
        let dict = StateDict::read(folder.path().join("dict.pt")).expect("a plain dictionary");
        assert_eq!(dict.get("w"), Some(&Tensor::from_slice(&[1f32, 2.0])));
        assert!(read("none.npz").starts_with("cannot read"));
        let vs = VarStore::new(Device::Cpu);
        let _weight = vs.root().zeros("w", &[2]);
        assert!(StateDict::of(&vs).save(folder.path().join("w.txt")).is_err());
        let strided = Tensor::arange(6, (Kind::Float, Device::Cpu)).view([2, 3]).tr();
        let dict = StateDict { origin: String::new(), tensors: [("x".to_owned(), strided.shallow_clone())].into() };
        dict.save(folder.path().join("x.safetensors")).expect("writes");
        let again = StateDict::read(folder.path().join("x.safetensors")).expect("reads");
        assert!(again.get("x").is_some_and(|x| x.equal(&strided)));
    }
}
