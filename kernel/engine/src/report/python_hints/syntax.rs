//! Lines of Python, which cannot be parsed.

use crate::diagnostic::Diagnostic;
use crate::names as foreign;
use crate::report::hints::Advice;
use crate::report::python_hints::expressions::{base, divisor};
use crate::report::python_hints::{Spot, begins_with_assignment, indexing, of_another_library};
use crate::source::words::{first_name, in_name};

const BLOCK: &str = "a block is in braces and has no colon: `for i in 0..10 { ... }`, `if x > 2 { ... } else { ... }`";
const PAIRS: &str = "a pattern of several names is in parentheses: `for (i, x) in list.iter().enumerate() { ... }`, `for (a, b) in \
                     list.iter().zip(&other) { ... }`";
const COMPREHENSION: &str = "write `list.iter().map(|x| x * 2.0).collect::<Vec<_>>()`, with `.filter(|x| **x > 0.0)` ahead of `.map` for a condition; \
                             of a range `(0..10).map(...)`";
const SHELL: &str = "a shell command begins with `!`, as in `!pip list`";
const SCOPE: &str = "a `fn` sees no variables: pass them as arguments, `&mut x` for one that it changes";

/// What a line that is not Rust begins with, and the Rust for it.
const STATEMENTS: [(&str, &str); 23] = [
    (
        "def",
        "a function declares the types of its arguments and result, and its body is in braces: `fn square(x: f64) -> \
         f64 { x * x }`",
    ),
    ("import", IMPORT),
    ("from", IMPORT),
    (
        "class",
        "write `struct Net { lr: f64 }` for the data, and `impl Net { fn new() -> Self { ... } }` for the methods",
    ),
    ("elif", "write `else if`"),
    ("try", EXCEPTIONS),
    ("except", EXCEPTIONS),
    ("finally", EXCEPTIONS),
    ("raise", EXCEPTIONS),
    (
        "with",
        "a value is dropped with its block: `{ let file = ...; }`; for `torch.no_grad()` write `no_grad(|| { ... })`",
    ),
    ("pass", "an empty block is `{}`"),
    ("del", "write `drop(x)`"),
    ("print", "write `println!(\"{x}\")`"),
    ("assert", "write `assert!(x > 0);`, or `assert_eq!(x, 1);`, which shows both values"),
    ("global", SCOPE),
    ("nonlocal", SCOPE),
    ("switch", "write `match x { 1 => ..., _ => ... }`"),
    ("case", "write `match x { 1 => ..., _ => ... }`"),
    ("pip", SHELL),
    ("conda", SHELL),
    ("cd", "the folder is changed by `%cd data`"),
    ("ls", SHELL),
    ("git", SHELL),
];

const IMPORT: &str = "`use` imports names, like `use std::collections::HashMap;`. Tensors and networks are already there: `Tensor`, \
                      `nn`, `Kind`, `Device`";

const EXCEPTIONS: &str = "Rust has no exceptions: what can fail returns a `Result`. `?` passes an error on, `match` handles it, `bail!` makes one";

/// Help for an error of the parser.
pub(super) fn advice(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let message = error.message.as_str();
    let (line, behind) = (spot.line.trim_start(), spot.after.trim_start());
    let statement = STATEMENTS.iter().find(|(word, _)| *word == spot.first && is_statement(line, spot.first));
    let follows = |word: &str| spot.before.split(|char| !in_name(char)).any(|other| other == word);
    let is_near = |word: &str| spot.word == word || first_name(behind) == word;
    let text = if line.starts_with('@') {
        "there are no decorators: `#[derive(Debug)]` ahead of a `struct` is the nearest; wrap a function in another one"
    } else if spot.word == "@" {
        "a matrix product is `x.matmul(&w)`"
    } else if message == "prefix `f` is unknown" {
        "write `format!(\"x is {x}\")`; `println!(\"x is {x}\")` formats it directly"
    } else if spot.line.contains("\"\"\"") || spot.line.contains("'''") {
        "text over several lines is a plain `\"...\"`; what documents a function is `/// text` ahead of it"
    } else if spot.word == "gen" && spot.before.ends_with('.') {
        "`gen` is a keyword since 2024. A random number is `rng.random()`, in a range `rng.random_range(0..10)`"
    } else if line.starts_with('#') && !line.starts_with("#[") && !line.starts_with("#!") {
        "a comment begins with `//`"
    } else if let Some((_, rust)) = statement {
        rust
    } else if message.starts_with("expected one of `:`, `@`, or `|`") {
        "an argument has a type: `fn square(x: f64) -> f64 { x * x }`"
    } else if let Some(advice) = of_keyword(spot, message) {
        return Some(advice);
    } else if line.starts_with("type(") {
        "the command `:type x` tells the type of an expression"
    } else if spot.first == "use" && spot.word == "." {
        IMPORT
    } else if spot.word == ":" && spot.after.starts_with('=') {
        "a condition assigns nothing: write `let n = 3;` ahead of it"
    } else if spot.word == "%" && spot.before.trim_end().ends_with('"') {
        "values stand in the text: `println!(\"{loss:.3}\")`, or `format!(\"{loss:.3}\")`"
    } else if spot.word == "," && follows("return") {
        "several values are a tuple: `return (1, 2)`, with `-> (i64, i64)` as the type of the result"
    } else if spot.word == "~" {
        "`!x` is the opposite of a `bool`, `x.logical_not()` that of each element of a tensor"
    } else if follows("elif") {
        "write `else if`"
    } else if is_lambda(spot.before) {
        "a function without a name is a closure: `|x| x * x`"
    } else if spot.word == "is" {
        "`x.is_none()` and `x.is_some()` test an `Option`; `==` compares"
    } else if is_comprehension(spot) {
        COMPREHENSION
    } else if spot.first == "for" && spot.before.contains(',') != spot.word.contains(',') && !line.starts_with("for (")
    {
        PAIRS
    } else if is_near("in")
        && spot.first != "for"
        && (spot.word != "in" || spot.before.trim_end().ends_with(ends_a_value))
    {
        "write `list.contains(&x)`, for a map `map.contains_key(&x)`, for a text `text.contains(\"a\")`; `!` ahead of it for `not in`"
    } else if is_near("if") && spot.line.contains(" else ") && !spot.line.contains('{') {
        "write `if condition { a } else { b }`, which is a value"
    } else if is_assignment_of_several(line) {
        "several variables are a pattern in parentheses: `let (a, b) = (1, 2);`, `(a, b) = (b, a);`"
    } else if is_declared_with_type(line, spot) {
        "a new variable begins with `let`: `let x: i64 = 5;`"
    } else if let Some(advice) = indexing::of_python(spot) {
        return Some(advice);
    } else if message.contains("found `:`") && spot.word == ":" {
        of_colon(spot)?
    } else if let Some(by) = divisor(behind).filter(|_| message.starts_with("expected `;`")) {
        return Some(Advice::instead(of_two_slashes(spot.before, by)));
    } else {
        return None;
    };
    Some(Advice::instead(text))
}

/// Help for a name that is a keyword of Rust's: `torch.where(..)`, `x.type(..)`, `let in = 3;`.
fn of_keyword(spot: &Spot<'_>, message: &str) -> Option<Advice> {
    let name = Some(spot.word).filter(|_| message.contains(" keyword `"))?;
    let (before, after) = (spot.before.trim_end(), spot.after.trim_start());
    if spot.before.ends_with(['.', ':']) {
        let of_tensors = || Some(Advice::instead(foreign::find(&format!("torch.Tensor.{name}"))?.told(name)));
        return of_another_library(spot).or_else(of_tensors);
    }
    let is_argument = before.ends_with([',', '(', '{', '|']) && after.starts_with([':', ',', '|']);
    let is_new = is_argument || ["let", "mut", "for"].iter().any(|word| before.ends_with(word));
    is_new.then(|| Advice::instead(format!("`{name}` is a keyword: use another name, such as `{name}_`")))
}

/// Whether a value can end in a character.
fn ends_a_value(char: char) -> bool {
    in_name(char) || matches!(char, '"' | '\'' | ')' | ']')
}

/// Whether a text ends in a function without a name, of Python's: `lambda x`.
fn is_lambda(before: &str) -> bool {
    let Some((ahead, behind)) = before.rsplit_once("lambda") else { return false };
    let argument = behind.trim_start();
    let has_argument = behind.starts_with(' ') && argument.starts_with(in_name);
    !ahead.ends_with(in_name) && (argument.is_empty() || has_argument)
}

/// Whether a line that begins with a word of Python's is a statement of it: `print!(...)` and `from = 3` are Rust.
fn is_statement(line: &str, first: &str) -> bool {
    let rest = line.strip_prefix(first).unwrap_or("");
    match rest.trim_start().chars().next() {
        None | Some(':') => true,
        Some(next) => rest.starts_with(' ') && (next.is_alphanumeric() || "_\"'([{-".contains(next)),
    }
}

/// `[x * 2 for x in list]`
fn is_comprehension(spot: &Spot<'_>) -> bool {
    let open = spot.line.find(['[', '(', '{']);
    let is_within = |at: usize| open.is_some_and(|open| open < at);
    spot.line.find(" for ").is_some_and(|at| is_within(at) && spot.line[at..].contains(" in "))
}

/// `a, b = b, a`
fn is_assignment_of_several(line: &str) -> bool {
    let left = line.strip_prefix("let ").unwrap_or(line);
    let Some((names, value)) = left.split_once('=') else { return false };
    let is_name = |name: &str| !name.is_empty() && name.chars().all(in_name);
    names.contains(',') && names.split(',').all(|name| is_name(name.trim())) && !value.starts_with('=')
}

/// `x: int = 5`
fn is_declared_with_type(line: &str, spot: &Spot<'_>) -> bool {
    let behind = line.strip_prefix(spot.first).map(str::trim_start).and_then(|rest| rest.strip_prefix(':'));
    let ty = behind.map(|rest| rest.trim_start().trim_start_matches(|char| in_name(char) || "[], ".contains(char)));
    !spot.first.is_empty() && ty.is_some_and(|rest| begins_with_assignment(rest, ""))
}

/// Help for Python's division without a remainder.
fn of_two_slashes(before: &str, by: &str) -> String {
    let left = base(before);
    let is_number = by.chars().all(|char| char.is_ascii_digit() || char == '.');
    let (method, right) =
        if is_number { ("floor_divide_scalar", by.to_owned()) } else { ("floor_divide", format!("&{by}")) };
    let tensor = if left.starts_with(|char: char| char.is_ascii_digit()) { "x" } else { left };
    format!(
        "`//` begins a comment; `/` between integers divides without a remainder: `{left} / {by}`. Of a tensor write \
         `{tensor}.{method}({right})`"
    )
}

/// Help for a colon that has no place in Rust.
fn of_colon(spot: &Spot<'_>) -> Option<&'static str> {
    if spot.after.trim().is_empty() && ["for", "while", "if", "else", "match"].contains(&spot.first) {
        return Some(BLOCK);
    }
    let opened = spot.before.rfind(['[', '{'])?;
    Some(if spot.before[opened..].starts_with('[') {
        "a part of a list is `&list[1..]`, `&list[..3]` or `&list[1..3]`; of a tensor `x.i(1..3)`"
    } else {
        "a dictionary is `std::collections::HashMap::from([(\"lr\", 0.1)])`; for a fixed set of names define a `struct`"
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::python_hints::tests::spot;

    #[test]
    fn what_is_rust_is_no_habit() {
        let error = Diagnostic {
            message: "expected `,`, found `x`".into(),
            code: None,
            level: "error".into(),
            spans: Vec::new(),
            children: Vec::new(),
        };
        let advised = |text: &str| advice(&error, &spot(text, "x")).is_some();
        assert!(!advised("print!(\"{}\" x)") && !advised("from = 3 x") && !advised("#[derive x]"));
        assert!(advised("import x") && advised("print x") && advised("# x"));
    }

    #[test]
    fn lines_of_python_are_told_from_rust() {
        assert!(is_assignment_of_several("a, b = b, a") && is_assignment_of_several("let a, b = 1, 2;"));
        assert!(!is_assignment_of_several("(a, b) = (b, a)") && !is_assignment_of_several("f(a, b) == c"));
        let typed = |line: &str| is_declared_with_type(line, &spot(line, "x"));
        assert!(typed("x: int = 5") && typed("x: List[int] = y") && !typed("x::new() == y") && !typed("x: 5"));
        let list = |line: &str| is_comprehension(&spot(line, "x"));
        assert!(list("let y = [x * 2 for x in list];") && !list("for x in [1, 2] {"));
    }
}
