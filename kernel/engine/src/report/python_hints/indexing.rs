//! Help for square brackets on tensors: `x[:, 0]` is `x.i((.., 0))` here, `x[0] = 1.0` is `x.set_i(0, 1.0)`.

use crate::diagnostic::Diagnostic;
use crate::report::hints::Advice;
use crate::report::python_hints::Spot;
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
    let of_a_list = of_a_list.then(|| format!("a part of a list is `&{base}[{index}]`; of a tensor "));
    Some(Advice::instead(match of_a_list {
        Some(list) => format!("{list}`{base}.i({index})`"),
        None => format!("a part of a tensor is `{base}.i({index})`"),
    }))
}

/// `x[index] = value`, in Rust.
fn set(base: &str, index: &str, (operator, value): &(Option<char>, String)) -> Advice {
    let value = match operator {
        Some(operator) => format!("{base}.i({index}) {operator} {value}"),
        None => value.clone(),
    };
    Advice::instead(format!("set a part of a tensor with `{base}.set_i({index}, {value})`; {OTHERS}"))
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

/// The variable or field that a text ends with.
pub(super) fn base(before: &str) -> &str {
    let ahead = before.trim_end_matches(|char| in_name(char) || char == '.');
    let name = before[ahead.len()..].trim_matches('.');
    if name.is_empty() { "x" } else { name }
}

/// Where the last bracket is that a text opens and does not close.
fn open_bracket(text: &str) -> Option<usize> {
    let mut closed = 0;
    for (at, char) in text.char_indices().rev() {
        match char {
            ']' => closed += 1,
            '[' if closed == 0 => return Some(at),
            '[' => closed -= 1,
            _ => {}
        }
    }
    None
}

/// The text ahead of the bracket that closes one which is open.
fn bracketed(text: &str) -> Option<&str> {
    let mut depth = 0;
    for (at, char) in text.char_indices() {
        match char {
            '[' | '(' => depth += 1,
            ']' | ')' if depth == 0 => return (char == ']').then_some(&text[..at]),
            ']' | ')' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// A text at the places where a character stands outside all brackets.
fn split(text: &str, by: char) -> Vec<&str> {
    let mut depth = 0;
    text.split(|char| {
        match char {
            '[' | '(' => depth += 1,
            ']' | ')' => depth -= 1,
            _ => {}
        }
        depth == 0 && char == by
    })
    .collect()
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
        check("x[1::2]", "::", "x.i((1..).step_by(2))");
        check("x[:, 0] = 1.0; // ones", ":", "x.set_i((.., 0), 1.0)");
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
