//! Homework that is graded: what a student's cell may not have, and what the teacher's cells see of it.

use std::sync::Arc;

use oxtorch_session::{CellError, ErrorKind};
use ra_ap_rustc_lexer::TokenKind;
use uuid::Uuid;

use crate::cell::Execution;
use crate::commands::{Command, Env, Segment};
use crate::compile::state::State;
use crate::compile::{CompiledCell, Compiler};
use crate::emit::CellVariable;
use crate::report::render;
use crate::source::fragment::{Author, CellText};
use crate::source::source_map::Place;
use crate::source::words::{declared_variables, tokens};

/// Words that lead around the checks of the compiler, with which a function could speak for the test that calls it, or
/// to files that nobody has checked.
const REFUSED: [&str; 6] = [
    "unsafe",
    "global_asm",
    "naked_asm",
    "include",
    // Macros of the runtime that are for the code around a cell, and have unsafe code of their own.
    "export_run",
    "carry_variable",
];

/// The modules of the runtime that a student's cell may name by a path. The others are for the code around a cell.
const OPEN: [&str; 22] = [
    "anyhow",
    "audio",
    "autograd",
    "data",
    "device",
    "display",
    "distributions",
    "io",
    "metrics",
    "ndarray",
    "nn",
    "optim",
    "plot",
    "plotters",
    "prelude",
    "rand",
    "rl",
    "tch",
    "text",
    "train",
    "vision",
    "widgets",
];

/// The state as a cell of this author sees it.
pub(super) fn seen_by(state: &State, call: Execution<'_>) -> Option<State> {
    let (oxtorch_session::Author::Teacher(takes) | oxtorch_session::Author::Test(takes)) = call.request.author else {
        return None;
    };
    let mut seen = state.clone();
    seen.scope.show_to_teacher(takes);
    let is_students = |place: &Place| place.cell.author == Author::Student;
    seen.variables.live.retain(|name, variable| takes.contains(name) || !is_students(&variable.declared));
    Some(seen)
}

/// The key of the run of a test.
pub(super) fn key(text: &CellText) -> Option<String> {
    (text.author == Author::Test).then(|| Uuid::new_v4().to_string())
}

/// Removes the source of a test, which what it tests could read. Returns whether its library can go as well, once it is
/// loaded: no later cell is linked with what defines nothing.
pub(super) fn hide(compiler: &Compiler, ready: &CompiledCell, text: &CellText) -> bool {
    if text.author != Author::Test {
        return false;
    }
    // It is not needed, and may be gone.
    let _ = std::fs::remove_file(compiler.rustc().source(&ready.name));
    ready.plan.is_empty()
}

/// Why a student's cell is not compiled.
pub(super) fn refuse(text: &Arc<CellText>, call: Execution<'_>) -> Result<(), CellError> {
    let oxtorch_session::Author::Student(given) = call.request.author else { return Ok(()) };
    if let Some(range) = refused(&text.text) {
        let word = text.text[range.clone()].to_owned();
        let message = format!("`{word}` is not allowed in homework that is graded");
        let place = Place { cell: Arc::clone(text), range };
        return Err(refusal(&message, &[place], &[]));
    }
    match declared_variables(&text.text).into_iter().find(|name| given.contains(name)) {
        Some(name) => Err(refusal(&format!("`{name}` is given, and tests use it: choose another name"), &[], &[])),
        None => Ok(()),
    }
}

/// Why a compiled cell of a student's is not run.
pub(super) fn refuse_compiled(state: &State, ready: &CompiledCell, call: Execution<'_>) -> Result<(), CellError> {
    let oxtorch_session::Author::Student(given) = call.request.author else { return Ok(()) };
    if let Some(message) = state.scope.changed_for_teacher(&ready.plan) {
        return Err(refusal(&message, &[], &[]));
    }
    let moved = ready.lessons.decisions.moved.iter().filter_map(|id| ready.emission.variables.get(*id));
    let mut moved = moved.filter(|variable| variable.taken.is_some());
    match moved.find(|variable| given.contains(&variable.name)) {
        Some(CellVariable { name, .. }) => {
            let told = "is given, tests use it, and this cell moves it away: use";
            Err(refusal(&format!("`{name}` {told} `&{name}`, or `{name}.clone()`"), &[], &[]))
        }
        None => Ok(()),
    }
}

fn refusal(message: &str, places: &[Place], notes: &[String]) -> CellError {
    render::failure("error", message, places, notes).into_error(ErrorKind::Refused)
}

/// Why the commands of a student's cell are not done: some change the process that runs the cells, some are done by
/// this one, and some forget what is given.
pub(super) fn refuse_commands(segments: &[Segment], author: oxtorch_session::Author<'_>) -> Result<(), CellError> {
    if !matches!(author, oxtorch_session::Author::Student(_)) || !segments.iter().any(is_refused_command) {
        return Ok(());
    }
    let notes = ["write files in code, by `std::fs::write`".to_owned()];
    let told = "`:reset`, `:cache`, `%%writefile` and `%env NAME=VALUE` are not allowed in homework that is graded";
    Err(refusal(told, &[], &notes))
}

fn is_refused_command(segment: &Segment) -> bool {
    match segment {
        Segment::Command(Command::Time(body)) => body.iter().any(is_refused_command),
        Segment::Command(command) => matches!(
            command,
            Command::Reset { .. } | Command::Cache { .. } | Command::WriteFile { .. } | Command::Env(Env::Set { .. })
        ),
        Segment::Code(_) => false,
    }
}

/// Where a word stands that is refused.
fn refused(text: &str) -> Option<std::ops::Range<usize>> {
    let is_blank = |kind: TokenKind| {
        matches!(kind, TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. })
    };
    let words: Vec<_> = tokens(text).filter(|(kind, _)| !is_blank(*kind)).collect();
    let word = |at: usize| words.get(at).map_or("", |(_, range)| &text[range.clone()]);
    let before = |at: usize| at.checked_sub(1).map_or("", word);
    let found = (0..words.len()).find(|&at| {
        let is_name = matches!(words[at].0, TokenKind::Ident | TokenKind::RawIdent);
        let own = word(at).trim_start_matches("r#");
        let is_refused = match own {
            // `#[path = "a.rs"] mod a;`, also where a macro puts it together.
            "path" => ["[", ",", "("].contains(&before(at)) && word(at + 1) == "=" && word(at + 2).starts_with('"'),
            "mod" => word(at + 2) == ";",
            "oxtorch" => {
                let is_path = word(at + 1) == ":" && word(at + 2) == ":";
                !(is_path && OPEN.contains(&word(at + 3))) && before(at) != "."
            }
            own => REFUSED.contains(&own) || own.to_ascii_lowercase().starts_with("__oxtorch"),
        };
        is_name && is_refused
    });
    found.map(|at| words[at].1.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_around_the_compiler_is_refused_in_any_form() {
        for code in [
            "let x = unsafe { *p };",
            "macro_rules! m { () => { unsafe { evil() } } }",
            "#[unsafe(no_mangle)] fn f() {}",
            "include!(\"a.rs\");",
            "use std::include as inc;",
            "include /* */ ! (\"a.rs\")",
            "mod b { use std::{include as inc}; inc!(\"a.rs\"); }",
            "use std::arch::{global_asm as g}; g!(\"ret\");",
            "#[path = \"a.rs\"] mod a { }",
            "#[cfg_attr(all(), path = \"a.rs\")] mod a { }",
            "use oxtorch::{carry_variable as cv};",
            "use oxtorch as o;",
            "oxtorch::cell::put(\"data\", 7, 1);",
            "__OXTORCH_TEST.begin();",
            "mod evil;",
            "core::arch::global_asm!(\"ret\");",
            "oxtorch::carry_variable!(\"x\")",
            "crate::__oxtorch_run()",
        ] {
            assert!(refused(code).is_some(), "{code}");
        }
        for code in [
            "// unsafe\nlet number = \"unsafe\";",
            "mod a { pub fn f() {} }",
            "let path = \"data.csv\"; read(path)",
            "text.include_str",
            "use oxtorch::nn::linear; oxtorch::prelude::seed(1)",
        ] {
            assert_eq!(refused(code), None, "{code}");
        }
    }
}
