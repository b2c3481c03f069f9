//! A `Result` where its value is meant, and a `?` where no `Result` can be returned.

use ra_ap_rustc_lexer::TokenKind;

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, Span, expected_and_found, is_number, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::calls::called;
use crate::report::python_hints::expressions::{as_variable, base, left_side, right_side, statement};
use crate::source::source_map::Place;
use crate::source::words::tokens;

/// An expression that is longer than this is not repeated.
const LONGEST: usize = 60;

/// Help for a `Result` whose `?` is missing.
pub(super) fn advice(error: &Diagnostic, place: &Place) -> Option<Advice> {
    if !is_about_a_result(error) {
        return None;
    }
    let (before, word, after) = around(place);
    let value = match error.code() {
        "E0599" | "E0609" | "E0608" => base(before),
        "E0369" | "E0277" if error.message.starts_with("cannot ") => match is_on_the_left(&readable(&error.message)) {
            true => left_side(before),
            false => right_side(after),
        },
        // The error is about a function, which gets the value.
        _ if after.starts_with('(') => "",
        "E0308" if after.trim_start().starts_with("= ") => statement(&after.trim_start()[1..]).unwrap_or_default(),
        _ => word,
    };
    Some(Advice::alone(taken_out_of(value.trim_start_matches('&'), place)))
}

/// Whether the `Result` is on the left of an operator: "cannot add `{float}` to `Result<f64, TchError>`", "cannot
/// multiply `Result<f64, TchError>` by `{float}`".
fn is_on_the_left(message: &str) -> bool {
    let mut types = quoted(message);
    let (first, second) = (types.next().unwrap_or_default(), types.next().unwrap_or_default());
    let is_turned = message.starts_with("cannot add") || message.starts_with("cannot subtract");
    is_result(if is_turned { second } else { first })
}

/// What to write for the value in a `Result`.
fn taken_out_of(result: &str, place: &Place) -> String {
    if !may_return_errors(place) {
        let value = if result.is_empty() || result.len() > LONGEST || result.contains('\n') { "x" } else { result };
        return format!(
            "it is a `Result`, and this function returns none: `{value}.unwrap()` takes the value out of it"
        );
    }
    if let Some(name) = as_variable(result) {
        let made = declaration(name, place);
        let made = made.unwrap_or_else(|| format!("let {name} = ...?;"));
        return format!("`{name}` is a `Result`; a `?` where it is made takes the value out of it: `{made}`");
    }
    if result.is_empty() || result.len() > LONGEST || result.contains('\n') {
        return "it is a `Result`; a `?` behind what makes it takes the value out of it".to_owned();
    }
    format!("write `{result}?`: it is a `Result`, and `?` takes the value out of it")
}

/// The declaration of a variable ahead of a place, with a `?` behind its value.
fn declaration(name: &str, place: &Place) -> Option<String> {
    let before = &place.cell.text[..place.range.start];
    ["let ", "let mut "].iter().find_map(|start| {
        let head = format!("{start}{name} = ");
        let value = statement(&before[before.rfind(&head)? + head.len()..])?;
        let fits = value.len() <= LONGEST && !value.contains('\n');
        fits.then(|| format!("{head}{value}?;"))
    })
}

/// Whether a `?` may stand at a place: in a function that returns a `Result` or an `Option`, or in none.
pub(in crate::report) fn may_return_errors(place: &Place) -> bool {
    let text = &place.cell.text[..place.range.start];
    let (mut open, mut head) = (Vec::new(), 0);
    for (kind, range) in tokens(text) {
        match kind {
            TokenKind::OpenBrace => {
                let ahead = &text[head..range.start];
                open.push(tokens(ahead).any(|(_, word)| &ahead[word] == "fn").then_some(ahead));
                head = range.end;
            }
            TokenKind::CloseBrace => {
                open.pop();
                head = range.end;
            }
            TokenKind::Semi => head = range.end,
            _ => {}
        }
    }
    let function = open.into_iter().rev().flatten().next();
    let returned = function.map(|head| head.rsplit_once("->").map_or("", |(_, ty)| ty));
    returned.is_none_or(|ty| ty.contains("Result") || ty.contains("Option"))
}

fn is_result(ty: &str) -> bool {
    let ty = ty.trim_start_matches('&');
    ty.starts_with("Result<") || ty.starts_with("std::result::Result<")
}

/// Whether an error would not be there if a `Result` were its value.
fn is_about_a_result(error: &Diagnostic) -> bool {
    let message = readable(&error.message);
    let mut types = quoted(&message);
    match error.code() {
        "E0599" => {
            message.contains("found for enum `Result<T, E>`")
                && !error.children.iter().any(|child| child.message.contains("similar name"))
        }
        "E0608" | "E0609" => types.any(is_result),
        "E0369" => message.starts_with("cannot ") && types.any(is_result),
        "E0277" => {
            let is_of_it = ["cannot ", "the trait bound ", "`&", "`R", "`std::result"];
            let is_other = ["cannot be built", "cannot be sent", "cannot be shared", "couldn't convert", ": From<"];
            types.any(|ty| is_result(ty.split_once(": ").map_or(ty, |(ty, _)| ty)))
                && is_of_it.iter().any(|start| message.starts_with(start))
                && !is_other.iter().any(|other| message.contains(other))
        }
        "E0308" => error.labels().any(|label| stands_for_value(&readable(label))),
        _ => false,
    }
}

/// Whether a label says that there is a `Result` of what is expected, or that a `Result` is taken apart.
fn stands_for_value(label: &str) -> bool {
    let Some((expected, found)) = expected_and_found(label) else { return false };
    if is_result(expected) {
        return expected.split_once('<').is_some_and(|(_, value)| value.starts_with('(') && !value.starts_with("()"))
            && found.starts_with('(');
    }
    let value = found.split_once('<').map_or("", |(_, value)| value);
    let name = |ty: &str| {
        let ty = ty.trim_start_matches(['&', ' ']).trim_start_matches("mut ");
        let path = ty.split(['<', ',', '>', ' ']).next().unwrap_or(ty);
        path.rsplit("::").next().unwrap_or(path).to_owned()
    };
    is_result(found)
        && expected != "()"
        && (name(expected) == name(value) || (is_number(expected) && is_number(&name(value))))
}

/// Help for a `?` that has nothing to return to, or nothing to take a value out of.
pub(super) fn of_question_mark(error: &Diagnostic, place: impl Fn(&Span) -> Option<Place>) -> Option<Advice> {
    if error.code() != "E0277" || !error.message.starts_with("the `?` operator can only be ") {
        return None;
    }
    if error.message.contains("in a function that returns") || error.message.contains("in a method that returns") {
        return Some(Advice::help(
            "have the function return `Result<...>`, and end it with `Ok(...)` around the value; where its result is given, write \
             `.unwrap()` in place of the `?`",
        ));
    }
    if error.message.contains("applied to values") {
        let told = error.labels().map(readable).find(|label| label.contains("cannot be applied to type"))?;
        let ty = quoted(&told).last()?;
        let is_other = ["Result", "Option", "impl", "Poll", "{"].iter().any(|other| ty.contains(other));
        return (!is_other)
            .then(|| Advice::instead("what is ahead of the `?` is no `Result`: write it without the `?`"));
    }
    let returned = error.labels().map(readable).find_map(|label| {
        let (_, ty) = label.split_once("in a closure that returns `")?;
        Some(ty.trim_end_matches('`').to_owned())
    })?;
    let is_head = |span: &&Span| span.label.as_deref().is_some_and(|label| label.starts_with("this function should"));
    let head = place(error.spans.iter().find(is_head)?)?;
    Some(Advice::instead(of_closure(&head, &returned)))
}

/// What to write for a closure with a `?` in it, by who calls it. The place is that of what is between its bars.
fn of_closure(place: &Place, returned: &str) -> String {
    let (before, head, _) = around(place);
    let returned = if returned.len() > LONGEST { "_" } else { returned };
    let value = if returned == "()" { "()" } else { "value" };
    let whole = format!("{head} -> Result<{returned}> {{ ...; Ok({value}) }}");
    let caller = called(before).map(|path| path.rsplit("::").next().unwrap_or(path));
    match caller {
        Some("no_grad") => format!(
            "the closure has to give a `Result`, which `no_grad` passes on: `no_grad({whole})?`. Or do without a closure: \
             after `let _guard = no_grad_guard();` nothing is recorded until the end of the block"
        ),
        Some("map") if before.trim_end().ends_with(".map(") => {
            format!("the closure has to give a `Result`: `.map({whole}).collect::<Result<Vec<_>>>()?`")
        }
        Some("for_each") => "a closure passes no errors on; a loop does: `for x in list { ... }`".to_owned(),
        Some(name) if returned == "()" => format!(
            "the closure of `{name}` gives nothing back, so it has nobody to pass an error to: write `.unwrap()` in \
             place of the `?`"
        ),
        Some(_) => format!("the closure has to give a `Result`: `{whole}`; or write `.unwrap()` in place of the `?`"),
        None => format!("the closure has to give a `Result`: `{whole}`, with a `?` behind each call of it"),
    }
}

/// The text at a place, and its cell ahead of it and behind it.
fn around(place: &Place) -> (&str, &str, &str) {
    let (text, range) = (place.cell.text.as_str(), place.range.clone());
    (&text[..range.start], &text[range.clone()], &text[range.end..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::fragment::CellText;

    #[test]
    fn the_side_of_an_operator_is_told_by_its_message() {
        assert!(is_on_the_left("cannot add `{float}` to `Result<f64, TchError>`"));
        assert!(is_on_the_left("cannot multiply `Result<f64, TchError>` by `{float}`"));
        assert!(!is_on_the_left("cannot add `Result<f64, TchError>` to `{float}`"));
    }

    #[test]
    fn a_question_mark_stands_where_an_error_can_go() {
        let check = |text: &str| {
            let at = text.find('@').unwrap_or(0);
            may_return_errors(&Place { cell: CellText::new(1, text), range: at..at })
        };
        assert!(check("let x = @") && check("fn f() -> Result<i64> { @ }") && check("fn f() -> i64 { 1 }\n@"));
        assert!(!check("fn f(x: &Tensor) -> Tensor {\n    for i in 0..3 { @ }\n}"));
        assert!(!check("impl Net { fn f(&self) { let g = |x| { x }; @ } }"));
    }

    #[test]
    fn a_result_of_what_is_expected_is_told_from_others() {
        assert!(stands_for_value("expected `&Tensor`, found `&Result<Tensor, ImageFileError>`"));
        assert!(stands_for_value("expected `String`, found `Result<String, Error>`"));
        assert!(stands_for_value("expected `Result<(i64, i64), TchError>`, found `(_, _)`"));
        assert!(!stands_for_value("expected `()`, found `Result<(), Error>`"));
        assert!(!stands_for_value("expected `Result<(), Error>`, found `()`"));
        assert!(!stands_for_value("expected `Tensor`, found `&Tensor`"));
    }
}
