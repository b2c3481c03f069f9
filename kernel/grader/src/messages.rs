//! What the grader and the session in the sandbox say to each other: a JSON object a line, over a socket that nothing
//! of a student's has.
//!
//! The grader says what is run, one cell after the other, so no test is in the sandbox before its turn. The session
//! begins each message with the secret that the first one has told it: whoever else speaks is not heard.

use std::collections::BTreeSet;
use std::path::PathBuf;

use oxtorch_protocol::Told;
use oxtorch_setup::Runtime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What the grader says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum ToSession {
    /// First of all.
    Begin(Box<Begin>),
    /// Run a cell.
    Run(Box<RunCell>),
}

/// What a session is to know.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Begin {
    /// Begins its messages.
    pub(crate) secret: String,
    /// What cells run against.
    pub(crate) runtime: Runtime,
    /// Where the folders are, as the session sees them.
    pub(crate) places: Places,
    /// What is kept of a cell's outputs, in bytes.
    pub(crate) output_limit: usize,
    /// Whether it is in a sandbox, and gives up what leads around that.
    pub(crate) is_confined: bool,
    /// Whether the network can be reached.
    pub(crate) network: bool,
    /// The lines by which a student's cell may ask for crates.
    pub(crate) crates: Vec<String>,
}

/// The folders of a session.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Places {
    /// Where cells work, and find the files that came with the notebook.
    pub(crate) work: PathBuf,
    /// Where the session itself writes.
    pub(crate) own: PathBuf,
    /// Where temporary files go.
    pub(crate) temporary: PathBuf,
    /// The compiled cells of the class.
    pub(crate) cache: PathBuf,
    /// The files that came with the notebook.
    pub(crate) files: Option<PathBuf>,
    /// A folder of the teacher's that is to be put beside the notebook, unless it stands there already.
    pub(crate) data: Option<PathBuf>,
}

/// A cell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct RunCell {
    /// The number in its prompt.
    pub(crate) number: u32,
    /// Its text.
    pub(crate) code: String,
    /// Who has written it.
    pub(crate) author: Author,
    /// The names that a teacher's cell sees of a student's; of a student's cell, the variables that it is to leave as
    /// they are.
    pub(crate) names: BTreeSet<String>,
    /// The longest that it may run, in seconds.
    pub(crate) timeout: f64,
    /// Run it even if the process that runs the cells is a new one.
    pub(crate) anyway: bool,
}

/// Who has written a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Author {
    /// The teacher, in the master's own run.
    Master,
    /// A student.
    Student,
    /// The teacher.
    Teacher,
    /// The teacher, and it is a test.
    Test,
}

/// A message of a session.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FromSession {
    pub(crate) secret: String,
    pub(crate) said: Said,
}

/// What a session says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said {
    /// It is there.
    Ready,
    /// It cannot be.
    Failed {
        /// Why.
        why: String,
    },
    /// The process that ran the cells before has ended, and this one was not run.
    Lost,
    /// A cell has run.
    Ran(Box<Ran>),
}

/// What became of a cell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ran {
    /// The kind of error that ended it, and what it says, if one did.
    pub(crate) error: Option<(String, String)>,
    /// What it showed, as notebook files have it.
    pub(crate) outputs: Vec<Value>,
    /// What it told, if it is a test.
    pub(crate) marks: Vec<Told>,
    /// How long it took.
    pub(crate) seconds: f64,
    /// The names that later cells can use.
    pub(crate) names: BTreeSet<String>,
    /// The process that runs cells has ended by it.
    pub(crate) has_ended_process: bool,
    /// Nothing more can be run.
    pub(crate) is_last: bool,
}
