//! A training on disk: the weights of the last and of the best epoch, the state of the optimiser, and the history.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tch::Tensor;

use super::{History, TrainError};
use crate::io::StateDict;
use crate::io::replace::replace_file;
use crate::optim::Optimizer;

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

    /// The state of the optimiser after the last epoch.
    pub(super) fn optimizer(&self) -> PathBuf {
        self.0.join("optimizer.safetensors")
    }

    fn state(&self) -> PathBuf {
        self.0.join("history.json")
    }

    pub(super) fn write(
        &self,
        variables: &[(String, Tensor)],
        optimizer: &Optimizer,
        history: &History,
        steps: usize,
        is_best: bool,
    ) -> Result<(), TrainError> {
        fs::create_dir_all(&self.0).map_err(failed("written", &self.0))?;
        write_weights(variables, &self.last())?;
        optimizer.save(self.optimizer())?;
        if is_best {
            write_weights(variables, &self.best())?;
        }
        let state = json!({ "steps": steps, "epochs": history.to_json() });
        let path = self.state();
        let written = replace_file(&path, |error| error, |new| fs::write(new, format!("{state:#}\n")));
        written.map_err(failed("written", &path))
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
        read.ok_or(TrainError::History(path))
    }
}

fn write_weights(variables: &[(String, Tensor)], path: &Path) -> Result<(), TrainError> {
    let dict = StateDict::of_variables(variables.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone())));
    Ok(dict.save(path)?)
}

/// Sets the variables to the weights of a file, which must be the same ones.
pub(super) fn read_weights(variables: &[(String, Tensor)], path: &Path) -> Result<(), TrainError> {
    let variables = variables.iter().map(|(name, tensor)| (name.clone(), tensor.shallow_clone()));
    Ok(StateDict::read(path)?.load_variables(variables)?)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> TrainError {
    let path = path.to_owned();
    move |source| TrainError::Checkpoint { action, path, source }
}
