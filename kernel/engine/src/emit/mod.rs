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
pub(crate) mod repair;
mod stages;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use self::emission::SHOW_TRAITS;
pub use self::emission::{CellVariable, Decisions, Emission, Inserted, VariableId};
use self::stages::{cell_variables, stages};
use crate::crate_names::hashed_name;
use crate::plan::Plan;
use crate::plan::scope::Import;
use crate::plan::variables::Variable;
use crate::source::fragment::{Edit, Fragment};
use crate::source::identifiers::{Names, raw};
use crate::source::instrument::{CHECKPOINT, impl_trait};
use crate::source::parse::{Item, ItemKind, ParsedCell, Statement, StatementKind, UseLeaf};
use crate::source::source_map::Source;

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
            source: Source::default(),
            marks: Vec::new(),
            variables: cell_variables(&input),
            crates: BTreeSet::new(),
            runs: !input.cell.statements.is_empty(),
            stages: Vec::new(),
            tail: None,
            fragments: Vec::new(),
        },
    };
    emitter.head();
    emitter.own_items();
    if emitter.out.runs {
        emitter.run_function();
    }
    emitter.moved_items(|kind| kind != ItemKind::Macro);
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

/// What becomes of the variables of a stage once the later stages are over.
struct Ending {
    /// Dropped first.
    dropped: Vec<VariableId>,
    /// Not kept.
    forgotten: Vec<VariableId>,
    /// Put into the store, the last one first.
    put: Vec<VariableId>,
}

struct Emitter<'a> {
    input: Input<'a>,
    out: Emission,
}

impl Emitter<'_> {
    /// Writes an item or statement of the user's.
    fn fragment(&mut self, fragment: &Fragment) -> Range<usize> {
        let displayed = &self.input.decisions.displayed;
        let edits: Vec<Edit> = displayed.iter().filter_map(|value| value.edits(fragment)).flatten().collect();
        let given = fragment;
        let mut fragment = given.clone();
        for (_, at) in self.input.decisions.capturing.iter().filter(|(of, _)| of == given.text()) {
            fragment.edits.retain(|edit| edit.at != given.range.start + at || !impl_trait::is_one(edit));
        }
        if !edits.is_empty() {
            fragment.edits.extend(edits);
            fragment.edits.sort_by_key(|edit| edit.at);
        }
        let range = self.out.source.fragment(&fragment);
        self.out.fragments.push(fragment);
        range
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
        self.glue(
            "#![allow(unused, nonstandard_style, private_interfaces, private_bounds, uncommon_codepoints, static_mut_refs, \
             dropping_copy_types)] \
             #[allow(unused_imports)] use ::oxtorch::prelude::*; ",
        );
        for condition in &self.input.cell.conditions {
            // rustc would take out what is ours as well.
            let told =
                format!("`#![cfg({condition})]` takes out the whole cell: `#[cfg(..)]` stands ahead of a part of one");
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
        // A macro is in scope only below its definition.
        self.moved_items(|kind| kind == ItemKind::Macro);
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

    fn run_function(&mut self) {
        // By a macro: what the user forbids, `#![forbid(unsafe_code)]`, is not about what a macro of another crate
        // writes.
        self.glue(&format!("::oxtorch::export_run!({RUN_SYMBOL:?}, crate::__oxtorch_run); "));
        self.glue(&format!("pub fn __oxtorch_run() {{ {SHOW_TRAITS} "));
        if self.input.cell.asynchronous {
            self.glue("::oxtorch::cell::enter_tokio(); ");
        }
        let taken: Vec<VariableId> =
            (0..self.out.variables.len()).filter(|id| self.out.variables[*id].taken.is_some()).collect();
        for id in &taken {
            self.take(*id);
        }
        if self.input.decisions.local_macros {
            self.input.macros.iter().for_each(|item| self.local_macro(item));
        }
        let statements = &self.input.cell.statements;
        self.out.stages = stages(statements, self.input.decisions.together);
        self.stages();
        for id in taken.into_iter().rev() {
            self.put(id, 0);
        }
        self.glue(" }\n");
    }

    fn take(&mut self, id: VariableId) {
        let variable = self.out.variables[id].clone();
        let Some(stored) = &variable.taken else { return };
        let start = self.out.source.text.len();
        self.glue("let ");
        self.pattern(&variable);
        let (name, ty) = (&variable.name, &stored.ty);
        if stored.moved_home {
            self.glue(&format!(": {ty} = ::oxtorch::carry_variable!({name:?}); "));
        } else {
            self.glue(&format!(": {ty} = ::oxtorch::cell::take({name:?}); "));
        }
        self.out.marks.push((start..self.out.source.text.len(), Inserted::Take(id)));
    }

    /// The name of a variable in a pattern of ours, which stands for the place where the user declared it.
    fn pattern(&mut self, variable: &CellVariable) {
        if variable.mutable {
            self.glue("mut ");
        }
        self.out.source.glue_for(&raw(&variable.name), &variable.declared);
    }

    /// Writes the stages, each inside what follows the success of the one before.
    fn stages(&mut self) {
        // A loop: calls of calls, as deep as there are stages, could overflow the stack.
        let endings: Vec<Ending> = (0..self.out.stages.len()).map(|number| self.stage(number)).collect();
        for (number, ending) in endings.into_iter().enumerate().rev() {
            self.drop_all(&ending.dropped);
            for id in ending.forgotten {
                self.forget(id);
            }
            for id in ending.put.into_iter().rev() {
                self.put(id, number + 1);
            }
            self.glue("} ");
        }
    }

    /// Writes a stage up to where the next one stands, and returns what comes behind that.
    fn stage(&mut self, number: usize) -> Ending {
        let stage = self.out.stages[number].clone();
        if let Some(before) = number.checked_sub(1) {
            self.out.stages[before].text.end = self.out.source.text.len();
        }
        self.out.stages[number].text = self.out.source.text.len()..usize::MAX;
        let is_last = number + 1 == self.out.stages.len();
        let decisions = self.input.decisions;
        let declared = self.declared_in(&stage.statements);
        let (gone, alive): (Vec<_>, Vec<_>) = declared.iter().copied().partition(|id| decisions.ended.contains(id));
        let (unkept, kept): (Vec<_>, Vec<_>) = alive.iter().copied().partition(|id| decisions.not_kept.contains(id));
        let probed: Vec<VariableId> = kept.iter().copied().filter(|id| !decisions.moved.contains(id)).collect();
        let dropped: Vec<VariableId> = unkept.iter().copied().filter(|id| decisions.dropped.contains(id)).collect();
        let passed = decisions.passed.iter().filter(|(_, stage)| *stage == number).map(|(id, _)| *id);
        let passed: Vec<VariableId> = passed.collect();

        if stage.sure {
            self.glue("{ ");
            for index in stage.statements.clone() {
                self.local_macros(index..index + 1);
                self.statement(&self.input.cell.statements[index].clone());
                let declared_here = |id: &VariableId| self.out.variables[*id].statement == index;
                let probed: Vec<VariableId> = probed.iter().copied().filter(declared_here).collect();
                self.probe_all(&probed);
            }
        } else {
            // Later stages stand within what follows this one, but not within its statements.
            if !is_last {
                self.local_macros(stage.statements.clone());
            }
            // What a later stage may use is returned even if no later cell can have it.
            let returned = if is_last { &kept } else { &alive };
            self.glue("if let ::core::option::Option::Some((");
            for id in returned {
                let variable = self.out.variables[*id].clone();
                self.pattern(&variable);
                self.glue(", ");
            }
            for id in &passed {
                self.glue(&format!("{}, ", back(*id)));
            }
            self.glue(")) = ");
            let awaits = self.input.cell.statements[stage.statements.clone()].iter().any(|statement| statement.awaits);
            let head =
                if awaits { "::oxtorch::cell::stage_async(async || {\n" } else { "::oxtorch::cell::stage(|| {\n" };
            self.marked(head, Inserted::Stage(number));
            self.statements(&stage.statements);
            self.probe_all(&probed);
            if is_last {
                self.drop_all(&dropped);
            }
            self.glue("::core::result::Result::Ok((");
            for id in returned.iter().chain(&passed) {
                let name = raw(&self.out.variables[*id].name);
                self.marked(&format!("{name}, "), Inserted::Return(*id));
            }
            self.glue(")) }) { ");
            for id in &passed {
                let name = raw(&self.out.variables[*id].name);
                self.marked(&format!("{name} = {}; ", back(*id)), Inserted::Return(*id));
            }
        }
        Ending {
            dropped: if stage.sure || !is_last { dropped } else { Vec::new() },
            forgotten: unkept.into_iter().chain(gone).collect(),
            put: kept.into_iter().chain(passed).collect(),
        }
    }

    /// Writes the statements of a stage.
    fn statements(&mut self, range: &Range<usize>) {
        for index in range.clone() {
            if range.end == self.input.cell.statements.len() {
                self.local_macros(index..index + 1);
            }
            // A stage looks for an interrupt when it begins.
            if index > range.start && !self.input.cell.statements[index].sure {
                self.glue(CHECKPOINT);
                self.glue(" ");
            }
            self.statement(&self.input.cell.statements[index].clone());
        }
    }

    /// Defines the cell's own macros that stand right ahead of these statements once more, where they name a variable.
    fn local_macros(&mut self, statements: Range<usize>) {
        if !self.input.decisions.local_macros {
            return;
        }
        let cell = self.input.cell;
        let start = |index: usize| cell.statements[index].fragment.range.start;
        let place = statements.start.checked_sub(1).map_or(0, start)..start(statements.end - 1);
        let macros = cell.items.iter().filter(|item| item.kind == ItemKind::Macro);
        macros.filter(|item| place.contains(&item.fragment.range.start)).for_each(|item| self.local_macro(item));
    }

    /// Defines a macro within the function that runs the cell.
    fn local_macro(&mut self, item: &Item) {
        if self.out.variables.iter().any(|variable| item.mentions.contains(&variable.name)) {
            // As the user wrote it: it needs to be seen from nowhere else.
            self.fragment(&Fragment { edits: Vec::new(), ..item.fragment.clone() });
            self.glue("\n");
        }
    }

    /// Has the compiler look at variables: whether they borrow, and what type they are of.
    fn probe_all(&mut self, ids: &[VariableId]) {
        for (number, id) in ids.iter().enumerate() {
            if number > 0 {
                // What rustc tells of a place holds the line that it is on.
                self.glue("\n");
            }
            let name = raw(&self.out.variables[*id].name);
            // Only a variable has an address: E0745 says that the name is a constant's or a variant's.
            let probe = format!("::core::mem::drop(&raw const {name}); ::oxtorch::cell::probe(&{name});");
            self.marked(&probe, Inserted::Probe(*id));
            self.glue(" ");
        }
    }

    /// Ends variables, the last one first, while what they borrow is still there.
    fn drop_all(&mut self, ids: &[VariableId]) {
        for id in ids.iter().rev() {
            let name = raw(&self.out.variables[*id].name);
            self.marked(&format!("::core::mem::drop({name}); "), Inserted::Drop(*id));
        }
    }

    /// The variables that the statements leave behind: of several with one name the last.
    fn declared_in(&self, stage: &Range<usize>) -> Vec<VariableId> {
        let mut declared: Vec<VariableId> = Vec::new();
        for (id, variable) in self.out.variables.iter().enumerate() {
            if variable.taken.is_none() && stage.contains(&variable.statement) {
                declared.retain(|other| self.out.variables[*other].name != variable.name);
                declared.push(id);
            }
        }
        declared
    }

    fn statement(&mut self, statement: &Statement) {
        self.out.source.align(&statement.fragment);
        match statement.kind {
            StatementKind::Tail { behind_attributes } if !self.input.decisions.tail_without_value => {
                self.shown(&statement.fragment, behind_attributes);
            }
            _ => {
                self.fragment(&statement.fragment);
            }
        }
        self.glue(if matches!(statement.kind, StatementKind::Tail { .. }) { ";\n" } else { "\n" });
    }

    /// Writes the trailing expression and what shows its value. Attributes belong to the whole of it: a statement may
    /// have them.
    fn shown(&mut self, fragment: &Fragment, behind_attributes: usize) {
        let (attributes, value) = fragment.split(behind_attributes);
        self.fragment(&attributes);
        self.marked("match &(", Inserted::Show);
        if self.input.decisions.tail_of_any_error {
            self.marked("::oxtorch::cell::of_any_error(", Inserted::Show);
        }
        let start = self.fragment(&value).start;
        self.out.tail = Some(start..self.out.source.text.len());
        self.marked(if self.input.decisions.tail_of_any_error { "\n)" } else { "\n" }, Inserted::Show);
        self.marked(&format!(") {{ __oxtorch_value => {{ {VIA_EVCXR} "), Inserted::Show);
        self.marked(
            "(&&&::oxtorch::cell::Show(__oxtorch_value)).oxtorch_show(|| __oxtorch_value.evcxr_display()) } }",
            Inserted::Show,
        );
    }

    /// Puts a variable into the store as it is behind `level` stages.
    fn put(&mut self, id: VariableId, level: usize) {
        let decisions = self.input.decisions;
        let passed_on = decisions.passed.iter().any(|(other, stage)| *other == id && *stage >= level);
        if passed_on || decisions.moved.contains(&id) {
            return self.forget(id);
        }
        let CellVariable { name, taken, .. } = self.out.variables[id].clone();
        let put = if taken.is_some() { "put_back" } else { "put" };
        self.marked(&format!("::oxtorch::cell::{put}({name:?}, {id}, {}); ", raw(&name)), Inserted::Put(id));
        self.glue("\n");
    }

    /// Hides an older variable of the same name, which the user believes to be gone.
    fn forget(&mut self, id: VariableId) {
        let name = self.out.variables[id].name.clone();
        self.glue(&format!("::oxtorch::cell::forget({name:?});\n"));
    }
}

/// What a stage gives back of a variable that it moves, on the way to the place where the variable was.
fn back(id: VariableId) -> String {
    format!("__oxtorch_{id}")
}

/// Stands for the method `evcxr_display` of a type that has none; one that a trait of the user's gives a type comes
/// first, for this is a method of references to it. It is in scope around a cell's value alone, for elsewhere a method
/// that a type lacks is an error; and no trait of the runtime's, or rustc would advise evcxr's cells to import it.
const VIA_EVCXR: &str = "\
    trait ViaEvcxr { fn evcxr_display(&self) -> ::oxtorch::cell::NoMethod { ::oxtorch::cell::NoMethod } } \
    impl<T: ?::core::marker::Sized> ViaEvcxr for &T {}";

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
