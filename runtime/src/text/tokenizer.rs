//! What all tokenizers can do: text to numbers and back.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tch::Tensor;

use crate::io::replace::replace_file;

/// Text to tokens, which are numbers from 0, and back. The trait's methods are in scope with the prelude.
///
/// ```
/// use oxtorch::prelude::*;
/// let tokenizer = text::CharTokenizer::train("hello world");
/// let tokens = tokenizer.encode("hello")?;
/// assert_eq!(tokenizer.decode(&tokens)?, "hello");
/// assert_eq!(tokenizer.vocab_size(), 8);
/// ```
pub trait Tokenizer {
    /// The tokens of a text.
    ///
    /// # Errors
    ///
    /// Where there is no token for a part of it.
    fn encode(&self, text: &str) -> Result<Vec<i64>>;

    /// The text of tokens, special ones included.
    ///
    /// # Errors
    ///
    /// Where there is no token of a number.
    fn decode(&self, tokens: &[i64]) -> Result<String>;

    /// The number of tokens, special ones included: what an embedding and the last layer need.
    fn vocab_size(&self) -> usize;

    /// How a token is written. Of byte-level BPE that is in the letters that stand for bytes.
    fn token(&self, id: i64) -> Option<String>;

    /// The number of a token.
    fn id(&self, token: &str) -> Option<i64>;

    /// Tokens that stand for no text, such as `<unk>` and `<eos>`, with their numbers.
    fn special_tokens(&self) -> Vec<(String, i64)>;

    /// All that the tokenizer knows, as JSON.
    ///
    /// # Errors
    ///
    /// Where it cannot be written so.
    fn to_json(&self) -> Result<String>;

    /// Writes a JSON file, which the `load` of the same type reads.
    ///
    /// # Errors
    ///
    /// Where it cannot be written.
    fn save(&self, path: impl AsRef<Path>) -> Result<()>
    where
        Self: Sized,
    {
        write(path.as_ref(), &self.to_json()?)
    }

    /// The tokens of a text as int64, `[L]`.
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    fn encode_tensor(&self, text: &str) -> Result<Tensor> {
        Ok(Tensor::from_slice(&self.encode(text)?))
    }
}

/// Tokens by number and numbers by token, the special ones first.
#[derive(Debug, Clone)]
pub(super) struct Vocabulary {
    tokens: Vec<String>,
    ids: std::collections::HashMap<String, i64>,
    special: usize,
}

/// The methods of [`Tokenizer`] that a field `vocabulary` answers alone.
macro_rules! by_vocabulary {
    () => {
        fn vocab_size(&self) -> usize {
            self.vocabulary.len()
        }

        fn token(&self, id: i64) -> Option<String> {
            self.vocabulary.token(id).map(str::to_owned)
        }

        fn id(&self, token: &str) -> Option<i64> {
            self.vocabulary.id(token)
        }

        fn special_tokens(&self) -> Vec<(String, i64)> {
            self.vocabulary.special().zip(0..).map(|(token, id)| (token.to_owned(), id)).collect()
        }
    };
}
pub(super) use by_vocabulary;

impl Vocabulary {
    /// What occurs twice is taken once.
    pub(super) fn new(special: &[&str], tokens: impl IntoIterator<Item = String>) -> Self {
        let mut vocabulary = Self { tokens: Vec::new(), ids: std::collections::HashMap::new(), special: 0 };
        special.iter().for_each(|token| vocabulary.add((*token).to_owned()));
        vocabulary.special = vocabulary.tokens.len();
        tokens.into_iter().for_each(|token| vocabulary.add(token));
        vocabulary
    }

    fn add(&mut self, token: String) {
        if !self.ids.contains_key(&token) {
            self.ids.insert(token.clone(), self.tokens.len() as i64);
            self.tokens.push(token);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    pub(super) fn id(&self, token: &str) -> Option<i64> {
        self.ids.get(token).copied()
    }

    pub(super) fn token(&self, id: i64) -> Option<&str> {
        usize::try_from(id).ok().and_then(|id| self.tokens.get(id)).map(String::as_str)
    }

    pub(super) fn text(&self, id: i64) -> Result<&str> {
        self.token(id).with_context(|| format!("there is no token {id} among {}, which count from 0", self.len()))
    }

    pub(super) fn special(&self) -> impl Iterator<Item = &str> {
        self.tokens[..self.special].iter().map(String::as_str)
    }

    /// The text cut where special tokens stand: those, and what is between them.
    pub(super) fn parts<'a>(&self, mut text: &'a str) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let first = |text: &str| {
            let places = self
                .special()
                .filter(|token| !token.is_empty())
                .filter_map(|token| text.find(token).map(|at| (at, std::cmp::Reverse(token.len()), self.ids[token])));
            places.min()
        };
        while let Some((at, std::cmp::Reverse(len), id)) = first(text) {
            if at > 0 {
                parts.push(Part::Text(&text[..at]));
            }
            parts.push(Part::Special(id));
            text = &text[at + len..];
        }
        if !text.is_empty() {
            parts.push(Part::Text(text));
        }
        parts
    }

    pub(super) fn json(&self, kind: &str) -> Value {
        json!({ "type": kind, "special": self.special().collect::<Vec<_>>(), "tokens": self.tokens[self.special..] })
    }

    pub(super) fn from_json(value: &Value, kind: &str) -> Result<Self> {
        ensure!(value["type"] == kind, "is not a {kind} tokenizer: \"type\" is {}{}", value["type"], read_by(value));
        let list = |name: &str| -> Result<Vec<String>> {
            let tokens = value[name].as_array().with_context(|| format!("has no list of \"{name}\""))?;
            let texts = tokens.iter().map(|token| token.as_str().map(str::to_owned));
            texts.collect::<Option<_>>().with_context(|| format!("has something other than a text in \"{name}\""))
        };
        let (special, tokens) = (list("special")?, list("tokens")?);
        let special: Vec<&str> = special.iter().map(String::as_str).collect();
        let count = special.len() + tokens.len();
        let vocabulary = Self::new(&special, tokens);
        if vocabulary.len() != count {
            bail!("has a token twice, so their numbers are not certain");
        }
        Ok(vocabulary)
    }
}

/// Which type reads a file that another has been given, to stand behind what is wrong with it; empty where none does.
pub(super) fn read_by(file: &Value) -> String {
    let reader = match file["type"].as_str() {
        Some(super::character::KIND) => "CharTokenizer",
        Some(super::word::KIND) => "WordTokenizer",
        _ if file["model"].is_object() => "BpeTokenizer",
        _ => return String::new(),
    };
    format!("; `text::{reader}::load` reads it")
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part<'a> {
    Special(i64),
    Text(&'a str),
}

pub(super) fn read_json(path: &Path) -> Result<Value> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the tokenizer {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("the tokenizer {} is not JSON", path.display()))
}

fn write(path: &Path, text: &str) -> Result<()> {
    replace_file(path, anyhow::Error::from, |new| Ok(std::fs::write(new, text)?))
        .with_context(|| format!("cannot write the tokenizer {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn special_tokens_are_found_in_a_text_the_longest_first() {
        let vocabulary = Vocabulary::new(&["<s>", "<s>>", "<e>"], ["a".to_owned()]);
        let parts = vocabulary.parts("a<s>>b<e><s>");
        assert_eq!(parts, [Part::Text("a"), Part::Special(1), Part::Text("b"), Part::Special(2), Part::Special(0)]);
        assert!(vocabulary.parts("").is_empty());
    }

    #[test]
    fn a_file_that_is_none_is_said() {
        let error = |value: Value| format!("{:#}", Vocabulary::from_json(&value, "word").expect_err("no vocabulary"));
        assert!(error(json!({"type": "character"})).contains("is not a word tokenizer"));
        assert!(error(json!({"type": "character"})).ends_with("; `text::CharTokenizer::load` reads it"));
        assert!(error(json!({"model": {"type": "BPE"}})).ends_with("; `text::BpeTokenizer::load` reads it"));
        assert!(error(json!({"type": "BPE"})).ends_with("\"type\" is \"BPE\""));
        assert!(error(json!({"type": "word", "special": []})).contains("no list of \"tokens\""));
        assert!(error(json!({"type": "word", "special": ["a"], "tokens": ["a"]})).contains("twice"));
        assert!(error(json!({"type": "word", "special": [], "tokens": [1]})).contains("other than a text"));
    }
}
