//! Data sets and how they reach a model.

pub mod augment;
mod dataset;
mod download;
mod files;
mod labelled_images;
mod loader;
mod sets;

pub use dataset::{Dataset, Sample, Standardize, Subset, TensorDataset, k_fold, one_hot, random_split};
pub use download::{DownloadError, Source, data_folder, download};
pub use files::*;
pub(crate) use files::{bytes_of, tensor_of};
pub use labelled_images::{LabelledImages, SplitError};
pub use loader::{Batches, DataLoader, Epoch};
pub use sets::*;
