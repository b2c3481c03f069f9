//! What a crate was written with: its variables, its stages, and what each of our own lines is for.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::ptr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::handed_on::HandedOn;
use crate::plan::opaque::{Naming, Question};
use crate::plan::variables::Variable;
use crate::source::fragment::{Edit, Fragment};
use crate::source::identifiers::{Names, mentions};
use crate::source::instrument::numbers::{Found, Untyped, left_of_operators};
use crate::source::instrument::{format, impl_trait};
use crate::source::parse::{LetValue, UseLeaf};
use crate::source::source_map::{CrateSource, Place};

/// Identifies a variable within its cell: first those taken, then the bindings in order.
pub type VariableId = usize;

/// A variable that the cell takes or declares.
#[derive(Debug, Clone)]
pub struct CellVariable {
    /// Its name.
    pub name: String,
    /// Whether it was declared `mut`.
    pub mutable: bool,
    /// Where it was declared.
    pub declared: Place,
    /// What the store knows of it, for one that is taken.
    pub taken: Option<Variable>,
    /// What the code says of its value.
    pub(super) value: LetValue,
    /// The statement that declares it, for one that is not.
    pub(super) statement: usize,
    /// The last statement that means this variable by its name.
    pub(super) last_read: usize,
}

impl CellVariable {
    /// Whether its value is a closure, as far as the code says so.
    pub fn is_closure(&self) -> bool {
        matches!(self.value, LetValue::Closure(_))
    }
}

/// Something that we wrote into the crate, and that a diagnostic may be about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inserted {
    /// The line that takes a variable out of the store.
    Take(VariableId),
    /// The check that a new variable is one and borrows nothing, which also tells its type.
    Probe(VariableId),
    /// The line that has what a closure captures be there once more: the closure is this new variable, and what it
    /// captures is the variable of this name.
    Share(VariableId, String),
    /// The same for a closure that a statement hands on.
    HandOn(HandedOn),
    /// The alias that names the type of a new variable.
    Alias(VariableId),
    /// The line that puts a variable into the store.
    Put(VariableId),
    /// The drop of a new variable that is not kept.
    Drop(VariableId),
    /// A variable in the tuple that a stage returns.
    Return(VariableId),
    /// The head of a stage's closure, which captures what the statements use.
    Stage(usize),
    /// What shows the trailing expression.
    Show,
    /// A `use` of an earlier cell.
    Use(UseLeaf),
    /// The text of an item that moved here; the names to leave behind if it no longer compiles.
    Moved(Names),
}

/// What earlier tries to compile the cell have taught.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decisions {
    /// Run this statement and all behind it as one stage: they borrow from each other.
    pub together: Option<usize>,
    /// Run the trailing expression without showing its value: it has none (`std::process::exit`).
    pub tail_without_value: bool,
    /// Nothing says what the error of the trailing `Ok(())` is: it is what `?` makes of errors.
    #[serde(default)]
    pub tail_of_any_error: bool,
    /// New variables that cannot be kept.
    pub not_kept: BTreeSet<VariableId>,
    /// The variables that those borrow from, where rustc has named them.
    #[serde(default)]
    pub lenders: BTreeMap<VariableId, String>,
    /// Variables that the cell moves.
    pub moved: BTreeSet<VariableId>,
    /// Those of them that are gone by the end of the stage that declares them: no later stage gets them.
    pub ended: BTreeSet<VariableId>,
    /// Variables that a stage moves and gives a new value, `x = x + 1.0`: it takes and returns them.
    pub passed: BTreeSet<(VariableId, usize)>,
    /// Variables that are not kept and have to end before what they borrow: guards of locks, for one.
    pub dropped: BTreeSet<VariableId>,
    /// Variables of earlier cells that cannot be taken.
    pub not_taken: Names,
    /// Items of earlier cells that no longer fit.
    pub stale: Names,
    /// `use` declarations of earlier cells that no longer hold.
    pub dropped_uses: Vec<UseLeaf>,
    /// Values that are displayed as a cell's result would be: their type has no display of its own.
    #[serde(default)]
    pub displayed: BTreeSet<Displayed>,
    /// Where functions return what borrows from an argument: the text of the item or statement, and the place in it.
    #[serde(default)]
    pub capturing: BTreeSet<(String, usize)>,
    /// Macros that name variables are defined once more where these are in scope: in the function that runs the cell.
    #[serde(default)]
    pub local_macros: bool,
    /// Closures that borrow would not be kept, so they get what they capture for themselves.
    #[serde(default)]
    pub sharing: BTreeSet<VariableId>,
    /// So do closures that are handed on.
    #[serde(default)]
    pub handed_on: BTreeSet<HandedOn>,
    /// Closures that are handed on as they were written: what they capture cannot be had once more.
    #[serde(default)]
    pub handed_on_as_written: BTreeSet<HandedOn>,
    /// What new variables are of whose types have no name.
    #[serde(default)]
    pub naming: BTreeMap<VariableId, Naming>,
    /// Text is formatted as the user wrote it, also where that writes tensors on several lines.
    #[serde(default)]
    pub text_as_written: bool,
    /// Names in patterns that bind nothing: constants, unit structs and variants in scope.
    pub paths: Names,
    /// Numbers that are given a type: operators on their right have several results else.
    #[serde(default)]
    pub typed: BTreeSet<Number>,
    /// Numbers that stay as they are, as a type did not help.
    #[serde(default)]
    pub untyped: BTreeSet<Number>,
}

/// A number without a type, on the left of an operator.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Number {
    /// The user's text of the item or statement that it stands in.
    fragment: String,
    /// Where in it the number ends.
    end: usize,
    /// What to put there.
    suffix: String,
}

impl Number {
    /// The edit that gives it its type.
    pub(super) fn edit(&self, fragment: &Fragment) -> Option<Edit> {
        let at = fragment.range.start + self.end;
        (fragment.text() == self.fragment).then(|| Edit { at, replaces: 0, insert: self.suffix.clone() })
    }
}

/// Numbers whose type rustc may have missed.
#[derive(Debug, Default)]
pub struct Numbers {
    /// Those that decide what rustc could not infer.
    pub deciding: BTreeSet<Number>,
    /// Those that rustc would probably ask for next.
    pub likely: BTreeSet<Number>,
}

/// An argument of `display`, which takes types with a display of their own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Displayed {
    /// The user's text of the item or statement that it stands in.
    fragment: String,
    /// Where in it.
    start: usize,
    end: usize,
}

impl Displayed {
    /// The edits that have the value shown by what its type has: `&x`, `x`, or `x` behind a `&`.
    pub(super) fn edits(&self, fragment: &Fragment) -> Option<[Edit; 2]> {
        let text = fragment.text();
        if text != self.fragment {
            return None;
        }
        let (before, value) = (text.get(..self.start)?, text.get(self.start..self.end)?);
        let (borrow, of) = match (before.trim_end().ends_with('&'), value.starts_with('&')) {
            (true, _) => ("", "&"),
            (false, _) => ("&", ""),
        };
        let edit = |at: usize, insert: String| Edit { at: fragment.range.start + at, replaces: 0, insert };
        let head = format!("{borrow}{{ {SHOW_TRAITS} (&&&&&::oxtorch::cell::Show({of}");
        Some([edit(self.start, head), edit(self.end, ")).oxtorch_bundle() }".to_owned())])
    }
}

/// What a closure calls, while it is made, a variable that it captures.
pub(super) fn shared(name: &str) -> String {
    format!("__oxtorch_shared_{name}")
}

/// What decides how a value is shown.
pub(super) const SHOW_TRAITS: &str =
    "use ::oxtorch::cell::{ViaDebug as _, ViaModule as _, ViaName as _, ViaRich as _, ViaTensors as _};";

/// A crate ready to compile.
#[derive(Debug, Default)]
pub struct Emission {
    /// The text and its map.
    pub source: CrateSource,
    /// What is ours in it.
    pub marks: Vec<(Range<usize>, Inserted)>,
    /// The cell's variables.
    pub variables: Vec<CellVariable>,
    /// The crates of earlier cells that it links.
    pub crates: BTreeSet<String>,
    /// Whether there is anything to run.
    pub runs: bool,
    /// The stages, in order.
    pub stages: Vec<Stage>,
    /// The trailing expression, where its value is shown.
    pub tail: Option<Range<usize>>,
    /// What rustc is asked about types in it. If there is anything, it is compiled for the answers alone.
    pub questions: BTreeMap<VariableId, Question>,
    /// The unstable features that what is ours in it needs.
    pub features: BTreeSet<&'static str>,
    /// The user's items and statements in it.
    pub(super) fragments: Vec<Fragment>,
}

/// Statements that run as one.
#[derive(Debug, Clone)]
pub struct Stage {
    /// Which.
    pub statements: Range<usize>,
    /// Whether they stand in the cell's function itself: `let`s that cannot fail.
    pub sure: bool,
    /// Where it stands in the crate's text, up to the first statement of the next.
    pub text: Range<usize>,
}

impl Emission {
    /// The last variable of a name.
    pub fn variable(&self, name: &str) -> Option<VariableId> {
        self.variables.iter().rposition(|variable| variable.name == name)
    }

    /// The argument of `display` at a place in the emitted text.
    pub fn displayed(&self, range: Range<usize>) -> Option<Displayed> {
        let (fragment, place) = self.fragment(range)?;
        let from = fragment.range.start;
        let (start, end) = (place.range.start - from, place.range.end - from);
        Some(Displayed { fragment: fragment.text().to_owned(), start, end })
    }

    /// What says that the function at a place holds nothing of its arguments: the item or statement, and where in it.
    pub fn narrowed(&self, range: Range<usize>) -> Option<(String, usize)> {
        let (fragment, place) = self.fragment(range)?;
        let ahead = fragment.edits.iter().filter(|edit| impl_trait::is_one(edit) && edit.at <= place.range.end);
        let last = ahead.map(|edit| edit.at).max()?;
        Some((fragment.text().to_owned(), last - fragment.range.start))
    }

    /// Whether it has text in which tensors are written as numbers.
    pub fn writes_numbers(&self) -> bool {
        self.fragments.iter().any(|fragment| fragment.edits.iter().any(format::is_one))
    }

    /// The item or statement that a place in the crate's text is of, and where in the user's text that is.
    pub(super) fn fragment(&self, range: Range<usize>) -> Option<(&Fragment, Place)> {
        let place = self.source.place(range)?;
        let holds = |fragment: &&Fragment| {
            Arc::ptr_eq(&fragment.cell, &place.cell)
                && fragment.range.start <= place.range.start
                && place.range.end <= fragment.range.end
        };
        Some((self.fragments.iter().find(holds)?, place))
    }

    /// The numbers that what stands at a place in the crate's text depends on.
    pub fn numbers(&self, range: Range<usize>) -> Numbers {
        let Some((around, place)) = self.fragment(range) else { return Numbers::default() };
        // One text, since a statement may depend on what others declare.
        let (mut text, mut starts, mut asked) = (String::new(), Vec::new(), 0..0);
        for fragment in &self.fragments {
            let start = text.len();
            if ptr::eq(fragment, around) {
                let moved = |at: usize| start + at - fragment.range.start;
                asked = moved(place.range.start)..moved(place.range.end);
            }
            starts.push(start);
            text.push_str(fragment.text());
            // The last statement has no semicolon, and may end with a comment.
            text.push_str("\n;\n");
        }
        let number = |untyped: Untyped| {
            let index = starts.partition_point(|start| *start < untyped.end) - 1;
            let fragment = self.fragments[index].text().to_owned();
            Number { fragment, end: untyped.end - starts[index], suffix: untyped.suffix.to_owned() }
        };
        let Found { deciding, likely } = left_of_operators(&text, asked);
        Numbers {
            deciding: deciding.into_iter().map(number).collect(),
            likely: likely.into_iter().map(number).collect(),
        }
    }

    /// Whether a place in the crate's text is of what shows the trailing expression.
    pub fn shows_at(&self, place: usize) -> bool {
        self.marks.iter().any(|(range, mark)| *mark == Inserted::Show && range.contains(&place))
    }

    /// Where the variable is declared that our own text at a place reads.
    pub fn declaration_of_read(&self, place: Range<usize>) -> Option<Range<usize>> {
        let id = self.marks.iter().find_map(|(marked, mark)| match mark {
            Inserted::Probe(id) | Inserted::Put(id) if marked.contains(&place.start) => Some(*id),
            _ => None,
        })?;
        self.source.emitted(&self.variables[id].declared)
    }

    /// The new variables that the user's statement at a place in the crate's text declares.
    pub fn declared_at(&self, range: Range<usize>) -> Vec<VariableId> {
        self.fragment(range).map(|(statement, _)| self.declared_by(statement).collect()).unwrap_or_default()
    }

    /// The new variables that a statement of the user's declares.
    pub(super) fn declared_by(&self, statement: &Fragment) -> impl Iterator<Item = VariableId> {
        let is_declared = |variable: &CellVariable| {
            let Place { cell, range } = &variable.declared;
            variable.taken.is_none() && Arc::ptr_eq(cell, &statement.cell) && statement.range.contains(&range.start)
        };
        (0..self.variables.len()).filter(move |id| is_declared(&self.variables[*id]))
    }

    /// The stage that declares a variable.
    fn stage_of(&self, variable: &CellVariable) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.statements.contains(&variable.statement))
    }

    /// The first statement of the stage at a place in the crate's text.
    pub fn stage_at(&self, place: usize) -> Option<usize> {
        let stage = self.stages.iter().find(|stage| stage.text.contains(&place));
        stage.map(|stage| stage.statements.start)
    }

    /// The first statement of the stage that declares a variable, where a later stage reads it.
    pub fn read_later(&self, id: VariableId) -> Option<usize> {
        let variable = &self.variables[id];
        let stage = self.stage_of(variable).filter(|stage| variable.last_read >= stage.statements.end)?;
        Some(stage.statements.start)
    }

    /// Whether a stage has a variable of its own by that name.
    pub fn declares(&self, stage: usize, name: &str) -> bool {
        let statements = &self.stages[stage].statements;
        let own = |variable: &CellVariable| variable.taken.is_none() && statements.contains(&variable.statement);
        self.variables.iter().any(|variable| variable.name == name && own(variable))
    }

    /// The variables that a closure, the value of a new variable, mentions.
    pub fn captured(&self, id: VariableId) -> Vec<String> {
        let CellVariable { value: LetValue::Closure(closure), statement, declared, .. } = &self.variables[id] else {
            return Vec::new();
        };
        let text = &declared.cell.text[closure.range.clone()];
        let mut names = text.parse().map(mentions).unwrap_or_default();
        names.retain(|name| !closure.arguments.contains(name) && self.visible(name, *statement).is_some());
        names.into_iter().collect()
    }

    /// Whether nothing but a closure itself can tell whether it has what it captures for itself.
    pub fn may_share(&self, id: VariableId) -> bool {
        let CellVariable { value, statement, .. } = &self.variables[id];
        let is_fixed = |name: &String| self.visible(name, *statement).is_some_and(|it| !self.variables[it].mutable);
        matches!(value, LetValue::Closure(closure) if !closure.is_move) && self.captured(id).iter().all(is_fixed)
    }

    /// The variable that a stage means by a name that it has from outside.
    pub fn captured_by(&self, name: &str, stage: usize) -> Option<VariableId> {
        self.visible(name, self.stages[stage].statements.start)
    }

    /// The variable that a statement means by a name that it does not declare itself.
    fn visible(&self, name: &str, statement: usize) -> Option<VariableId> {
        let is_ahead =
            |other: &CellVariable| other.name == name && (other.taken.is_some() || other.statement < statement);
        self.variables.iter().rposition(is_ahead)
    }
}
