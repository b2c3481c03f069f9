//! Typical wrong solutions that are kept with a master: each shows that a test marks what it is about and nothing else.

use serde_json::{Map, Value};

use crate::executed::points_given;
use crate::master::{Master, MasterCell, Problem, Role};
use crate::points::Points;
use crate::release::as_lines;

/// What stands ahead of the tests that lose points.
const FAILS: &str = "fails:";
/// What stands ahead of the id of a cell, whose text follows.
const CELL: &str = "// cell:";

/// A wrong solution: cells to put in the place of the master's, and the tests that lose points then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongSolution {
    /// What it is called.
    pub name: String,
    /// The mistake, in words.
    pub what: String,
    fails: Vec<String>,
    cells: Vec<(String, String)>,
}

impl WrongSolution {
    /// Reads one from the text of a file:
    ///
    /// ```text
    /// //! The sum is not divided by the number of values.
    /// //! fails: test-mean
    ///
    /// // cell: mean
    /// fn mean(values: &[f64]) -> f64 { values.iter().sum() }
    /// ```
    ///
    /// `fails` names tests, with commas between them. Several cells may follow.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, or does not fit the master.
    pub fn read(name: &str, text: &str, master: &Master) -> Result<Self, Problem> {
        let of_file = |what: String| Problem { cell: None, what: format!("the wrong solution `{name}`: {what}") };
        let (mut what, mut fails, mut cells) = (Vec::new(), Vec::new(), Vec::<(String, String)>::new());
        for line in text.lines() {
            if let Some(id) = line.strip_prefix(CELL) {
                cells.push((id.trim().to_owned(), String::new()));
            } else if let Some((_, source)) = cells.last_mut() {
                source.push_str(line);
                source.push('\n');
            } else if let Some(said) = line.strip_prefix("//!").map(str::trim) {
                match said.strip_prefix(FAILS) {
                    Some(tests) => fails.extend(tests.split(',').map(|test| test.trim().to_owned())),
                    None => what.push(said),
                }
            } else if !line.trim().is_empty() {
                return Err(of_file(format!("`{line}` stands ahead of the first `{CELL} ID`")));
            }
        }
        for (_, source) in &mut cells {
            source.truncate(source.trim_end().len());
        }
        let lacks = |wanted: fn(Role) -> bool, id: &String| {
            !master.cells.iter().any(|cell| cell.id == *id && wanted(cell.role))
        };
        let is_test = |role| matches!(role, Role::Test { .. });
        if let Some((id, _)) = cells.iter().find(|(id, _)| lacks(Role::is_written_by_students, id)) {
            return Err(of_file(format!("the master has no cell `{id}` that students write")));
        }
        if let Some(id) = fails.iter().find(|id| lacks(is_test, id)) {
            return Err(of_file(format!("the master has no test `{id}`")));
        }
        if cells.is_empty() || fails.is_empty() {
            return Err(of_file(format!("it needs a line `//! {FAILS} TEST` and a line `{CELL} ID`")));
        }
        Ok(Self { name: name.to_owned(), what: what.join(" "), fails, cells })
    }

    /// The master with this in the place of its solution.
    pub fn notebook(&self, master: &Master) -> Value {
        let mut document = Value::Object(master.document.clone());
        for (id, source) in &self.cells {
            for cell in master.cells.iter().filter(|cell| cell.id == *id) {
                document["cells"][cell.index]["source"] = as_lines(source);
            }
        }
        document
    }

    /// The tests that give what they should not give, from a run of the notebook.
    pub fn problems(&self, master: &Master, run: &Map<String, Value>) -> Vec<Problem> {
        let what = |cell: &MasterCell| {
            let Role::Test { points } = cell.role else { return None };
            let given = points_given(run, cell);
            let what = match (self.fails.contains(&cell.id), given < points) {
                (true, true) | (false, false) => return None,
                (true, false) => "gives all its points".to_owned(),
                (false, true) => format!("gives {} of {points} points, and should give all", Points(given)),
            };
            let Self { name, what: mistake, .. } = self;
            let what = format!("the test `{}` {what} on the wrong solution `{name}`: {mistake}", cell.id);
            Some(Problem { cell: Some(cell.index + 1), what })
        };
        master.cells.iter().filter_map(what).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::master::tests::{cell, notebook};

    fn master() -> Master {
        let cells = [
            cell("code", "mean", "s", None, "fn mean() {}"),
            cell("code", "test-mean", "gl", Some(2.0), "mean();"),
            cell("code", "test-more", "gl", Some(3.0), "points(1, \"\");"),
        ];
        Master::read(&notebook(&cells)).expect("makes sense")
    }

    const TEXT: &str = "//! It forgets\n//! to divide.\n//! fails: test-mean\n\n// cell: mean\nfn mean() {\n}\n\n";

    #[test]
    fn a_wrong_solution_takes_the_place_of_cells() {
        let wrong = WrongSolution::read("sum", TEXT, &master()).expect("makes sense");
        assert_eq!(wrong.what, "It forgets to divide.");
        let made = wrong.notebook(&master());
        assert_eq!(made["cells"][0]["source"], json!(["fn mean() {\n", "}"]));
        assert_eq!(made["cells"][1], master().document["cells"][1]);
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (text, told) in [
            (TEXT.replace("cell: mean", "cell: median"), "no cell `median` that students write"),
            (TEXT.replace("cell: mean", "cell: test-mean"), "no cell `test-mean` that students write"),
            (TEXT.replace("fails: test-mean", "fails: test-mean, mean"), "no test `mean`"),
            (TEXT.replace("//! fails: test-mean\n", ""), "needs a line `//! fails: TEST`"),
            ("fn mean() {}".to_owned(), "`fn mean() {}` stands ahead of"),
        ] {
            let problem = WrongSolution::read("sum", &text, &master()).expect_err("does not fit").to_string();
            assert!(problem.starts_with("the wrong solution `sum`: ") && problem.contains(told), "{problem}");
        }
    }

    #[test]
    fn tests_lose_points_where_the_file_says_so_and_nowhere_else() {
        let wrong = WrongSolution::read("sum", TEXT, &master()).expect("makes sense");
        let run = |failed: bool, points: &str| {
            let mut run = master().document;
            let error = json!([{"output_type": "error", "ename": "Panic", "evalue": "no"}]);
            run["cells"][1]["outputs"] = if failed { error } else { json!([]) };
            run["cells"][2]["outputs"] = json!([{"output_type": "stream", "name": "stdout", "text": points}]);
            let problems = wrong.problems(&master(), &run);
            problems.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert!(run(true, "3 points: all\n").is_empty());
        let both = run(false, "1 point: some\n1.5 points: more\n");
        assert!(both[0].contains("the test `test-mean` gives all its points on the wrong solution `sum`: It forgets"));
        assert!(both[1].contains("the test `test-more` gives 2.5 of 3 points, and should give all"));
        assert_eq!(both.len(), 2);
    }
}
