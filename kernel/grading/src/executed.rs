//! What a run has left in a notebook's cells.

use std::fmt;

use serde_json::{Map, Value};

use crate::master::{MasterCell, text_of};
use crate::words::words;

/// A cell with this tag may fail.
pub(crate) const MAY_FAIL: &str = "raises-exception";

/// The error that ended a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CellError {
    /// What it is called.
    pub(crate) kind: String,
    /// What it says.
    pub(crate) message: String,
}

impl fmt::Display for CellError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}: {}", self.kind, self.message)
    }
}

/// What a cell of a notebook shows.
pub(crate) fn outputs<'a>(notebook: &'a Map<String, Value>, cell: &MasterCell) -> &'a [Value] {
    let cell = notebook.get("cells").and_then(|cells| cells.get(cell.index));
    cell.and_then(|cell| cell["outputs"].as_array()).map(Vec::as_slice).unwrap_or_default()
}

/// What a test has given that is run without a grader: `points` prints a line then. All it is worth where its text has
/// no call of that.
pub(crate) fn points_given(notebook: &Map<String, Value>, cell: &MasterCell) -> f64 {
    let of = cell.role.points().unwrap_or_default();
    if !gives_points(&cell.source) {
        return if error_of(notebook, cell).is_none() { of } else { 0.0 };
    }
    let texts = outputs(notebook, cell).iter().filter(|output| output["name"] == "stdout");
    let texts: String = texts.map(|output| text_of(&output["text"])).collect();
    let given = texts.lines().filter_map(|line| {
        let (points, rest) = line.split_once(' ')?;
        (rest.starts_with("points: ") || rest.starts_with("point: ")).then(|| points.parse::<f64>().ok()).flatten()
    });
    given.filter(|points| *points > 0.0).sum()
}

/// Whether the text of a test has a call of `points`: then it gives points where something holds, and none where
/// nothing does.
pub fn gives_points(source: &str) -> bool {
    let words: Vec<&str> = words(source).map(|(_, word)| word).collect();
    (0..words.len()).any(|at| words[at..].starts_with(&["points", "("]) && (at == 0 || words[at - 1] != "."))
}

/// The error that ended a cell, if one did.
pub(crate) fn error_of(notebook: &Map<String, Value>, cell: &MasterCell) -> Option<CellError> {
    let error = outputs(notebook, cell).iter().find(|output| output["output_type"] == "error")?;
    let text = |key: &str| error[key].as_str().unwrap_or_default().to_owned();
    Some(CellError { kind: text("ename"), message: text("evalue") })
}

/// The same of a cell that may not fail.
pub(crate) fn failure_of(notebook: &Map<String, Value>, cell: &MasterCell) -> Option<CellError> {
    error_of(notebook, cell).filter(|_| !has_tag(notebook, cell, MAY_FAIL))
}

/// Whether a cell has a tag.
pub(crate) fn has_tag(notebook: &Map<String, Value>, cell: &MasterCell, tag: &str) -> bool {
    let cell = notebook.get("cells").and_then(|cells| cells.get(cell.index));
    let tags = cell.and_then(|cell| cell["metadata"]["tags"].as_array());
    tags.is_some_and(|tags| tags.iter().any(|other| other == tag))
}
