//! Learns from what rustc refuses about the code around a cell, so that the next try leaves that out.
//!
//! The borrow checker decides which variables a cell moved and which cannot be kept. It speaks of the lines that we
//! wrote (see [`Inserted`]); what it says of the user's own lines alone is the user's error.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::diagnostic::{Diagnostic, Span, is_number, quoted};
use crate::emit::handed_on::HandedOn;
use crate::emit::{CellVariable, Decisions, Emission, Inserted, Number, VariableId};
use crate::plan::opaque::Naming;

/// A move out of a place that was moved, or never assigned, or is borrowed.
const MOVED: [&str; 3] = ["E0382", "E0381", "E0505"];
/// A borrow that ends too early.
const BORROWED: [&str; 11] =
    ["E0597", "E0713", "E0716", "E0515", "E0373", "E0521", "E0310", "E0499", "E0502", "E0503", "E0506"];
/// Inference that a later statement would have settled.
const UNINFERRED: [&str; 3] = ["E0282", "E0283", "E0284"];

/// What the errors of one try ask for: the decisions for the next; `None` when all of them are the user's own.
pub fn learn(errors: &[&Diagnostic], emission: &Emission, file: &str, decisions: &Decisions) -> Option<Decisions> {
    // An error of the user's is told of the user's text alone.
    let of_borrows = |error: &&Diagnostic| MOVED.contains(&error.code()) || BORROWED.contains(&error.code());
    if emission.writes_numbers() && !errors.iter().filter(|error| !error.spans.is_empty()).all(of_borrows) {
        return Some(Decisions { text_as_written: true, ..decisions.clone() });
    }
    let first = type_numbers(errors, emission, file, decisions).or_else(|| hand_on(errors, emission, file, decisions));
    if first.is_some() {
        return first;
    }
    let mut next = decisions.clone();
    // "aborting due to 2 previous errors" has no place.
    for error in errors.iter().filter(|error| !error.spans.is_empty()) {
        let marks = marks_of(error, emission, file);
        let place = error.range_in(file);
        if let Some(closure) = emission.gives_away(error, file, &decisions.handed_on) {
            next.handed_on.remove(&closure);
            next.handed_on_as_written.insert(closure);
            continue;
        }
        let displayed = place.clone().filter(|_| is_without_display(error)).and_then(|place| emission.displayed(place));
        if let Some(displayed) = displayed {
            next.displayed.insert(displayed);
            continue;
        }
        if let Some(stage) = stage_of_hidden_name(error, emission, file) {
            join(stage, &mut next);
            continue;
        }
        if let Some(name) = hides_function(error, &marks, emission) {
            next.not_taken.insert(name);
            continue;
        }
        if is_about_captures(error)
            && let Some(narrowed) = place.clone().and_then(|place| emission.narrowed(place))
        {
            next.capturing.insert(narrowed);
            continue;
        }
        if !decisions.local_macros && names_variable_in_macro(error) {
            next.local_macros = true;
            continue;
        }
        learn_one(error, &marks, file, emission, decisions, &mut next);
    }
    // What was learnt of variables does not hold for others, nor what was learnt of stages.
    let others = next.paths != decisions.paths;
    if others || next.together != decisions.together {
        let together = if others { decisions.together } else { next.together };
        next = Decisions {
            together,
            not_kept: BTreeSet::new(),
            lenders: BTreeMap::new(),
            moved: BTreeSet::new(),
            ended: BTreeSet::new(),
            passed: BTreeSet::new(),
            dropped: BTreeSet::new(),
            naming: BTreeMap::new(),
            sharing: BTreeSet::new(),
            ..next
        };
    }
    (next != *decisions).then_some(next)
}

/// Gives numbers on the left of an operator a type where rustc lacks one, and takes it back where that did not help.
fn type_numbers(errors: &[&Diagnostic], emission: &Emission, file: &str, decisions: &Decisions) -> Option<Decisions> {
    let mut next = decisions.clone();
    let (mut wrong, mut any_unfit) = (BTreeSet::new(), false);
    for error in errors {
        let unfit = is_about_numbers(error) && !decisions.typed.is_empty();
        let Some(place) = error.range_in(file).filter(|_| unfit || UNINFERRED.contains(&error.code())) else {
            continue;
        };
        // That a value cannot be shown is told of what shows it.
        let shown = emission.tail.clone().filter(|_| emission.shows_at(place.start));
        let numbers = emission.numbers(shown.unwrap_or(place));
        let is_new = |number: &&Number| !decisions.typed.contains(number) && !decisions.untyped.contains(number);
        if !unfit && numbers.deciding.iter().any(|number| is_new(&number)) {
            next.typed.extend(numbers.deciding.iter().chain(&numbers.likely).filter(is_new).cloned());
        } else {
            wrong.extend(decisions.typed.intersection(&numbers.deciding).cloned());
        }
        any_unfit |= unfit;
    }
    // What does not fit may be far from the number.
    if wrong.is_empty() && any_unfit {
        wrong.clone_from(&decisions.typed);
    }
    next.typed.retain(|number| !wrong.contains(number));
    next.untyped.extend(wrong);
    (next != *decisions).then_some(next)
}

/// Whether an error is that two types of numbers differ, one of which may be a type that we gave a number.
fn is_about_numbers(error: &Diagnostic) -> bool {
    // "cannot multiply `f64` by `&f32`"; "mismatched types", and at the place "expected `f32`, found `f64`".
    let texts: Vec<&str> = match error.code() {
        "E0277" => vec![&error.message],
        "E0308" => error.labels().collect(),
        _ => return false,
    };
    let types: Vec<&str> = texts.into_iter().flat_map(quoted).map(|ty| ty.trim_start_matches('&')).collect();
    types.iter().all(|ty| is_number(ty)) && types.iter().any(|ty| matches!(*ty, "f64" | "i64"))
}

/// Whether a macro names a variable that is not in scope where the macro is defined.
fn names_variable_in_macro(error: &Diagnostic) -> bool {
    let is_it = |child: &Diagnostic| child.message.ends_with("not accessible due to macro hygiene");
    error.code() == "E0425" && error.children.iter().any(is_it)
}

/// Whether what a function returns holds more than `use<...>` says, as we wrote it behind its bounds.
fn is_about_captures(error: &Diagnostic) -> bool {
    error.code() == "E0700" || (error.message.contains("`impl Trait`") && error.message.contains("`use<...>`"))
}

struct Marked<'a> {
    mark: &'a Inserted,
    primary: bool,
    /// Whether this is what asks for a borrow that never ends.
    asks: bool,
}

fn marks_of<'a>(error: &Diagnostic, emission: &'a Emission, file: &str) -> Vec<Marked<'a>> {
    let mut marks = Vec::new();
    // "argument requires that `x` is borrowed for `'static`"
    let asks = |span: &Span| span.label.as_deref().is_some_and(|label| label.starts_with("argument requires"));
    let spans = error.spans.iter().map(|span| (span, span.is_primary, asks(span)));
    // "function requires argument type to outlive `'static`"
    let notes = error.children.iter().filter(|note| note.message.ends_with("to outlive `'static`"));
    let notes = notes.flat_map(|note| &note.spans).map(|span| (span, false, true));
    for (span, primary, asks) in spans.chain(notes) {
        let Some(range) = span.range_in(file) else { continue };
        let overlaps =
            |marked: &Range<usize>| marked.start < range.end.max(range.start + 1) && range.start < marked.end;
        // A span may reach over much of the crate, such as the whole body of an async closure: it is about its
        // beginning.
        let begins_marked = emission.marks.iter().any(|(marked, _)| marked.contains(&range.start));
        let overlapping = emission
            .marks
            .iter()
            .filter(|(marked, _)| if begins_marked { marked.contains(&range.start) } else { overlaps(marked) });
        marks.extend(overlapping.map(|(_, mark)| Marked { mark, primary, asks }));
    }
    marks
}

fn learn_one(
    error: &Diagnostic,
    marks: &[Marked<'_>],
    file: &str,
    emission: &Emission,
    before: &Decisions,
    next: &mut Decisions,
) {
    let code = error.code();
    let place = error.range_in(file).map(|range| range.start);
    let primary = |wanted: fn(&Inserted) -> bool| {
        marks.iter().find(|marked| marked.primary && wanted(marked.mark)).map(|marked| marked.mark)
    };

    if let Some(Inserted::Use(leaf)) = primary(|mark| matches!(mark, Inserted::Use(_))) {
        next.dropped_uses.push(leaf.clone());
        return;
    }
    if let Some(Inserted::Moved(names)) = primary(|mark| matches!(mark, Inserted::Moved(_))) {
        next.stale.extend(names.iter().cloned());
        return;
    }
    if let Some(Inserted::Probe(id)) = primary(|mark| matches!(mark, Inserted::Probe(_)))
        && matches!(code, "E0745" | "E0425")
    {
        if code == "E0745" {
            next.paths.insert(emission.variables[*id].name.clone());
        } else {
            // A `let` that `#[cfg]` has removed.
            next.moved.insert(*id);
            next.ended.insert(*id);
        }
        return;
    }
    let handed_on = marks.iter().find_map(|marked| match marked.mark {
        Inserted::HandOn(closure) => Some(closure.clone()),
        _ => None,
    });
    if let Some(closure) = handed_on.or_else(|| emission.spoilt(error, file, &before.handed_on)) {
        next.handed_on.remove(&closure);
        next.handed_on_as_written.insert(closure);
        return;
    }
    let share = marks.iter().find_map(|marked| match marked.mark {
        Inserted::Share(id, name) => Some((*id, name.clone())),
        _ => None,
    });
    if let Some((id, name)) = taken_by_closure(error, emission, file, before).or(share) {
        next.sharing.remove(&id);
        next.lenders.insert(id, name);
        next.not_kept.insert(id);
        return;
    }
    if let Some(id) = without_name(marks, before, code) {
        next.naming.insert(id, next.naming.get(&id).map_or(Naming::Nameless, |naming| naming.weaker(error)));
        return;
    }
    let in_take = primary(|mark| matches!(mark, Inserted::Take(_)));
    // A borrow error whose primary place is the variable itself is about what the user does with it.
    if let Some(Inserted::Take(id)) = in_take
        && !MOVED.contains(&code)
        && !BORROWED.contains(&code)
        && !matches!(code, "E0384" | "E0596")
    {
        next.not_taken.insert(emission.variables[*id].name.clone());
        return;
    }
    if let Some(Inserted::Show) = primary(|mark| matches!(mark, Inserted::Show))
        && UNINFERRED.contains(&code)
    {
        next.tail_without_value = true;
        return;
    }
    if place.is_some_and(|place| emission.tail.as_ref().is_some_and(|tail| tail.contains(&place)))
        && !before.tail_of_any_error
        && lacks_error_type(error)
    {
        next.tail_of_any_error = true;
        return;
    }
    let borrow_error = MOVED.contains(&code) || BORROWED.contains(&code) || code.is_empty();
    if borrow_error {
        // `argument requires that ... is borrowed for 'static`, `first borrow later used here`: this variable is the
        // one that borrows. What it borrows from may be under its own probe.
        let probed = |primary: bool| {
            marks.iter().find_map(|marked| match marked.mark {
                Inserted::Probe(id) if marked.primary == primary => Some(*id),
                _ => None,
            })
        };
        let asks = marks.iter().find_map(|marked| match marked.mark {
            Inserted::Put(id) | Inserted::Probe(id) if marked.asks && !marked.primary => Some(*id),
            _ => None,
        });
        let borrower = probed(false).or(asks).or_else(|| probed(true).filter(|_| !MOVED.contains(&code)));
        // A statement that is blamed again although its variables are not kept is the user's own error.
        let blamed = || borrowers(error, emission, file).into_iter().filter(|id| !before.not_kept.contains(id));
        let borrowers = borrower.map_or_else(|| blamed().collect(), |id| vec![id]);
        if !borrowers.is_empty() {
            let lender = lender(error, emission);
            if let [id] = borrowers[..]
                && emission.may_share(id)
                && !before.sharing.contains(&id)
            {
                next.sharing.insert(id);
                next.handed_on.retain(|closure| !emission.is_value_of(closure, id));
                return;
            }
            next.lenders.extend(borrowers.iter().filter_map(|id| Some((*id, lender.clone()?))));
            next.not_kept.extend(borrowers);
            return;
        }
        if let Some(Inserted::Probe(id) | Inserted::Drop(id)) =
            primary(|mark| matches!(mark, Inserted::Probe(_) | Inserted::Drop(_)))
        {
            // Moved or unassigned at the end of its own stage. A later stage that uses it must be the one to complain.
            return end(*id, emission, next);
        }
        if let Some(Inserted::Return(id)) = primary(|mark| matches!(mark, Inserted::Return(_))) {
            if next.passed.iter().any(|(passed, _)| passed == id) {
                // It got no new value after all.
                next.passed.retain(|(passed, _)| passed != id);
                next.moved.insert(*id);
                return;
            }
            if matches!(code, "E0382" | "E0381") {
                return end(*id, emission, next);
            }
        } else if code == "E0382"
            && let Some((id, stage)) = moved_into_stage(error, marks, emission)
            && emission.variables[id].mutable
            && !emission.declares(stage, &emission.variables[id].name)
            && !next.moved.contains(&id)
            && !before.passed.contains(&(id, stage))
        {
            next.passed.insert((id, stage));
            return;
        }
        if let Some(id) = dropped_too_late(error, emission)
            && !before.dropped.contains(&id)
        {
            next.dropped.insert(id);
            return;
        }
        let put = primary(|mark| matches!(mark, Inserted::Put(_)));
        // Else a put of something that the user still borrows elsewhere in the cell.
        let put = put.or_else(|| marks.iter().map(|marked| marked.mark).find(|mark| matches!(mark, Inserted::Put(_))));
        if let Some(Inserted::Put(id)) = put {
            next.moved.insert(*id);
            return;
        }
    }
    if (borrow_error || UNINFERRED.contains(&code)) && emission.stages.len() > 1 {
        // An error about nothing of ours is most likely the user's own, and told best where there are no stages.
        let in_stage = || marks.iter().find(|marked| marked.primary).and_then(|_| emission.stage_at(place?));
        let first = if before.together.is_none() { in_stage() } else { None };
        join(first.unwrap_or(0), next);
    }
}

/// The variable whose type does not do what its alias says, or has no answer to what was asked.
fn without_name(marks: &[Marked<'_>], before: &Decisions, code: &str) -> Option<VariableId> {
    let is_borrow = MOVED.contains(&code) || BORROWED.contains(&code);
    marks.iter().find_map(|marked| match marked.mark {
        Inserted::Alias(id) => Some(*id),
        Inserted::Put(id) if !is_borrow && matches!(before.naming.get(id), Some(Naming::Named(_))) => Some(*id),
        Inserted::Probe(id) if code == "E0277" => Some(*id),
        _ => None,
    })
}

/// Whether rustc finds nothing that says what the error of a `Result` is.
fn lacks_error_type(error: &Diagnostic) -> bool {
    let is_it = |label: &str| label.ends_with("type parameter `E` declared on the enum `Result`");
    UNINFERRED.contains(&error.code()) && error.labels().any(is_it)
}

/// Has a statement and all behind it run as one stage.
fn join(first: usize, next: &mut Decisions) {
    next.together = Some(next.together.map_or(first, |together| together.min(first)));
}

/// Takes a variable for gone by the end of its own stage. A later one that reads it is to run with that.
fn end(id: VariableId, emission: &Emission, next: &mut Decisions) {
    next.moved.insert(id);
    next.ended.insert(id);
    if let Some(stage) = emission.read_later(id) {
        join(stage, next);
    }
}

/// The stage that declares, by a macro of the user's, a name that a later statement does not find.
fn stage_of_hidden_name(error: &Diagnostic, emission: &Emission, file: &str) -> Option<usize> {
    let is_it = |child: &&Diagnostic| child.message.ends_with("is available in a different scope in the same function");
    let child = error.children.iter().filter(|_| error.code() == "E0425").find(is_it)?;
    child.spans.iter().find_map(|span| emission.stage_at(span.range_in(file)?.start))
}

/// A variable of an earlier cell that is called like the function that it was made by, and that this cell makes again:
/// `let digits = digits();`. It is the function that is meant.
fn hides_function(error: &Diagnostic, marks: &[Marked<'_>], emission: &Emission) -> Option<String> {
    let taken = marks.iter().find_map(|marked| match marked.mark {
        Inserted::Take(id) if error.code() == "E0618" => Some(&emission.variables[*id].name),
        _ => None,
    })?;
    let made_again = |variable: &&CellVariable| variable.taken.is_none() && variable.name == *taken;
    emission.variables.iter().find(made_again).map(|variable| variable.name.clone())
}

/// Whether an error is about an argument of `display` whose type has no display of its own.
fn is_without_display(error: &Diagnostic) -> bool {
    let is_it = |child: &Diagnostic| child.message.starts_with("required by a bound in `oxtorch::display::");
    error.code() == "E0277" && error.children.iter().any(is_it)
}

/// The variable that an error says was moved, and the stage whose closure moved it.
fn moved_into_stage(error: &Diagnostic, marks: &[Marked<'_>], emission: &Emission) -> Option<(VariableId, usize)> {
    let stage = marks.iter().find_map(|marked| match marked.mark {
        Inserted::Stage(stage) => Some(*stage),
        _ => None,
    })?;
    // "use of moved value: `x`", "borrow of partially moved value: `x.field`"
    let name = quoted(&error.message).next()?.split(['.', '[']).next()?;
    Some((emission.captured_by(name.trim_start_matches('*'), stage)?, stage))
}

/// The variable that an error says is borrowed: "`vs` does not live long enough", "closure may outlive the current
/// function, but it borrows `vs`".
fn lender(error: &Diagnostic, emission: &Emission) -> Option<String> {
    let places = quoted(&error.message).map(|place| place.trim_start_matches(['*', '&']));
    let mut variables = places.filter_map(|place| place.split(['.', '[']).next());
    variables.find(|name| emission.variable(name).is_some()).map(str::to_owned)
}

/// The variables that a statement declares and that borrow, if rustc blames a place in that statement for a borrow that
/// never ends: in `let refs: Vec<&str> = words.iter().map(|word| word.as_str()).collect();` it is the value of the
/// closure, not the line that keeps `refs`.
fn borrowers(error: &Diagnostic, emission: &Emission, file: &str) -> Vec<VariableId> {
    let asks = |span: &&Span| span.label.as_deref().is_some_and(|label| label.ends_with("is borrowed for `'static`"));
    let places = error.spans.iter().filter(asks).filter_map(|span| span.range_in(file));
    places.flat_map(|place| emission.declared_at(place)).collect()
}

/// A variable whose destructor uses a borrow after what it borrows was moved.
fn dropped_too_late(error: &Diagnostic, emission: &Emission) -> Option<VariableId> {
    // "borrow might be used here, when `guard` is dropped and runs the destructor for type `...`"
    let (name, _) = error.labels().find_map(|label| label.split_once("when `")?.1.split_once("` is dropped"))?;
    emission.variable(name)
}

/// Gives closures that are handed on what they capture. What else is wrong may come of their borrows: it is told again,
/// if it does not.
fn hand_on(errors: &[&Diagnostic], emission: &Emission, file: &str, decisions: &Decisions) -> Option<Decisions> {
    let mut next = decisions.clone();
    for error in errors.iter().filter(|error| is_asked_to_last(error)) {
        // A variable that is not kept, be it a closure, has its own way.
        let of_variable =
            marks_of(error, emission, file).iter().any(|marked| matches!(marked.mark, Inserted::Probe(_)));
        let closure = if of_variable { None } else { emission.handed_on(error, file) };
        let has_its_own = |closure: &HandedOn| {
            decisions.handed_on_as_written.contains(closure)
                || decisions.sharing.iter().any(|id| emission.is_value_of(closure, *id))
        };
        next.handed_on.extend(closure.filter(|closure| !has_its_own(closure)));
    }
    (next != *decisions).then_some(next)
}

/// Whether what an error is about is asked to last for ever: a closure that is kept, for one.
fn is_asked_to_last(error: &Diagnostic) -> bool {
    let asked = || error.labels().any(|label| label.ends_with("is borrowed for `'static`"));
    error.code() == "E0373" || (matches!(error.code(), "E0597" | "E0521") && asked())
}

pub(super) fn values_moved_into_closures<'a>(
    error: &'a Diagnostic,
    file: &'a str,
) -> impl Iterator<Item = Range<usize>> + 'a {
    let takes = |span: &&Span| span.label.as_deref().is_some_and(|label| label.starts_with("value moved into closure"));
    error.spans.iter().filter(takes).filter_map(move |span| span.range_in(file))
}

/// A closure that was to get what it captures for itself, and a variable that it took instead: the text of the closure
/// does not mention it, but a macro that it calls does.
fn taken_by_closure(
    error: &Diagnostic,
    emission: &Emission,
    file: &str,
    before: &Decisions,
) -> Option<(VariableId, String)> {
    let mut closures = values_moved_into_closures(error, file).flat_map(|place| emission.declared_at(place));
    let id = closures.find(|id| before.sharing.contains(id))?;
    Some((id, lender(error, emission)?))
}

/// The types that the lint has told, by variable.
pub fn probed_types(diagnostics: &[Diagnostic], emission: &Emission, file: &str) -> Vec<(usize, String)> {
    let mut types = Vec::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.code() == "unused_results") {
        for marked in marks_of(diagnostic, emission, file) {
            if let Inserted::Probe(id) = marked.mark
                && let Some(ty) = diagnostic.message.split_once("type `&").and_then(|(_, rest)| rest.rsplit_once('`'))
            {
                types.push((*id, ty.0.to_owned()));
            }
        }
    }
    types
}

/// What rustc has answered about the types of variables.
pub fn answers(diagnostics: &[Diagnostic], emission: &Emission, file: &str) -> BTreeMap<VariableId, String> {
    let mut answers = BTreeMap::new();
    for diagnostic in diagnostics.iter().filter(|diagnostic| diagnostic.code() == "unused_results") {
        // "unused result of type `std::marker::PhantomData<...>`"
        let told = diagnostic.message.split_once('`').and_then(|(_, rest)| rest.rsplit_once('`'));
        let Some((ty, _)) = told.filter(|(ty, _)| ty.starts_with("std::marker::PhantomData<")) else { continue };
        for marked in marks_of(diagnostic, emission, file) {
            if let Inserted::Probe(id) = marked.mark {
                answers.insert(*id, ty.to_owned());
            }
        }
    }
    answers
}
