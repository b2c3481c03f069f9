//! A token for each word and each mark.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::tokenizer::{Part, Tokenizer, Vocabulary, by_vocabulary, read_json};
use crate::checkpoint;

pub(super) const KIND: &str = "word";
const UNKNOWN: &str = "<unk>";

/// How a [`WordTokenizer`] is trained. The default takes every word.
#[derive(Debug, Clone)]
pub struct WordConfig {
    /// Words that occur less often are unknown. Default 1.
    pub min_frequency: usize,
    /// The vocabulary holds no more tokens than this, special ones included: the most frequent words. Default: no
    /// bound.
    pub max_size: Option<usize>,
    /// Whether `The` and `the` are the same word. Default true.
    pub lowercase: bool,
    /// Special tokens besides `<unk>`, which is 0. Default none.
    pub special: Vec<String>,
}

impl Default for WordConfig {
    fn default() -> Self {
        Self { min_frequency: 1, max_size: None, lowercase: true, special: Vec::new() }
    }
}

/// The words of a text, the most frequent first and of equals in alphabetical order, behind `<unk>` and other special
/// tokens.
///
/// A word is a run of letters, digits and `_`, with apostrophes within; each other character that is no space stands
/// for itself.
///
/// ```
/// use oxtorch::prelude::*;
/// let tokenizer = text::WordTokenizer::train("The sea, the whale.", text::WordConfig::default());
/// let tokens = tokenizer.encode("the white whale")?;
/// assert_eq!(tokenizer.decode(&tokens)?, "the <unk> whale");
/// ```
#[derive(Debug, Clone)]
pub struct WordTokenizer {
    vocabulary: Vocabulary,
    lowercase: bool,
}

impl WordTokenizer {
    /// Counts the words of a text.
    pub fn train(text: &str, config: WordConfig) -> Self {
        let WordConfig { min_frequency, max_size, lowercase, special } = config;
        let text = cased(text, lowercase);
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for word in words(&text) {
            checkpoint();
            *counts.entry(word).or_default() += 1;
        }
        let mut counts: Vec<(&str, usize)> =
            counts.into_iter().filter(|(_, count)| *count >= min_frequency.max(1)).collect();
        counts.sort_unstable_by_key(|(word, count)| (Reverse(*count), *word));
        let special: Vec<&str> = [UNKNOWN].into_iter().chain(special.iter().map(String::as_str)).collect();
        let most = max_size.map_or(usize::MAX, |size| size.saturating_sub(special.len()));
        let words = counts.into_iter().take(most).map(|(word, _)| word.to_owned());
        Self { vocabulary: Vocabulary::new(&special, words), lowercase }
    }

    /// Reads what [`Tokenizer::save`] wrote.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let path = std::env::temp_dir().join("oxtorch-words.json");
    /// text::WordTokenizer::train("a b a", Default::default()).save(&path)?;
    /// assert_eq!(text::WordTokenizer::load(&path)?.encode("b a c")?, [2, 1, 0]);
    /// ```
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let value = read_json(path)?;
        let vocabulary = Vocabulary::from_json(&value, KIND).with_context(|| path.display().to_string())?;
        let lowercase = value["lowercase"].as_bool();
        let lowercase = lowercase.with_context(|| format!("{} does not say \"lowercase\"", path.display()))?;
        anyhow::ensure!(vocabulary.id(UNKNOWN).is_some(), "{} has no token {UNKNOWN}", path.display());
        Ok(Self { vocabulary, lowercase })
    }
}

fn cased(text: &str, lowercase: bool) -> String {
    if lowercase { text.to_lowercase() } else { text.to_owned() }
}

/// Words and marks, in their order.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let mut end = first.len_utf8();
        if is_word(first) {
            let mut chars = rest[end..].chars().peekable();
            while let Some(char) = chars.next() {
                let joins = matches!(char, '\'' | '’') && chars.peek().is_some_and(|next| is_word(*next));
                if !is_word(char) && !joins {
                    break;
                }
                end += char.len_utf8();
            }
        }
        let word;
        (word, rest) = rest.split_at(end);
        Some(word)
    })
}

impl Tokenizer for WordTokenizer {
    /// Never fails: words that are not known are `<unk>`.
    fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let unknown = self.vocabulary.id(UNKNOWN).context("a vocabulary without <unk>")?;
        let mut tokens = Vec::new();
        for part in self.vocabulary.parts(text) {
            match part {
                Part::Special(id) => tokens.push(id),
                Part::Text(text) => {
                    let text = cased(text, self.lowercase);
                    tokens.extend(words(&text).map(|word| self.vocabulary.id(word).unwrap_or(unknown)));
                }
            }
        }
        Ok(tokens)
    }

    /// With a blank between two tokens: where blanks were is not kept.
    fn decode(&self, tokens: &[i64]) -> Result<String> {
        let words: Vec<&str> = tokens.iter().map(|id| self.vocabulary.text(*id)).collect::<Result<_>>()?;
        Ok(words.join(" "))
    }

    by_vocabulary!();

    fn to_json(&self) -> Result<String> {
        let mut value = self.vocabulary.json(KIND);
        value["lowercase"] = self.lowercase.into();
        Ok(value.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn words_are_cut_and_counted_as_pythons() {
        let reference = Reference::parse(include_str!("../../../tests/reference/text_tokenizers.json"));
        let text = reference.value("/text").as_str().expect("a text");
        for (name, lowercase) in [("lower", true), ("cased", false)] {
            let at = |what: &str| format!("/word/{name}/{what}");
            let config =
                WordConfig { min_frequency: 3, max_size: Some(2000), lowercase, special: vec!["<pad>".into()] };
            let tokenizer = WordTokenizer::train(crate::data::moby_dick(), config);
            assert_eq!(tokenizer.vocab_size() as f64, reference.number(&at("size")), "{name}");
            let ids = |what: &str| reference.numbers(&at(what)).into_iter().map(|id| id as i64).collect::<Vec<_>>();
            assert_eq!(tokenizer.encode(text).expect("tokens"), ids("ids"), "{name}");
            let first: Vec<Option<String>> = (0..10).map(|id| tokenizer.token(id)).collect();
            let expected = reference.value(&at("first")).as_array().expect("a list");
            assert_eq!(first, expected.iter().map(|token| token.as_str().map(str::to_owned)).collect::<Vec<_>>());
        }
        let all = WordTokenizer::train(crate::data::moby_dick(), WordConfig::default());
        assert_eq!(all.vocab_size() as f64, reference.number("/word/all"));
    }

    #[test]
    fn a_saved_tokenizer_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("words.json");
        let config = WordConfig { lowercase: false, special: vec!["<eos>".into()], ..Default::default() };
        let tokenizer = WordTokenizer::train("Call me Ishmael. It's Ahab's!", config);
        tokenizer.save(&path).expect("a file");
        let loaded = WordTokenizer::load(&path).expect("a tokenizer");
        let text = "Call Ahab's ship<eos> it's";
        let tokens = tokenizer.encode(text).expect("tokens");
        assert_eq!(loaded.encode(text).expect("tokens"), tokens);
        assert_eq!(loaded.decode(&tokens).expect("a text"), "Call Ahab's <unk> <eos> <unk>");
        crate::text::CharTokenizer::train("a").save(&path).expect("a file");
        assert!(format!("{:#}", WordTokenizer::load(&path).expect_err("another")).contains("is not a word tokenizer"));
    }
}
