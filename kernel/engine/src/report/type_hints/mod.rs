//! Help with types that rustc has no words for, or has words for that lead astray: here of numbers, copies and moves,
//! in the files beside this one of what functions and closures take and give.

mod closures;
pub(super) mod handles;
mod lists;
pub(in crate::report) mod results;
mod signatures;

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, NUMBERS, Span, expected_and_found, is_number, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::calls::MEAN;
use crate::report::python_hints::expressions::{as_value, split};
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

fn is_float(ty: &&&str) -> bool {
    ty.trim_start_matches(['&', '{']).starts_with('f')
}

/// The integer literal on a side of an operator.
fn integer_literal(place: &Place) -> Option<&str> {
    let text = &place.cell.text;
    let (left, right) = (text[..place.range.start].trim_end(), text[place.range.end..].trim_start());
    let left = &left[left.trim_end_matches(|char| in_name(char) || char == '.').len()..];
    let right = &right[..right.find(|char| !in_name(char) && char != '.').unwrap_or(right.len())];
    let is_integer = |side: &&str| !side.is_empty() && side.bytes().all(|byte| byte.is_ascii_digit());
    [left, right].into_iter().find(is_integer)
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
            if let Some(literal) = place.and_then(integer_literal).filter(|_| [one, other].iter().any(is_float)) {
                return Some(Advice::alone(format!(
                    "`{literal}` is an integer, the other number a float: write `{literal}.0`"
                )));
            }
            let to = [one, other].into_iter().find(|ty| ty.starts_with('f')).map_or("f64", |ty| ty);
            Some(Advice::help(format!("numbers of different types do not mix. Convert one of them, as in `n as {to}`")))
        }
        ("E0277", [bound, ..]) if is_order_of_floats(bound) => {
            let ty = if bound.contains("f32") { "f32" } else { "f64" };
            let (begin, choice) = if text == "max" { ("NEG_INFINITY", "max") } else { ("INFINITY", "min") };
            let is_of_references = tells_of(error, &format!("required for `&{ty}`")) || bound.starts_with('&');
            let copied = if is_of_references { ".copied()" } else { "" };
            Some(Advice::instead(format!(
                "floats have no total order, as NaN has no place in it. In place of `.{choice}()` write \
                 `{copied}.fold({ty}::{begin}, {ty}::{choice})`; a list is sorted by `list.sort_by({ty}::total_cmp)`"
            )))
        }
        ("E0277", [_, index])
            if message.contains("cannot be indexed by") && is_number(index) && *index != "{float}" =>
        {
            let name = if text.chars().all(in_name) { text } else { "index" };
            Some(match index.strip_prefix('&') {
                Some("usize") => Advice::alone(format!("an index is no reference: write `*{name}`")),
                Some(_) => Advice::alone(format!("an index is a `usize`, and no reference: write `*{name} as usize`")),
                None => Advice::help(format!("an index is a `usize`: write `{name} as usize`")),
            })
        }
        ("E0277", [bound, ..]) if bound.ends_with("Control") && bound.starts_with(['[', 'V']) => {
            Some(Advice::instead("several controls are a tuple: `interact((first, second), |(a, b)| ...)`"))
        }
        ("E0308", _) if tells_of(error, "rl::Step<") && text.starts_with('(') => Some(Advice::instead(
            "a step has its parts by name: `let step = env.step(1);`, then `step.observation`, `step.reward`, \
             `step.terminated`, `step.truncated`, and `step.done()` for one of the last two",
        )),
        ("E0277", [bound]) if bound.starts_with("Scalar: From<") => Some(Advice::help(
            "a tensor takes `i64` and `f64` as numbers: write `n as i64` or `x as f64`, and a literal as `4i64` or `4.0`",
        )),
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
        ("E0277", [bound, ..]) if bound.ends_with("Vec<i64>: Shape") || bound.ends_with("Vec<i64>: tch::Shape") => {
            Some(Advice::instead("a shape in a `Vec` is lent as a slice: `x.view(size.as_slice())`"))
        }
        ("E0277", _) if message.contains(" between threads safely") => of_threads(error, &message),
        ("E0382", told) if is_of_exclusive_reference(error) => {
            let name = told.first().copied().unwrap_or_else(|| moved_part(error).unwrap_or("x"));
            Some(Advice::instead(format!(
                "the `&mut` in an `Option` is moved by its use. To look at it, write `match &{name}` or `{name}.as_ref()`; to \
                 change it or to pass it on, `{name}.as_deref_mut()`, with `mut {name}` where it is declared"
            )))
        }
        ("E0382", _) if tells_of(error, "Figure`, which does not implement") => Some(Advice::instead(
            "a method of a figure takes it and gives it back: `figure = figure.line(\"loss\", &losses);`, with `mut figure` where it \
             is declared, or one chain, `Figure::new().line(..).x_label(..)`",
        )),
        (_, _) if message == "lifetime may not live long enough" && is_of_a_key(place) => Some(Advice::instead(
            "a key is a value of its own and refers to nothing: a `*` ahead of each part copies it, as in \
             `.max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)))`",
        )),
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
        ("E0308", _) if quotient(error, text).is_some() => quotient(error, text),
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

/// Help for what cannot go to another thread.
fn of_threads(error: &Diagnostic, message: &str) -> Option<Advice> {
    let is_function = message.contains("impl Fn");
    if is_function && message.contains("cannot be sent") {
        return Some(Advice::instead(
            "lend the function to the threads: `let work = &work;` ahead of `std::thread::scope`, and `move ||` takes the reference",
        ));
    }
    let is_tensor = message.contains("C_tensor") || tells_of(error, "C_tensor");
    is_tensor.then(|| {
        Advice::instead(
            "a tensor is not lent to another thread: give it a handle of its own, `let x = x.shallow_clone();` ahead of the \
             thread and `move ||`",
        )
    })
}

/// Whether a place is in the closure that gives the key of a `max_by_key`, or of another method like that.
fn is_of_a_key(place: Option<&Place>) -> bool {
    place.is_some_and(|place| {
        let before = &place.cell.text[..place.range.start];
        before.rfind("_by_key(").is_some_and(|at| !before[at..].contains(';'))
    })
}

/// Help for a division of integers where a float is expected.
fn quotient(error: &Diagnostic, text: &str) -> Option<Advice> {
    let ty = error.labels().find_map(|label| {
        let label = readable(label);
        let (expected, found) = expected_and_found(&label)?;
        let is_integer = found == "integer" || (is_number(found) && found.starts_with(['u', 'i']));
        (is_number(expected) && expected.starts_with('f') && is_integer).then(|| expected.to_owned())
    })?;
    let [left, right] = split(text, '/')[..] else { return None };
    let as_float = |side: &str| match side.trim() {
        side if side.bytes().all(|byte| byte.is_ascii_digit()) => format!("{side}.0"),
        side => format!("{} as {ty}", as_value(side)),
    };
    Some(Advice::instead(format!(
        "integers divide without a remainder, so make floats of them first: `{} / {}`",
        as_float(left),
        as_float(right)
    )))
}

/// The type of the integer that is expected where a float stands.
fn integer_for_float(error: &Diagnostic) -> Option<String> {
    error.labels().find_map(|label| {
        let label = readable(label);
        let (expected, found) = expected_and_found(&label)?;
        let is_integer = is_number(expected) && expected.starts_with(['u', 'i']);
        let is_float = found == "floating-point number" || (is_number(found) && found.starts_with('f'));
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
