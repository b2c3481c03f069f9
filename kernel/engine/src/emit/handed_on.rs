//! Closures that a statement hands on to what keeps them, such as `interact`: what they would borrow ends with the
//! cell, so they get it for themselves, as closures in variables do.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use syn::spanned::Spanned as _;
use syn::visit::Visit;

use crate::diagnostic::Diagnostic;
use crate::emit::emission::{CellVariable, shared};
use crate::emit::repair::values_moved_into_closures;
use crate::emit::{Emission, VariableId};
use crate::source::fragment::{Edit, Fragment};
use crate::source::identifiers::{Names, mentions, raw};
use crate::source::nesting::parsed;
use crate::source::parse::LetValue;

/// A closure within a statement, and what it gets for itself.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HandedOn {
    /// The user's text of the statement.
    fragment: String,
    /// Where in it the closure stands.
    start: usize,
    end: usize,
    /// The variables that it mentions.
    pub(super) names: Vec<String>,
}

impl HandedOn {
    /// Whether it stands in this statement.
    pub(super) fn is_in(&self, fragment: &Fragment) -> bool {
        fragment.text() == self.fragment
    }

    /// What it calls a variable that it captures, while it is made.
    pub(super) fn own(&self, name: &str) -> String {
        format!("{}_{}", shared(name), self.start)
    }

    /// The edits that have it take what was made for it.
    pub(super) fn edits(&self, fragment: &Fragment) -> Option<[Edit; 2]> {
        let from = fragment.range.start;
        let owned = self.names.iter().map(|name| (name.as_str(), self.own(name)));
        self.is_in(fragment).then(|| taking(from + self.start..from + self.end, owned))
    }
}

/// The edits that have a closure take what was made for it, under names of ours, in place of what it borrows.
pub(super) fn taking<'a>(closure: Range<usize>, owned: impl Iterator<Item = (&'a str, String)>) -> [Edit; 2] {
    let edit = |at: usize, insert: String| Edit { at, replaces: 0, insert };
    let owned = owned.map(|(name, own)| format!("let {} = {own}; ", raw(name)));
    let head = format!("{{ {}move ", String::from_iter(owned));
    [edit(closure.start, head), edit(closure.end, " }".to_owned())]
}

impl Emission {
    /// The closure that is to blame for a borrow that does not last, where nothing but the closure can tell whether it
    /// has what it captures for itself.
    pub(super) fn handed_on(&self, error: &Diagnostic, file: &str) -> Option<HandedOn> {
        let places = error.spans.iter().filter_map(|span| span.range_in(file));
        // A function sees no variables, so what its closures borrow is the user's to mend.
        let places = places.filter(|place| self.stage_at(place.start).is_some());
        places.filter_map(|place| self.fragment(place)).find_map(|(fragment, place)| {
            let at = place.range.start.checked_sub(fragment.range.start)?;
            let closure = closure_at(fragment.text(), at)?;
            let variables = closure.mentioned.iter().filter_map(|name| self.ahead_of(fragment, name));
            let variables: Vec<&CellVariable> = variables.collect();
            let names = variables.iter().map(|variable| variable.name.clone()).collect();
            let Closure { start, end, .. } = closure;
            let is_fixed = variables.iter().all(|variable| !variable.mutable);
            (is_fixed && !variables.is_empty()).then(|| HandedOn {
                fragment: fragment.text().to_owned(),
                start,
                end,
                names,
            })
        })
    }

    /// The closure that took a variable which its text does not mention, but a macro that it calls does.
    pub(super) fn spoilt(&self, error: &Diagnostic, file: &str, all: &BTreeSet<HandedOn>) -> Option<HandedOn> {
        values_moved_into_closures(error, file).find_map(|place| self.handed_on_at(place, all))
    }

    /// The closure whose value borrows what it captures, as in `[1, 0].iter().map(|&at| &rows[at])`: it cannot have
    /// that for itself.
    pub(super) fn gives_away(&self, error: &Diagnostic, file: &str, all: &BTreeSet<HandedOn>) -> Option<HandedOn> {
        let escapes = error.message.starts_with("captured variable cannot escape");
        self.handed_on_at(error.range_in(file).filter(|_| escapes)?, all)
    }

    fn handed_on_at(&self, place: Range<usize>, all: &BTreeSet<HandedOn>) -> Option<HandedOn> {
        let (statement, _) = self.fragment(place)?;
        all.iter().find(|closure| closure.is_in(statement)).cloned()
    }

    /// Whether a closure is the value of a new variable: of such a one, the variable decides what it has for itself.
    pub(super) fn is_value_of(&self, closure: &HandedOn, id: VariableId) -> bool {
        let CellVariable { value: LetValue::Closure(value), declared, .. } = &self.variables[id] else { return false };
        let declares = |statement: &&Fragment| {
            closure.is_in(statement)
                && Arc::ptr_eq(&statement.cell, &declared.cell)
                && statement.range.contains(&declared.range.start)
        };
        let statement = self.fragments.iter().find(declares);
        statement.is_some_and(|statement| statement.range.start + closure.start == value.range.start)
    }

    /// What a statement means by a name, if it is a variable.
    fn ahead_of(&self, statement: &Fragment, name: &str) -> Option<&CellVariable> {
        let is_it = |variable: &&CellVariable| {
            let declared = &variable.declared;
            let is_ahead =
                || Arc::ptr_eq(&declared.cell, &statement.cell) && declared.range.start < statement.range.start;
            variable.name == name && (variable.taken.is_some() || is_ahead())
        };
        self.variables.iter().rfind(is_it)
    }
}

/// A closure in a statement's text.
struct Closure {
    start: usize,
    end: usize,
    mentioned: Names,
}

/// The outermost closure at a place in a statement's text that takes nothing yet.
fn closure_at(text: &str, at: usize) -> Option<Closure> {
    struct Search {
        at: usize,
        found: Option<Closure>,
    }
    impl<'ast> Visit<'ast> for Search {
        fn visit_expr_closure(&mut self, closure: &'ast syn::ExprClosure) {
            let range = closure.span().byte_range();
            if self.found.is_some()
                || !range.contains(&self.at)
                || closure.capture.is_some()
                || closure.asyncness.is_some()
            {
                return;
            }
            let tokens = |it: &dyn quote::ToTokens| mentions(it.to_token_stream());
            let arguments: Names = closure.inputs.iter().flat_map(|argument| tokens(argument)).collect();
            let mut mentioned = tokens(&closure.body);
            mentioned.retain(|name| !arguments.contains(name));
            self.found = Some(Closure { start: range.start, end: range.end, mentioned });
        }
    }
    let head = "{";
    let found = parsed(&format!("{head}{text}\n}}"), |block: syn::Block| {
        let mut search = Search { at: at + head.len(), found: None };
        search.visit_block(&block);
        search.found
    });
    let Closure { start, end, mentioned } = found??;
    Some(Closure { start: start - head.len(), end: end - head.len(), mentioned })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_outermost_closure_is_found_with_what_it_mentions() {
        let text =
            "interact(slider(\"a\", 0.0..=1.0), |a| { let b = a; xs.iter().map(|x| x * b * rate).sum::<f64>() })";
        let at = text.find("rate").expect("is there");
        let closure = closure_at(text, at).expect("is a closure");
        assert_eq!(&text[closure.start..closure.start + 3], "|a|");
        assert!(text[..closure.end].ends_with("() }"));
        assert!(closure.mentioned.contains("rate") && closure.mentioned.contains("xs"));
        assert!(!closure.mentioned.contains("a"));
        let moves = "f(move |a| rate * a)";
        assert!(closure_at(moves, moves.find("rate").expect("is there")).is_none());
    }
}
