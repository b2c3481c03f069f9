//! What can go wrong in set-up, and what the user can do about it.

use std::io;
use std::path::PathBuf;

use oxtorch_system::home::HomeError;
use thiserror::Error;

use crate::progress::size;
use crate::tools::toolchain::CHANNEL;

/// A failure of set-up. [`SetupError::help`] says what to do.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The home is an installation that this user cannot write, and it has no runtime for this program.
    #[error("Oxtorch is not set up in {} for this program, and you may not write there{}", home.display(), because(why.as_deref()))]
    NotSetUp {
        /// The home.
        home: PathBuf,
        /// Why what is there cannot be used.
        why: Option<String>,
    },
    /// There is no suitable Rust toolchain.
    #[error("{}", no_toolchain(found.as_deref()))]
    NoToolchain {
        /// The version of the toolchain that there is.
        found: Option<String>,
        /// Whether rustup is installed.
        rustup: bool,
    },
    /// There is no C++ compiler.
    #[error("{}", no_compiler(named.as_deref()))]
    NoCompiler {
        /// What the variable `CXX` asks for.
        named: Option<String>,
    },
    /// rustc has nothing to link with.
    #[error("there is no linker (`cc`), which Rust needs")]
    NoLinker,
    /// `LIBTORCH` names something that cannot be used. It was asked for, so nothing else is taken instead.
    #[error("the libtorch that LIBTORCH names cannot be used: {} {why}", folder.display())]
    BadLibtorch {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// No source had a libtorch.
    #[error("cannot get libtorch {}:{}", crate::libtorch::VERSION, list(tried))]
    NoLibtorch {
        /// Each source and why it failed.
        tried: Vec<(String, String)>,
    },
    /// The crates that the runtime is built from could not be had.
    #[error("cannot get the crates that the runtime is built from:\n{log}")]
    NoCrates {
        /// The last of what cargo said.
        log: String,
    },
    /// The C++ shim did not compile.
    #[error("compiling the C++ shim between Rust and libtorch failed:\n{log}")]
    Shim {
        /// The last of what the compiler said.
        log: String,
    },
    /// The runtime did not compile.
    #[error("building the runtime failed:\n{log}")]
    Build {
        /// The last of what cargo said.
        log: String,
    },
    /// A tool could not be started.
    #[error("cannot run {}", program.display())]
    Tool {
        /// The tool.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is not enough disk space.
    #[error(
        "{what} needs about {} in {}{}",
        size(*needed),
        folder.display(),
        free.map(|free| format!(", where {} are free", size(free))).unwrap_or_default()
    )]
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
    /// The embedded sources could not be laid out as a workspace.
    #[error("the runtime's sources in this program are damaged: {0}")]
    Sources(String),
    /// The home failed.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The process is about to end.
    #[error("set-up was interrupted")]
    Interrupted,
}

impl SetupError {
    /// Whether what builds programs is not in reach.
    pub(super) fn is_for_want_of_tools(&self) -> bool {
        matches!(self, Self::NoToolchain { .. } | Self::NoCompiler { .. } | Self::NoLinker)
    }

    /// What the user can do about it.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NotSetUp { home, .. } => format!(
                "its owner can set it up: OXTORCH_HOME={} oxtorch setup   (with the oxtorch that you use, {}); or unset \
                 OXTORCH_HOME to have a home of your own",
                home.display(),
                env!("CARGO_PKG_VERSION")
            ),
            Self::NoToolchain { rustup: true, .. } => format!("rustup toolchain install {CHANNEL} --profile minimal"),
            Self::NoToolchain { rustup: false, .. } => {
                format!("install rustup (https://rustup.rs), then: rustup toolchain install {CHANNEL} --profile minimal")
            }
            Self::NoCompiler { named: Some(_) } => "set CXX to a C++ compiler, or unset it".to_owned(),
            Self::NoCompiler { named: None } | Self::NoLinker => INSTALL_COMPILER.to_owned(),
            Self::BadLibtorch { .. } => format!(
                "point LIBTORCH at an unpacked libtorch {} or one of a near version, or unset it to have one provided",
                crate::libtorch::VERSION
            ),
            Self::NoLibtorch { .. } => format!(
                "this step needs the network (about 0.6 GB); connect and run `oxtorch setup` again, or put torch {} into \
                 the active Python, or set LIBTORCH to an unpacked libtorch {0}",
                crate::libtorch::VERSION
            ),
            Self::NoCrates { .. } => {
                "this step needs the network (the registry that cargo is set up for); connect and run `oxtorch setup` again"
                    .to_owned()
            }
            Self::DiskFull { .. } => {
                "free some space, or set OXTORCH_HOME to a folder on another disk; then run `oxtorch setup` again".to_owned()
            }
            Self::Home(error) => error.help(),
            Self::Interrupted => "run `oxtorch setup` again: it resumes where it stopped".to_owned(),
            Self::Shim { .. } | Self::Build { .. } | Self::Tool { .. } | Self::Sources(_) => {
                "`oxtorch doctor` shows what is there and what is missing".to_owned()
            }
        })
    }
}

/// Why something that is looked at cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable<Why = String> {
    /// For a reason of its own: something else may do instead.
    Because(Why),
    /// Set-up itself failed.
    Failed(SetupError),
}

impl<Why> Unusable<Why> {
    /// The reason, if it has one of its own.
    pub(crate) fn reason(self) -> Result<Why, SetupError> {
        match self {
            Self::Because(why) => Ok(why),
            Self::Failed(error) => Err(error),
        }
    }
}

impl From<String> for Unusable {
    fn from(why: String) -> Self {
        Self::Because(why)
    }
}

impl From<Unusable> for Unusable<Option<String>> {
    fn from(error: Unusable) -> Self {
        match error {
            Unusable::Because(why) => Self::Because(Some(why)),
            Unusable::Failed(error) => Self::Failed(error),
        }
    }
}

impl<Why> From<SetupError> for Unusable<Why> {
    fn from(error: SetupError) -> Self {
        Self::Failed(error)
    }
}

impl<Why> From<HomeError> for Unusable<Why> {
    fn from(error: HomeError) -> Self {
        Self::Failed(error.into())
    }
}

/// How to get a C++ compiler.
pub const INSTALL_COMPILER: &str = if cfg!(target_os = "macos") {
    "xcode-select --install"
} else {
    "sudo apt-get install g++   (Debian, Ubuntu; Fedora: sudo dnf install gcc-c++)"
};

fn because(why: Option<&str>) -> String {
    why.map(|why| format!(": {why}")).unwrap_or_default()
}

fn no_toolchain(found: Option<&str>) -> String {
    match found {
        Some(found) => format!("Oxtorch needs the Rust toolchain {CHANNEL}, but found {found}"),
        None => format!("Oxtorch needs the Rust toolchain {CHANNEL}; no rustc was found"),
    }
}

fn no_compiler(named: Option<&str>) -> String {
    match named {
        Some(named) => format!("CXX asks for the C++ compiler `{named}`, which cannot be run"),
        None => "there is no C++ compiler (looked for c++, g++ and clang++)".to_owned(),
    }
}

fn list(tried: &[(String, String)]) -> String {
    tried.iter().map(|(source, why)| format!("\n  - {source}: {why}")).collect()
}
