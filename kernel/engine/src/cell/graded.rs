//! Homework that is graded: what a student's cell may not have, and what the teacher's cells see of it.

use oxtorch_session::{CellError, ErrorKind};
use ra_ap_rustc_lexer::TokenKind;
use uuid::Uuid;

use crate::cell::Execution;
use crate::compile::state::State;
use crate::compile::{CompiledCell, Compiler};
use crate::report::render;
use crate::source::fragment::{Author, CellText};
use crate::source::source_map::Place;
use crate::source::words::tokens;

/// What leads around the checks of the compiler, or around this very list. With it a function could speak for the test
/// that calls it.
const REFUSED: [&str; 8] = [
    "unsafe",
    "global_asm",
    "naked_asm",
    "feature",
    "include",
    // Macros of the runtime that are for the code around a cell.
    "export_run",
    "carry_variable",
    "number",
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
pub(super) fn refuse(text: &std::sync::Arc<CellText>) -> Result<(), CellError> {
    if text.author != Author::Student {
        return Ok(());
    }
    let Some(range) = refused(&text.text) else { return Ok(()) };
    let word = text.text[range.clone()].to_owned();
    let message = format!("`{word}` is not allowed in homework that is graded");
    let place = Place { cell: text.clone(), range };
    Err(render::failure("error", &message, &[place], &[]).into_error(ErrorKind::Compile))
}

/// Why a compiled cell of a student's is not run.
pub(super) fn refuse_compiled(state: &State, ready: &CompiledCell, text: &CellText) -> Result<(), CellError> {
    if text.author != Author::Student {
        return Ok(());
    }
    let Some(name) = state.scope.changed_for_teacher(&ready.plan) else { return Ok(()) };
    let message = format!("`{name}` has a meaning in the given cells that this would change: choose another name");
    Err(render::failure("error", &message, &[], &[]).into_error(ErrorKind::Compile))
}

/// Where a word stands that is refused.
fn refused(text: &str) -> Option<std::ops::Range<usize>> {
    let is_blank = |kind: TokenKind| {
        matches!(kind, TokenKind::Whitespace | TokenKind::LineComment { .. } | TokenKind::BlockComment { .. })
    };
    let words: Vec<_> = tokens(text).filter(|(kind, _)| !is_blank(*kind)).collect();
    let word = |at: usize| words.get(at).map_or("", |(_, range)| &text[range.clone()]);
    let found = (0..words.len()).find(|&at| {
        let is_name = matches!(words[at].0, TokenKind::Ident | TokenKind::RawIdent);
        let own = word(at).trim_start_matches("r#");
        // Macros are called, and features stand in an attribute: elsewhere these are names as any.
        let is_refused = match own {
            "unsafe" => true,
            "feature" => word(at + 1) == "(" && at > 0 && word(at - 1) == "[",
            own => REFUSED.contains(&own) && (word(at + 1) == "!" || (at > 0 && word(at - 1) == ":")),
        };
        let in_file = own == "mod" && word(at + 2) == ";";
        is_name && (is_refused || in_file || own.starts_with("__oxtorch"))
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
            "mod evil;",
            "core::arch::global_asm!(\"ret\");",
            "#![feature(core_intrinsics)]",
            "oxtorch::carry_variable!(\"x\")",
            "crate::__oxtorch_run()",
        ] {
            assert!(refused(code).is_some(), "{code}");
        }
        for code in [
            "let feature = 1; feature(2);",
            "// unsafe\nlet number = \"unsafe\";",
            "mod a { pub fn f() {} }",
            "let include = true; if include {}",
            "text.include_str",
        ] {
            assert_eq!(refused(code), None, "{code}");
        }
    }
}
