//! Data sets and how they reach a model.

pub mod augment;
mod dataset;
mod download;
mod files;
mod labelled_images;
mod loader;
mod one_hot;
mod sample;
mod samplers;
mod sets;
mod split;
mod standardize;
mod stratified;
mod subset;
mod tensor_dataset;

pub use dataset::{Dataset, IntoDataset, Lent, Whole};
pub use download::{DownloadError, Source, data_folder, download, fetched};
pub use files::*;
pub(crate) use files::{bytes_of, tensor_of};
pub use labelled_images::{LabelledImages, SplitError};
pub use loader::{Batches, DataLoader, Epoch};
pub use one_hot::one_hot;
pub use sample::Sample;
pub use samplers::{
    RandomSampler, Sampler, SequentialSampler, StratifiedSampler, SubsetRandomSampler, WeightedRandomSampler,
};
pub use sets::*;
pub use split::{k_fold, random_split};
pub use standardize::Standardize;
pub use stratified::{stratified_k_fold, stratified_split, train_test_split};
pub use subset::Subset;
pub use tensor_dataset::{TensorDataset, TensorRefs, Tensors};
