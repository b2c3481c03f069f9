//! Files from the internet, kept on disk: looked for first, downloaded once, checked, and resumed where a download
//! broke off.
//!
//! A file is looked for in the folder that `OXTORCH_DATA` names (one that a class shares and that may be read-only),
//! then in an installation that many share, then in [`data_folder`], and is downloaded into the latter. What has its
//! final name is whole: a download grows beside it, as `NAME.part`, under a lock that other kernels wait for, and gets
//! its name when its checksum is right. `HTTPS_PROXY` and `SSL_CERT_FILE` are heeded.
//!
//! ```
//! use oxtorch::prelude::*;
//! use oxtorch::data::{Source, data_folder};
//! // A file that lies there already, because somebody put it there by hand, is not downloaded.
//! std::fs::create_dir_all(data_folder()?)?;
//! std::fs::write(data_folder()?.join("greeting.txt"), "hello")?;
//! let source = Source::new("greeting.txt", ["https://example.org/greeting.txt"]);
//! let source = source.md5("5d41402abc4b2a76b9719d911017c592");
//! assert_eq!(std::fs::read_to_string(source.path()?)?, "hello");
//! # anyhow::Ok(())
//! ```

use std::fmt::Write as _;
use std::io;
use std::path::{Component, Path, PathBuf};

use thiserror::Error;

use crate::checkpoint::checkpoint;

mod cache;
mod fetched;
#[cfg(test)]
mod tests;
mod transfer;

pub(crate) use cache::Cache;
pub use fetched::fetched;

/// A file on the internet: its name here, where to get it, and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Its path below the data folder, such as `MNIST/raw/train-images-idx3-ubyte.gz`.
    pub name: String,
    /// Where it can be had, the best address first.
    pub urls: Vec<String>,
    /// The MD5 sum that it must have, in hexadecimal. A file without one is not checked, and not resumed either.
    pub md5: Option<String>,
}

/// Why a file could not be had.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DownloadError {
    /// No address gave the file.
    #[error("{}", unreachable(name, tries, place))]
    Unreachable {
        /// The file, as its source names it.
        name: String,
        /// Each address that was tried, and what came of it.
        tries: Vec<(String, String)>,
        /// Where the file is looked for, so where to put it by hand.
        place: PathBuf,
    },
    /// The file on disk is not the one that it should be.
    #[error(
        "{} is damaged: its MD5 sum is {found} instead of {expected}. Delete it, then run this to download it again",
        path.display()
    )]
    Checksum {
        /// The file.
        path: PathBuf,
        /// The sum that it must have.
        expected: String,
        /// The sum that it has.
        found: String,
    },
    /// The file system refused.
    #[error(
        "cannot {action} {}. Downloads are kept in the folder `data` of OXTORCH_HOME, or of OXTORCH_CACHE if that is set: set \
         one of them to a folder that can be written, or OXTORCH_DATA to one that holds the files already",
        path.display()
    )]
    Io {
        /// What was tried, as a verb: "create", "write"...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// What `oxtorch data fetch` fetches is not there.
    #[error("{}", not_fetched(name, places))]
    NotFetched {
        /// As it was asked for.
        name: String,
        /// Where it was looked for.
        places: Vec<PathBuf>,
    },
    /// The name leads out of the data folder.
    #[error(
        "{0:?} cannot be the name of a downloaded file: it must be a path below the data folder, like `MNIST/images.gz`"
    )]
    Name(String),
    /// No place for files could be found.
    #[error("there is no home directory to keep downloads in: set OXTORCH_HOME to a folder")]
    Nowhere,
    /// The library that finds such a place could not be opened.
    #[error("{0}")]
    Support(String),
}

fn unreachable(name: &str, tries: &[(String, String)], place: &Path) -> String {
    let mut text = format!("{name} could not be downloaded.");
    for (url, reason) in tries {
        let _ = write!(text, "\n  {url}: {reason}");
    }
    let _ = write!(
        text,
        "\nWithout a network, get the file from one of these addresses elsewhere and put it at\n  {}\nor at {name} below a \
         folder of your choice, and set OXTORCH_DATA to that folder.",
        place.display()
    );
    text
}

fn not_fetched(name: &str, places: &[PathBuf]) -> String {
    let mut text = format!(
        "{name} has not been fetched. In a cell, `!oxtorch data fetch {name}` does it, and `!oxtorch data list` shows what there is \
         (in a terminal without `!`). It was looked for at"
    );
    for place in places {
        let _ = write!(text, "\n  {}", place.display());
    }
    text
}

impl Source {
    /// A file and the addresses that have it.
    pub fn new<U: Into<String>>(name: impl Into<String>, urls: impl IntoIterator<Item = U>) -> Self {
        Self { name: name.into(), urls: urls.into_iter().map(Into::into).collect(), md5: None }
    }

    /// The MD5 sum that the file must have, as `md5sum` prints it.
    pub fn md5(mut self, sum: impl Into<String>) -> Self {
        self.md5 = Some(sum.into().to_lowercase());
        self
    }

    /// The file's path on disk. It is downloaded first if it is not there, with a progress bar.
    ///
    /// An interrupted download goes on from where it was. Where another kernel is downloading the same file, this waits
    /// for it.
    ///
    /// # Errors
    ///
    /// Where no address has the file (the message names each with the reason, and says where to put the file by hand),
    /// where the file on disk has another checksum, or where the file system refuses.
    pub fn path(&self) -> Result<PathBuf, DownloadError> {
        Cache::from_environment()?.fetch(self, &checkpoint)
    }

    fn check_name(&self) -> Result<(), DownloadError> {
        let is_below = Path::new(&self.name).components().all(|part| matches!(part, Component::Normal(_)));
        if is_below && !self.name.is_empty() { Ok(()) } else { Err(DownloadError::Name(self.name.clone())) }
    }
}

/// The path on disk of the file at an address, which is downloaded if it is not there: a [`Source`] without a checksum,
/// kept as `web/HOST/PATH` below the data folder.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// use oxtorch::data::download;
/// let path = download("https://example.org/data/penguins.csv")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// As for [`Source::path`].
pub fn download(url: &str) -> Result<PathBuf, DownloadError> {
    Source::new(name_of(url), [url]).path()
}

/// Where downloaded files are kept: `data` in the folder that `OXTORCH_CACHE` names (where `OXTORCH_HOME` is an
/// installation that many share, the kernel sets it), else in the one of `OXTORCH_HOME`, else in `oxtorch` in the
/// user's data directory.
///
/// # Errors
///
/// Where the user has no home directory and `OXTORCH_HOME` is not set.
pub fn data_folder() -> Result<PathBuf, DownloadError> {
    Ok(Cache::from_environment()?.own)
}

/// A path that tells addresses apart and is one on every file system.
fn name_of(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let plain = |c: char| if c.is_alphanumeric() || ".-_=+%".contains(c) { c } else { '_' };
    let parts = rest.split('/').filter(|part| !part.is_empty() && *part != "." && *part != "..");
    let parts: Vec<String> = parts.map(|part| part.chars().map(plain).collect()).collect();
    format!("web/{}", parts.join("/"))
}
