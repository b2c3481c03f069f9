//! Arbitrary cells through everything that reads and writes text: nothing panics, and the source map is right.
//!
//! The cells are those of the scenarios in `tests/cells`, with tokens taken out, doubled, swapped and put in. See
//! [`oxtorch_testing`] for long runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, LazyLock};

use arbtest::arbitrary::{Result, Unstructured};
use oxtorch_testing::fuzz;

use crate::assist::completeness::is_complete;
use crate::commands::{Segment, segments};
use crate::crate_names::{readable, rewrite_places};
use crate::emit::{Decisions, Emission, Input, emit};
use crate::plan::scope::Scope;
use crate::plan::variables::{Variable, named};
use crate::plan::{Plan, expand};
use crate::report::type_names::readable_type;
use crate::report::underline::extent;
use crate::source::fragment::{CellText, Fragment};
use crate::source::identifiers::Names;
use crate::source::macro_items::ItemMacros;
use crate::source::parse::{ParsedCell, StatementKind, parse};
use crate::source::source_map::Place;
use crate::source::words;

/// Text that the scenarios have too little of.
const RARE: [&str; 40] = [
    "return",
    "async",
    ".await",
    "macro_rules!",
    "m!{}",
    "#[a]",
    "#![a]",
    "///\n",
    "/*",
    "*/",
    "r#\"",
    "\"#",
    "'",
    "\"",
    "b'",
    "\u{0}",
    "\u{feff}",
    "\r\n",
    "\u{202e}",
    "数",
    "é\u{301}",
    "🦀",
    "pub(crate)",
    "pub(in a)",
    "pub(super)",
    "$x",
    "$(",
    ")*",
    "union",
    "'a:",
    "|",
    "::",
    "=>",
    "..=",
    "r#fn",
    "_",
    "{",
    "}",
    "!",
    "&",
];

/// The cells of every scenario.
static SCENARIOS: LazyLock<Vec<Vec<String>>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/cells");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the scenarios are there")
        .map(|entry| entry.expect("a readable folder").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "cells"))
        .collect();
    files.sort();
    let read = |path| std::fs::read_to_string(path).expect("a readable scenario");
    files.iter().map(|path| cells_of(&read(path))).collect()
});

/// The code of each cell of a scenario: from its head to `---`.
fn cells_of(scenario: &str) -> Vec<String> {
    let mut cells: Vec<String> = Vec::new();
    let mut in_code = false;
    for line in scenario.lines() {
        if line.starts_with("=== [") {
            cells.push(String::new());
            in_code = true;
        } else if line == "---" {
            in_code = false;
        } else if let Some(cell) = cells.last_mut().filter(|_| in_code) {
            cell.push_str(line);
            cell.push('\n');
        }
    }
    cells
}

/// The tokens of a text, white space and comments among them.
fn tokens(text: &str) -> Vec<&str> {
    words::tokens(text).map(|(_, range)| &text[range]).collect()
}

fn any_cell<'a>(u: &mut Unstructured<'_>) -> Result<&'a str> {
    let scenario: &'static Vec<String> = u.choose(&SCENARIOS)?;
    Ok(if scenario.is_empty() { "" } else { u.choose(scenario)? })
}

/// A cell with some of its tokens changed.
fn mutated(cell: &str, u: &mut Unstructured<'_>) -> Result<String> {
    let mut words: Vec<String> = tokens(cell).into_iter().map(str::to_owned).collect();
    for _ in 0..u.int_in_range(0..=6)? {
        let at = u.int_in_range(0..=words.len())?;
        let end = (at + u.int_in_range(0..=8)?).min(words.len());
        match u.int_in_range(0..=6)? {
            0 => drop(words.drain(at..end)),
            1 => {
                let copy = words[at..end].to_vec();
                words.splice(at..at, copy);
            }
            2 => words[at..end].reverse(),
            3 => words.insert(at, (*u.choose(&RARE)?).to_owned()),
            4 => {
                let other = tokens(any_cell(u)?);
                let from = u.int_in_range(0..=other.len())?;
                let to = (from + u.int_in_range(0..=12)?).min(other.len());
                words.splice(at..end, other[from..to].iter().map(|word| (*word).to_owned()));
            }
            5 => {
                // A piece of the cell somewhere else, statements for one.
                let moved: Vec<String> = words.drain(at..end).collect();
                let to = u.int_in_range(0..=words.len())?;
                words.splice(to..to, moved);
            }
            _ => words.insert(at, u.arbitrary::<char>()?.to_string()),
        }
    }
    Ok(words.concat())
}

/// Some of the numbers below a bound.
fn some(u: &mut Unstructured<'_>, bound: usize) -> Result<BTreeSet<usize>> {
    (0..bound).filter_map(|number| u.ratio(1, 6).map(|chosen| chosen.then_some(number)).transpose()).collect()
}

/// The session before the cell: some cells of one scenario, as if all had run.
#[derive(Default)]
struct Session {
    scope: Scope,
    live: BTreeMap<String, Variable>,
    cells: u32,
}

impl Session {
    fn parse(&mut self, text: &str, u: &mut Unstructured<'_>) -> Result<Option<ParsedCell>> {
        self.cells += 1;
        let Ok(mut cell) = parse(&CellText::new(self.cells, text), &self.scope.item_macros(std::iter::empty())) else {
            return Ok(None);
        };
        // What rustc would make of the calls: some items, or nothing.
        let mut expanded = expand::source(&cell, &self.scope, &ItemMacros::default());
        if u.ratio(1, 2)? {
            for number in 0..cell.calls.len() {
                expanded = format!("mod oxtorch_call_{number} {{ use super::*; {} }}", any_cell(u)?);
            }
        }
        expand::resolve(&mut cell, &expanded);
        assert!(cell.calls.is_empty());
        Ok(Some(cell))
    }

    fn commit(&mut self, cell: &ParsedCell, plan: &Plan) {
        let home = format!("cell_{:016x}", self.cells);
        self.scope.commit(plan, cell, &home);
        for statement in &cell.statements {
            let StatementKind::Let { bindings, .. } = &statement.kind else { continue };
            for binding in bindings {
                let declared = Place { cell: Arc::clone(&statement.fragment.cell), range: binding.range.clone() };
                let ty = format!("::{home}::T");
                let variable = Variable { mutable: binding.mutable, ty, spelled: None, declared, moved_home: false };
                self.live.insert(binding.name.clone(), variable);
            }
        }
    }

    fn emit(&self, cell: &ParsedCell, u: &mut Unstructured<'_>) -> Result<(Plan, Emission)> {
        let names: Vec<String> = cell.mentions.iter().cloned().collect();
        let chosen = |chosen: BTreeSet<usize>| -> Names { chosen.into_iter().map(|at| names[at].clone()).collect() };
        let stale = chosen(some(u, names.len())?);
        let plan = self.scope.plan(cell, &stale);
        let imports = self.scope.imports(&plan, cell);
        let uses = self.scope.uses(&plan, cell);
        let mut decisions = Decisions { stale, not_taken: chosen(some(u, names.len())?), ..Decisions::default() };
        let mut macro_mentions = cell.mentions.clone();
        self.scope.close_over_macros(&mut macro_mentions);
        let emitted = |decisions: &Decisions| {
            let (plan, imports, uses, live) = (&plan, &imports[..], &uses[..], &self.live);
            emit(Input { cell, plan, imports, uses, live, macro_mentions: &macro_mentions, macros: &[], decisions })
        };
        let first = emitted(&decisions);
        let variables = first.variables.len();
        decisions.together = u.ratio(1, 4)?.then(|| u.int_in_range(0..=cell.statements.len())).transpose()?;
        decisions.tail_without_value = u.ratio(1, 8)?;
        decisions.moved = some(u, variables)?;
        decisions.ended = some(u, variables)?;
        decisions.not_kept = some(u, variables)?;
        decisions.dropped = some(u, variables)?;
        let emission = emitted(&decisions);
        Ok((plan, emission))
    }
}

/// All that is written of the user's text.
fn fragments<'a>(cell: &'a ParsedCell, plan: &'a Plan, emission: &Emission) -> Vec<&'a Fragment> {
    let items = plan.items().map(|item| &item.fragment);
    let impls = plan.impls().map(|block| &block.fragment);
    let uses = cell.uses.iter().map(|declaration| &declaration.fragment);
    let statements = cell.statements.iter().filter(|_| emission.runs).map(|statement| &statement.fragment);
    cell.attributes.iter().chain(uses).chain(items).chain(impls).chain(statements).collect()
}

/// Every byte of the user's text that is emitted maps back to itself, and all of it is emitted but for what an edit
/// replaces.
fn check_source_map(cell: &ParsedCell, plan: &Plan, emission: &Emission) {
    let source = &emission.source;
    // By the cell's address: two cells may have the same text.
    let mut covered: BTreeMap<*const CellText, BTreeSet<usize>> = BTreeMap::new();
    for (at, char) in source.text.char_indices() {
        let Some(place) = source.place(at..at + char.len_utf8()) else { continue };
        let text = &place.cell.text;
        assert!(text.is_char_boundary(place.range.start) && text.is_char_boundary(place.range.end));
        if text[place.range.clone()].chars().eq([char]) {
            covered.entry(Arc::as_ptr(&place.cell)).or_default().insert(place.range.start);
        }
    }
    for fragment in fragments(cell, plan, emission) {
        let covered = covered.get(&Arc::as_ptr(&fragment.cell));
        for (at, char) in fragment.text().char_indices() {
            let at = fragment.range.start + at;
            let replaced = fragment.edits.iter().any(|edit| (edit.at..edit.at + edit.replaces).contains(&at));
            let found = covered.is_some_and(|covered| covered.contains(&at));
            assert!(replaced || found, "{char:?} at {at} of {:?} is not in\n{}", fragment.cell.text, source.text);
        }
    }
    for (range, _) in &emission.marks {
        assert!(source.text.get(range.clone()).is_some(), "a mark lies within the text");
    }
}

/// Tries one cell; how many crates it was made into.
fn check(u: &mut Unstructured<'_>) -> Result<u64> {
    let scenario = u.choose(&SCENARIOS)?;
    if scenario.is_empty() {
        return Ok(0);
    }
    let mut emitted = 0;
    let mut session = Session::default();
    let at = u.int_in_range(0..=scenario.len() - 1)?;
    for earlier in &scenario[..at] {
        if let Some(cell) = session.parse(earlier, u)? {
            let plan = session.scope.plan(&cell, &Names::new());
            session.commit(&cell, &plan);
        }
    }
    let text = mutated(&scenario[at], u)?;
    is_complete(&text, &|_| false);
    readable(&text);
    rewrite_places(&text, &Default::default());
    for segment in segments(&text, &|_| false) {
        let Segment::Code(code) = segment else { continue };
        assert_eq!(code.len(), text.len(), "a segment stands where it stood");
        let Some(cell) = session.parse(&code, u)? else { continue };
        let (plan, emission) = session.emit(&cell, u)?;
        check_source_map(&cell, &plan, &emission);
        let (line, column) = (u.int_in_range(0..=200)?, u.int_in_range(0..=200)?);
        if let Some(place) = emission.source.place_of_line(line, column) {
            assert!(place.line() > 0 && place.column() > 0);
        }
        session.commit(&cell, &plan);
        emitted += 1;
    }
    Ok(emitted)
}

#[test]
fn no_cell_makes_the_engine_panic_and_each_byte_maps_back() {
    let (mut tried, mut emitted) = (0u64, 0u64);
    let property = |u: &mut Unstructured<'_>| {
        tried += 1;
        emitted += check(u)?;
        Ok(())
    };
    fuzz(property).size_min(1 << 8).size_max(1 << 14).run();
    println!("{tried} cells tried, {emitted} crates written");
    assert!(tried < 100 || emitted > tried / 10, "few of the {tried} cells were Rust: {emitted}");
}

#[test]
fn deep_cells_are_read_or_refused() {
    for (open, middle, close) in [
        ("(", "1", ")"),
        ("[", "", "]"),
        ("{", "", "}"),
        ("!", "x", ""),
        ("&", "x", ""),
        ("-", "1", ""),
        ("|| ", "1", ""),
        ("if a {} else ", "{}", ""),
        ("match a { _ => ", "1", "}"),
        ("loop {", "", "}"),
        ("x.f()", "", ""),
        ("x?", "", ""),
        ("1 + ", "1", ""),
        ("a = ", "1", ""),
        ("f(", "", ")"),
        ("Vec<", "u8", ">"),
        ("*const ", "u8", ""),
        ("mod a { ", "", "}"),
        ("fn f() { ", "", "}"),
        ("println!(", "", ")"),
        ("#[a(", "", ")] x"),
        ("return ", "1", ""),
        ("x as u8 as ", "u8", ""),
        ("async { ", "", "}.await"),
        ("unsafe { ", "", "}"),
        ("let x = ", "1", ""),
        ("struct A(", "", ")"),
        ("v[0] + ", "v[0]", ""),
        ("x.", "x", ""),
        ("x.f::<A, B>().", "x", ""),
        ("x.f(", "", ")"),
        ("|a, b| ", "1", ""),
        ("|a, b| { ", "", "}"),
        ("A<u8, ", "u8", ">"),
        ("a::<u8, ", "u8", ">()"),
        ("fn(u8) -> ", "u8", ""),
        ("impl A { fn f() { ", "", "} }"),
        ("use a::{b, ", "c", "}"),
        ("macro_rules! m { () => { ", "", "} }"),
    ] {
        for depth in [50, 900, 3_000, 200_000] {
            let text = format!("{}{middle}{}", open.repeat(depth), close.repeat(depth));
            is_complete(&text, &|_| false);
            readable_type(&text);
            let _ = named(&text, &[], &"cell_a".to_owned());
            segments(&format!("!{text}"), &|_| false);
            // A failure at run time, at the innermost place.
            let place = Place { cell: CellText::new(1, &text), range: open.len() * depth..open.len() * depth };
            let shown = extent(&place, "index out of bounds");
            assert!(text.get(shown).is_some(), "{open}: what is underlined is a part of the text");
            for text in [
                text.clone(),
                format!("let x: {text} = 1;"),
                format!("fn f() -> {text} {{}}"),
                format!("let {text} = 1;"),
            ] {
                if let Ok(cell) = parse(&CellText::new(1, &text), &ItemMacros::default()) {
                    let plan = Scope::default().plan(&cell, &Names::new());
                    let found = plan.new_items.len() + plan.new_impls.len() + cell.statements.len() + cell.uses.len();
                    assert!(found > 0, "{open}");
                }
            }
        }
    }
}
