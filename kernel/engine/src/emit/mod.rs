//! Writes the crate of a cell: the user's text, and around it imports, variables and stages.
//!
//! ```text
//! <attributes> #![allow(...)] use ::oxtorch::prelude::*; use ::cell_3::Net; use std::fs;
//! <the user's items, on the user's own lines>
//! ::oxtorch::export_run!("oxtorch_run", crate::__oxtorch_run);
//! pub fn __oxtorch_run() { let mut net: ::cell_3::Net = take("net");
//! if let Some((mut opt,)) = stage(|| { <a `let` of the user's> probe(&opt); Ok((opt,)) }) {
//! { <`let`s that cannot fail> probe(&lr);
//! if let Some(()) = stage(|| { <more statements> Ok(()) }) { } put("lr", 2, lr); } put("opt", 1, opt); }
//! put_back("net", 0, net); }
//! <items that moved here from earlier cells>
//! ```
//!
//! A variable comes to its place at the end of its own `let` and stays there until all statements are over, as it would
//! in a function: the user may have a pointer to it.

mod emission;
mod function;
mod handed_on;
pub(crate) mod repair;
mod stages;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use self::emission::shared;
pub use self::emission::{CellVariable, Decisions, Emission, Inserted, Number, VariableId};
use self::handed_on::taking;
use self::stages::cell_variables;
use crate::crate_names::hashed_name;
use crate::plan::Plan;
use crate::plan::scope::Import;
use crate::plan::variables::Variable;
use crate::source::fragment::{Author, Edit, Fragment};
use crate::source::identifiers::{Names, raw};
use crate::source::instrument::{format, impl_trait};
use crate::source::parse::{Item, ItemKind, LetValue, ParsedCell, UseLeaf};

/// The function that runs a cell, as the host finds it.
pub const RUN_SYMBOL: &str = "oxtorch_run";

/// All that a crate is written from.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// The cell.
    pub cell: &'a ParsedCell,
    /// What the crate holds.
    pub plan: &'a Plan,
    /// What it imports.
    pub imports: &'a [Import],
    /// `use` declarations of earlier cells.
    pub uses: &'a [UseLeaf],
    /// The variables in the store.
    pub live: &'a BTreeMap<String, Variable>,
    /// The names that mentioned macros bring with them.
    pub macro_mentions: &'a Names,
    /// The macros of earlier cells that it may call, in the order in which they were defined.
    pub macros: &'a [&'a Item],
    /// What earlier tries have taught.
    pub decisions: &'a Decisions,
}

/// Writes the crate.
pub fn emit(input: Input<'_>) -> Emission {
    let mut emitter = Emitter {
        input,
        out: Emission {
            variables: cell_variables(&input),
            runs: !input.cell.statements.is_empty(),
            ..Emission::default()
        },
    };
    emitter.head();
    emitter.own_items();
    if emitter.out.runs {
        emitter.run_function();
    }
    emitter.moved_items(|kind| kind != ItemKind::Macro);
    emitter.type_helpers();
    emitter.out.crates = crates_in(&emitter.out.source.text);
    emitter.out
}

/// The crates of earlier cells that the text names; all our references to them are absolute paths.
fn crates_in(text: &str) -> BTreeSet<String> {
    let names = text.match_indices("cell_").filter_map(|(at, _)| {
        let len = hashed_name(&text[at..])?;
        text[..at].trim_end().ends_with("::").then(|| text[at..at + len].to_owned())
    });
    names.collect()
}

struct Emitter<'a> {
    input: Input<'a>,
    out: Emission,
}

impl Emitter<'_> {
    /// Writes an item or statement of the user's.
    fn fragment(&mut self, fragment: &Fragment) -> Range<usize> {
        let decisions = self.input.decisions;
        let displayed = decisions.displayed.iter().filter_map(|value| value.edits(fragment)).flatten();
        let typed = decisions.typed.iter().filter_map(|number| number.edit(fragment));
        let handed_on = decisions.handed_on.iter().filter_map(|closure| closure.edits(fragment)).flatten();
        let edits: Vec<Edit> = displayed.chain(typed).chain(handed_on).chain(self.sharing_edits(fragment)).collect();
        let given = fragment;
        let mut fragment = given.clone();
        for (_, at) in decisions.capturing.iter().filter(|(of, _)| of == given.text()) {
            fragment.edits.retain(|edit| edit.at != given.range.start + at || !impl_trait::is_one(edit));
        }
        if decisions.text_as_written {
            fragment.edits.retain(|edit| !format::is_one(edit));
        }
        if !edits.is_empty() {
            fragment.edits.extend(edits);
            fragment.edits.sort_by_key(|edit| edit.at);
        }
        let range = self.out.source.fragment(&fragment);
        self.out.fragments.push(fragment);
        range
    }

    /// The edits that have closures take what was made for them.
    fn sharing_edits(&self, fragment: &Fragment) -> Vec<Edit> {
        let edits = |id: VariableId| {
            let LetValue::Closure(closure) = &self.out.variables[id].value else { return None };
            let names = self.out.captured(id);
            Some(taking(closure.range.clone(), names.iter().map(|name| (name.as_str(), shared(name)))))
        };
        self.sharing_in(fragment).into_iter().filter_map(edits).flatten().collect()
    }

    /// The closures in an item or statement that get what they capture for themselves.
    fn sharing_in(&self, fragment: &Fragment) -> Vec<VariableId> {
        let sharing = &self.input.decisions.sharing;
        // Most cells have none, and need not be looked through.
        if sharing.is_empty() {
            return Vec::new();
        }
        self.out.declared_by(fragment).filter(|id| sharing.contains(id)).collect()
    }

    fn glue(&mut self, text: &str) {
        self.out.source.glue(text);
    }

    fn marked(&mut self, text: &str, mark: Inserted) {
        let range = self.out.source.glue(text);
        self.out.marks.push((range, mark));
    }

    fn head(&mut self) {
        for attribute in &self.input.cell.attributes {
            self.out.source.fragment(attribute);
            // A comment, `//! ...`, would take in what follows.
            self.glue(if attribute.text().starts_with("//") { "\n" } else { " " });
        }
        self.features();
        self.glue(
            "#![allow(unused, nonstandard_style, private_interfaces, private_bounds, uncommon_codepoints, static_mut_refs, \
             dropping_copy_types)] ",
        );
        // A cell that speaks of such lints has decided for itself.
        let decides = |attribute: &Fragment| ["unused", "warnings"].iter().any(|lint| attribute.text().contains(lint));
        if !self.input.cell.attributes.iter().any(decides) {
            self.glue("#![warn(unused_must_use)] ");
        }
        self.glue("#[allow(unused_imports)] use ::oxtorch::prelude::*; ");
        for condition in &self.input.cell.conditions {
            // rustc would take out what is ours as well.
            let told = format!("`#![cfg({condition})]` removes the whole cell: put `#[cfg(..)]` before a part of it");
            self.glue(&format!("#[cfg(not({condition}))] ::core::compile_error!({told:?}); "));
        }
        for import in self.input.imports {
            let rename = if import.anonymous { " as _" } else { "" };
            self.glue(&format!("use ::{}::{}{rename}; ", import.home, raw(&import.name)));
            if import.in_modules {
                // Whoever loads a cell needs what that was linked with.
                let (name, home) = (raw(&import.name), &import.home);
                self.glue(&format!("extern crate oxtorch as _; #[macro_use({name})] extern crate {home} as _; "));
            }
        }
        for leaf in self.input.uses {
            if !self.input.decisions.dropped_uses.contains(leaf) {
                self.marked(&format!("{} ", leaf.code), Inserted::Use(leaf.clone()));
            }
        }
        if self.is_test() {
            self.test_items();
        }
        // A macro is in scope only below its definition.
        self.moved_items(|kind| kind == ItemKind::Macro);
    }

    /// Whether the cell is a test that is graded.
    fn is_test(&self) -> bool {
        self.input.cell.text().is_some_and(|text| text.author == Author::Test)
    }

    /// What a test tells the kernel by, and the function `points` that takes the place of the prelude's, unless the
    /// test or the session has one of its own.
    fn test_items(&mut self) {
        self.glue("static __OXTORCH_TEST: ::oxtorch::cell::GradedTest = ::oxtorch::cell::GradedTest::new(); ");
        let is_it = |name: &String| name == "points";
        let own = self.input.plan.items().any(|item| item.names.iter().any(is_it));
        if !own && !self.input.imports.iter().any(|import| !import.anonymous && is_it(&import.name)) {
            self.glue(
                "fn points(points: impl ::core::convert::Into<f64>, message: impl ::core::fmt::Display) \
                 { __OXTORCH_TEST.points(points, message) } ",
            );
        }
    }

    fn own_items(&mut self) {
        let plan = self.input.plan;
        let uses = self.input.cell.uses.iter().map(|declaration| &declaration.fragment);
        let items = plan.new_items.iter().map(|item| &item.fragment);
        let impls = plan.new_impls.iter().map(|block| &block.fragment);
        let mut fragments: Vec<_> = uses.chain(items).chain(impls).collect();
        fragments.sort_by_key(|fragment| fragment.range.start);
        for fragment in fragments {
            self.out.source.align(fragment);
            self.fragment(fragment);
            // A line comment of the user's may stand at the end.
            self.glue("\n");
        }
    }

    fn moved_items(&mut self, wanted: impl Fn(ItemKind) -> bool) {
        let plan = self.input.plan;
        for item in plan.moved_items.iter().filter(|item| wanted(item.kind)) {
            let range = self.fragment(&item.fragment);
            self.out.marks.push((range, Inserted::Moved(item.names.iter().cloned().collect())));
            self.glue("\n");
        }
        if wanted(ItemKind::Other) {
            for block in &plan.moved_impls {
                let range = self.fragment(&block.fragment);
                self.out
                    .marks
                    .push((range, Inserted::Moved(Names::from([crate::plan::scope::stale_impl_name(block)]))));
                self.glue("\n");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::scope::Scope;
    use crate::source::fragment::CellText;
    use crate::source::macro_items::ItemMacros;
    use crate::source::parse::parse;

    fn emitted(text: &str, decisions: &Decisions) -> Emission {
        let cell = parse(&CellText::new(1, text), &ItemMacros::default()).expect("the test's cell parses");
        let plan = Scope::default().plan(&cell, &Names::new());
        emit(Input {
            cell: &cell,
            plan: &plan,
            imports: &[],
            uses: &[],
            live: &BTreeMap::new(),
            macro_mentions: &Names::new(),
            macros: &[],
            decisions,
        })
    }

    #[test]
    fn the_users_lines_keep_their_numbers() {
        let text = "struct A;\n\nlet a = A;\nlet b = f(a);\nloop {}";
        let emission = emitted(text, &Decisions::default());
        let lines: Vec<&str> = emission.source.text.lines().collect();
        assert!(lines[0].ends_with("pub struct A;"), "{}", emission.source.text);
        assert_eq!(emission.stages.len(), 3);
        let place = emission.source.place_of_line(3, 5).map(|place| (place.line(), place.column()));
        assert_eq!(lines[2].trim_end(), "let a = A;");
        assert_eq!(place, Some((3, 5)));
    }

    #[test]
    fn each_let_that_may_fail_is_a_stage_and_what_lies_between_runs_as_one() {
        let stages = |text: &str, decisions: &Decisions| {
            let emission = emitted(text, decisions);
            emission.stages.iter().map(|stage| (stage.statements.clone(), stage.sure)).collect::<Vec<_>>()
        };
        let first = |text: &str| stages(text, &Decisions::default());
        assert_eq!(first("let a = 1; let b = 2;"), [(0..2, true)]);
        assert_eq!(first("let a = f(); let b = &a;"), [(0..1, false), (1..2, true)]);
        assert_eq!(first("f(); g(); let b = h(); b.i(); b"), [(0..2, false), (2..3, false), (3..5, false)]);
        assert_eq!(first("f(); let a; a = f(); let b = 1; g(a);"), [(0..1, false), (1..5, false)]);
        let together = Decisions { together: Some(1), ..Decisions::default() };
        assert_eq!(stages("let a = 1; f(a); let b = g(); b", &together), [(0..1, true), (1..4, false)]);
    }

    #[test]
    fn a_cell_of_items_alone_has_nothing_to_run() {
        assert!(!emitted("fn f() {}", &Decisions::default()).runs);
    }
}
