//! A master notebook: its cells, what each is for, and whether that makes sense.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::marks::{self, MarkError, Region};
use crate::methods;

/// The version of nbgrader's metadata that is read and written.
pub const SCHEMA: u64 = 3;

/// What a cell is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Code.
    Code,
    /// Text.
    Text,
}

/// What a cell is for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Role {
    /// Whatever students do with it.
    Free,
    /// Given, and not to be changed.
    Given,
    /// Students write it; tests in other cells mark it.
    Solution,
    /// Students write it, and somebody reads and marks it.
    Answer {
        /// What it is worth.
        points: f64,
    },
    /// Tests.
    Test {
        /// What they are worth.
        points: f64,
    },
    /// Students add cells behind it, and somebody reads and marks those.
    Task {
        /// What it is worth.
        points: f64,
    },
}

impl Role {
    /// What it is worth, if anything.
    pub fn points(self) -> Option<f64> {
        match self {
            Self::Answer { points } | Self::Test { points } | Self::Task { points } => Some(points),
            Self::Free | Self::Given | Self::Solution => None,
        }
    }

    /// Whether students write it.
    pub fn is_written_by_students(self) -> bool {
        matches!(self, Self::Solution | Self::Answer { .. })
    }
}

/// A cell of a master notebook.
#[derive(Debug, Clone, PartialEq)]
pub struct MasterCell {
    /// Its place among all cells, from 0.
    pub index: usize,
    /// What it is written in.
    pub part: Part,
    /// Its text.
    pub source: String,
    /// What it is for.
    pub role: Role,
    /// What tools call it; empty for a free cell.
    pub id: String,
}

/// Something that is wrong with a master notebook.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The cell's place among all cells, from 1; none where it is about the whole.
    pub cell: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.cell {
            Some(cell) => write!(to, "cell {cell} of the notebook: {}", self.what),
            None => to.write_str(&self.what),
        }
    }
}

/// A master notebook that makes sense.
#[derive(Debug, Clone, PartialEq)]
pub struct Master {
    pub(crate) document: Map<String, Value>,
    /// Its cells, raw ones left out.
    pub cells: Vec<MasterCell>,
}

/// A cell's `metadata.nbgrader`.
#[derive(Debug, Deserialize)]
struct Metadata {
    #[serde(default)]
    schema_version: Option<u64>,
    #[serde(default)]
    grade: bool,
    #[serde(default)]
    solution: bool,
    #[serde(default)]
    locked: bool,
    #[serde(default)]
    task: bool,
    #[serde(default)]
    points: Option<f64>,
    #[serde(default)]
    grade_id: String,
}

impl Master {
    /// Reads a notebook of format 4.
    ///
    /// # Errors
    ///
    /// All that is wrong with it.
    pub fn read(text: &str) -> Result<Self, Vec<Problem>> {
        let whole = |what: String| vec![Problem { cell: None, what }];
        let document: Value = serde_json::from_str(text)
            .map_err(|error| whole(format!("it is no notebook: it is not JSON ({error})")))?;
        let Value::Object(document) = document else {
            return Err(whole("it is no notebook: it is not a JSON object".to_owned()));
        };
        if document.get("nbformat").and_then(Value::as_u64) != Some(4) {
            return Err(whole("it is no notebook of format 4".to_owned()));
        }
        if !document.get("cells").is_some_and(Value::is_array) {
            return Err(whole("it is no notebook: it has no cells".to_owned()));
        }
        let (cells, mut problems) = read_cells(&document);
        problems.extend(twice(&cells));
        problems.extend(methods::lost(&cells));
        if problems.is_empty() && !cells.iter().any(|cell| cell.role.points().is_some()) {
            let what = "nothing in it is worth points: give a test cell `points` in the panel \"Create Assignment\"";
            problems.extend(whole(what.to_owned()));
        }
        if problems.is_empty() { Ok(Self { document, cells }) } else { Err(problems) }
    }

    /// What all of it is worth.
    pub fn points(&self) -> f64 {
        self.cells.iter().filter_map(|cell| cell.role.points()).sum()
    }
}

/// The cells of a notebook as far as they make sense, and what is wrong with the others.
pub(crate) fn read_cells(document: &Map<String, Value>) -> (Vec<MasterCell>, Vec<Problem>) {
    let (mut cells, mut problems) = (Vec::new(), Vec::new());
    let all = document.get("cells").and_then(Value::as_array);
    for (index, cell) in all.into_iter().flatten().enumerate() {
        match read_cell(index, cell) {
            Ok(found) => cells.extend(found),
            Err(what) => problems.push(Problem { cell: Some(index + 1), what }),
        }
    }
    (cells, problems)
}

/// A cell; nothing for one that is neither code nor text.
fn read_cell(index: usize, cell: &Value) -> Result<Option<MasterCell>, String> {
    let part = match cell["cell_type"].as_str() {
        Some("code") => Part::Code,
        Some("markdown") => Part::Text,
        _ => return Ok(None),
    };
    let source = text_of(&cell["source"]);
    let (role, id) = match cell["metadata"].get("nbgrader") {
        None => (Role::Free, String::new()),
        Some(metadata) => {
            let metadata: Metadata = serde_json::from_value(metadata.clone())
                .map_err(|error| format!("its metadata `nbgrader` cannot be read: {error}"))?;
            (role(&metadata, part)?, metadata.grade_id)
        }
    };
    check(&source, role, part)?;
    Ok(Some(MasterCell { index, part, source, role, id }))
}

/// The text of a notebook's field, which may be a list of lines.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}

fn role(metadata: &Metadata, part: Part) -> Result<Role, String> {
    let Metadata { grade, solution, locked, task, .. } = *metadata;
    if metadata.schema_version != Some(SCHEMA) {
        let version = metadata.schema_version.map_or_else(|| "none".to_owned(), |version| version.to_string());
        return Err(format!(
            "its metadata `nbgrader` has the schema {version}, not {SCHEMA}; `nbgrader update .` brings it up to date"
        ));
    }
    if !(grade || solution || locked || task) {
        return Ok(Role::Free);
    }
    let id = &metadata.grade_id;
    if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c)) {
        return Err(format!("its id `{id}` has to consist of letters, digits, `_` and `-`"));
    }
    let points = || match metadata.points {
        Some(points) if points.is_finite() && points >= 0.0 => Ok(points),
        Some(points) => Err(format!("`{id}` cannot be worth {points} points")),
        None => Err(format!("`{id}` is to be graded and has no `points`")),
    };
    Ok(match (grade, solution, task) {
        (_, _, true) => Role::Task { points: points()? },
        (true, true, _) => Role::Answer { points: points()? },
        (true, false, _) if part == Part::Text => {
            return Err(format!(
                "`{id}` is text and to be graded as a test; a text that students write is a solution as well"
            ));
        }
        (true, false, _) => Role::Test { points: points()? },
        (false, true, _) => Role::Solution,
        (false, false, _) => Role::Given,
    })
}

/// Whether the marks in a cell fit what it is for.
fn check(source: &str, role: Role, part: Part) -> Result<(), String> {
    marks::replace(source, |_| None).map_err(|error: MarkError| error.to_string())?;
    if let Some((line, mark)) = marks::mistyped(source) {
        return Err(format!("line {line} looks like a mark and is none: write `{mark}`"));
    }
    if part == Part::Code && marks::has(source, Region::Solution) && !role.is_written_by_students() {
        return Err("it has a solution, and is no cell that students write: set `solution` in its metadata".to_owned());
    }
    if marks::has(source, Region::HiddenTests) && !matches!(role, Role::Test { .. }) {
        return Err("it has hidden tests, and is no test: set `grade` and `points` in its metadata".to_owned());
    }
    if marks::has(source, Region::MarkScheme) && !matches!(role, Role::Task { .. }) {
        return Err("it has a mark scheme, and is no task: set `task` and `points` in its metadata".to_owned());
    }
    Ok(())
}

/// Ids that several cells have.
fn twice(cells: &[MasterCell]) -> Vec<Problem> {
    let mut first = HashMap::new();
    let named = cells.iter().filter(|cell| cell.role != Role::Free);
    let twice = named.filter_map(|cell| {
        let before = first.insert(cell.id.as_str(), cell.index)?;
        let what = format!("its id `{}` is that of cell {} as well", cell.id, before + 1);
        Some(Problem { cell: Some(cell.index + 1), what })
    });
    twice.collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;

    /// A cell with nbgrader's metadata: which of `g`rade, `s`olution, `l`ocked and `t`ask are set.
    pub(crate) fn cell(kind: &str, id: &str, set: &str, points: Option<f64>, source: &str) -> Value {
        let mut nbgrader = json!({
            "schema_version": 3, "grade_id": id, "grade": set.contains('g'), "solution": set.contains('s'),
            "locked": set.contains('l'), "task": set.contains('t'), "cell_type": kind,
        });
        if let Some(points) = points {
            nbgrader["points"] = points.into();
        }
        let mut cell = json!({"cell_type": kind, "id": id, "metadata": {"nbgrader": nbgrader}, "source": source});
        if kind == "code" {
            cell["outputs"] = json!([{"output_type": "stream", "name": "stdout", "text": "seen"}]);
            cell["execution_count"] = 3.into();
        }
        cell
    }

    pub(crate) fn notebook(cells: &[Value]) -> String {
        json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).to_string()
    }

    fn problems(cells: &[Value]) -> Vec<String> {
        let read = Master::read(&notebook(cells));
        read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn cells_are_what_nbgrader_takes_them_for() {
        let cells = [
            cell("code", "given", "l", None, "use tch;"),
            cell("code", "square", "s", None, "fn f() {}"),
            cell("code", "test", "gl", Some(2.5), "assert!(true);"),
            cell("markdown", "why", "gs", Some(4.0), "Because"),
            cell("markdown", "task", "tl", Some(1.0), "Plot it."),
            json!({"cell_type": "markdown", "metadata": {}, "source": ["Read ", "this."]}),
            json!({"cell_type": "raw", "metadata": {}, "source": "raw"}),
        ];
        let master = Master::read(&notebook(&cells)).expect("makes sense");
        let roles: Vec<Role> = master.cells.iter().map(|cell| cell.role).collect();
        assert_eq!(
            roles,
            [
                Role::Given,
                Role::Solution,
                Role::Test { points: 2.5 },
                Role::Answer { points: 4.0 },
                Role::Task { points: 1.0 },
                Role::Free
            ]
        );
        assert_eq!(master.points(), 7.5);
        assert_eq!(master.cells[5].source, "Read this.");
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once_with_what_to_do() {
        let cells = [
            cell("code", "a b", "s", None, ""),
            cell("code", "t", "gl", None, ""),
            cell("code", "t2", "gl", Some(-1.0), ""),
            cell("markdown", "m", "gl", Some(1.0), ""),
            cell("code", "u", "l", None, "// BEGIN SOLUTION\n// END SOLUTION"),
            cell("code", "v", "s", None, "// BEGIN HIDDEN TESTS\n// END HIDDEN TESTS"),
            cell("code", "w", "s", None, "// BEGIN SOLUTION"),
            cell("code", "x", "s", None, ""),
            cell("code", "x", "gl", Some(1.0), ""),
        ];
        let told = problems(&cells);
        for (at, what) in [
            (0, "cell 1 of the notebook: its id `a b` has to consist of letters"),
            (1, "cell 2 of the notebook: `t` is to be graded and has no `points`"),
            (2, "cell 3 of the notebook: `t2` cannot be worth -1 points"),
            (3, "cell 4 of the notebook: `m` is text and to be graded as a test"),
            (4, "cell 5 of the notebook: it has a solution, and is no cell that students write"),
            (5, "cell 6 of the notebook: it has hidden tests, and is no test"),
            (6, "cell 7 of the notebook: line 1: `BEGIN SOLUTION` has no `END SOLUTION`"),
            (7, "cell 9 of the notebook: its id `x` is that of cell 8 as well"),
        ] {
            assert!(told[at].starts_with(what), "{told:#?}");
        }
        assert_eq!(told.len(), 8);
        let old = json!({"cell_type": "code", "metadata": {"nbgrader": {"schema_version": 1}}, "source": ""});
        assert!(problems(&[old])[0].contains("`nbgrader update .`"));
        assert!(problems(&[cell("code", "s", "s", None, "")])[0].contains("nothing in it is worth points"));
        assert!(Master::read("[1]").is_err() && Master::read("{").is_err());
    }
}
