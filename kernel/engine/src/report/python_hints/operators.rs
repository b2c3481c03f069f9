//! Operators and conditions that Python has for tensors, lists and texts.

use crate::crate_names::readable;
use crate::diagnostic::{Diagnostic, expected_and_found, is_number, quoted};
use crate::report::hints::Advice;
use crate::report::python_hints::calls::called;
use crate::report::python_hints::expressions::{as_value, is_value, left_side, right_side};
use crate::report::python_hints::{Spot, names, write};
use crate::source::words::{first_name, in_name};

/// Comparisons, and the methods of tensors for them.
const COMPARISONS: [(&str, &str); 6] =
    [(">=", "ge"), ("<=", "le"), ("==", "eq"), ("!=", "ne"), (">", "gt"), ("<", "lt")];

const ONE_NUMBER: &str =
    "write `x.double_value(&[])` or `x.int64_value(&[])` for the number in a tensor of one element";

/// Help for an operator between values that do not have it.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    if let Some(advice) = comparison(error, spot) {
        return Some(advice);
    }
    let message = readable(&error.message);
    let types: Vec<&str> = quoted(&message).map(|ty| ty.trim_start_matches('&')).collect();
    let is_tensor = |ty: &&str| ty.ends_with("Tensor");
    let is_list = |ty: &str| ty.starts_with("Vec<") || ty.starts_with('[');
    let text = match (error.code(), &types[..]) {
        ("E0277" | "E0369", [left, ..]) if message.starts_with("cannot calculate the remainder") && is_tensor(left) => {
            "write `x.remainder(2)`, or `x.remainder_tensor(&y)`"
        }
        ("E0369", [types]) if message.starts_with("no implementation for `") && types.contains("Tensor") => LOGIC,
        ("E0600", [_, ty]) if is_tensor(ty) => LOGIC,
        ("E0277", [added, number]) if message.contains("-assign") && is_tensor(added) && is_number(number) => {
            "add up the number in the tensor, which has no graph: `total += loss.double_value(&[]);`. A sum for `backward` begins with `Tensor::from(0_f32)`"
        }
        ("E0277", [ty]) if message.ends_with("is not an iterator") && is_tensor(ty) => {
            "`x.unbind(0)` is a list of the rows: `for row in x.unbind(0) { ... }`; a part is `x.i(0)`"
        }
        ("E0277", ["bool"]) if message.ends_with("is not an iterator") => EQUALITY,
        ("E0608", ["()"]) => return Some(Advice::alone(NOTHING)),
        ("E0608", [ty]) if ty.starts_with("Option<") => {
            "it is an `Option`: `if let Some(value) = option { ... }` takes out what is in it, `option.as_ref().unwrap()` where there \
             is always something"
        }
        ("E0369", ["==" | "!=", ty]) if ty.starts_with("Option<") && spot.line.contains("None") => {
            "write `option.is_none()` or `option.is_some()`"
        }
        ("E0369", [left, _]) if message.starts_with("cannot divide") && left.ends_with("VarStore") => {
            "a path begins at the root of the store: `vs.root() / \"name\"`"
        }
        ("E0600", ["-", ty]) if is_number(ty) && ty.starts_with('u') => {
            "a `usize`, such as a length, is never negative: `-(n as i64)`; to sort from the greatest down, `std::cmp::Reverse(n)` is \
             the key"
        }
        ("E0594", [ty, ..]) if message.contains("in an index of") && ty.contains("Map<") && is_added(spot) => {
            "a key is counted by `*map.entry(key).or_insert(0) += 1;`, and `map` has to be `mut`"
        }
        ("E0382", [name]) if is_made_anew(error, spot, name) => {
            return Some(Advice::instead(format!(
                "`let {name}` makes another variable in each round, and the one ahead of the loop is used up: declare that as \
                 `let mut {name}`, and write `{name} = ...;` in the loop"
            )));
        }
        ("E0308", _) => return mismatch(error, spot),
        ("E0369", [left, right]) if message.starts_with("cannot multiply") && *left == "str" && is_number(right) => {
            "write `\"ab\".repeat(3)`"
        }
        ("E0369", [right, left]) if message.starts_with("cannot add") && *left == "str" && is_number(right) => {
            "write `format!(\"{text}{n}\")`"
        }
        ("E0369", [right, left]) if message.starts_with("cannot add") && is_list(left) && is_list(right) => {
            "two lists are joined by `[a, b].concat()`; `a.extend(b)` changes the first. Of numbers to compute with make a \
             tensor: `Tensor::from_slice(&a) + Tensor::from_slice(&b)`"
        }
        ("E0369", [left, other]) if message.starts_with("cannot ") && is_list(left) && is_number(other) => {
            "a list has no arithmetic: `list.iter().map(|x| x * 2.0).collect::<Vec<_>>()`, or make it a tensor, \
             `Tensor::from_slice(&list) * 2.0`"
        }
        ("E0277", ["str" | "String", index]) if message.contains("cannot be indexed by") && is_number(index) => {
            "a letter of a text is `text.chars().nth(0)`, which is an `Option`; a part, in bytes, `&text[0..3]`"
        }
        ("E0594", [ty, ..]) if message.contains("in an index of") && ty.contains("Map<") => {
            "a key is set by `map.insert(\"lr\", 0.2);`, and `map` has to be `mut`"
        }
        ("E0618", _) if names::meant(spot).is_some() => {
            return names::meant(spot).map(|rust| Advice::instead(write(rust)));
        }
        ("E0618", [ty]) if is_list(ty) || is_tensor(ty) || is_number(ty) || ty.contains("Map<") => return None,
        // `None()` is no variable.
        ("E0618", _)
            if spot.after.starts_with('(') && spot.word.chars().all(|char| in_name(char) && !char.is_uppercase()) =>
        {
            "a network, or a layer, is called by a method: `net.forward(&x)`"
        }
        _ => return None,
    };
    Some(Advice::instead(text))
}

/// Of what `==` gives.
pub(super) const EQUALITY: &str = "`==` compares two tensors as a whole; for each element it is `a.eq_tensor(&b)`, and \
                                   `a.eq(3)` with a number";

/// Of what a method gives that changes a list itself.
pub(super) const NOTHING: &str =
    "what made it gives nothing back: methods such as `list.sort()` and `list.push(x)` change the list itself";

/// Whether a place is the exponent of a number's power.
fn is_exponent(spot: &Spot<'_>) -> bool {
    matches!(called(spot.before), Some("pow" | "powf" | "powi"))
}

/// Whether a value is moved in a loop by a `let` of the same name.
fn is_made_anew(error: &Diagnostic, spot: &Spot<'_>, name: &str) -> bool {
    let is_in_loop = error.labels().any(|label| label.contains("in previous iteration of loop"));
    let declared =
        spot.before.trim_start().strip_prefix("let ").map(|rest| first_name(rest.trim_start_matches("mut ")));
    is_in_loop && declared == Some(name)
}

/// Whether something is added to the value of a key.
fn is_added(spot: &Spot<'_>) -> bool {
    spot.line.contains("+=") || spot.line.contains("-=")
}

const LOGIC: &str = "`x.logical_and(&y)`, `x.logical_or(&y)` and `x.logical_not()` are for each element; `x.any()` and `x.all()` over all";

/// `x > 0.5` of a tensor.
fn comparison(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let is_of_tensors = error.labels().any(|label| readable(label).contains("Tensor"));
    if !matches!(error.code(), "E0369" | "E0308") || !is_of_tensors {
        return None;
    }
    // rustc points at the operator, or at what is on its right.
    let at_operator = COMPARISONS.iter().find(|(operator, _)| *operator == spot.word);
    let (left, (operator, method), right) = match at_operator {
        Some(found) => (left_side(spot.before), found, right_side(spot.after)),
        None => {
            // What a function returns, and what an arm gives, is no side of a comparison.
            let before =
                Some(spot.before.trim_end()).filter(|before| !(before.ends_with("->") || before.ends_with("=>")))?;
            let found = COMPARISONS.iter().find(|(operator, _)| before.ends_with(operator))?;
            (left_side(before.strip_suffix(found.0)?), found, spot.word)
        }
    };
    let left = as_value(unborrowed(left));
    let is_of_numbers = right.trim_start_matches('-').starts_with(|char: char| char.is_ascii_digit())
        || error.labels().any(|label| is_number(readable(label).trim_matches('`')));
    let compared = if is_of_numbers {
        format!("{left}.{method}({right})")
    } else {
        format!("{left}.{method}_tensor(&{})", as_value(unborrowed(right)))
    };
    Some(Advice::instead(format!(
        "`{compared}` compares each element; for a single one, compare its number, `{left}.double_value(&[]) {operator} ...`"
    )))
}

/// What a text borrows, where that is all it does.
fn unborrowed(text: &str) -> &str {
    text.strip_prefix('&').filter(|borrowed| is_value(borrowed)).unwrap_or(text)
}

/// A tensor where a number or a condition is to be, or the other way round.
fn mismatch(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let types = |label: &str| {
        let label = readable(label);
        let (expected, found) = expected_and_found(&label)?;
        Some((expected.to_owned(), found.to_owned()))
    };
    let (expected, found) = error.labels().find_map(types)?;
    let found = found.trim_start_matches('&');
    let is_tensor = |ty: &str| ty.trim_start_matches('&').ends_with("Tensor");
    Some(match expected.as_str() {
        "bool" if found == "integer" || is_number(found) => {
            Advice::instead("a condition is a `bool`: `n != 0`, `!list.is_empty()`, `x.is_some()`")
        }
        "bool" if is_tensor(found) => Advice::instead(
            "a condition is a `bool`: `bool::try_from(x.any())?` for a tensor of one element, or compare its number, \
             `x.double_value(&[]) > 0.5`",
        ),
        path if path.contains("Path") && found.ends_with("VarStore") => {
            Advice::instead("a network is made at a path of its store: `&vs.root()`")
        }
        number if is_number(number) && is_tensor(found) && is_exponent(spot) => {
            Advice::instead("a number to the power of a tensor is `Tensor::pow_scalar(10.0, &x)`")
        }
        number if is_number(number) && is_tensor(found) => Advice::instead(ONE_NUMBER),
        "Tensor" if matches!(found, "integer" | "floating-point number") || is_number(found) => {
            Advice::instead("a tensor of one number is `Tensor::from(0.5)`")
        }
        _ => return None,
    })
}
