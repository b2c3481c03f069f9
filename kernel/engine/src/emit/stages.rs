//! Which variables a cell takes and declares, and how its statements part into stages.

use std::cmp::Ordering;
use std::collections::HashMap;

use crate::emit::Input;
use crate::emit::emission::{CellVariable, Stage};
use crate::source::parse::{Binding, LetValue, Statement, StatementKind};
use crate::source::source_map::Place;

/// The variables that a cell takes, then those that it declares, each with the last statement that reads it and not a
/// later one of its name.
pub(super) fn cell_variables(input: &Input<'_>) -> Vec<CellVariable> {
    // The last one of each name that was declared so far.
    let mut visible: HashMap<String, usize> = HashMap::new();
    let mut taken: Vec<CellVariable> = Vec::new();
    let mut new: Vec<CellVariable> = Vec::new();
    for (index, statement) in input.cell.statements.iter().enumerate() {
        for name in statement.reads.iter().chain(input.macro_mentions) {
            if let Some(declared) = visible.get(name) {
                new[*declared].last_read = index;
            } else if let Some(variable) = input.live.get(name)
                && !taken.iter().any(|other| other.name == *name)
                && !input.decisions.not_taken.contains(name)
            {
                taken.push(CellVariable {
                    name: name.clone(),
                    mutable: variable.mutable,
                    declared: variable.declared.clone(),
                    taken: Some(variable.clone()),
                    value: LetValue::Other,
                    statement: 0,
                    last_read: 0,
                });
            }
        }
        if let StatementKind::Let { bindings, value, .. } = &statement.kind {
            let bindings = bindings.iter().filter(|binding| !input.decisions.paths.contains(&binding.name));
            for Binding { name, mutable, range } in bindings.cloned() {
                visible.insert(name.clone(), new.len());
                let declared = Place { cell: statement.fragment.cell.clone(), range };
                new.push(CellVariable {
                    name,
                    mutable,
                    declared,
                    taken: None,
                    value: value.clone(),
                    statement: index,
                    last_read: index,
                });
            }
        }
    }
    taken.extend(new);
    taken
}

/// Splits the statements. A `let` that may fail is a stage of its own, so that its variables are in their place before
/// anything can point to them; `let`s that cannot fail need none, and what lies between `let`s runs as one.
pub(super) fn stages(statements: &[Statement], together: Option<usize>) -> Vec<Stage> {
    // `let x;` is assigned by some later statement, so the rest stays together.
    let deferred = |statement: &Statement| matches!(statement.kind, StatementKind::Let { deferred: true, .. });
    let deferred = statements.iter().position(deferred).unwrap_or(statements.len());
    let together = together.map_or(deferred, |together| together.min(deferred));
    let declares =
        |statement: &Statement| matches!(&statement.kind, StatementKind::Let { bindings, .. } if !bindings.is_empty());
    let mut stages: Vec<Stage> = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        let sure = statement.sure && index < together;
        let goes_on = |stage: &Stage| {
            let first = &statements[stage.statements.start];
            match index.cmp(&together) {
                Ordering::Greater => true,
                Ordering::Equal => false,
                Ordering::Less if sure => stage.sure,
                Ordering::Less => !stage.sure && !declares(first) && !declares(statement),
            }
        };
        match stages.last_mut() {
            Some(stage) if goes_on(stage) => stage.statements.end = index + 1,
            _ => stages.push(Stage { statements: index..index + 1, sure, text: 0..0 }),
        }
    }
    stages
}
