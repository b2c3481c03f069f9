//! The cells of this session and of earlier ones, for frontends that offer them again.
//!
//! One file a session, a line of JSON a cell. Each file has one writer, so kernels do not disturb each other, also not
//! in a home on a network file system. What a cell resulted in is known in its own session alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wildmatch::WildMatch;

use crate::log::log;

/// How many sessions are kept. A session is a few kilobytes.
const SESSIONS: usize = 1000;

/// How many cells a request for the last ones gets that does not say.
const TAIL: usize = 10;

/// Names another folder to keep sessions in, or says `off`.
const VARIABLE: &str = "OXTORCH_HISTORY";

/// What the user ran.
pub(crate) struct History {
    /// Where sessions are kept; `None` where they are not.
    folder: Option<PathBuf>,
    /// The number of this session. Until the first cell, the one that it will probably have.
    session: u64,
    file: Option<File>,
    cells: Vec<Cell>,
}

/// A cell that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Cell {
    /// The number in its prompt.
    line: u32,
    input: String,
    /// Its value as text.
    #[serde(skip)]
    output: Option<String>,
}

/// What a frontend asks for. Clients leave out what others send.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Request {
    hist_access_type: Access,
    output: Option<bool>,
    /// For a range: a session's number, or counted from this one, which is 0, in negative numbers.
    session: Option<i64>,
    start: Option<i64>,
    stop: Option<i64>,
    n: Option<i64>,
    pattern: Option<String>,
    unique: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Access {
    #[default]
    Range,
    Tail,
    Search,
}

impl History {
    /// A history that is kept in a folder, unless the environment says otherwise.
    pub(crate) fn from_environment(folder: Option<PathBuf>) -> Self {
        Self::open(match std::env::var_os(VARIABLE) {
            Some(off) if off == "off" => None,
            Some(other) if !other.is_empty() => Some(other.into()),
            _ => folder,
        })
    }

    fn open(folder: Option<PathBuf>) -> Self {
        let last = folder.as_deref().map(sessions).and_then(|sessions| sessions.last().copied());
        Self { folder, session: last.unwrap_or(0) + 1, file: None, cells: Vec::new() }
    }

    /// Adds a cell that is about to run.
    pub(crate) fn record(&mut self, line: u32, input: &str) {
        let cell = Cell { line, input: input.to_owned(), output: None };
        if let Some(folder) = self.folder.clone()
            && let Err(error) = self.write(&folder, &cell)
        {
            log(format_args!("the history cannot be kept in {}: {error}", folder.display()));
            self.folder = None;
        }
        self.cells.push(cell);
    }

    /// Adds what the last cell resulted in.
    pub(crate) fn resulted(&mut self, output: String) {
        if let Some(cell) = self.cells.last_mut() {
            cell.output = Some(output);
        }
    }

    fn write(&mut self, folder: &Path, cell: &Cell) -> io::Result<()> {
        if self.file.is_none() {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let kept = sessions(folder);
            for old in kept.iter().rev().skip(SESSIONS - 1) {
                let _ = fs::remove_file(file(folder, *old));
            }
            // Another kernel may have taken the number meanwhile.
            self.file = Some(loop {
                match OpenOptions::new().append(true).create_new(true).mode(0o600).open(file(folder, self.session)) {
                    Err(error) if error.kind() == io::ErrorKind::AlreadyExists => self.session += 1,
                    opened => break opened?,
                }
            });
        }
        let mut line = serde_json::to_string(cell)?;
        line.push('\n');
        self.file.as_mut().map_or(Ok(()), |file| file.write_all(line.as_bytes()))
    }

    /// The content of the reply to a `history_request` with this content.
    pub(crate) fn answer(&self, request: &Value) -> Value {
        let request: Request = match serde_json::from_value(request.clone()) {
            Ok(request) => request,
            Err(error) => {
                return json!({
                    "status": "error", "ename": "InvalidRequest", "traceback": [], "history": [],
                    "evalue": format!("the content of this history_request is not what the protocol asks for: {error}"),
                });
            }
        };
        let found = match request.hist_access_type {
            Access::Range => self.range(&request),
            Access::Tail => self.latest(|_| true, limit(request.n).or(Some(TAIL)), false),
            Access::Search => {
                // Without a pattern everything is meant.
                let pattern = WildMatch::new(request.pattern.as_deref().unwrap_or("*"));
                self.latest(|input| pattern.matches(input), limit(request.n), request.unique.unwrap_or(false))
            }
        };
        let entry = |(session, cell): (u64, Cell)| match request.output {
            Some(true) => json!([session, cell.line, [cell.input, cell.output]]),
            _ => json!([session, cell.line, cell.input]),
        };
        json!({"status": "ok", "history": found.into_iter().map(entry).collect::<Vec<_>>()})
    }

    /// The cells of one session from `start` up to, and without, `stop`, by the numbers in their prompts.
    fn range(&self, request: &Request) -> Vec<(u64, Cell)> {
        let session = match request.session.unwrap_or(0) {
            back @ ..=0 => i64::try_from(self.session).unwrap_or(i64::MAX).saturating_add(back),
            number => number,
        };
        let Ok(session) = u64::try_from(session) else { return Vec::new() };
        let cells = self.cells_of(session);
        let end = cells.last().map_or(1, |cell| i64::from(cell.line) + 1);
        let place = |number: i64| if number < 0 { end + number } else { number };
        let (start, stop) = (place(request.start.unwrap_or(0)), request.stop.map_or(end, place));
        let within = |cell: &Cell| (start..stop).contains(&i64::from(cell.line));
        cells.into_iter().filter(within).map(|cell| (session, cell)).collect()
    }

    /// The last cells of all sessions that `fits`, the oldest first. Of cells with the same text, where they are to be
    /// unique, the last.
    fn latest(&self, fits: impl Fn(&str) -> bool, limit: Option<usize>, unique: bool) -> Vec<(u64, Cell)> {
        let earlier = self.folder.as_deref().map(sessions).unwrap_or_default();
        let earlier = earlier.into_iter().rev().filter(|session| *session < self.session);
        let mut seen = std::collections::HashSet::new();
        let mut found: Vec<(u64, Cell)> = std::iter::once(self.session)
            .chain(earlier)
            .flat_map(|session| self.cells_of(session).into_iter().rev().map(move |cell| (session, cell)))
            .filter(|(_, cell)| fits(&cell.input) && (!unique || seen.insert(cell.input.clone())))
            .take(limit.unwrap_or(usize::MAX))
            .collect();
        found.reverse();
        found
    }

    fn cells_of(&self, session: u64) -> Vec<Cell> {
        if session == self.session {
            return self.cells.clone();
        }
        let text = self.folder.as_deref().map(|folder| fs::read_to_string(file(folder, session)).unwrap_or_default());
        // A kernel that was killed while it wrote has left a part of a line.
        text.unwrap_or_default().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}

/// How many cells are wanted at most; `None` for all.
fn limit(n: Option<i64>) -> Option<usize> {
    n.map(|n| usize::try_from(n).unwrap_or(0))
}

fn file(folder: &Path, session: u64) -> PathBuf {
    folder.join(format!("{session}.jsonl"))
}

/// The numbers of the sessions in a folder, rising.
fn sessions(folder: &Path) -> Vec<u64> {
    let names = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.file_name());
    let mut numbers: Vec<u64> = names.filter_map(|name| name.to_str()?.strip_suffix(".jsonl")?.parse().ok()).collect();
    numbers.sort_unstable();
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(folder: &Path, cells: &[&str]) -> History {
        let mut history = History::open(Some(folder.join("history")));
        for (line, cell) in (1..).zip(cells) {
            history.record(line, cell);
        }
        history
    }

    fn found(history: &History, request: Value) -> Value {
        let reply = history.answer(&request);
        assert_eq!(reply["status"], "ok", "{reply}");
        reply["history"].clone()
    }

    #[test]
    fn the_tail_reaches_into_earlier_sessions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        session(folder.path(), &["a", "b"]);
        let history = session(folder.path(), &["c"]);
        let tail = json!({"hist_access_type": "tail", "n": 2, "output": false, "raw": true});
        assert_eq!(found(&history, tail), json!([[1, 2, "b"], [2, 1, "c"]]));
        assert_eq!(found(&history, json!({"hist_access_type": "tail"})).as_array().map(Vec::len), Some(3));
    }

    #[test]
    fn a_range_counts_sessions_from_this_one() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        session(folder.path(), &["a", "b", "c"]);
        let history = session(folder.path(), &["d"]);
        let range = |session: i64, start: i64, stop: Option<i64>| {
            found(&history, json!({"hist_access_type": "range", "session": session, "start": start, "stop": stop}))
        };
        assert_eq!(range(-1, 2, None), json!([[1, 2, "b"], [1, 3, "c"]]));
        assert_eq!(range(1, 1, Some(3)), json!([[1, 1, "a"], [1, 2, "b"]]));
        assert_eq!(range(1, -1, None), json!([[1, 3, "c"]]));
        assert_eq!(range(0, 0, None), json!([[2, 1, "d"]]));
        assert_eq!(range(-5, 0, None), json!([]));
        assert_eq!(range(7, 0, None), json!([]));
        assert_eq!(found(&history, json!({})), json!([[2, 1, "d"]]), "the default is this session");
    }

    #[test]
    fn a_search_takes_wildcards_and_leaves_the_brackets_of_rust_alone() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        session(folder.path(), &["let v = vec![1];", "fn f() {\n}", "let v = vec![1];"]);
        let history = session(folder.path(), &["let w = 2;"]);
        let search = |pattern: &str, rest: Value| {
            let mut request = json!({"hist_access_type": "search", "pattern": pattern, "output": false});
            request.as_object_mut().expect("is one").extend(rest.as_object().expect("is one").clone());
            found(&history, request)
        };
        assert_eq!(search("*vec![*", json!({"unique": true})), json!([[1, 3, "let v = vec![1];"]]));
        assert_eq!(search("fn f() {*", json!({})), json!([[1, 2, "fn f() {\n}"]]));
        assert_eq!(search("let*", json!({"n": 2})), json!([[1, 3, "let v = vec![1];"], [2, 1, "let w = 2;"]]));
        assert_eq!(search("let ? = 2;", json!({"n": null})), json!([[2, 1, "let w = 2;"]]));
        assert_eq!(search("nothing", json!({})), json!([]));
    }

    #[test]
    fn results_are_there_when_they_are_asked_for() {
        let mut history = History::open(None);
        history.record(1, "1 + 1");
        history.resulted("2".into());
        history.record(2, "let x = 1;");
        let all = json!({"hist_access_type": "tail", "n": 5, "output": true});
        assert_eq!(found(&history, all), json!([[1, 1, ["1 + 1", "2"]], [1, 2, ["let x = 1;", null]]]));
    }

    #[test]
    fn two_kernels_at_once_are_two_sessions() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (mut one, mut other) = (session(folder.path(), &[]), session(folder.path(), &[]));
        one.record(1, "one");
        other.record(1, "other");
        let all = json!({"hist_access_type": "tail", "n": 5});
        assert_eq!(found(&other, all), json!([[1, 1, "one"], [2, 1, "other"]]));
    }

    #[test]
    fn half_a_line_costs_no_more_than_itself() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        session(folder.path(), &["a"]);
        let mut file = OpenOptions::new().append(true).open(folder.path().join("history/1.jsonl")).expect("is there");
        file.write_all(b"{\"line\": 2, \"in").expect("writes");
        let history = session(folder.path(), &["b"]);
        assert_eq!(found(&history, json!({"hist_access_type": "tail"})), json!([[1, 1, "a"], [2, 1, "b"]]));
    }

    #[test]
    fn without_a_place_to_write_this_session_is_remembered() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join("history"), "a file").expect("writes");
        let history = session(folder.path(), &["a"]);
        assert_eq!(found(&history, json!({})), json!([[1, 1, "a"]]));
    }

    #[test]
    fn what_is_no_request_is_an_error() {
        let reply = History::open(None).answer(&json!({"hist_access_type": "guess"}));
        assert_eq!((&reply["status"], &reply["history"]), (&json!("error"), &json!([])));
    }
}
