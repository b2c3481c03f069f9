//! Help for square brackets on tensors: `x[:, 0]` is `x.i((.., 0))` here, `x[0] = 1.0` is `x.set_i(0, 1.0)`.

use crate::diagnostic::Diagnostic;
use crate::report::hints::Advice;
use crate::report::python_hints::Spot;
use crate::report::python_hints::expressions::{as_value, as_variable, base, bracketed, open_bracket, split};
use crate::source::words::in_name;

const OTHERS: &str = "a column with `x.set_i((.., 0), 1.0)`, the elements of a mask with `x.set_i(&x.lt(0.0), 0.0)`";

/// Help for an error of rustc's about a part of a tensor.
pub(super) fn of_a_part(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    match error.code() {
        "E0608" if error.message.trim_end_matches('`').ends_with("Tensor") => {
            let index = spot.word.strip_prefix('[')?.strip_suffix(']')?;
            let base = base(spot.before);
            Some(match assigned(spot.after) {
                Some(assigned) => set(base, index, &assigned),
                None => Advice::help(format!(
                    "a part of a tensor is `{base}.i({index})`; of several axes `x.i((0, ..))`; one number is `x.double_value(&[0, 1])`"
                )),
            })
        }
        "E0067" | "E0070" => {
            let (before, index) = spot.before.trim_end().strip_suffix(')')?.rsplit_once(".i(")?;
            let after = format!("{}{}", spot.word, spot.after);
            Some(set(base(before), index, &assigned(&after)?))
        }
        "E0277" | "E0600" => from_the_end(error, spot),
        "E0061" if matches!(spot.word, "i" | "set_i") && spot.before.ends_with('.') => {
            let example = if spot.word == "i" { "x.i((.., 0))" } else { "x.set_i((.., 0), 1.0)" };
            Some(Advice::instead(format!("an index of several axes is a tuple, in its own parentheses: `{example}`")))
        }
        _ => None,
    }
}

/// Help for an index in Python's words, such as `x[:, 1:3]`, which is no Rust.
pub(super) fn of_python(spot: &Spot<'_>) -> Option<Advice> {
    let is_of_a_name = |char: char| in_name(char) || char == ')';
    let open = open_bracket(spot.before).filter(|at| spot.before[..*at].ends_with(is_of_a_name))?;
    let inner = bracketed(&spot.line[open + 1..])?;
    let behind = &spot.line[open + 1 + inner.len() + 1..];
    let parts = split(inner, ',');
    let is_python = |part: &&str| part.contains(':') || part.trim() == "...";
    // The error is about what is between the brackets.
    if spot.before.len() > open + 1 + inner.len() || !(parts.len() > 1 || parts.iter().any(is_python)) {
        return None;
    }
    let base = base(&spot.before[..open]);
    let mut rust: Vec<String> = parts.iter().map(|part| translated(part.trim())).collect();
    let index = match (&mut rust[..], parts.len()) {
        ([index], 1) => std::mem::take(index),
        _ => format!("({})", rust.join(", ")),
    };
    if let Some(assigned) = assigned(behind) {
        return Some(set(base, &index, &assigned));
    }
    // Only a range with one colon is a part of a list as well.
    let of_a_list = parts.len() == 1 && inner.matches(':').count() == 1;
    let of_a_list = of_a_list.then(|| format!("a part of a list is `{}`; of a tensor ", part_of_list(base, &index)));
    Some(Advice::instead(match of_a_list {
        Some(list) => format!("{list}`{base}.i({index})`"),
        None => format!("a part of a tensor is `{base}.i({index})`"),
    }))
}

/// Help for an index of a list that counts from the end, as in `list[-n]` and `&list[-20..]`.
fn from_the_end(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let is_negated = error.code() == "E0600" && error.message.contains("operator `-` to type `usize`");
    if !(is_negated || error.message.contains("usize: Neg`") || error.message.contains("cannot be indexed by")) {
        return None;
    }
    let open = open_bracket(spot.before).or_else(|| spot.before.len().checked_sub(1))?;
    if is_negated && !spot.before[..open].ends_with(|char| in_name(char) || char == ')') {
        return None;
    }
    let index = bracketed(spot.line.get(open + 1..)?)?.trim();
    let base = base(&spot.before[..open]);
    let counts = |bound: &str| bound.trim().starts_with('-');
    Some(Advice::instead(if let Some((start, end)) = index.split_once("..") {
        if !counts(start) && !counts(end.trim_start_matches('=')) {
            return None;
        }
        format!("an index of a list does not count from the end: `{}`", part_of_list(base, index))
    } else {
        let back = counts(index).then(|| unsigned(&index[1..]))?;
        format!(
            "an index of a list does not count from the end: `{base}[{base}.len() - {back}]`; the last one is `{base}.last()`, an `Option`"
        )
    }))
}

/// `&list[range]`, where the range may count from the end.
fn part_of_list(base: &str, range: &str) -> String {
    let bound = |bound: &str| match bound.trim().strip_prefix('-') {
        Some(back) => format!("{base}.len().saturating_sub({})", unsigned(back)),
        None => bound.trim().to_owned(),
    };
    let (start, end) = range.split_once("..").unwrap_or((range, ""));
    format!("&{base}[{}..{}]", bound(start), bound(end))
}

/// A number as a `usize`.
fn unsigned(number: &str) -> String {
    let number = number.trim();
    let digits = number.trim_end_matches(|char: char| char.is_alphabetic());
    if !digits.is_empty() && digits.chars().all(|char| char.is_ascii_digit()) {
        return digits.to_owned();
    }
    format!("{} as usize", as_value(number))
}

/// `x[index] = value`, in Rust.
fn set(base: &str, index: &str, (operator, value): &(Option<char>, String)) -> Advice {
    let (value, remark) = match (operator, as_variable(value)) {
        (Some(operator), _) => (format!("{base}.i({index}) {operator} {value}"), ""),
        (None, Some(variable)) => (format!("&{variable}"), " (of a number without the `&`)"),
        (None, None) => (value.clone(), ""),
    };
    Advice::instead(format!("set a part of a tensor with `{base}.set_i({index}, {value})`{remark}; {OTHERS}"))
}

/// The value that follows a `=`, and the operator of a `+=`.
fn assigned(after: &str) -> Option<(Option<char>, String)> {
    let after = after.trim_start();
    let operator = after.chars().next().filter(|char| "+-*/%".contains(*char));
    let value = after[operator.map_or(0, char::len_utf8)..].strip_prefix('=')?;
    if value.starts_with(['=', '>']) {
        return None;
    }
    let value = value.split([';', '}']).next().unwrap_or_default().split(" //").next().unwrap_or_default().trim();
    Some((operator, if value.is_empty() { "value".to_owned() } else { value.to_owned() }))
}

/// One axis of a Python index, in Rust.
fn translated(part: &str) -> String {
    match (part, &split(part, ':')[..]) {
        ("...", _) => "Ellipsis".to_owned(),
        ("None", _) => "NewAxis".to_owned(),
        (_, [start, end]) => format!("{}..{}", start.trim(), end.trim()),
        (_, [start, end, "" | " "]) => format!("{}..{}", start.trim(), end.trim()),
        (_, [start, end, step]) => format!("({}..{}).step_by({})", start.trim(), end.trim(), step.trim()),
        _ => part.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn help(line: &str, at: &str) -> Option<String> {
        let start = line.find(at).expect("the word is in the line");
        of_python(&Spot::new(line, start..start + at.len())).map(|advice| advice.help.concat())
    }

    #[test]
    fn python_indices_are_translated() {
        let check = |line: &str, at: &str, rust: &str| {
            let help = help(line, at).unwrap_or_default();
            assert!(help.contains(&format!("`{rust}`")), "{line}: {help}");
        };
        check("x[:, 0]", ":", "x.i((.., 0))");
        check("let y = x[..., None];", "...", "x.i((Ellipsis, NewAxis))");
        check("net.weight[1:3, ::2].mean()", ":", "net.weight.i((1..3, (..).step_by(2)))");
        check("x[0, 1]", ",", "x.i((0, 1))");
        check("x[[0, 1], f(2, 3)]", ", f", "x.i(([0, 1], f(2, 3)))");
        check("list[1:]", ":", "&list[1..]");
        check("list[1:]", ":", "list.i(1..)");
        check("list[-20:]", ":", "&list[list.len().saturating_sub(20)..]");
        check("list[:-n]", ":", "&list[..list.len().saturating_sub(n as usize)]");
        check("list[-20:]", ":", "list.i(-20..)");
        check("x[1::2]", "::", "x.i((1..).step_by(2))");
        check("x[:, 0] = 1.0; // ones", ":", "x.set_i((.., 0), 1.0)");
        check("x[:, 0] = row;", ":", "x.set_i((.., 0), &row)");
        check("x[1:3] *= &scale", ":", "x.set_i(1..3, x.i(1..3) * &scale)");
    }

    #[test]
    fn what_is_no_index_gets_no_translation() {
        assert_eq!(help("let x = vec![1, 2 3];", "3"), None);
        assert_eq!(help("let x = [1, 2 3];", "3"), None);
        assert_eq!(help("x[1] 2, 3]", "2"), None);
        assert_eq!(help("x[i] + y:", ":"), None);
        assert_eq!(help("x[i j]", "j"), None);
    }
}
