//! The crates that a homework may use: those that its master asks for by `:dep`. They are built ahead of all runs, for
//! nothing can be downloaded in a sandbox.

use std::collections::BTreeSet;
use std::path::PathBuf;

use oxtorch_grading::{Master, Part};

use crate::messages::{Author, RunCell};
use crate::sandbox::Sandbox;
use crate::worker::{Setting, Step, execute};

/// Begins a line that asks for a crate.
const COMMAND: &str = ":dep";

/// Where the crates are that sessions of this user have asked for, below the folder of those sessions.
const BUILT: &str = "deps";

/// The lines of a cell that ask for crates.
fn lines(source: &str) -> impl Iterator<Item = &str> {
    source.lines().map(str::trim).filter(|line| line.starts_with(COMMAND))
}

/// The lines of a master that ask for crates.
pub(crate) fn of_master(master: &Master) -> Vec<String> {
    let code = master.cells.iter().filter(|cell| cell.part == Part::Code);
    code.flat_map(|cell| lines(&cell.source)).map(str::to_owned).collect()
}

/// A line of a student's cell that asks for a crate which the master does not have.
pub(crate) fn refused<'a>(cell: &'a RunCell, allowed: &[String]) -> Option<&'a str> {
    let mut lines = lines(&cell.code).filter(|_| cell.author == Author::Student);
    lines.find(|line| !allowed.iter().any(|other| other == line))
}

/// Builds the crates, as the teacher and outside of any sandbox, and says where they are.
///
/// # Errors
///
/// Where one of them cannot be had.
pub(crate) async fn build(setting: &Setting, allowed: &[String]) -> anyhow::Result<Option<PathBuf>> {
    if allowed.is_empty() {
        return Ok(None);
    }
    let trusted = Setting { sandbox: Sandbox::None, ..setting.clone() };
    let step = Step { number: 1, code: allowed.join("\n"), author: Author::Master, names: BTreeSet::new() };
    let executed = execute(&trusted, &[step], None).await;
    match executed.outcomes.into_iter().next() {
        Some(Ok(ran)) => match ran.error {
            None => Ok(Some(setting.runtime.recipe.sessions().root().join(BUILT))),
            Some((_, told)) => anyhow::bail!("a crate of the master cannot be had: {told}"),
        },
        other => anyhow::bail!("the crates of the master cannot be built: {other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_student_may_ask_for_what_the_master_asks_for() {
        let cell = |author, code: &str| RunCell {
            number: 1,
            code: code.to_owned(),
            author,
            names: BTreeSet::new(),
            timeout: 1.0,
            anyway: false,
        };
        let allowed = [":dep itertools = \"0.14\"".to_owned()];
        let student = |code: &str| refused(&cell(Author::Student, code), &allowed).map(str::to_owned);
        assert_eq!(student("  :dep itertools = \"0.14\"\nlet x = 1;"), None);
        assert_eq!(student(":dep evil = { path = \"evil\" }").as_deref(), Some(":dep evil = { path = \"evil\" }"));
        assert_eq!(student(":dep itertools = \"*\"").as_deref(), Some(":dep itertools = \"*\""));
        assert_eq!(refused(&cell(Author::Teacher, ":dep any"), &allowed), None);
    }
}
