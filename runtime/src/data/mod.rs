//! Data sets and how they reach a model.

pub mod augment;
mod cifar;
mod csv;
mod dataset;
pub mod digits;
mod download;
mod file_error;
mod folder;
mod idx;
mod image_file;
mod karate_club;
mod labelled_images;
mod loader;
mod mnist;
mod packed;
mod shipped;
mod split;

pub use cifar::{cifar10, cifar100};
pub use csv::{Csv, CsvError, CsvOptions, read_csv, read_csv_with};
pub use dataset::{Dataset, Sample, Standardize, Subset, TensorDataset, k_fold, one_hot, random_split};
pub use digits::{Digits, digits};
pub use download::{DownloadError, Source, data_folder, download};
pub use file_error::DatasetError;
pub use folder::{ImageFolder, image_folder};
pub use idx::read_idx;
pub use image_file::{ImageFileError, load_image, save_image};
pub(crate) use image_file::{bytes_of, tensor_of};
pub use karate_club::{LabelledGraph, karate_club};
pub use labelled_images::{LabelledImages, SplitError};
pub use loader::{Batches, DataLoader, Epoch};
pub use mnist::{fashion_mnist, mnist};
pub use shipped::{LabelledTable, iris, mnist_10k, moby_dick, names};
pub use split::Split;
