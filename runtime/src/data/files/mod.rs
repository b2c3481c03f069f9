//! Files that data is read from: one format a file.

mod csv;
mod file_error;
mod gettext;
mod idx;
mod image_file;
mod image_folder;
pub(super) mod packed;
mod time_series;

pub use csv::{Csv, CsvError, CsvOptions, read_csv, read_csv_with};
pub use file_error::DatasetError;
pub use gettext::read_mo;
pub use idx::read_idx;
pub use image_file::{ImageFileError, load_image, save_image};
pub(crate) use image_file::{bytes_of, tensor_of, to_unit_range};
pub use image_folder::{ImageFolder, image_folder};
pub use time_series::{TimeSeries, read_ts};
