//! What can go wrong when something is fetched, and what the user can do about it.

use std::io;
use std::path::{Path, PathBuf};

use oxtorch_setup::progress::size;
use oxtorch_system::home::{HomeError, free_space, is_disk_full};
use thiserror::Error;

/// A failure. [`DataError::help`] says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum DataError {
    /// Nothing has that name.
    #[error("there is no data set and are no weights named {name}{}", nearest(near))]
    Unknown {
        /// As it was asked for.
        name: String,
        /// What may have been meant.
        near: Vec<String>,
    },
    /// The client of the package's source is not there.
    #[error("{name} is in a package of {source_name}, and there is no {tool} to get it with")]
    NoTool {
        /// What was to be fetched.
        name: String,
        /// Where the package is.
        source_name: &'static str,
        /// The client.
        tool: &'static str,
        /// How to have it.
        help: String,
    },
    /// The client could not get the file.
    #[error("{tool} cannot get {package}: {why}")]
    Download {
        /// The client.
        tool: &'static str,
        /// The package, with its version.
        package: String,
        /// What the client says.
        why: String,
    },
    /// What arrived is not what the catalogue describes. Nothing in it was opened.
    #[error("{file} has the SHA-256 {found} instead of {expected}, so it was thrown away unopened")]
    Checksum {
        /// The file.
        file: String,
        /// As the catalogue has it.
        expected: String,
        /// As it is.
        found: String,
    },
    /// The archive's package of this name has other data in it.
    #[error("{file} does not hold the files of {name} that Oxtorch knows, which are those of version {version}")]
    OtherVersion {
        /// What was to be fetched.
        name: String,
        /// The file that the archive has.
        file: String,
        /// The version that the catalogue describes.
        version: String,
    },
    /// The archive holds something that is not unpacked, or cannot be read.
    #[error("{file} cannot be unpacked: {why}")]
    Archive {
        /// The file.
        file: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something else stands where the data belong.
    #[error("{} is there already, and is not what this version of Oxtorch fetches", .0.display())]
    InTheWay(PathBuf),
    /// There is not enough disk space.
    #[error("{what} needs {} in {}{}", size(*needed), folder.display(), free.map(|free| format!(", where {} are free", size(free))).unwrap_or_default())]
    DiskFull {
        /// What was being done.
        what: String,
        /// Where.
        folder: PathBuf,
        /// How much it takes.
        needed: u64,
        /// How much there is.
        free: Option<u64>,
    },
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried, as a verb: "create", "write"...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// A program could not be started.
    #[error("cannot run {}", program.display())]
    Tool {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The process is about to end.
    #[error("the download was interrupted")]
    Interrupted,
}

impl DataError {
    /// The error of an action, named by a verb, at a file or folder.
    pub(crate) fn at(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// The same where the reason may be a full disk.
    pub(crate) fn or_disk_full(self, what: &str, folder: &Path, needed: u64) -> Self {
        let is_full = matches!(&self, Self::Io { source, .. } if is_disk_full(source));
        if is_full { Self::disk_full(what, folder, needed) } else { self }
    }

    pub(crate) fn disk_full(what: &str, folder: &Path, needed: u64) -> Self {
        Self::DiskFull { what: what.to_owned(), folder: folder.to_owned(), needed, free: free_space(folder) }
    }

    /// What the user can do about it.
    pub fn help(&self) -> String {
        match self {
            Self::Unknown { .. } => "`oxtorch data list` shows all names".to_owned(),
            Self::NoTool { help, .. } => help.clone(),
            Self::Download { .. } => "this needs the network: connect and run it again".to_owned(),
            Self::Checksum { .. } => {
                "run it again; if it stays so, the index or a proxy on the way hands out another file".to_owned()
            }
            Self::OtherVersion { .. } => {
                "the archive that apt is set up for has another version; a newer Oxtorch may know it".to_owned()
            }
            Self::Archive { .. } => "run it again; if it stays so, report it".to_owned(),
            Self::InTheWay(_) => "move it away, then run this again".to_owned(),
            Self::DiskFull { .. } => {
                "free some space, or set OXTORCH_DATA to a folder on another disk, then run this again".to_owned()
            }
            Self::Io { .. } => "set OXTORCH_DATA to a folder that you may write to".to_owned(),
            Self::Tool { .. } => "`oxtorch doctor` shows what is there and what is missing".to_owned(),
            Self::Home(error) => error.help(),
            Self::Interrupted => "run it again".to_owned(),
        }
    }
}

fn nearest(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}
