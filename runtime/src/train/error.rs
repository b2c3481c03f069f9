//! Why a training ends early.

use std::path::PathBuf;

use tch::TchError;
use thiserror::Error;

use super::Anomaly;
use crate::io::{FileError, StateDictError};

/// Why a training ended.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The loss became NaN or infinite. The weights are those before that batch.
    #[error(
        "the loss of batch {batch} in epoch {epoch} is {value}; the weights are as they were before it. {}. A lower learning rate, \
         `clip_grad_norm` or a look at that batch may help", cause.as_ref().map_or_else(
            || "All weights are finite".to_owned(), |cause| format!("Of these, {}", cause.to_string().split(". ").next().unwrap_or_default()))
    )]
    NotFinite {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        batch: usize,
        /// The loss.
        value: f64,
        /// A weight that was not finite before.
        cause: Option<Anomaly>,
    },
    /// In mixed precision, the gradients of many batches in a row were NaN or infinite, whatever the loss was scaled
    /// by.
    #[error(
        "the gradients were not finite in many batches up to batch {batch} of epoch {epoch}, however small the loss was scaled; the \
         weights are as they were before. `detect_anomaly` finds the first operation that gives such a number"
    )]
    Gradients {
        /// Counted from 1.
        epoch: usize,
        /// Counted from 1.
        batch: usize,
    },
    /// The data set could not give a batch.
    #[error("batch {batch} cannot be read: {source}")]
    Batch {
        /// Counted from 1.
        batch: usize,
        /// What the data set says.
        source: anyhow::Error,
    },
    /// A layer was made again since the trainer was made: what that has learned and measured is another network's.
    #[error(
        "{layer:?} was made again after this trainer, which would keep the history, the best weights and the checkpoint of the \
         old network; run the cell with `Trainer::new` again"
    )]
    Renewed {
        /// The path of the layer.
        layer: String,
    },
    /// There is nothing to train on.
    #[error("there is no batch: the data set is empty, or smaller than one batch with `drop_last`")]
    Empty,
    /// There is nothing to validate with, so nothing was trained.
    #[error("there is no batch to validate with: give `None`, or a data set that is not empty")]
    EmptyValidation,
    /// What is watched is not measured.
    #[error("an epoch does not measure {name:?}, only {known}")]
    NoSuchValue {
        /// As it was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// A file of a checkpoint could not be written or read.
    #[error("the checkpoint {} cannot be {action}: {source}", path.display())]
    Checkpoint {
        /// What was tried: written or read.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: std::io::Error,
    },
    /// The history of a checkpoint is none.
    #[error("{} holds no history of a training; delete the folder to start again", .0.display())]
    History(PathBuf),
    /// The weights of a checkpoint cannot be written or read, or are of another network.
    #[error(transparent)]
    Weights(#[from] StateDictError),
    /// libtorch refused.
    #[error(transparent)]
    Torch(#[from] TchError),
}

impl From<FileError> for TrainError {
    fn from(error: FileError) -> Self {
        Self::Weights(error.into())
    }
}
