//! The fields of a value, as its `Debug` implementation tells them to a formatter.
//!
//! What `Debug` writes cannot be read as text: a key may hold a blank, a text a comma, and a value may be written
//! without any rule. But `derive(Debug)` and the builders of [`std::fmt`] write each bracket, key and separator by
//! itself, and with `{:#?}` each field of a value on lines of its own, which are indented. So the pieces as they are
//! written tell where a field begins, whatever is in it. `{:?}` is recorded besides, as that is how the fields are
//! shown.

use std::fmt::{self, Debug, Write};

use crate::checkpoint::checkpoint;

/// What `{:#?}` writes ahead of each line of a field.
const INDENT: &str = "    ";
/// What it writes behind a field.
const END: &str = ",\n";

/// A value and what it consists of.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Structure {
    /// A value without fields, or one that is written in a way of its own.
    Value(String),
    /// The type or variant, empty where it has no name, and its fields.
    Fields(String, Vec<Field>),
}

/// One of the parts of a value, in its `Debug` form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) key: Key,
    pub(super) value: String,
}

/// How a field is called.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// The field of a struct.
    Name(String),
    /// The key of a map, in its `Debug` form.
    Value(String),
    /// The place in a tuple, list or set.
    Place(usize),
}

impl Structure {
    pub(super) fn of(value: &dyn Debug) -> Self {
        let (by_lines, in_line) = (Recorder::of(format_args!("{value:#?}")), Recorder::of(format_args!("{value:?}")));
        Self::read(&by_lines.pieces(), &in_line.pieces())
    }

    fn read(by_lines: &[&str], in_line: &[&str]) -> Self {
        let whole = || Self::Value(in_line.concat());
        if let ["[", "]"] | ["{", "}"] | ["()"] = in_line {
            return Self::Fields(String::new(), Vec::new());
        }
        let Some(outline) = Outline::read(by_lines) else { return whole() };
        let Some(body) = outline.body(in_line) else { return whole() };
        let values = outline.values(body);
        // A row that may be missing.
        if let (Bracket::Tuple, "Some", [(_, inner)]) = (outline.bracket, outline.name, &outline.fields[..]) {
            return Self::read(inner, values.as_ref().map_or(inner, |values| values[0]));
        }
        let value = |at: usize| match &values {
            Some(values) => values[at].concat(),
            None => joined(&outline.fields[at].1),
        };
        let keys = outline.fields.iter().enumerate().map(|(place, (key, _))| match (outline.bracket, key) {
            (Bracket::Struct, Some(key)) => Key::Name(key.concat()),
            (_, Some(key)) => Key::Value(joined(key)),
            (_, None) => Key::Place(place),
        });
        let fields = keys.enumerate().map(|(at, key)| Field { key, value: value(at) }).collect();
        Self::Fields(outline.name.to_owned(), fields)
    }
}

/// Keeps what is written piece by piece.
#[derive(Default)]
struct Recorder {
    text: String,
    ends: Vec<usize>,
}

impl Recorder {
    fn of(text: fmt::Arguments<'_>) -> Self {
        let mut recorder = Self::default();
        // It never fails itself: an error is that of the value's `Debug`, whose text ends there.
        let _ = recorder.write_fmt(text);
        recorder
    }

    fn pieces(&self) -> Vec<&str> {
        let starts = [0].into_iter().chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.text[start..*end]).collect()
    }
}

impl Write for Recorder {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        // A row may hold millions of numbers.
        checkpoint();
        if !piece.is_empty() {
            self.text.push_str(piece);
            self.ends.push(self.text.len());
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bracket {
    Struct,
    Tuple,
    List,
    /// Of a map or a set.
    Map,
}

/// What `{:#?}` tells of a value.
struct Outline<'a> {
    name: &'a str,
    bracket: Bracket,
    /// The pieces of the key, where there is one, and those of the value.
    fields: Vec<(Option<Vec<&'a str>>, Vec<&'a str>)>,
}

impl<'a> Outline<'a> {
    fn read(pieces: &[&'a str]) -> Option<Self> {
        let lines: Vec<&[&'a str]> = pieces.split_inclusive(|piece| piece.ends_with('\n')).collect();
        let [head, body @ .., last] = &lines[..] else { return None };
        let (name, bracket, close) = match head {
            [name @ .., " {\n"] => (name, Bracket::Struct, "}"),
            [name @ .., "(\n"] => (name, Bracket::Tuple, ")"),
            ["[", "\n"] => (&[][..], Bracket::List, "]"),
            ["{", "\n"] => (&[][..], Bracket::Map, "}"),
            _ => return None,
        };
        let name = match name {
            [] => "",
            [name] if is_name(name) => name,
            _ => return None,
        };
        if *last != [close] {
            return None;
        }
        let body: Vec<&[&'a str]> = body.iter().map(|line| line.strip_prefix(&[INDENT])).collect::<Option<_>>()?;
        let values = values_of(&body, bracket)?;
        let fields: Vec<_> = match bracket {
            Bracket::Struct => values.into_iter().map(|mut value| (Some(vec![value[0]]), value.split_off(2))).collect(),
            Bracket::Tuple | Bracket::List => values.into_iter().map(|value| (None, value)).collect(),
            Bracket::Map => values.into_iter().map(key_and_value).collect(),
        };
        Some(Self { name, bracket, fields })
    }

    /// What `{:?}` writes between the brackets of the same value; `None` where it does not write that value with
    /// brackets.
    fn body<'b>(&self, in_line: &'b [&'b str]) -> Option<&'b [&'b str]> {
        let rest = match in_line {
            _ if self.name.is_empty() => in_line,
            [name, rest @ ..] if *name == self.name => rest,
            _ => return None,
        };
        match (self.bracket, rest) {
            (Bracket::Struct, [" { ", body @ .., " }" | ", .. }"])
            | (Bracket::Tuple, ["(", body @ .., ",", ")"])
            | (Bracket::Tuple, ["(", body @ .., ")" | ", ..)"])
            | (Bracket::List, ["[", body @ .., "]" | ", ..]"])
            | (Bracket::Map, ["{", body @ .., "}" | ", ..}"]) => Some(body),
            _ => None,
        }
    }

    /// The parts of such a body, one for each field; `None` where brackets that a value writes by itself leave that
    /// open.
    fn values<'b>(&self, body: &'b [&'b str]) -> Option<Vec<&'b [&'b str]>> {
        let mut starts = vec![0];
        let mut scan = Scan::default();
        for (at, piece) in body.iter().enumerate() {
            let is_outside = scan.step(piece)?;
            let is_next = || match (self.bracket, self.fields.get(starts.len())) {
                (Bracket::Struct, Some((Some(key), _))) => {
                    body[at + 1..].strip_prefix(&key[..]).is_some_and(|rest| rest.first() == Some(&": "))
                }
                (Bracket::Struct, _) => false,
                _ => true,
            };
            if is_outside && *piece == ", " && is_next() {
                starts.push(at + 1);
            }
        }
        if !scan.is_outside() || starts.len() != self.fields.len() {
            return None;
        }
        let ends = starts[1..].iter().map(|start| start - 1).chain([body.len()]);
        let parts = starts.iter().zip(ends).map(|(start, end)| &body[*start..end]);
        let value = |(part, (key, _)): (&'b [&'b str], &(Option<Vec<&str>>, _))| match (self.bracket, key) {
            (_, None) => Some(part),
            (Bracket::Struct, Some(_)) => part.get(2..),
            (_, Some(_)) => {
                let mut scan = Scan::default();
                let colon = part.iter().position(|piece| scan.step(piece) == Some(true) && *piece == ": ")?;
                Some(&part[colon + 1..])
            }
        };
        parts.zip(&self.fields).map(value).collect()
    }
}

/// The pieces of each field, from the lines of all.
fn values_of<'a>(body: &[&[&'a str]], bracket: Bracket) -> Option<Vec<Vec<&'a str>>> {
    let begins = |line: &[&str]| match (bracket, line) {
        (_, ["..\n"]) => true,
        (Bracket::Struct, [key, ": ", ..]) => *key != INDENT,
        (Bracket::Struct, _) => false,
        // Lines within a field, and the one that ends it.
        (_, [INDENT | "}" | ")" | "]", ..]) => false,
        _ => true,
    };
    let mut values: Vec<Vec<&str>> = Vec::new();
    let mut is_open = false;
    for (at, line) in body.iter().enumerate() {
        let next = body.get(at + 1);
        if !is_open {
            // A value that leaves fields out says so at its end.
            if next.is_none() && *line == ["..\n"] {
                break;
            }
            if !begins(line) {
                return None;
            }
            values.push(Vec::new());
        }
        let value = values.last_mut()?;
        value.extend_from_slice(line);
        is_open = !(line.last() == Some(&END) && next.is_none_or(|next| begins(next)));
        if !is_open {
            value.pop();
        }
    }
    (!is_open).then_some(values)
}

/// Parts an entry of a map; one of a set has no key.
fn key_and_value(mut entry: Vec<&str>) -> (Option<Vec<&str>>, Vec<&str>) {
    let mut scan = Scan::default();
    let (mut is_start, mut is_within) = (true, false);
    let colon = entry.iter().position(|piece| {
        is_within = if is_start { *piece == INDENT } else { is_within };
        is_start = piece.ends_with('\n');
        let is_text = scan.quote.is_some();
        scan.step(piece);
        !is_text && !is_within && *piece == ": "
    });
    match colon {
        Some(colon) => {
            let value = entry.split_off(colon + 1);
            entry.pop();
            (Some(entry), value)
        }
        None => (None, entry),
    }
}

/// Where in a value one is: in how many brackets, in a text or character.
#[derive(Default)]
struct Scan {
    depth: usize,
    quote: Option<&'static str>,
    is_escaped: bool,
}

impl Scan {
    /// Takes a piece; says whether it lies in no brackets and no quotes. `None` where a bracket closes that was not
    /// opened.
    fn step(&mut self, piece: &str) -> Option<bool> {
        if let Some(quote) = self.quote {
            for char in piece.chars() {
                if std::mem::take(&mut self.is_escaped) {
                    continue;
                }
                self.is_escaped = char == '\\';
                if quote.starts_with(char) {
                    self.quote = None;
                }
            }
            return Some(false);
        }
        match piece {
            "\"" => self.quote = Some("\""),
            "'" => self.quote = Some("'"),
            " { " | "(" | "[" | "{" => self.depth += 1,
            " }" | ", .. }" | ")" | ", ..)" | "]" | ", ..]" | "}" | ", ..}" => {
                self.depth = self.depth.checked_sub(1)?
            }
            _ => return Some(self.depth == 0),
        }
        Some(false)
    }

    fn is_outside(&self) -> bool {
        self.depth == 0 && self.quote.is_none()
    }
}

/// The lines of a field as one.
fn joined(pieces: &[&str]) -> String {
    let text = pieces.concat();
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Whether a text is the name of a type or variant.
pub(super) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|char| char.is_alphanumeric() || matches!(char, '_' | ':' | '#'))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[track_caller]
    fn check(value: impl Debug, fields: &[(&str, &str)]) {
        let Structure::Fields(_, read) = Structure::of(&value) else { panic!("{value:?} has no fields") };
        let key = |key: &Key| match key {
            Key::Name(key) | Key::Value(key) => key.clone(),
            Key::Place(place) => place.to_string(),
        };
        let read: Vec<_> = read.iter().map(|field| (key(&field.key), field.value.as_str())).collect();
        let read: Vec<_> = read.iter().map(|(key, value)| (key.as_str(), *value)).collect();
        assert_eq!(read, fields, "{value:?}");
    }

    /// Writes a text in place of what a builder would.
    struct Own(&'static str);

    impl Debug for Own {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    /// An interval that holds its lower end alone: its brackets do not pair up.
    struct Interval(u8, u8);

    impl Debug for Interval {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "[{}, {})", self.0, self.1)
        }
    }

    #[derive(Debug)]
    #[allow(dead_code, reason = "read by their Debug form")]
    struct Point<T> {
        x: T,
        y: T,
    }

    #[derive(Debug)]
    #[allow(dead_code, reason = "read by their Debug form")]
    struct Pair<T>(T, T);

    #[test]
    fn derived_forms_are_read_field_by_field() {
        check(Point { x: 1, y: -2 }, &[("x", "1"), ("y", "-2")]);
        check(Pair(0.5, 1.5), &[("0", "0.5"), ("1", "1.5")]);
        check((1,), &[("0", "1")]);
        check(("a", 2), &[("0", "\"a\""), ("1", "2")]);
        check([1.5, 2.5], &[("0", "1.5"), ("1", "2.5")]);
        check(Some(Point { x: Some(1), y: None }), &[("x", "Some(1)"), ("y", "None")]);
        check(BTreeMap::from([("\": ", 2), ("a, b: c", 1)]), &[("\"\\\": \"", "2"), ("\"a, b: c\"", "1")]);
        check(BTreeMap::from([((1, ": "), Point { x: 1, y: 2 })]), &[("( 1, \": \", )", "Point { x: 1, y: 2 }")]);
        check(BTreeSet::from([("k", 1)]), &[("0", "(\"k\", 1)")]);
        check(Vec::<i32>::new(), &[]);
        check((), &[]);
    }

    #[test]
    fn what_is_in_a_field_does_not_matter() {
        let texts = ["a, b: {c}", "line\nx: 1,\ny", "\\\"", "}", "(", ", ", ": ", "y", "'", ",\n", "    ", ""];
        for text in texts {
            let expected = format!("{text:?}");
            check(Point { x: text, y: text }, &[("x", &expected), ("y", &expected)]);
            check((text, text), &[("0", &expected), ("1", &expected)]);
            check(BTreeMap::from([(text, text)]), &[(&expected, &expected)]);
        }
        for own in ["", " ", "12:30, it's late", "x: 1, y: 2", "Point { x: 1", ")", "a}", "\"", ", y: ", "("] {
            check(Point { x: Own(own), y: Own(own) }, &[("x", own), ("y", own)]);
        }
        check(Point { x: '"', y: '\'' }, &[("x", "'\"'"), ("y", "'\\''")]);
        let nested = || Point { x: Pair(vec![(1, "y: ")], vec![]), y: Pair(vec![], vec![]) };
        let x = "Point { x: Pair([(1, \"y: \")], []), y: Pair([], []) }";
        check(Point { x: nested(), y: nested() }, &[("x", x), ("y", x)]);
    }

    #[test]
    fn values_that_are_written_by_no_rule_stay_in_their_field() {
        check(Point { x: Interval(0, 1), y: Interval(1, 2) }, &[("x", "[0, 1)"), ("y", "[1, 2)")]);
        check([Interval(0, 1), Interval(1, 2)], &[("0", "[0, 1)"), ("1", "[1, 2)")]);
        check(Point { x: Own("a,\nb\n    y: 3,"), y: Own("c") }, &[("x", "a,\nb\n    y: 3,"), ("y", "c")]);
    }

    #[test]
    fn keys_are_any_text() {
        struct Row;
        impl Debug for Row {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let nothing = format_args!("");
                f.debug_struct("Row")
                    .field("validation loss", &0.5)
                    .field("a: b", &nothing)
                    .field("c, d", &"e")
                    .finish()
            }
        }
        check(Row, &[("validation loss", "0.5"), ("a: b", ""), ("c, d", "\"e\"")]);
    }

    #[test]
    fn what_has_no_fields_is_one_value() {
        struct Hidden;
        impl Debug for Hidden {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct("Hidden").field("shown", &1).finish_non_exhaustive()
            }
        }
        check(Hidden, &[("shown", "1")]);
        for text in ["3 of 4 (a few)", "Point { x: 1, y: 2 }", "a\nb", "", "["] {
            assert_eq!(Structure::of(&Own(text)), Structure::Value(text.to_owned()));
        }
        assert_eq!(Structure::of(&"text {"), Structure::Value("\"text {\"".to_owned()));
        assert_eq!(Structure::of(&Some(3)), Structure::Value("3".to_owned()));
        // One form with fields and another without: what is shown is the one in a line.
        let error = anyhow::anyhow!("cause").context("what failed");
        assert!(matches!(Structure::of(&error), Structure::Value(text) if text.starts_with("what failed")));
    }
}
