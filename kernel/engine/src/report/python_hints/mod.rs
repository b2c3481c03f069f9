//! Help for what somebody writes who comes from Python.

pub(crate) mod indexing;

use std::ops::Range;

use crate::crate_names::readable;
use crate::diagnostic::Diagnostic;
use crate::names;
use crate::report::hints::Advice;
use crate::source::source_map::{CrateSource, Place};
use crate::source::words::{first_name, in_name};

const BLOCK: &str = "a block is in braces and has no colon: `for i in 0..10 { ... }`, `if x > 2 { ... } else { ... }`";

/// What a line that is not Rust begins with, and the Rust for it.
const STATEMENTS: [(&str, &str); 12] = [
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
    ("raise", EXCEPTIONS),
    (
        "with",
        "a value is dropped with its block: `{ let file = ...; }`; for `torch.no_grad()` write `no_grad(|| { ... })`",
    ),
    ("pass", "an empty block is `{}`"),
    ("del", "write `drop(x)`"),
    ("print", "write `println!(\"{x}\")`"),
];

const IMPORT: &str = "`use` imports names, like `use std::collections::HashMap;`. Tensors and networks are already there: `Tensor`, \
                      `nn`, `Kind`, `Device`";

const EXCEPTIONS: &str = "Rust has no exceptions: what can fail returns a `Result`. `?` passes an error on, `match` handles it, `bail!` makes one";

/// Functions of Python's, and the Rust for them.
const FUNCTIONS: [(&str, &str); 17] = [
    ("range", "a range is `0..10`; `(0..10).step_by(2)` goes in steps, `(0..10).rev()` backwards"),
    ("enumerate", "`list.iter().enumerate()`"),
    ("zip", "`a.iter().zip(&b)`"),
    ("sum", "`list.iter().sum::<f64>()`"),
    ("max", "`a.max(b)`; for a list `list.iter().max()`"),
    ("min", "`a.min(b)`; for a list `list.iter().min()`"),
    ("abs", "`x.abs()`"),
    ("sqrt", "`x.sqrt()`"),
    ("exp", "`x.exp()`"),
    ("round", "`x.round()`"),
    ("sorted", "`list.sort()` sorts in place"),
    ("str", "`x.to_string()`, or `format!(\"{x}\")`"),
    ("int", "`x as i64`; for text `text.parse::<i64>()?`"),
    ("float", "`x as f64`; for text `text.parse::<f64>()?`"),
    ("list", "`vec![1, 2]`; for an iterator `.collect::<Vec<_>>()`"),
    ("open", "`std::fs::read_to_string(path)?`"),
    ("isinstance", "a value has one type, which the compiler knows; an `enum` stands for one of several"),
];

/// Attributes and methods of lists, and the ones here. Those of tensors are in the table of names.
const MEMBERS: [(&str, &str); 3] = [("append", "`list.push(x)`"), ("length", "`list.len()`"), ("size", "`list.len()`")];

/// Whether a name is one of Python's, so that it is no slip for another.
pub fn knows(name: &str) -> bool {
    is_module(name) || FUNCTIONS.iter().any(|(function, _)| *function == name)
}

/// Whether a name is that of a module of Python's.
fn is_module(name: &str) -> bool {
    name == "math" || names::is_foreign(name)
}

/// Help for an error in a cell that cannot be parsed.
pub fn of(error: &Diagnostic, source: &CrateSource, file: &str) -> Advice {
    let place = error.range_in(file).and_then(|range| source.place(range));
    place.and_then(|place| advice(error, &place)).unwrap_or_default()
}

/// Help for an error at a place of the user's.
pub fn advice(error: &Diagnostic, place: &Place) -> Option<Advice> {
    let text = place.cell.text.as_str();
    let spot = Spot::new(text, place.range.clone());
    match error.code() {
        "E0412" | "E0432" | "E0433" => of_another_library(&spot).or_else(|| of_module_elsewhere(&spot)),
        "E0423" | "E0425" => of_another_library(&spot).or_else(|| of_a_name(error, &spot, text)),
        "E0599" | "E0609" | "E0615" => of_a_member(error, &spot),
        "E0614" if spot.word.starts_with('*') && spot.before.ends_with('*') => {
            Some(Advice::instead("a power is `x.powi(3)` for a float, `x.pow(3)` for an integer"))
        }
        "E0369" if spot.before.trim_end().ends_with(']') && error.message.starts_with("cannot multiply `[") => {
            Some(Advice::instead("a list of equal values is `vec![0; 10]`"))
        }
        "" => of_syntax(error, &spot),
        _ => indexing::of_a_part(error, &spot),
    }
}

/// The surroundings of an error.
pub(super) struct Spot<'a> {
    /// The text that the error is about.
    word: &'a str,
    /// Its line, ahead of it.
    before: &'a str,
    /// Its line, behind it.
    after: &'a str,
    /// Its whole line.
    line: &'a str,
    /// The first word of the line.
    first: &'a str,
}

impl<'a> Spot<'a> {
    fn new(text: &'a str, range: Range<usize>) -> Self {
        let start = text[..range.start].rfind('\n').map_or(0, |at| at + 1);
        let end = text[range.end..].find('\n').map_or(text.len(), |at| range.end + at);
        let line = &text[start..end];
        let (word, before, after) = (&text[range.clone()], &text[start..range.start], &text[range.end..end]);
        Self { word, before, after, line, first: first_name(line.trim_start()) }
    }

    /// The path that the text is a part of, as Rust or Python writes one.
    fn path(&self) -> &'a str {
        let in_path = |char: char| in_name(char) || matches!(char, ':' | '.');
        let line = self.line;
        let from = self.before.trim_end_matches(in_path).len();
        let behind = self.after.trim_start_matches(in_path).len();
        line[from..line.len() - behind].trim_matches([':', '.'])
    }

    /// Whether a plain `=` follows.
    fn is_assigned(&self) -> bool {
        begins_with_assignment(self.after, "")
    }

    /// Whether the error is inside the arguments of a call on this line.
    fn in_arguments(&self) -> bool {
        let open = self.before.matches('(').count();
        open > self.before.matches(')').count()
    }
}

/// Help for a path that other libraries have, such as `torch.cat` and `nn::CrossEntropyLoss::new`.
fn of_another_library(spot: &Spot<'_>) -> Option<Advice> {
    let mut path = spot.path();
    // In a cell that cannot be parsed, nothing is in scope.
    if names::SHARED.contains(&spot.word) {
        return None;
    }
    while path.contains(['.', ':']) {
        if let Some(entry) = names::find(path) {
            return Some(Advice::instead(entry.told(path)));
        }
        path = path[..path.rfind(['.', ':'])?].trim_end_matches(':');
    }
    None
}

/// Help for a path into another library that the table has no name for.
fn of_module_elsewhere(spot: &Spot<'_>) -> Option<Advice> {
    let path = spot.path();
    let root = path.split([':', '.']).next().unwrap_or(path);
    names::is_foreign(path).then(|| {
        Advice::instead(format!(
            "`{root}` is a library of Python's. What it has is here without `use`, by other names: `:doc {root}` lists them, and \
             `:find WORDS` finds one by words"
        ))
    })
}

/// Help for a method or an attribute that something has in Python.
fn of_a_member(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    if readable(&error.message).replace("tch::", "").contains("`Tensor`") {
        let entry = names::find(&format!("torch.Tensor.{}", spot.word))?;
        return Some(Advice::instead(entry.told(spot.word)));
    }
    let (_, rust) = MEMBERS.iter().find(|(name, _)| *name == spot.word)?;
    error.message.contains("Vec<").then(|| Advice::instead(write(rust)))
}

/// Code alone reads better with a verb.
fn write(rust: &str) -> String {
    if rust.starts_with('`') { format!("write {rust}") } else { rust.to_owned() }
}

/// Whether a line is `name = ...`.
fn begins_with_assignment(line: &str, name: &str) -> bool {
    let rest = line.trim_start().strip_prefix(name).map(str::trim_start);
    rest.and_then(|rest| rest.strip_prefix('=')).is_some_and(|rest| !rest.starts_with(['=', '>']))
}

fn of_a_name(error: &Diagnostic, spot: &Spot<'_>, text: &str) -> Option<Advice> {
    let name = spot.word;
    let assigned_above = || text.lines().any(|line| begins_with_assignment(line, name));
    let text = if name == "print" {
        "write `println!(\"{x}\")`, or `println!(\"{x:?}\")` for values with no text form"
    } else if !error.message.starts_with("cannot find") {
        return None;
    } else if spot.is_assigned() && spot.in_arguments() {
        "arguments have no names: write their values in the order of the function's parameters"
    } else if spot.is_assigned() || assigned_above() {
        return Some(Advice::instead(format!(
            "a new variable begins with `let`: `let {name} = ...;`, or `let mut {name} = ...;` to change it later"
        )));
    } else if spot.after.starts_with('.') && is_module(name) {
        "tensors are made by `Tensor::zeros`, `Tensor::randn`, `Tensor::from_slice`...; layers are in `nn`; numbers have methods, \
         as in `x.sqrt()`"
    } else {
        let called = spot.after.trim_start().starts_with('(');
        let (_, rust) = FUNCTIONS.iter().find(|(function, _)| called && *function == name)?;
        return Some(Advice::instead(write(rust)));
    };
    Some(Advice::instead(text))
}

fn of_syntax(error: &Diagnostic, spot: &Spot<'_>) -> Option<Advice> {
    let message = error.message.as_str();
    let line = spot.line.trim_start();
    // `print!(...)` and `from = 3` are Rust.
    let rest = line.strip_prefix(spot.first).unwrap_or("");
    let is_statement = match rest.trim_start().chars().next() {
        None | Some(':') => true,
        Some(next) => rest.starts_with(' ') && (next.is_alphanumeric() || "_\"'".contains(next)),
    };
    let statement = STATEMENTS.iter().find(|(word, _)| is_statement && *word == spot.first);
    let follows = |word: &str| spot.before.split_whitespace().any(|other| other == word);
    let behind = spot.after.trim_start();
    let text = if spot.word == "@" {
        "a matrix product is `x.matmul(&w)`"
    } else if message == "prefix `f` is unknown" {
        "write `format!(\"x is {x}\")`; `println!(\"x is {x}\")` formats it directly"
    } else if spot.word == "gen" && spot.before.ends_with('.') {
        "`gen` is a keyword since 2024. A random number is `rng.random()`, in a range `rng.random_range(0..10)`"
    } else if line.starts_with('#') && !line.starts_with("#[") && !line.starts_with("#!") {
        "a comment begins with `//`"
    } else if let Some((_, rust)) = statement {
        rust
    } else if follows("elif") {
        "write `else if`"
    } else if follows("lambda") {
        "a function without a name is a closure: `|x| x * x`"
    } else if spot.word == "is" {
        "`x.is_none()` and `x.is_some()` test an `Option`; `==` compares"
    } else if let Some(advice) = indexing::of_python(spot) {
        return Some(advice);
    } else if message.contains("found `:`") && spot.word == ":" {
        of_colon(spot)?
    } else if message.starts_with("expected `;`") && behind.starts_with("//") && behind.len() < 8 {
        return Some(Advice::help("`//` begins a comment; `/` between integers divides without a remainder"));
    } else {
        return None;
    };
    Some(Advice::instead(text))
}

/// Help for a colon that has no place in Rust.
fn of_colon(spot: &Spot<'_>) -> Option<&'static str> {
    if spot.after.trim().is_empty() && ["for", "while", "if", "else"].contains(&spot.first) {
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

    fn spot<'a>(text: &'a str, word: &str) -> Spot<'a> {
        let at = text.find(word).expect("the word is in the text");
        Spot::new(text, at..at + word.len())
    }

    #[test]
    fn a_spot_knows_its_line() {
        let spot = spot("let a = 1;\n  train(lr=0.1);\n", "lr");
        assert_eq!((spot.before, spot.after, spot.first), ("  train(", "=0.1);", "train"));
        assert!(spot.is_assigned() && spot.in_arguments());
    }

    #[test]
    fn a_path_of_another_library_names_ours() {
        let help = |text: &str, word: &str| of_another_library(&spot(text, word)).map(|advice| advice.help.concat());
        let told = help("let loss = torch::nn::CrossEntropyLoss::new();", "torch").expect("is known");
        assert!(told.starts_with("`torch::nn::CrossEntropyLoss` is here `nn::cross_entropy("), "{told}");
        let told = help("let p = F::softmax(&x, 1);", "F").expect("is known");
        assert!(told.starts_with("`F::softmax` is here `x.softmax("), "{told}");
        let told = help("nn::BCELoss()", "BCELoss").expect("is known");
        assert!(told.contains("binary_cross_entropy"), "{told}");
        assert!(help("torch.cat([a, b])", "torch").expect("is known").contains("Tensor::cat"));
        assert_eq!(help("let y = cat(&x);", "cat"), None);
        assert_eq!(help("serde::json::x()", "serde"), None);
    }

    #[test]
    fn what_is_rust_is_no_habit() {
        let error = Diagnostic {
            message: "expected `,`, found `x`".into(),
            code: None,
            level: "error".into(),
            spans: Vec::new(),
            children: Vec::new(),
        };
        let advised = |text: &str| of_syntax(&error, &spot(text, "x")).is_some();
        assert!(!advised("print!(\"{}\" x)") && !advised("from = 3 x") && !advised("#[derive x]"));
        assert!(advised("import x") && advised("print x") && advised("# x"));
    }

    #[test]
    fn a_comparison_is_no_assignment() {
        assert!(!spot("x == 1", "x").is_assigned());
        assert!(!spot("x => 1", "x").is_assigned());
        assert!(spot("x = 1", "x").is_assigned());
    }
}
