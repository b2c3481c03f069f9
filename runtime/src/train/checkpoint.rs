//! A training on disk: the weights of the last and of the best epoch, and the history.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::{Tensor, no_grad};

use super::{History, TrainError};

/// The folder of a training.
#[derive(Debug, Clone)]
pub(super) struct Checkpoint(pub(super) PathBuf);

impl Checkpoint {
    /// The weights after the best epoch.
    pub(super) fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// The weights after the last epoch.
    pub(super) fn last(&self) -> PathBuf {
        self.0.join("last.safetensors")
    }

    fn state(&self) -> PathBuf {
        self.0.join("history.json")
    }

    pub(super) fn write(
        &self,
        variables: &[(String, Tensor)],
        history: &History,
        steps: usize,
        is_best: bool,
    ) -> Result<(), TrainError> {
        fs::create_dir_all(&self.0).map_err(failed("written", &self.0))?;
        write_weights(variables, &self.last())?;
        if is_best {
            write_weights(variables, &self.best())?;
        }
        let state = json!({ "steps": steps, "epochs": history.to_json() });
        replace(&self.state(), |path| fs::write(path, format!("{state:#}\n")))
    }

    /// The history and the number of steps.
    pub(super) fn read(&self) -> Result<(History, usize), TrainError> {
        let path = self.state();
        let text = fs::read_to_string(&path).map_err(failed("read", &path))?;
        let state: Option<Value> = serde_json::from_str(&text).ok();
        let read = state.and_then(|state| {
            let steps = usize::try_from(state["steps"].as_u64()?).ok()?;
            Some((History::from_json(&state["epochs"])?, steps))
        });
        read.ok_or_else(|| TrainError::Fit { path, what: "it holds no history of a training".to_owned() })
    }
}

fn write_weights(variables: &[(String, Tensor)], path: &Path) -> Result<(), TrainError> {
    replace(path, |path| Tensor::write_safetensors(variables, path).map_err(io::Error::other))
}

/// The old file stays until the new one is whole.
fn replace(path: &Path, write: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), TrainError> {
    let unfinished = path.with_extension("unfinished");
    write(&unfinished).and_then(|()| fs::rename(&unfinished, path)).map_err(failed("written", path))
}

/// Sets the variables to the weights of a file, which must be the same ones.
pub(super) fn read_weights(variables: &mut [(String, Tensor)], path: &Path) -> Result<(), TrainError> {
    fs::metadata(path).map_err(failed("read", path))?;
    let fit = |what: String| TrainError::Fit { path: path.to_owned(), what };
    let read = Tensor::read_safetensors(path).map_err(|error| fit(error.to_string()))?;
    let mut pairs = Vec::new();
    for (name, variable) in variables.iter() {
        let found = read.iter().find(|(known, _)| known == name);
        let (_, value) = found.ok_or_else(|| fit(format!("it has no {name:?}")))?;
        if value.size() != variable.size() {
            return Err(fit(format!("{name:?} is {:?} there and {:?} here", value.size(), variable.size())));
        }
        pairs.push(value);
    }
    if let Some((name, _)) = read.iter().find(|(name, _)| !variables.iter().any(|(known, _)| known == name)) {
        return Err(fit(format!("it has a {name:?}, which the network has not")));
    }
    no_grad(|| {
        for ((_, variable), value) in variables.iter_mut().zip(pairs) {
            variable.copy_(value);
        }
    });
    Ok(())
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| TrainError::Checkpoint { action, path, source }
}
