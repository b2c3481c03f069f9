//! What can be wrong with a file of tensors.

use std::io;
use std::path::{Path, PathBuf};

use tch::TchError;
use thiserror::Error;

/// Why a file of tensors could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried: read or write.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// The file holds something else than it should.
    #[error("{} {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The format has no such numbers.
    #[error("{} cannot hold {what}", path.display())]
    Kind {
        /// The file.
        path: PathBuf,
        /// What cannot be written.
        what: String,
    },
    /// A tensor could not be made or read.
    #[error(transparent)]
    Torch(#[from] TchError),
}

impl FileError {
    pub(super) fn damaged(path: &Path, what: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.into() }
    }

    /// An error while reading.
    pub(super) fn reading(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::UnexpectedEof => Self::damaged(path, "ends too early: it was not written or copied in full"),
            io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
                Self::damaged(path, format!("is damaged: {source}"))
            }
            _ => Self::Io { action: "read", path: path.to_owned(), source },
        }
    }

    /// An error while writing.
    pub(crate) fn writing(path: &Path) -> impl Fn(io::Error) -> Self {
        move |source| Self::Io { action: "write", path: path.to_owned(), source }
    }

    /// What libtorch or its wrapper says of a file that is there.
    pub(super) fn refused(path: &Path, error: &TchError) -> Self {
        Self::damaged(path, format!("cannot be used: {}", reason(error)))
    }

    /// What libtorch or its wrapper says where it cannot write.
    pub(crate) fn refused_writing(path: &Path, error: &TchError) -> Self {
        Self::writing(path)(io::Error::other(reason(error)))
    }
}

/// The first sentence of an error.
fn reason(error: &TchError) -> String {
    let text = match error {
        TchError::SafeTensorError { err, .. } => err.to_string(),
        error => crate::cell::first_sentence(&error.to_string()),
    };
    text.trim().to_owned()
}
