//! Help with types that rustc has no words for, or has words for that lead astray: here of numbers, copies and moves,
//! in the files beside this one of what functions and closures take and give.

mod closures;
pub(super) mod handles;
mod lists;
mod results;
mod signatures;

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, NUMBERS, Span, is_number, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::calls::MEAN;
use crate::source::source_map::Place;
use crate::source::words::in_name;

/// Help for a value that is in a `Result`, behind a reference, or none: whatever it was wanted for.
pub(super) fn of_a_value(error: &Diagnostic, place: &Place) -> Option<Advice> {
    results::advice(error, place).or_else(|| handles::advice(error, place))
}

/// Help for what functions and closures take and give.
pub(super) fn of_what_is_taken(error: &Diagnostic, place: impl Fn(&Span) -> Option<Place>) -> Option<Advice> {
    let at_primary = |advice: fn(&Diagnostic, &Place) -> Option<Advice>| advice(error, &place(error.primary()?)?);
    closures::advice(error, &place)
        .or_else(|| results::of_question_mark(error, &place))
        .or_else(|| at_primary(lists::advice))
        .or_else(|| at_primary(signatures::advice))
}

/// Help with types that rustc has no words for.
pub(super) fn of_types(error: &Diagnostic, place: Option<&Place>) -> Option<Advice> {
    let message = readable(&error.message);
    let quoted: Vec<&str> = quoted(&message).collect();
    let is_number = |ty: &str| is_number(ty.trim_start_matches('&'));
    let text = place.and_then(|place| place.cell.text.get(place.range.clone())).unwrap_or("");
    match (error.code(), &quoted[..]) {
        ("E0432" | "E0433", [krate]) if tells_of(error, "unlinked crate") && !offers_import(error) => Some(
            Advice::help(format!("if `{krate}` is a crate, the line `:dep {krate} = \"*\"` before the code adds it")),
        ),
        ("E0277", [one, other]) if message.starts_with("cannot ") && is_number(one) && is_number(other) => {
            let to = [one, other].into_iter().find(|ty| ty.starts_with('f')).map_or("f64", |ty| ty);
            Some(Advice::help(format!("numbers of different types do not mix. Convert one of them, as in `n as {to}`")))
        }
        ("E0277", [bound, ..]) if is_order_of_floats(bound) => {
            let least = if text == "max" {
                "`.copied().fold(f64::NEG_INFINITY, f64::max)`"
            } else {
                "`.copied().fold(f64::INFINITY, f64::min)`"
            };
            Some(Advice::instead(format!(
                "floats have no total order, as NaN has no place in it. Write {least} behind `.iter()`, or `list.sort_by(f64::total_cmp)`"
            )))
        }
        ("E0277", [_, index])
            if message.contains("cannot be indexed by") && is_number(index) && *index != "{float}" =>
        {
            let index = if text.chars().all(in_name) { text } else { "index" };
            Some(Advice::help(format!("an index is a `usize`: write `{index} as usize`")))
        }
        ("E0277", [bound, ..]) if bound.ends_with("Control") && bound.starts_with(['[', 'V']) => {
            Some(Advice::instead("several controls are a tuple: `interact((first, second), |(a, b)| ...)`"))
        }
        ("E0308", _) if tells_of(error, "rl::Step<") && text.starts_with('(') => Some(Advice::instead(
            "a step has its parts by name: `let step = env.step(1);`, then `step.observation`, `step.reward`, \
             `step.terminated`, `step.truncated`, and `step.done()` for one of the last two",
        )),
        ("E0277", [bound]) if bound.starts_with("Scalar: From<") => {
            Some(Advice::help("a tensor takes `i64` and `f64` as numbers: write `n as i64` or `x as f64`"))
        }
        ("E0277", [bound, ..]) if bound.contains(": From<") && bound.contains("Tensor>") => Some(Advice::help(
            "to get one number, use `x.double_value(&[])` or `x.int64_value(&[])`; for many, `Vec::<f32>::try_from(&x)?`",
        )),
        ("E0277", [bound, ..]) if bound.starts_with("Option<Kind>: From<") => Some(Advice::help(MEAN)),
        ("E0061", _) if suggestions(error).any(|code| code.contains("dtype")) => {
            Some(Advice::help("`dtype` is the kind of the result, as in `x.sum(Kind::Float)`"))
        }
        _ if is_clone_of_tensor(error, text) => Some(Advice::instead(COPIES)),
        ("E0599", _) if text == "clone" && message.contains("nn::") => Some(Advice::instead(
            "to copy a network, make a second one the same way in its own store, then `second.copy(&vs)?`",
        )),
        ("E0283", _) => of_other_crates(error),
        ("E0382", told) if is_of_exclusive_reference(error) => {
            let name = told.first().copied().unwrap_or_else(|| moved_part(error).unwrap_or("x"));
            Some(Advice::instead(format!(
                "the `&mut` in an `Option` is moved by its use. To look at it, write `match &{name}` or `{name}.as_ref()`; to \
                 change it or to pass it on, `{name}.as_deref_mut()`, with `mut {name}` where it is declared"
            )))
        }
        ("E0382" | "E0507", _) if tells_of(error, "has type `Tensor`") => {
            Some(Advice::help("pass a reference, `&x`, or a second handle to the same data, `x.shallow_clone()`"))
        }
        (_, _) if tells_of(error, "this call may capture more lifetimes than intended") => Some(Advice::instead(
            "a function's `impl Trait` result is assumed to borrow from all its arguments: `-> impl Module + use<>` \
             says that it does not. A cell finds this out by itself; in a file or a macro it has to be written",
        )),
        ("E0597" | "E0521" | "E0373", _) if tells_of(error, "is borrowed for `'static`") => Some(Advice::help(
            "what outlives the cell, such as a thread, has to own what it uses: give it a clone, with `move ||`, or wait for it \
             inside `std::thread::scope`",
        )),
        ("E0308", _) => integer_for_float(error).map(|ty| {
            Advice::help(format!("`x as {ty}` makes an integer of a float and drops what is behind the point"))
        }),
        _ => None,
    }
}

/// Whether a bound asks for an order of floats: `{float}: Ord`, `&f64: Ord`.
fn is_order_of_floats(bound: &str) -> bool {
    let ty = bound.strip_suffix(": Ord").map(|ty| ty.trim_start_matches('&'));
    ty.is_some_and(|ty| is_number(ty) && (ty.starts_with('f') || ty == "{float}"))
}

/// The type of the integer that is expected where a float stands.
fn integer_for_float(error: &Diagnostic) -> Option<String> {
    error.labels().find_map(|label| {
        let label = readable(label);
        let (expected, found) = label.strip_prefix("expected `")?.split_once("`, found ")?;
        let is_integer = is_number(expected) && expected.starts_with(['u', 'i']);
        let is_float = found.starts_with("`f") || found == "floating-point number";
        (is_integer && is_float).then(|| expected.to_owned())
    })
}

/// The value that a part of is moved: `cache` of "`cache.0` moved here".
fn moved_part(error: &Diagnostic) -> Option<&str> {
    error.labels().find_map(|label| quoted(label).next()?.strip_suffix(".0"))
}

/// Whether what is gone is the `&mut` in an `Option`.
fn is_of_exclusive_reference(error: &Diagnostic) -> bool {
    (moved_part(error).is_some() && tells_of(error, "value has type `&mut "))
        || tells_of(error, "has type `Option<&mut ")
}

const COPIES: &str = "a tensor is not `Clone`, as there are two ways: `x.shallow_clone()` is a second handle to the same numbers, `x.copy()` has \
                      its own numbers. For a list: `list.iter().map(Tensor::shallow_clone).collect()`; a type that has one needs an \
                      `impl Clone` that says which";

/// Whether a tensor, or what holds one, was to be cloned. tch has a method of that name with an argument, which nobody
/// means.
fn is_clone_of_tensor(error: &Diagnostic, text: &str) -> bool {
    match error.code() {
        "E0061" => text == "clone" && tells_of(error, "`&Tensor` is missing"),
        "E0277" | "E0599" | "E0271" => error.message.contains("Tensor: Clone`") || tells_of(error, "Tensor: Clone`"),
        "E0308" => text.ends_with(".to_owned()") && tells_of(error, "expected `Tensor`, found `&Tensor`"),
        _ => false,
    }
}

/// Why a type is not clear that is clear to rustc alone: crates of the session have implementations that a program has
/// not which does not use them. Those below tch cannot be kept from cells.
fn of_other_crates(error: &Diagnostic) -> Option<Advice> {
    let (bound, crates) = error.children.iter().find_map(|child| {
        let rest = child.message.strip_prefix("multiple `impl`s satisfying `")?;
        let (bound, crates) = rest.split_once("` found in the following crates: ")?;
        Some((bound, crates.split_once(":\n").map_or(crates, |(crates, _)| crates)))
    })?;
    let names = quoted(crates).filter(|name| !["core", "alloc", "std"].contains(name));
    let others: Vec<String> = names.map(|name| format!("`{name}`")).collect();
    let ty = bound.split(':').next().filter(|ty| NUMBERS.contains(ty)).unwrap_or("i32");
    (!others.is_empty()).then(|| {
        Advice::instead(format!(
            "plain Rust has one type here. {} is loaded for the whole session and adds another, so say which is meant: \
             `Vec::<{ty}>::new()`, `text.parse::<{ty}>()`, `{ty}::from(x)`",
            others.join(" and ")
        ))
    })
}

/// The code of rustc's suggestions.
fn suggestions(error: &Diagnostic) -> impl Iterator<Item = &str> {
    let spans = error.children.iter().flat_map(|child| &child.spans);
    spans.filter_map(|span| span.suggested_replacement.as_deref())
}

/// Whether rustc knows what to import.
fn offers_import(error: &Diagnostic) -> bool {
    suggestions(error).any(|code| code.trim_start().starts_with("use "))
}

/// Whether a label or a note of an error has this text.
fn tells_of(error: &Diagnostic, text: &str) -> bool {
    let mut told = error.labels().chain(error.children.iter().map(|child| child.message.as_str()));
    told.any(|told| readable(told).replace("tch::", "").contains(text))
}
