//! Whether a master notebook holds what it promises, from runs of it.

mod wrong;

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::executed::{error_of, failure_of, has_tag, outputs, points_given};
use crate::master::{Master, MasterCell, Problem, Role};

pub use wrong::WrongSolution;

/// A cell with this tag shows measured times, which are others in each run.
const TIMES: &str = "times";

/// What came of a master notebook's solution in several runs, and of the students' version in one.
#[derive(Debug)]
pub struct Trial<'a> {
    master: &'a Master,
    runs: Vec<Map<String, Value>>,
    stubs: Map<String, Value>,
}

impl<'a> Trial<'a> {
    /// Takes the executed notebooks, those of the solution and that of the stubs.
    pub fn new(master: &'a Master, runs: Vec<Map<String, Value>>, stubs: Map<String, Value>) -> Self {
        Self { master, runs, stubs }
    }

    /// What does not hold: every test passes on the solution and fails on the stubs, stubs compile, and the solution
    /// shows the same each time.
    pub fn problems(&self) -> Vec<Problem> {
        let what = |cell| self.problem(cell).map(|what| Problem { cell: Some(cell.index + 1), what });
        self.master.cells.iter().filter_map(what).collect()
    }

    fn problem(&self, cell: &MasterCell) -> Option<String> {
        let named = if cell.id.is_empty() { String::new() } else { format!(" `{}`", cell.id) };
        let on_stubs = error_of(&self.stubs, cell);
        if let Some(error) = self.runs.iter().find_map(|run| failure_of(run, cell)) {
            return Some(format!("{}{named} fails on the solution: {error}", what_it_is(cell.role)));
        }
        if matches!(cell.role, Role::Test { .. }) && on_stubs.is_none() {
            return Some(format!("the test{named} passes on the stubs: it gives points for nothing"));
        }
        if let (Role::Test { points }, Some(run)) = (cell.role, self.runs.last()) {
            let given = points_given(run, cell);
            if given != points {
                return Some(format!("the test{named} gives {given} of its {points} points on the solution"));
            }
        }
        if cell.role == Role::Solution
            && let Some(error) = on_stubs.filter(|error| error.kind == "CompileError")
        {
            return Some(format!("the stub of{named} does not compile: {}", error.message));
        }
        let differs = |pair: &[Map<String, Value>]| outputs(&pair[0], cell) != outputs(&pair[1], cell);
        let measures = self.runs.iter().any(|run| has_tag(run, cell, TIMES));
        (!measures && self.runs.windows(2).any(differs)).then(|| {
            format!(
                "{}{named} shows something else each time: `seed(1)` makes a run repeat, and the tag `{TIMES}` says that \
                 it shows measured times",
                what_it_is(cell.role)
            )
        })
    }

    /// A line for each cell that is worth points.
    pub fn table(&self) -> String {
        let mut table = String::new();
        for cell in &self.master.cells {
            let Some(points) = cell.role.points() else { continue };
            let passes = |run: &Map<String, Value>| if error_of(run, cell).is_none() { "passes" } else { "fails" };
            let (solution, stub) = match cell.role {
                Role::Test { .. } => (self.runs.last().map_or("", passes), passes(&self.stubs)),
                _ => ("by hand", "by hand"),
            };
            let _ = writeln!(table, "{:24} {points:>6} points   solution {solution:8} stubs {stub}", cell.id);
        }
        table
    }
}

fn what_it_is(role: Role) -> &'static str {
    match role {
        Role::Test { .. } => "the test",
        Role::Solution | Role::Answer { .. } => "the solution",
        Role::Free | Role::Given | Role::Task { .. } => "the cell",
    }
}
