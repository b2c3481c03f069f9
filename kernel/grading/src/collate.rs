//! What of a submission is run: what the student has written, and everything else as the master has it.
//!
//! A cell is known by its `grade_id`. Tests and given cells come from the master whatever the submission has in their
//! place, stand where they stand in the master, and are put back where they were deleted. What a student has added
//! stays behind the cell that it follows. No tag of the submission counts.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use crate::homework::is_unwritten;
use crate::marks::{self, Region};
use crate::master::{Master, MasterCell, Part, Role, text_of};
use crate::release::{as_lines, given, kernelspec};
use crate::results::Flag;

/// A notebook that is no submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoSubmission {
    /// It cannot be read as JSON.
    #[error("it is no notebook: it is not JSON ({0})")]
    NoJson(String),
    /// It is JSON, and no notebook.
    #[error("it is no notebook of format 4")]
    NoNotebook,
    /// It has more cells than anybody writes.
    #[error("it has {0} cells: no more than {MOST_CELLS} are graded")]
    TooManyCells(usize),
}

/// More cells than this are no homework.
const MOST_CELLS: usize = 2000;

/// A cell of what is run.
#[derive(Debug, Clone, PartialEq)]
pub struct Collated {
    /// What it is written in.
    pub part: Part,
    /// What is run of it.
    pub source: String,
    /// What its student may see of that.
    pub shown: String,
    /// The cell of the master that it is, by its place in [`Master::cells`].
    pub of_master: Option<usize>,
    /// Its place in the submission, from 1, unless it was put back.
    pub place: Option<usize>,
    /// Whether it comes from the master.
    pub is_teachers: bool,
}

/// What is run of a submission, and what was noticed.
#[derive(Debug, Clone, PartialEq)]
pub struct Collation {
    /// The cells, in the order in which they run.
    pub cells: Vec<Collated>,
    /// What somebody should look at.
    pub flags: Vec<Flag>,
}

/// A cell that a student has added: its place, from 1, what it is written in, and its text.
type Added = (usize, Part, String);

/// What stands in a submission behind a cell of the master.
#[derive(Default)]
struct Found {
    /// The cell itself: its place, and its text.
    own: Option<(usize, String)>,
    /// The cells that the student has added behind it.
    added: Vec<Added>,
}

impl Collation {
    /// Reads a submission.
    ///
    /// # Errors
    ///
    /// What is no notebook.
    pub fn read(master: &Master, text: &str) -> Result<Self, NoSubmission> {
        let document: Value = serde_json::from_str(text).map_err(|error| NoSubmission::NoJson(error.to_string()))?;
        let cells = document["cells"].as_array().filter(|_| document["nbformat"] == 4);
        let cells = cells.ok_or(NoSubmission::NoNotebook)?;
        if cells.len() > MOST_CELLS {
            return Err(NoSubmission::TooManyCells(cells.len()));
        }
        let mut flags = Vec::new();
        let whole = |what: &str| Flag { cell: None, what: what.to_owned() };
        let language = &document["metadata"]["kernelspec"]["language"];
        if language.as_str().is_some_and(|language| language != "rust") {
            flags.push(whole("it was written for another kernel"));
        }
        let (first, mut found) = sort(master, cells, &mut flags);
        let mut collation = Self { cells: Vec::new(), flags };
        collation.add(first);
        for (at, cell) in master.cells.iter().enumerate() {
            if cell.role == Role::Free {
                continue;
            }
            let Found { own, added } = found.remove(&at).unwrap_or_default();
            collation.put(at, cell, own);
            collation.add(added);
        }
        Ok(collation)
    }

    /// Adds cells of the student's own.
    fn add(&mut self, cells: Vec<Added>) {
        self.cells.extend(cells.into_iter().map(|(place, part, source)| Collated {
            part,
            shown: source.clone(),
            source,
            of_master: None,
            place: Some(place),
            is_teachers: false,
        }));
    }

    /// Adds a cell that the master has.
    fn put(&mut self, at: usize, cell: &MasterCell, own: Option<(usize, String)>) {
        let is_teachers = !cell.role.is_written_by_students();
        let (place, written) = own.unzip();
        let id = &cell.id;
        let mut flag = |what: String| self.flags.push(Flag { cell: place, what });
        match &written {
            None if is_teachers => flag(format!("`{id}` was deleted, and has been put back")),
            None => flag(format!("`{id}` was deleted")),
            Some(written) if is_teachers && written.trim() != given(cell).trim() => {
                flag(format!("`{id}` was changed, and has been restored"));
            }
            Some(_) => {}
        }
        let (source, shown) = match written {
            Some(written) if !is_teachers => (written.clone(), written),
            None if !is_teachers => (String::new(), String::new()),
            _ => (cell.source.clone(), given(cell)),
        };
        self.cells.push(Collated { part: cell.part, source, shown, of_master: Some(at), place, is_teachers });
    }

    /// What a student has written for a question that somebody has to read, and in which cells: the cell itself, or
    /// what was added behind it. A task is answered behind it; other answers may be, by whoever has left the stub as it
    /// was.
    pub fn answer(&self, master: &Master, at: usize) -> (String, Vec<usize>) {
        let Some(start) = self.cells.iter().position(|cell| cell.of_master == Some(at)) else {
            return Default::default();
        };
        let cell = &master.cells[at];
        let is_own = !matches!(cell.role, Role::Task { .. }) && !is_unwritten(cell, &self.cells[start].source);
        let added = (start + 1..self.cells.len()).take_while(|place| self.cells[*place].of_master.is_none());
        let places: Vec<usize> = if is_own { vec![start] } else { added.collect() };
        let texts: Vec<&str> = places.iter().map(|place| self.cells[*place].source.as_str()).collect();
        (texts.join("\n\n"), places)
    }

    /// The notebook as its student may see it, with what each cell has shown.
    pub fn notebook(&self, outputs: &[Vec<Value>]) -> Value {
        let mut count = 0;
        let cells = self.cells.iter().zip(outputs).map(|(cell, outputs)| match cell.part {
            Part::Text => json!({"cell_type": "markdown", "metadata": {}, "source": as_lines(&cell.shown)}),
            Part::Code => {
                count += 1;
                json!({
                    "cell_type": "code",
                    "metadata": {},
                    "execution_count": count,
                    "source": as_lines(&cell.shown),
                    "outputs": outputs,
                })
            }
        });
        let cells: Vec<Value> = cells.collect();
        json!({"nbformat": 4, "nbformat_minor": 4, "metadata": {"kernelspec": kernelspec()}, "cells": cells})
    }
}

/// How a question is marked by hand: what the master has in the place of the answer.
pub fn rubric(cell: &MasterCell) -> String {
    match cell.role {
        Role::Task { .. } => marks::within(&cell.source, Region::MarkScheme),
        _ if marks::has(&cell.source, Region::Solution) => marks::within(&cell.source, Region::Solution),
        _ => cell.source.clone(),
    }
}

/// Sorts the cells of a submission by the master's cell that each follows or is.
fn sort(master: &Master, cells: &[Value], flags: &mut Vec<Flag>) -> (Vec<Added>, BTreeMap<usize, Found>) {
    let ids: BTreeMap<&str, usize> = master
        .cells
        .iter()
        .enumerate()
        .filter(|(_, cell)| cell.role != Role::Free)
        .map(|(at, cell)| (cell.id.as_str(), at))
        .collect();
    let (mut first, mut found): (Vec<_>, BTreeMap<usize, Found>) = (Vec::new(), BTreeMap::new());
    let (mut seen, mut last) = (HashSet::new(), None);
    for (index, cell) in cells.iter().enumerate() {
        let (place, source) = (index + 1, text_of(&cell["source"]));
        let part = match cell["cell_type"].as_str() {
            Some("code") => Part::Code,
            Some("markdown") => Part::Text,
            _ => continue,
        };
        let id = cell["metadata"]["nbgrader"]["grade_id"].as_str();
        let known = id.and_then(|id| ids.get(id).copied());
        let mut flag = |what: String| flags.push(Flag { cell: Some(place), what });
        match known {
            Some(at) if master.cells[at].part != part => {
                flag(format!("`{}` is a cell of another kind here, and does not count", master.cells[at].id));
            }
            Some(at) if seen.insert(at) => {
                if last.is_some_and(|last| last > at) {
                    flag(format!("`{}` stands in another place", master.cells[at].id));
                }
                last = Some(at);
                found.entry(at).or_default().own = Some((place, source));
            }
            Some(at) => flag(format!("`{}` is there twice: the first one counts", master.cells[at].id)),
            None => match last {
                Some(at) => found.entry(at).or_default().added.push((place, part, source)),
                None => first.push((place, part, source)),
            },
        }
    }
    (first, found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::master::tests::{cell, notebook};
    use crate::release;

    fn master() -> Master {
        let test = "assert!(f() > 0);\n// BEGIN HIDDEN TESTS\nassert_eq!(f(), 42);\n// END HIDDEN TESTS";
        let cells = [
            cell("code", "given", "l", None, "let x = 1;"),
            cell("code", "f", "s", None, "fn f() -> i64 { 42 }"),
            cell("code", "t", "gl", Some(1.0), test),
            cell("markdown", "why", "gs", Some(2.0), "Since 42 is the answer."),
            cell("markdown", "plot", "tl", Some(2.0), "Plot.\nBEGIN MARK SCHEME\naxes: 1\nEND MARK SCHEME"),
        ];
        Master::read(&notebook(&cells)).expect("makes sense")
    }

    fn collate(change: impl FnOnce(&mut Vec<Value>)) -> Collation {
        let master = master();
        let mut released = release(&master);
        change(released["cells"].as_array_mut().expect("has cells"));
        Collation::read(&master, &released.to_string()).expect("is a notebook")
    }

    fn told(collation: &Collation) -> Vec<String> {
        collation.flags.iter().map(ToString::to_string).collect()
    }

    fn free(source: &str) -> Value {
        json!({"cell_type": "code", "metadata": {"tags": ["skip-execution"]}, "source": source, "outputs": []})
    }

    #[test]
    fn what_students_have_written_runs_among_the_masters_cells() {
        let collation = collate(|cells| {
            cells[1]["source"] = "fn f() -> i64 { 41 }".into();
            cells.insert(0, free("mine"));
            cells.insert(3, free("f()"));
            cells.push(free("plot()"));
        });
        let sources: Vec<&str> = collation.cells.iter().map(|cell| cell.source.as_str()).collect();
        assert_eq!(sources[..4], ["mine", "let x = 1;", "fn f() -> i64 { 41 }", "f()"]);
        assert!(sources[4].contains("assert_eq!(f(), 42)") && !collation.cells[4].shown.contains("42"));
        assert_eq!(told(&collation), [""; 0]);
        // The stub is left, and nothing stands behind it.
        assert_eq!(collation.answer(&master(), 3), (String::new(), vec![]));
        assert_eq!(collation.answer(&master(), 4), ("plot()".to_owned(), vec![7]));
        assert_eq!(rubric(&master().cells[4]), "axes: 1");
        let shown = collation.notebook(&vec![Vec::new(); collation.cells.len()]).to_string();
        assert!(!shown.contains("42") && !shown.contains("axes") && !shown.contains("tags"), "{shown}");
    }

    #[test]
    fn tests_and_given_cells_are_those_of_the_master_whatever_the_submission_has() {
        let collation = collate(|cells| {
            let mut second = cells[1].clone();
            second["source"] = "fn f() -> i64 { 0 }".into();
            cells[0]["source"] = "let x = 2;".into();
            cells[2]["source"] = "".into();
            cells.push(second);
            cells.remove(3);
            cells.swap(0, 1);
        });
        let sources: Vec<&str> = collation.cells.iter().map(|cell| cell.source.as_str()).collect();
        assert_eq!(sources[0], "let x = 1;");
        assert!(sources[1].contains("todo!()") && sources[2].contains("assert_eq!(f(), 42)"));
        assert_eq!(
            told(&collation),
            [
                "cell 2: `given` stands in another place",
                "cell 5: `f` is there twice: the first one counts",
                "cell 2: `given` was changed, and has been restored",
                "cell 3: `t` was changed, and has been restored",
                "`why` was deleted",
            ]
        );
    }

    #[test]
    fn an_answer_beside_its_stub_is_one() {
        let collation = collate(|cells| cells.insert(4, free("// Since it is.")));
        assert_eq!(collation.answer(&master(), 3), ("// Since it is.".to_owned(), vec![4]));
    }

    #[test]
    fn what_is_no_notebook_is_told() {
        let read = |text: &str| Collation::read(&master(), text).map_err(|error| error.to_string());
        let deep = "[".repeat(100_000);
        for text in ["{", &deep] {
            assert!(read(text).is_err_and(|told| told.contains("it is not JSON")));
        }
        for text in ["[1]", "{}", r#"{"nbformat": 3, "cells": []}"#, r#"{"nbformat": 4, "cells": 7}"#] {
            assert_eq!(read(text), Err("it is no notebook of format 4".to_owned()), "{text}");
        }
        let odd = r#"{"nbformat": 4, "cells": [7, null, {"cell_type": "code", "source": 7, "metadata": []}]}"#;
        assert_eq!(read(odd).expect("is one").cells.len(), 6);
    }
}
