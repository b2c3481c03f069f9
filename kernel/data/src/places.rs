//! The folders in which data lie, by the rules of `runtime/src/data/download/cache.rs`.

use std::fs;
use std::path::{Path, PathBuf};

use oxtorch_system::home::Home;

use crate::catalogue::Entry;
use crate::error::DataError;

/// The file beside the data that says where they are from. Where it is, the rest is as well.
pub(crate) const ORIGIN: &str = "SOURCE.txt";

/// Where fetched data are looked for, and where they go.
#[derive(Debug, Clone)]
pub struct Places {
    /// The folder that `OXTORCH_DATA` names, which may be read-only.
    named: Option<PathBuf>,
    home: Home,
}

impl Places {
    /// The places that the environment names: `OXTORCH_DATA`, and `data` in the home and in the folder for what
    /// sessions write.
    ///
    /// # Errors
    ///
    /// If there is no home.
    pub fn from_environment() -> Result<Self, DataError> {
        let named = std::env::var_os("OXTORCH_DATA").filter(|folder| !folder.is_empty()).map(PathBuf::from);
        let absolute = |folder: PathBuf| std::path::absolute(&folder).map_err(DataError::at("find", &folder));
        Ok(Self::new(named.map(absolute).transpose()?, Home::from_environment()?))
    }

    /// The places of a folder of data and a home.
    pub fn new(named: Option<PathBuf>, home: Home) -> Self {
        Self { named, home }
    }

    /// What holds the locks of this user.
    pub(crate) fn own(&self) -> Home {
        self.home.own()
    }

    /// The folders that are searched, in their order.
    fn folders(&self) -> impl Iterator<Item = PathBuf> {
        let homes = [self.home.root().join("data"), self.home.own().root().join("data")];
        self.named.clone().into_iter().chain(homes)
    }

    /// The folder that holds what an entry describes, if it was fetched.
    pub fn find(&self, entry: &Entry) -> Option<PathBuf> {
        self.folders().map(|folder| folder.join(&entry.name)).find(|folder| is_of(folder, entry))
    }

    /// The folder in which the data's folder is made: `OXTORCH_DATA` if it can be written, else that of the downloads
    /// of sessions.
    pub(crate) fn target(&self) -> PathBuf {
        let named = self.named.as_ref().filter(|folder| may_be_written(folder));
        named.cloned().unwrap_or_else(|| self.home.own().root().join("data"))
    }
}

/// Whether the data in a folder are those that an entry describes.
fn is_of(folder: &Path, entry: &Entry) -> bool {
    let origin = fs::read_to_string(folder.join(ORIGIN)).unwrap_or_default();
    origin.lines().any(|line| line.strip_prefix("sha256: ") == Some(&entry.sha256))
}

/// Whether a folder can be written, or made.
fn may_be_written(folder: &Path) -> bool {
    let existing = folder.ancestors().find(|folder| folder.exists());
    existing.is_some_and(|folder| folder.is_dir() && Home::at(folder).is_writable())
}
