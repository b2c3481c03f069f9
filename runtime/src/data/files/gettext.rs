//! Translated messages of programs in `.mo` files, as GNU gettext compiles them: pairs of short texts in two languages.
//!
//! Two tables give the lengths and places of the messages and of their translations
//! (<https://www.gnu.org/software/gettext/manual/html_node/MO-Files.html>).

use std::io::Read;
use std::path::Path;

use super::{DatasetError, packed};

/// The number that a file begins with, in its own order of bytes.
const MAGIC: u32 = 0x9504_12de;
/// What stands between a message and the context ahead of it.
const CONTEXT: char = '\u{4}';

/// The messages in a `.mo` file with their translations, in the file's order, which is that of the messages. Of
/// messages with a plural these are the singular and the first form; contexts and the file's head are left out.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// use oxtorch::data::read_mo;
/// let countries = read_mo(data::fetched("iso-names")?.join("zh_CN/LC_MESSAGES/iso_3166-1.mo"))?;
/// assert!(countries.contains(&("France".to_owned(), "法国".to_owned())));
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// If the file cannot be read, is no `.mo` file, or is not UTF-8.
pub fn read_mo(path: impl AsRef<Path>) -> Result<Vec<(String, String)>, DatasetError> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    packed::open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map_err(DatasetError::reading(path))?;
    parse(&bytes).map_err(|what| DatasetError::damaged(path, what))
}

fn parse(bytes: &[u8]) -> Result<Vec<(String, String)>, String> {
    let order = match bytes.first_chunk() {
        Some(magic) if u32::from_le_bytes(*magic) == MAGIC => u32::from_le_bytes,
        Some(magic) if u32::from_be_bytes(*magic) == MAGIC => u32::from_be_bytes,
        _ => return Err("it does not begin like a .mo file".to_owned()),
    };
    let number = |at: usize| {
        let found = bytes.get(at..).and_then(<[u8]>::first_chunk);
        found.map(|four| order(*four) as usize).ok_or_else(|| "it ends too early".to_owned())
    };
    let text = |table: usize, index: usize| {
        let (length, at) = (number(table + 8 * index)?, number(table + 8 * index + 4)?);
        let text = bytes.get(at..).and_then(|rest| rest.get(..length)).ok_or("it ends too early")?;
        String::from_utf8(text.to_vec()).map_err(|_| format!("its message {index} is not UTF-8"))
    };
    let (count, messages, translations) = (number(8)?, number(12)?, number(16)?);
    let mut pairs = Vec::new();
    for index in 0..count {
        let (message, translation) = (text(messages, index)?, text(translations, index)?);
        // The head of the file is the translation of nothing.
        if !message.is_empty() {
            pairs.push((first_form(&message), first_form(&translation)));
        }
    }
    Ok(pairs)
}

/// A text without its context and its plurals.
fn first_form(text: &str) -> String {
    let text = text.split_once(CONTEXT).map_or(text, |(_, text)| text);
    text.split('\0').next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn messages_are_those_that_python_reads() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/package_files.json"));
        let file = |name: &str| {
            let text = reference.value(&format!("/{name}/file")).as_str().expect("base64");
            BASE64_STANDARD.decode(text).expect("base64")
        };
        for name in ["little_endian", "big_endian"] {
            let pairs = parse(&file(name)).expect("a good file");
            let expected = reference.value(&format!("/{name}/pairs"));
            assert_eq!(serde_json::to_value(pairs).expect("is JSON"), *expected, "{name}");
        }
    }

    #[test]
    fn a_damaged_file_is_an_error() {
        let head =
            |numbers: [u32; 4]| [&[MAGIC, 0][..], &numbers[..]].concat().iter().flat_map(|n| n.to_le_bytes()).collect();
        let cases: [(Vec<u8>, &str); 5] = [
            (vec![], "does not begin like a .mo file"),
            (b"<html>".to_vec(), "does not begin like a .mo file"),
            (MAGIC.to_le_bytes().to_vec(), "it ends too early"),
            (head([1, 24, 32, 0]), "it ends too early"),
            (head([u32::MAX, u32::MAX, u32::MAX, 0]), "it ends too early"),
        ];
        for (bytes, expected) in cases {
            let what = parse(&bytes).expect_err("is damaged");
            assert!(what.contains(expected), "{what}");
        }
    }
}
