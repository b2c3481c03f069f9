//! Reads the fields of a value out of its `Debug` form.
//!
//! Types that derive `Debug` are written as `Run { epoch: 1, loss: 0.5 }`, `Point(1, 2)`, `[1, 2]` or `{"a": 1}`. Brackets and
//! quotes within a field are balanced there. Where they are not, the type writes its own form, and the whole text is one value.

use super::cells::presentable;

/// The column of values that have no fields.
const VALUE: &str = "value";
/// The column that tells which variant of an enum a row is.
const VARIANT: &str = "variant";

/// The fields of one row.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// The type or variant.
    name: String,
    /// Column and cell.
    pub(super) fields: Vec<(String, String)>,
}

impl Record {
    /// Reads a row from its `Debug` form.
    pub(super) fn read(debug: &str) -> Self {
        let debug = debug.trim();
        // A row that may be missing.
        if let Some(inner) = debug.strip_prefix("Some(").and_then(|rest| rest.strip_suffix(')')) {
            return Self::read(inner);
        }
        if debug == "None" {
            return Self { name: String::new(), fields: Vec::new() };
        }
        Self::of_fields(debug).unwrap_or_else(|| {
            let name = if is_name(debug) { debug } else { "" };
            Self { name: name.to_owned(), fields: vec![(VALUE.to_owned(), presentable(debug))] }
        })
    }

    fn of_fields(debug: &str) -> Option<Self> {
        let open = debug.find(['{', '(', '['])?;
        let (name, rest) = (debug[..open].trim_end(), &debug[open..]);
        let close = match rest.as_bytes()[0] {
            b'{' => '}',
            b'(' => ')',
            _ => ']',
        };
        if !(name.is_empty() || is_name(name)) {
            return None;
        }
        let parts = parts(rest[1..].strip_suffix(close)?)?;
        let fields = if close == '}' { named(parts)? } else { numbered(parts) };
        Some(Self { name: name.to_owned(), fields })
    }

    /// The same row with one column more, ahead of the others.
    pub(super) fn behind(mut self, column: &str, cell: String) -> Self {
        self.fields.insert(0, (column.to_owned(), cell));
        self
    }

    /// The cell of a column; empty where the row has none.
    pub(super) fn get(&self, column: &str) -> String {
        self.fields.iter().find(|(name, _)| name == column).map(|(_, cell)| cell.clone()).unwrap_or_default()
    }
}

/// Gives rows that are different variants of an enum a column that says which.
pub(super) fn name_variants(records: &mut [Record]) {
    let named = |record: &&Record| !record.name.is_empty();
    let Some(first) = records.iter().find(named).map(|record| record.name.clone()) else { return };
    if records.iter().filter(named).all(|record| record.name == first) {
        return;
    }
    for record in records.iter_mut() {
        // A variant without fields is its name already.
        if record.fields.first().is_some_and(|(column, cell)| column == VALUE && *cell == record.name) {
            record.fields.clear();
        }
        let name = record.name.clone();
        record.fields.insert(0, (VARIANT.to_owned(), name));
    }
}

fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && chars.all(|char| char.is_alphanumeric() || matches!(char, '_' | ':' | '#'))
}

fn numbered(parts: Vec<&str>) -> Vec<(String, String)> {
    let last_is_empty = |(index, part): &(usize, &str)| !(part.is_empty() && *index + 1 == parts.len());
    let parts = parts.iter().copied().enumerate().filter(last_is_empty);
    parts.map(|(index, part)| (index.to_string(), presentable(part))).collect()
}

/// Fields with their names. A part without one belongs to the part ahead, whose type writes commas of its own.
fn named(parts: Vec<&str>) -> Option<Vec<(String, String)>> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for part in parts.into_iter().filter(|part| !part.is_empty() && *part != "..") {
        match (key_and_value(part), fields.last_mut()) {
            (Some((key, value)), _) => fields.push((presentable(key), value.to_owned())),
            (None, Some((_, value))) => *value += &format!(", {part}"),
            (None, None) => return None,
        }
    }
    Some(fields.into_iter().map(|(key, value)| (key, presentable(&value))).collect())
}

/// Splits `key: value`, where the key may be a name, a string, a number or anything in brackets.
fn key_and_value(part: &str) -> Option<(&str, &str)> {
    let mut scan = Scan::default();
    let at = part.char_indices().find(|(at, _)| scan.step(&part[*at..]) && part[*at..].starts_with(": "))?.0;
    let key = &part[..at];
    let plain = key.strip_prefix("r#").unwrap_or(key);
    let is_key = is_name(plain) || key.starts_with(['"', '\'', '(', '[']) || key.parse::<f64>().is_ok();
    is_key.then_some((plain, &part[at + 2..]))
}

/// The text between the commas that lie in no brackets and no quotes; `None` where those are not balanced.
fn parts(body: &str) -> Option<Vec<&str>> {
    let body = body.trim();
    let mut scan = Scan::default();
    let mut parts = Vec::new();
    let mut begin = 0;
    for (at, char) in body.char_indices() {
        if scan.step(&body[at..]) && char == ',' {
            parts.push(body[begin..at].trim());
            begin = at + 1;
        }
    }
    if body.len() > begin || begin > 0 {
        parts.push(body[begin..].trim());
    }
    scan.is_balanced().then_some(parts)
}

/// Where in a text one is: in which brackets, in a string or character.
#[derive(Default)]
struct Scan {
    open: Vec<char>,
    quote: Option<char>,
    escaped: bool,
    broken: bool,
}

impl Scan {
    /// Takes the first character of `rest`; says whether it lies in no brackets and no quotes.
    fn step(&mut self, rest: &str) -> bool {
        let Some(char) = rest.chars().next() else { return false };
        if let Some(quote) = self.quote {
            if std::mem::take(&mut self.escaped) {
            } else if char == '\\' {
                self.escaped = true;
            } else if char == quote {
                self.quote = None;
            }
            return false;
        }
        match char {
            '"' => self.quote = Some(char),
            '\'' if is_character(rest) => self.quote = Some(char),
            '(' => self.open.push(')'),
            '[' => self.open.push(']'),
            '{' => self.open.push('}'),
            ')' | ']' | '}' => self.broken |= self.open.pop() != Some(char),
            _ => return self.open.is_empty(),
        }
        false
    }

    fn is_balanced(&self) -> bool {
        self.open.is_empty() && self.quote.is_none() && !self.broken
    }
}

/// Whether the quote at the beginning is that of a character and not an apostrophe.
fn is_character(rest: &str) -> bool {
    let mut chars = rest.chars().skip(1);
    chars.next() == Some('\\') || chars.next() == Some('\'')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(debug: &str, fields: &[(&str, &str)]) {
        let read: Vec<_> = Record::read(debug).fields;
        let read: Vec<_> = read.iter().map(|(name, cell)| (name.as_str(), cell.as_str())).collect();
        assert_eq!(read, fields, "{debug}");
    }

    #[test]
    fn derived_forms_are_read_field_by_field() {
        check("Run { epoch: 1, loss: 0.5 }", &[("epoch", "1"), ("loss", "0.5")]);
        check("Point(1, -2)", &[("0", "1"), ("1", "-2")]);
        check("(1,)", &[("0", "1")]);
        check("[1.5, 2.5]", &[("0", "1.5"), ("1", "2.5")]);
        check("{\"a, b\": 1, \"c\": 2}", &[("a, b", "1"), ("c", "2")]);
        check("{1: \"x\"}", &[("1", "x")]);
        check("Empty", &[("value", "Empty")]);
        check("3", &[("value", "3")]);
        check("\"text {\"", &[("value", "text {")]);
        check("None", &[]);
        check("Some(Run { a: 1 })", &[("a", "1")]);
    }

    #[test]
    fn commas_and_brackets_within_a_field_are_its_own() {
        check(
            r#"Row { name: "a, b: {c}", at: Point { x: 1, y: (2, 3) }, char: '"', r#type: "q\"," }"#,
            &[("name", "a, b: {c}"), ("at", "Point { x: 1, y: (2, 3) }"), ("char", "\""), ("type", "q\",")],
        );
        check("Row { of: Tensor[[2, 3], Float], end: [] }", &[("of", "Tensor[[2, 3], Float]"), ("end", "[]")]);
    }

    #[test]
    fn what_a_type_writes_in_its_own_way_stays_whole() {
        check("Row { when: 12:30, it's late, n: 1, .. }", &[("when", "12:30, it's late"), ("n", "1")]);
        check("Row { open: ( }", &[("value", "Row { open: ( }")]);
        check("12 of 30 (a few)", &[("value", "12 of 30 (a few)")]);
        check("", &[("value", "")]);
    }

    #[test]
    fn variants_of_an_enum_are_named() {
        let mut records = ["Linear { size: 3 }", "Relu", "Dropout(0.5)"].map(Record::read);
        name_variants(&mut records);
        assert_eq!(records.each_ref().map(|record| record.get("variant")), ["Linear", "Relu", "Dropout"]);
        assert_eq!(records[1].fields.len(), 1);
        let mut same = ["Run { a: 1 }", "Run { a: 2 }"].map(Record::read);
        name_variants(&mut same);
        assert_eq!(same[0].get("variant"), "");
    }
}
