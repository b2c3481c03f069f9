//! A value as a tree, read from what its `Debug` writes over several lines.
//!
//! `derive(Debug)` and the builders of [`std::fmt`] begin a line for each field and put its brackets at the ends of
//! lines, so lines are enough to find the parts; what a value writes in a way of its own is a leaf.

use std::fmt::{self, Debug, Write};

use crate::checkpoint::checkpoint;

/// The `Debug` form of a network is shorter by far: the numbers of a weight are not in it.
const MOST_BYTES: usize = 1 << 20;

/// A value, or one of its fields.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Part {
    /// The type or variant, empty where it has no name; the whole text of a leaf.
    pub(super) name: String,
    pub(super) bracket: Option<Bracket>,
    /// Each with its name, or with its place where it has none.
    pub(super) fields: Vec<(String, Part)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bracket {
    /// Of a struct, a map or a set.
    Brace,
    Tuple,
    List,
}

impl Bracket {
    fn of(end: char) -> Option<Self> {
        match end {
            '{' => Some(Self::Brace),
            '(' => Some(Self::Tuple),
            '[' => Some(Self::List),
            _ => None,
        }
    }
}

impl Part {
    /// The tree; `None` for a value that is far too long to be a network, or writes brackets that do not match.
    pub(super) fn of(value: &dyn Debug) -> Option<Self> {
        let mut text = Bounded(String::new());
        write!(text, "{value:#?}").ok()?;
        Self::read(&text.0)
    }

    fn read(text: &str) -> Option<Self> {
        let mut open: Vec<(String, Self)> = Vec::new();
        let mut root = None;
        for line in text.lines().map(str::trim) {
            if root.is_some() {
                return None;
            }
            let (key, part) = if matches!(line.trim_end_matches(','), "}" | ")" | "]") {
                open.pop().map(|(key, part)| (key, part.unwrapped()))?
            } else {
                let parent = open.last().map(|(_, part)| part);
                let (key, value) = match parent {
                    Some(Self { bracket: Some(Bracket::Brace), .. }) => line.split_once(": ").unwrap_or(("", line)),
                    _ => ("", line),
                };
                let key = if key.is_empty() {
                    parent.map_or(0, |parent| parent.fields.len()).to_string()
                } else {
                    key.trim_matches('"').to_owned()
                };
                if let Some(part) = Self::begun(value) {
                    open.push((key, part));
                    continue;
                }
                (key, Self { name: value.trim_end_matches(',').to_owned(), ..Self::default() })
            };
            match open.last_mut() {
                Some((_, parent)) => parent.fields.push((key, part)),
                None => root = Some(part),
            }
        }
        root.filter(|_| open.is_empty())
    }

    /// A part whose fields stand in the lines below.
    fn begun(line: &str) -> Option<Self> {
        let end = line.chars().last()?;
        let bracket = Bracket::of(end)?;
        let name = line[..line.len() - 1].trim_end();
        let is_name = name.chars().all(|char| char == '_' || char.is_alphanumeric());
        is_name.then(|| Self { name: name.to_owned(), bracket: Some(bracket), fields: Vec::new() })
    }

    /// What is in a `Some`, and what a type with one unnamed field is made of.
    fn unwrapped(mut self) -> Self {
        if self.bracket != Some(Bracket::Tuple) || self.fields.len() != 1 || self.name.is_empty() {
            return self;
        }
        let (_, inner) = self.fields.remove(0);
        let is_a_name_for_it = self.name != "Some" && inner.bracket == Some(Bracket::Brace);
        if self.name == "Some" || is_a_name_for_it {
            return Self { name: if is_a_name_for_it { self.name } else { inner.name }, ..inner };
        }
        Self { fields: vec![("0".to_owned(), inner)], ..self }
    }
}

/// A text that may not become long.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        checkpoint();
        if self.0.len() + text.len() > MOST_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    #[expect(dead_code, reason = "they are read by `Debug`")]
    struct Inner {
        size: Vec<i64>,
        rate: Option<f64>,
    }

    #[derive(Debug)]
    #[expect(dead_code, reason = "they are read by `Debug`")]
    struct Renamed(Inner);

    fn leaf(name: &str) -> Part {
        Part { name: name.to_owned(), ..Part::default() }
    }

    #[test]
    fn fields_lists_and_wrappers_are_read() {
        let part = Part::of(&(Renamed(Inner { size: vec![1, 2], rate: Some(0.5) }), "a: {", Vec::<i64>::new()));
        let size = Part {
            name: String::new(),
            bracket: Some(Bracket::List),
            fields: vec![("0".to_owned(), leaf("1")), ("1".to_owned(), leaf("2"))],
        };
        let inner = Part {
            name: "Renamed".to_owned(),
            bracket: Some(Bracket::Brace),
            fields: vec![("size".to_owned(), size), ("rate".to_owned(), leaf("0.5"))],
        };
        let fields = vec![("0".to_owned(), inner), ("1".to_owned(), leaf("\"a: {\"")), ("2".to_owned(), leaf("[]"))];
        assert_eq!(part, Some(Part { name: String::new(), bracket: Some(Bracket::Tuple), fields }));
    }

    #[test]
    fn what_is_no_tree_is_none() {
        struct Wild(&'static str);
        impl Debug for Wild {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        assert_eq!(Part::of(&Wild("one")), Some(leaf("one")));
        for text in ["Net {", "}", "one\ntwo", ""] {
            assert_eq!(Part::of(&Wild(text)), None, "{text:?}");
        }
        assert_eq!(Part::of(&vec![0u8; 1 << 20]), None);
    }
}
