//! What a student should know of a notebook before it is handed in.

use std::fmt;

use serde_json::{Map, Value};

use crate::executed::{failure_of, has_tag, outputs, points_given};
use crate::master::{MasterCell, Part, Role, read_cells, text_of};
use crate::release::TEXT_STUB;

/// Stands in what is still to be written.
const TO_WRITE: &str = "YOUR CODE HERE";

/// A cell with this tag has to show a figure.
const FIGURE: &str = "figure";

/// What is found of a cell without a number.
const UNRUN: &str = "it was not run, and has no outputs";

/// Something that a student should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cell's place among all cells, from 1.
    pub cell: usize,
    /// The number in its prompt, where it has one.
    pub prompt: Option<u64>,
    /// What is wrong with it, and what to do.
    pub what: String,
    /// Whether it costs points, and is more than something to look at.
    pub is_wrong: bool,
}

impl fmt::Display for Finding {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "cell {} of the notebook", self.cell)?;
        if let Some(prompt) = self.prompt {
            write!(to, ", [{prompt}]")?;
        }
        write!(to, ": {}", self.what)
    }
}

/// A notebook as it is about to be handed in, and what came of it in a run from its first cell to its last.
#[derive(Debug)]
pub struct Homework {
    cells: Vec<MasterCell>,
    saved: Map<String, Value>,
    executed: Map<String, Value>,
}

impl Homework {
    /// Takes the notebook as it is saved, and as a run in a new kernel has left it.
    pub fn new(saved: Map<String, Value>, executed: Map<String, Value>) -> Self {
        Self { cells: read_cells(&saved).0, saved, executed }
    }

    /// The points of the visible tests that pass, and those of all of them.
    pub fn points(&self) -> (f64, f64) {
        let tests = self.cells.iter().filter(|cell| matches!(cell.role, Role::Test { .. }));
        let points = tests.map(|cell| {
            let of = cell.role.points().unwrap_or_default();
            (points_given(&self.executed, cell).min(of), of)
        });
        points.fold((0.0, 0.0), |(got, of), (given, worth)| (got + given, of + worth))
    }

    /// What its author should know, from the first cell to the last.
    pub fn findings(&self) -> Vec<Finding> {
        let mut last: Option<(u64, usize)> = None;
        let mut findings = Vec::new();
        for cell in &self.cells {
            let prompt = self.saved["cells"][cell.index]["execution_count"].as_u64();
            let mut find = |is_wrong: bool, what: String| {
                findings.push(Finding { cell: cell.index + 1, prompt, what, is_wrong });
            };
            if is_unwritten(cell, &cell.source) {
                find(true, "it is not written yet".to_owned());
            }
            if cell.part == Part::Text || cell.source.trim().is_empty() {
                continue;
            }
            match (prompt, last) {
                (None, _) => find(false, UNRUN.to_owned()),
                (Some(prompt), Some((before, place))) if prompt < before => find(
                    false,
                    format!("it ran before cell {place} above it, [{before}]: run all cells from the top, and save"),
                ),
                (Some(prompt), _) => last = Some((prompt, cell.index + 1)),
            }
            if let Some(error) = failure_of(&self.executed, cell) {
                let what = if matches!(cell.role, Role::Test { .. }) { "the test does not pass" } else { "it fails" };
                find(true, format!("{what} in a run from the top: {error}"));
            } else if let Some((given, of)) = self.partial(cell) {
                find(
                    false,
                    format!("the test that you see gives {given} of {of} points; what is hidden may give more"),
                );
            } else if prompt.is_some() && !is_check(cell) && shown(&self.saved, cell) != shown(&self.executed, cell) {
                find(false, "what it shows in a run from the top is not what is saved".to_owned());
            }
            if has_tag(&self.saved, cell, FIGURE) && !self.shows_figure(cell) {
                find(true, "it has to show a figure, and shows none".to_owned());
            }
        }
        together(findings)
    }

    /// What a test gives, if that is not all that it is worth.
    fn partial(&self, cell: &MasterCell) -> Option<(f64, f64)> {
        let Role::Test { points: of } = cell.role else { return None };
        let given = points_given(&self.executed, cell);
        (given < of).then_some((given, of))
    }

    fn shows_figure(&self, cell: &MasterCell) -> bool {
        let is_picture = |data: &Map<String, Value>| data.keys().any(|kind| kind.starts_with("image/"));
        outputs(&self.executed, cell).iter().any(|output| output["data"].as_object().is_some_and(is_picture))
    }
}

/// Findings in which cells that were not run are one, with how many they are.
fn together(mut findings: Vec<Finding>) -> Vec<Finding> {
    let is_unrun = |finding: &Finding| finding.what == UNRUN;
    let others = match findings.iter().filter(|finding| is_unrun(finding)).count() {
        0 | 1 => return findings,
        2 => "was 1 other cell".to_owned(),
        count => format!("were {} other cells", count - 1),
    };
    if let Some(first) = findings.iter_mut().find(|finding| is_unrun(finding)) {
        first.what = format!("it was not run, and neither {others}: run all cells from the top, and save");
    }
    findings.retain(|finding| !is_unrun(finding));
    findings
}

/// Whether a cell asks for this very check, which shows nothing within itself.
fn is_check(cell: &MasterCell) -> bool {
    matches!(cell.source.split_whitespace().next(), Some(":check" | "%check"))
}

/// What a cell shows, as text.
fn shown(notebook: &Map<String, Value>, cell: &MasterCell) -> String {
    let texts = outputs(notebook, cell).iter().map(|output| match output["output_type"].as_str() {
        Some("stream") => text_of(&output["text"]),
        _ => text_of(&output["data"]["text/plain"]) + "\n",
    });
    texts.collect()
}

/// Whether students have left a cell as they got it: what they have in its place is `text`.
pub fn is_unwritten(cell: &MasterCell, text: &str) -> bool {
    if !cell.role.is_written_by_students() {
        return false;
    }
    let text = text.trim();
    match cell.part {
        Part::Code => text.is_empty() || (text.contains(TO_WRITE) && text.contains("todo!()")),
        Part::Text => text.is_empty() || text == TEXT_STUB,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::master::tests::{cell, notebook};

    fn ran(mut cell: Value, count: Option<u64>, shows: &str) -> Value {
        cell["execution_count"] = count.into();
        cell["outputs"] = match shows.split_once(' ') {
            _ if shows.is_empty() => json!([]),
            Some(("error", evalue)) => {
                json!([{"output_type": "error", "ename": "Panic", "evalue": evalue, "traceback": []}])
            }
            Some(("figure", text)) => {
                json!([{"output_type": "display_data", "metadata": {}, "data": {"image/png": "aGk=", "text/plain": text}}])
            }
            _ => json!([{"output_type": "stream", "name": "stdout", "text": [shows]}]),
        };
        cell
    }

    fn free(source: &str, tag: &str) -> Value {
        json!({"cell_type": "code", "metadata": {"tags": [tag]}, "source": source})
    }

    /// Cells with their number, what is saved of them, and what they show in a run from the top.
    fn homework(cells: &[(Value, Option<u64>, &str, &str)]) -> Homework {
        let whole = |executed: bool| {
            let cells = cells.iter().map(|(cell, count, saved, shows)| match cell["cell_type"].as_str() {
                Some("code") => ran(cell.clone(), *count, if executed { shows } else { saved }),
                _ => cell.clone(),
            });
            serde_json::from_str(&notebook(&cells.collect::<Vec<_>>())).expect("is JSON")
        };
        Homework::new(whole(false), whole(true))
    }

    #[test]
    fn a_notebook_that_ran_from_the_top_is_ready() {
        let homework = homework(&[
            (free("let x = 1;", "-"), Some(1), "", ""),
            (cell("code", "f", "s", None, "fn f() -> i64 { todo!() }"), Some(2), "", ""),
            (cell("code", "t", "gl", Some(2.0), "assert!(f() > 0)"), Some(3), "", ""),
            (cell("markdown", "why", "gs", Some(1.0), "Because."), None, "", ""),
            (free("figure()", "figure"), Some(4), "figure <Figure>", "figure <Figure>"),
            (free("boom()", "raises-exception"), Some(5), "error as told", "error as told"),
        ]);
        assert_eq!(homework.findings(), []);
        assert_eq!(homework.points(), (2.0, 2.0));
    }

    #[test]
    fn cells_that_were_not_run_are_told_once() {
        let unrun = (free("x", "-"), None, "", "");
        let told = |count: usize| -> Vec<String> {
            let cells = vec![unrun.clone(); count];
            homework(&cells).findings().iter().map(ToString::to_string).collect()
        };
        assert_eq!(told(1), ["cell 1 of the notebook: it was not run, and has no outputs"]);
        let end = "run all cells from the top, and save";
        assert_eq!(told(2), [format!("cell 1 of the notebook: it was not run, and neither was 1 other cell: {end}")]);
        assert_eq!(
            told(4)[0],
            format!("cell 1 of the notebook: it was not run, and neither were 3 other cells: {end}")
        );
    }

    #[test]
    fn what_its_author_should_know_is_told_cell_by_cell() {
        let homework = homework(&[
            (free("let x = 1;", "-"), Some(7), "", ""),
            (free("x + 1", "-"), Some(3), "4", "2"),
            (free("never()", "-"), None, "", ""),
            (cell("code", "f", "s", None, "fn f() -> i64 {\n    // YOUR CODE HERE\n    todo!()\n}"), Some(8), "", ""),
            (cell("code", "t", "gl", Some(2.0), "assert!(f() > 0)"), Some(9), "", "error not yet implemented"),
            (cell("code", "u", "gl", Some(3.0), "assert!(true)"), Some(10), "", ""),
            (cell("markdown", "why", "gs", Some(1.0), "YOUR ANSWER HERE"), None, "", ""),
            (free("plot()", "figure"), Some(11), "done", "done"),
        ]);
        let told: Vec<String> = homework.findings().iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "cell 2 of the notebook, [3]: it ran before cell 1 above it, [7]: run all cells from the top, and save",
                "cell 2 of the notebook, [3]: what it shows in a run from the top is not what is saved",
                "cell 3 of the notebook: it was not run, and has no outputs",
                "cell 4 of the notebook, [8]: it is not written yet",
                "cell 5 of the notebook, [9]: the test does not pass in a run from the top: Panic: not yet implemented",
                "cell 7 of the notebook: it is not written yet",
                "cell 8 of the notebook, [11]: it has to show a figure, and shows none",
            ]
        );
        let wrong: Vec<bool> = homework.findings().iter().map(|finding| finding.is_wrong).collect();
        assert_eq!(wrong, [false, false, false, true, true, true, true]);
        assert_eq!(homework.points(), (3.0, 5.0));
    }
}
