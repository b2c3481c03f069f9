//! The messages between the kernel and its host process: one JSON object a line over a Unix socket.
//!
//! The kernel compiles cells and the host runs them. What the user's code prints does not pass through here: it goes
//! over the host's stdout and stderr pipes as raw bytes. The host flushes stdout before it sends a message, and the
//! kernel drains both pipes before it acts on one, so the order the user wrote is the order the user sees.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

mod path;

/// The file descriptor on which the host finds its end of the control socket: stdin, which a cell has no other use for.
pub const CONTROL_FD: i32 = 0;

/// The environment variable of a process whose messages to the kernel travel on stdout, for want of a control socket.
pub const STDOUT_CHANNEL: &str = "OXTORCH_STDOUT_CHANNEL";

/// The environment variable in which a host gets the folders of its shared libraries.
pub const LIBRARY_PATH: &str = if cfg!(target_os = "macos") { "DYLD_LIBRARY_PATH" } else { "LD_LIBRARY_PATH" };

/// The one in which it gets what its user has set that to, if they have: cells and what they start see that.
pub const USERS_LIBRARY_PATH: &str = "OXTORCH_USERS_LIBRARY_PATH";

/// Begins such a message; its line end ends it.
pub const STDOUT_MARK: char = '\u{1}';

/// The longest message that a host may send, in bytes without the line end.
pub const LONGEST_MESSAGE: usize = 128 << 20;

/// How many levels the JSON of a display may nest. What reads notebooks takes a few more.
pub const DEEPEST_DATA: usize = 100;

/// What the kernel asks of the host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToHost {
    /// Load a compiled cell (if it is not loaded yet) and run it.
    Run(Run),
    /// End the cell of that number at its next checkpoint; nothing if it has ended already.
    Interrupt {
        /// The number in its [`Run`].
        id: u64,
    },
    /// The answer to [`FromHost::Input`]; `None` when the frontend cannot ask its user.
    Input {
        /// What the user typed, without the line end.
        value: Option<String>,
    },
    /// The [`FromHost::Display`], [`FromHost::ClearOutput`] or [`FromHost::Comm`] that was sent last has been passed
    /// on, after everything that was printed ahead of it. The host prints nothing more until this comes: the pipes
    /// tell no order against the socket.
    Shown,
    /// Drop variables from the store.
    Forget {
        /// The variables' names.
        names: Vec<String>,
    },
    /// Work in another folder or with other environment variables from the next cell on.
    Surroundings(Surroundings),
    /// Drop the variables and end the process; a cell that runs is interrupted.
    Shutdown,
}

/// What a host is told of the world around it; a new host is told the same.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Surroundings {
    /// The working directory; `None` for the one that it was started in.
    #[serde(default, with = "path")]
    pub dir: Option<PathBuf>,
    /// Environment variables that differ from those of the kernel; `None` for one that is not set.
    pub env: BTreeMap<String, Option<String>>,
}

/// One cell to run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Counts the runs of this host, from 1.
    pub id: u64,
    /// The cell's shared library; `None` where there is no more to do than to forget variables.
    #[serde(default, with = "path")]
    pub library: Option<PathBuf>,
    /// The exported function in it; `None` loads the library only (a cell of items alone).
    pub symbol: Option<String>,
    /// Whether `input()` may ask the frontend.
    pub allow_stdin: bool,
    /// Variables to drop from the store first. What that shows is the cell's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forget: Vec<String>,
    /// What a frontend has to say to the widgets, in place of a cell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub comm: Option<CommRequest>,
    /// The key of a test that is graded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<String>,
    /// Whether the file of the library is removed once it is loaded: what it tests is not to be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub once: bool,
}

/// What a test tells of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mark {
    /// That of its run.
    pub key: String,
    /// What it tells.
    pub told: Told,
}

/// What a test can tell of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Told {
    /// It gives points.
    Points {
        /// How many.
        points: f64,
        /// What the student is told of them.
        message: String,
    },
    /// It has come to its end.
    Ended,
}

/// What goes through a comm, a channel between an object here and its twin in the frontend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comm {
    /// Which comm it is.
    pub id: String,
    /// What is done to it.
    pub action: CommAction,
    /// What is said.
    pub data: Map<String, Value>,
    /// How it is meant, such as the version of what is said.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Map<String, Value>,
}

/// What is done to a comm.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommAction {
    /// `comm_open`: there is a new one, for the object of the other side that has this name.
    Open {
        /// The name.
        target: String,
    },
    /// `comm_msg`
    Message,
    /// `comm_close`
    Close,
}

/// A comm's message from a frontend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CommRequest {
    /// The message.
    pub comm: Comm,
    /// The number of the request that brought it. What is shown while it is acted on answers that request.
    pub request: String,
}

/// What the host tells the kernel.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromHost {
    /// The runtime is loaded; cells can run.
    Ready(Ready),
    /// Something to show.
    Display(Display),
    /// Clear the output of the running cell.
    ClearOutput {
        /// Wait with clearing until the next output comes.
        wait: bool,
    },
    /// Something for the twin of a widget, after what was printed ahead of it, as a [`Display`](FromHost::Display).
    Comm(Comm),
    /// The cell asks for a line of input.
    Input {
        /// Shown to the user ahead of the field.
        prompt: String,
        /// Whether the frontend should hide what is typed.
        password: bool,
    },
    /// What the runtime has to tell the user while no cell runs.
    Note {
        /// A line of text.
        text: String,
    },
    /// A test tells of itself.
    Mark(Mark),
    /// The cell that was asked for last has ended.
    Done(Box<Done>),
}

/// What the host found at its start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// The process id, for signals.
    pub pid: u32,
    /// The default device: `cpu`, `cuda:0`...
    pub device: String,
    /// Anything a user should know about the device, such as why a GPU is not used.
    pub note: Option<String>,
}

/// How a display reaches the frontend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisplayKind {
    /// `display_data`
    Data,
    /// `update_display_data`
    Update,
    /// `execute_result`, the value of the trailing expression
    Result,
}

/// A MIME bundle on its way to the frontend.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Display {
    /// The Jupyter message this becomes.
    pub kind: DisplayKind,
    /// MIME type to data; binary types (images) in base64.
    pub data: Map<String, Value>,
    /// MIME type to metadata, such as an image's width and height.
    #[serde(default)]
    pub metadata: Map<String, Value>,
    /// Names the display for later updates.
    #[serde(default)]
    pub display_id: Option<String>,
}

/// How a cell ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// The number of the run that has ended.
    pub run: u64,
    /// What became of the cell's code.
    pub outcome: Outcome,
    /// The variables put into the store by this cell.
    pub kept: Vec<Kept>,
    /// What it took to run.
    #[serde(default)]
    pub cost: Cost,
    /// The working directory that the cell has left behind, where it still exists.
    #[serde(default, with = "path")]
    pub dir: Option<PathBuf>,
    /// What the cell was asked to say of variables.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub described: Vec<Described>,
    /// Where operations use fewer threads than they could: how many, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threads: Option<String>,
    /// What the cell measured, for `%timeit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timing: Option<Timing>,
    /// What the runtime has to tell the user about the cell, such as what in it has no effect.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the twins of widgets are told last, once the user has been told of the outcome.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub comms: Vec<Comm>,
}

/// What running a cell took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// Time on the clock.
    pub wall: Duration,
    /// Processor time of all threads, in the program itself.
    pub user: Duration,
    /// Processor time of all threads, in the operating system.
    pub system: Duration,
}

/// What a value is like, in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Described {
    /// The variable's name.
    pub name: String,
    /// Its shape, length or value.
    pub what: String,
    /// The device, of values that are on one.
    pub device: Option<String>,
}

/// Several runs of the same code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timing {
    /// How often a run executes the code.
    pub loops: u64,
    /// How long each run took, all its loops together.
    pub runs: Vec<Duration>,
}

/// A variable that a cell has put into the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Its name.
    pub name: String,
    /// Which of the cell's variables of that name it is, as the kernel numbered them.
    pub id: usize,
}

/// What became of a cell's code.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Outcome {
    /// It ran to its end.
    #[default]
    Ok,
    /// A `?` at the top level met an error.
    Failed {
        /// The error and its causes.
        message: String,
        /// Where the `?` stands.
        place: Option<Frame>,
    },
    /// It panicked.
    Panicked {
        /// The panic's message.
        message: String,
        /// The frames of the backtrace that have a source line, innermost first.
        frames: Vec<Frame>,
    },
    /// An interrupt was taken at a checkpoint.
    Interrupted,
    /// The cell's library could not be loaded.
    NotLoaded {
        /// The dynamic linker's message.
        message: String,
    },
}

/// A line of source in a backtrace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// The file as the compiler named it.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based; 0 where unknown.
    pub column: u32,
}

/// Whether JSON nests more levels than [`DEEPEST_DATA`], without calling itself for each.
pub fn is_too_deep(value: &Value) -> bool {
    let mut left = vec![(value, 1)];
    while let Some((value, depth)) = left.pop() {
        match value {
            Value::Array(_) | Value::Object(_) if depth > DEEPEST_DATA => return true,
            Value::Array(values) => left.extend(values.iter().map(|value| (value, depth + 1))),
            Value::Object(values) => left.extend(values.values().map(|value| (value, depth + 1))),
            _ => {}
        }
    }
    false
}

/// Writes one message as a line. One that is longer than [`LONGEST_MESSAGE`] is not written, which is an error of the
/// kind [`io::ErrorKind::FileTooLarge`].
pub fn write_message<T: Serialize>(to: &mut impl io::Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    if line.len() > LONGEST_MESSAGE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    line.push(b'\n');
    to.write_all(&line)?;
    to.flush()
}

/// Reads the next message; `None` when the other side has closed the socket.
pub fn read_message<T: DeserializeOwned>(from: &mut impl io::BufRead) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    if from.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_slice(&line)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        let message = FromHost::Done(Box::new(Done {
            run: 3,
            outcome: Outcome::Panicked {
                message: "a\nb".into(),
                frames: vec![Frame { file: "cell_1.rs".into(), line: 3, column: 7 }],
            },
            kept: vec![Kept { name: "net".into(), id: 0 }],
            cost: Cost { wall: Duration::from_millis(3), ..Cost::default() },
            dir: Some("/home".into()),
            described: vec![Described { name: "net".into(), what: "8 bytes".into(), device: None }],
            threads: Some("1 of 2".into()),
            timing: Some(Timing { loops: 10, runs: vec![Duration::from_micros(7)] }),
            notes: vec!["the name belongs to the new layer".into()],
            comms: Vec::new(),
        }));
        let mut bytes = Vec::new();
        write_message(&mut bytes, &message).expect("writes to memory");
        assert_eq!(bytes.iter().filter(|byte| **byte == b'\n').count(), 1);
        let read: Option<FromHost> = read_message(&mut bytes.as_slice()).expect("reads back");
        assert_eq!(read, Some(message));
    }

    #[test]
    fn data_may_nest_a_hundred_levels() {
        let nested = |depth| (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
        assert!(!is_too_deep(&nested(DEEPEST_DATA)));
        assert!(is_too_deep(&nested(DEEPEST_DATA + 1)));
        let data = Map::from_iter([("application/json".to_owned(), nested(DEEPEST_DATA))]);
        let deep = Display { kind: DisplayKind::Data, metadata: data.clone(), data, display_id: None };
        let mut bytes = Vec::new();
        write_message(&mut bytes, &FromHost::Display(deep.clone())).expect("writes to memory");
        let read: Option<FromHost> = read_message(&mut bytes.as_slice()).expect("reads back");
        assert_eq!(read, Some(FromHost::Display(deep)));
    }

    #[test]
    fn a_folder_of_any_name_can_be_told() {
        use std::os::unix::ffi::OsStringExt;
        for name in [&b"/home/a"[..], b"/home/\xff\xfe", "/home/\u{6570}".as_bytes()] {
            let dir = Some(PathBuf::from(std::ffi::OsString::from_vec(name.to_vec())));
            let message = ToHost::Surroundings(Surroundings { dir, env: BTreeMap::new() });
            let mut bytes = Vec::new();
            write_message(&mut bytes, &message).expect("writes to memory");
            let read: Option<ToHost> = read_message(&mut bytes.as_slice()).expect("reads back");
            assert_eq!(read, Some(message));
        }
        let none: Surroundings = serde_json::from_str(r#"{"env": {}}"#).expect("is whole");
        assert_eq!(none, Surroundings::default());
    }

    #[test]
    fn a_closed_socket_is_the_end_and_not_an_error() {
        let read: Option<ToHost> = read_message(&mut io::empty()).expect("the end of a stream is no error");
        assert_eq!(read, None);
    }
}
