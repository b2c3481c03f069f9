//! What can be wrong with the files of a data set.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::data::DownloadError;

/// Why a data set could not be read.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DatasetError {
    /// A file of it could not be had.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// The file system refused.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file holds something else than it should.
    #[error("{} is damaged: {what}. Delete it and get it again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
}

impl DatasetError {
    pub(crate) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    /// An error while reading: of the file system, or of what unpacks the file.
    pub(crate) fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged(path, "it ends too early"),
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => Self::damaged(path, source.to_string()),
            // What the tar reader makes of a file that is no archive.
            io::ErrorKind::Other if source.raw_os_error().is_none() => Self::damaged(path, source.to_string()),
            _ => Self::Read { path: path.to_owned(), source },
        }
    }
}
