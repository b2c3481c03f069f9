//! Writes the function that runs a cell: its variables, its stages, and what shows its value.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::emit::emission::{CellVariable, Inserted, SHOW_TRAITS, VariableId, shared};
use crate::emit::stages::stages;
use crate::emit::{Emitter, RUN_SYMBOL};
use crate::plan::opaque::{ALIAS_FEATURE, Aliased, Naming, Question};
use crate::source::fragment::Fragment;
use crate::source::identifiers::raw;
use crate::source::instrument::CHECKPOINT;
use crate::source::parse::{Item, ItemKind, LetValue, Statement, StatementKind};

/// What becomes of the variables of a stage once the later stages are over.
struct Ending {
    /// Dropped first.
    dropped: Vec<VariableId>,
    /// Not kept.
    forgotten: Vec<VariableId>,
    /// Put into the store, the last one first.
    put: Vec<VariableId>,
}

impl Emitter<'_> {
    /// Writes the function.
    pub(super) fn run_function(&mut self) {
        // By a macro: what the user forbids, `#![forbid(unsafe_code)]`, is not about what a macro of another crate
        // writes.
        self.glue(&format!("::oxtorch::export_run!({RUN_SYMBOL:?}, crate::__oxtorch_run); "));
        let aliases: Vec<String> =
            self.named().flat_map(|(_, aliased)| &aliased.aliases).map(|alias| alias.name.clone()).collect();
        if !aliases.is_empty() {
            self.glue(&format!("#[define_opaque({})] ", aliases.join(", ")));
        }
        self.glue(&format!("pub fn __oxtorch_run() {{ {SHOW_TRAITS} "));
        if self.is_test() {
            // Ahead of anything that a student has written.
            self.glue("__OXTORCH_TEST.begin(); ");
        }
        if self.input.cell.asynchronous {
            self.glue("::oxtorch::cell::enter_tokio(); ");
        }
        // Those that are taken are the first ones.
        let taken = 0..self.out.variables.iter().filter(|variable| variable.taken.is_some()).count();
        taken.clone().for_each(|id| self.take(id));
        if self.input.decisions.local_macros {
            self.input.macros.iter().for_each(|item| self.local_macro(item));
        }
        let statements = &self.input.cell.statements;
        self.out.stages = stages(statements, self.input.decisions.together);
        self.stages();
        taken.rev().for_each(|id| self.put(id, 0));
        self.glue(" }\n");
    }

    /// Has rustc allow the unstable features that questions and aliases need.
    pub(super) fn features(&mut self) {
        let questions = (0..self.out.variables.len()).filter_map(|id| self.question(id));
        let mut features: BTreeSet<&str> = questions.flat_map(Question::features).copied().collect();
        features.extend(self.named().next().map(|_| ALIAS_FEATURE));
        for feature in &features {
            self.glue(&format!("#![feature({feature})] "));
        }
        self.out.features = features;
    }

    /// Writes the aliases that name the types of variables, and the functions that ask about types.
    pub(super) fn type_helpers(&mut self) {
        let aliases: Vec<_> = self.named().map(|(id, aliased)| (id, aliased.aliases.clone())).collect();
        for (id, aliases) in aliases {
            for alias in aliases {
                self.marked(&format!("pub type {} = {};\n", alias.name, alias.bounds()), Inserted::Alias(id));
            }
        }
        for question in self.out.questions.values().copied().collect::<BTreeSet<_>>() {
            self.glue(question.definition());
            self.glue("\n");
        }
    }

    /// The variables whose types are written by aliases.
    fn named(&self) -> impl Iterator<Item = (VariableId, &Aliased)> {
        self.input.decisions.naming.keys().filter_map(|id| Some((*id, self.aliased(*id)?)))
    }

    /// How the type of a variable is written by aliases, if it is put into the store.
    fn aliased(&self, id: VariableId) -> Option<&Aliased> {
        match self.input.decisions.naming.get(&id) {
            Some(Naming::Named(aliased)) if !self.is_lost(id) => Some(aliased),
            _ => None,
        }
    }

    /// Whether no later cell gets a variable.
    fn is_lost(&self, id: VariableId) -> bool {
        let decisions = self.input.decisions;
        let is_passed = decisions.passed.iter().any(|(passed, _)| *passed == id);
        is_passed || decisions.moved.contains(&id) || decisions.not_kept.contains(&id)
    }

    /// What to ask about the type of a variable.
    fn question(&self, id: VariableId) -> Option<Question> {
        match (self.input.decisions.naming.get(&id), &self.out.variables[id].value) {
            _ if self.is_lost(id) => None,
            (Some(Naming::Asked(question)), _) => Some(*question),
            (Some(Naming::Named(_) | Naming::Nameless), _) | (None, LetValue::Other) => None,
            (None, LetValue::Closure(_)) => Some(Question::Signature),
            (None, LetValue::Future) => Some(Question::Output),
        }
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

    /// The name of a variable, as code.
    fn name(&self, id: VariableId) -> String {
        raw(&self.out.variables[id].name)
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
        if self.is_test() {
            self.glue("__OXTORCH_TEST.end(); ");
        }
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
        let passed = decisions.passed.iter().filter(|(_, stage)| *stage == number);
        let passed: Vec<VariableId> = passed.map(|(id, _)| *id).collect();

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
                self.marked(&format!("{}, ", self.name(*id)), Inserted::Return(*id));
            }
            self.glue(")) }) { ");
            for id in &passed {
                self.marked(&format!("{} = {}; ", self.name(*id), back(*id)), Inserted::Return(*id));
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
            let name = self.name(*id);
            // Only a variable has an address: E0745 says that the name is a constant's or a variant's.
            let mut probe = format!("::core::mem::drop(&raw const {name}); ::oxtorch::cell::probe(&{name});");
            if let Some(question) = self.question(*id) {
                probe += &format!(" {}(&{name});", question.function());
                self.out.questions.insert(*id, question);
            }
            self.marked(&probe, Inserted::Probe(*id));
            self.glue(" ");
        }
    }

    /// Ends variables, the last one first, while what they borrow is still there.
    fn drop_all(&mut self, ids: &[VariableId]) {
        for id in ids.iter().rev() {
            self.marked(&format!("::core::mem::drop({}); ", self.name(*id)), Inserted::Drop(*id));
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
        for id in self.sharing_in(&statement.fragment) {
            for name in self.out.captured(id) {
                self.share(&name, &shared(&name), Inserted::Share(id, name.clone()));
            }
        }
        let decisions = self.input.decisions;
        for closure in decisions.handed_on.iter().filter(|closure| closure.is_in(&statement.fragment)) {
            for name in &closure.names {
                self.share(name, &closure.own(name), Inserted::HandOn(closure.clone()));
            }
        }
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

    /// Has a variable that a closure captures be there once more, for the closure alone, under a name of ours.
    fn share(&mut self, name: &str, own: &str, mark: Inserted) {
        let variable = raw(name);
        let share =
            format!("let {own} = {{ {SHARE_TRAITS} (&&::oxtorch::cell::Shared(&{variable})).oxtorch_share() }}; ");
        self.marked(&share, mark);
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
            "(&&&&&::oxtorch::cell::Show(__oxtorch_value)).oxtorch_show(|| __oxtorch_value.evcxr_display()) } }",
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
        // Of the type that the alias says it is of.
        let ty = self.aliased(id).map(|aliased| format!("::<{}>", aliased.ty())).unwrap_or_default();
        self.marked(&format!("::oxtorch::cell::{put}{ty}({name:?}, {id}, {}); ", raw(&name)), Inserted::Put(id));
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

/// What decides how a value is shared.
const SHARE_TRAITS: &str = "use ::oxtorch::cell::{ViaCopy as _, ViaShare as _};";

/// Stands for the method `evcxr_display` of a type that has none; one that a trait of the user's gives a type comes
/// first, for this is a method of references to it. It is in scope around a cell's value alone, for elsewhere a method
/// that a type lacks is an error; and no trait of the runtime's, or rustc would advise evcxr's cells to import it.
const VIA_EVCXR: &str = "\
    trait ViaEvcxr { fn evcxr_display(&self) -> ::oxtorch::cell::NoMethod { ::oxtorch::cell::NoMethod } } \
    impl<T: ?::core::marker::Sized> ViaEvcxr for &T {}";
