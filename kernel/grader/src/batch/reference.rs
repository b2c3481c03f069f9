//! The master's own run: its solution has to pass its tests, and tells what tests can take from a student.

use std::collections::{BTreeMap, BTreeSet};

use oxtorch_engine::{declared_names, declared_variables};
use oxtorch_grading::signatures::signatures;
use oxtorch_grading::{Master, Part, Role, Verdict};

use crate::messages::Author;
use crate::verdict::by_test;
use crate::worker::{Executed, NotRun, Setting, Step, execute};

/// What the master's own run has told.
#[derive(Debug, Default)]
pub(super) struct Reference {
    /// The names that cells have defined ahead of each of the master's cells.
    pub(super) takes: Vec<BTreeSet<String>>,
    /// The names that its given cells define.
    pub(super) given: BTreeSet<String>,
    /// Those of them that are variables, and that the solution leaves as they are: a session has one value of each.
    pub(super) variables: BTreeSet<String>,
    /// The names that the cells of its solution define.
    pub(super) solved: BTreeSet<String>,
    /// What the functions among those take and return.
    pub(super) signatures: BTreeMap<String, String>,
}

/// Runs the master's solution, and finds out what tests can take from a student.
pub(super) async fn try_solution(setting: &Setting, master: &Master) -> anyhow::Result<Reference> {
    let code = || master.cells.iter().enumerate().filter(|(_, cell)| cell.part == Part::Code);
    let steps: Vec<Step> = (1..)
        .zip(code())
        .map(|(number, (_, cell))| Step {
            number,
            code: cell.source.clone(),
            author: match cell.role {
                Role::Test { .. } => Author::Test,
                Role::Given | Role::Free => Author::Teacher,
                Role::Solution | Role::Answer { .. } | Role::Task { .. } => Author::Master,
            },
            names: BTreeSet::new(),
        })
        .collect();
    let Executed { outcomes, .. } = execute(setting, &steps, None).await;
    let mut reference = Reference { takes: vec![BTreeSet::new(); master.cells.len()], ..Reference::default() };
    let mut names = BTreeSet::new();
    for ((at, cell), outcome) in code().zip(&outcomes) {
        reference.takes[at].clone_from(&names);
        let failed = |told: &str| anyhow::anyhow!("`{}` of the master fails on its own solution: {told}", cell.id);
        match (cell.role, outcome) {
            (_, Err(NotRun::NotStarted(why))) => anyhow::bail!("the master cannot be run: {why}"),
            (Role::Test { .. }, outcome) => {
                let question = by_test(cell, outcome, false);
                if question.verdict != Verdict::Pass {
                    return Err(failed(&question.messages.join("; ")));
                }
            }
            (_, Ok(ran)) => {
                if let Some((kind, told)) = &ran.error {
                    return Err(failed(&format!("{kind}: {told}")));
                }
            }
            (_, Err(why)) => return Err(failed(&format!("{why:?}"))),
        }
        if cell.role == Role::Given {
            reference.given.extend(declared_names(&cell.source));
            reference.variables.extend(declared_variables(&cell.source));
        }
        if cell.role.is_written_by_students() {
            reference.solved.extend(declared_names(&cell.source));
            reference.signatures.extend(signatures(&cell.source));
        }
        if let Ok(ran) = outcome {
            names.extend(ran.names.iter().cloned());
        }
    }
    let own = code().filter(|(_, cell)| cell.role != Role::Given && !matches!(cell.role, Role::Test { .. }));
    for name in own.flat_map(|(_, cell)| declared_names(&cell.source)) {
        reference.variables.remove(&name);
    }
    Ok(reference)
}
