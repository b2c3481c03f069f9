//! A token for each character.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result};

use super::tokenizer::{Part, Tokenizer, Vocabulary, by_vocabulary, read_json};

pub(super) const KIND: &str = "character";

/// The characters of a text, in their order in Unicode, behind the special tokens.
///
/// ```
/// use oxtorch::prelude::*;
/// let tokenizer = text::CharTokenizer::train_with("to be or not", &["<eos>"]);
/// assert_eq!(tokenizer.encode("not<eos>")?, [4, 5, 7, 0]);
/// assert_eq!(tokenizer.decode(&[4, 5, 7])?, "not");
/// ```
///
/// A character that the text does not hold is an error, unless `<unk>` is among the special tokens.
#[derive(Debug, Clone)]
pub struct CharTokenizer {
    vocabulary: Vocabulary,
}

impl CharTokenizer {
    /// The characters of a text.
    pub fn train(text: &str) -> Self {
        Self::train_with(text, &[])
    }

    /// The characters of a text, behind tokens such as `<pad>`, `<unk>`, `<bos>` and `<eos>`.
    pub fn train_with(text: &str, special: &[&str]) -> Self {
        let characters: BTreeSet<char> = text.chars().collect();
        Self { vocabulary: Vocabulary::new(special, characters.into_iter().map(String::from)) }
    }

    /// Reads what [`Tokenizer::save`] wrote.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let path = std::env::temp_dir().join("oxtorch-characters.json");
    /// text::CharTokenizer::train("abc").save(&path)?;
    /// assert_eq!(text::CharTokenizer::load(&path)?.encode("cab")?, [2, 0, 1]);
    /// ```
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let vocabulary = Vocabulary::from_json(&read_json(path)?, KIND);
        Ok(Self { vocabulary: vocabulary.with_context(|| path.display().to_string())? })
    }
}

impl Tokenizer for CharTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let unknown = self.vocabulary.special().any(|token| token == "<unk>").then(|| self.id("<unk>")).flatten();
        let mut tokens = Vec::with_capacity(text.len());
        let mut buffer = [0; 4];
        for part in self.vocabulary.parts(text) {
            match part {
                Part::Special(id) => tokens.push(id),
                Part::Text(text) => {
                    for character in text.chars() {
                        let id = self.vocabulary.id(character.encode_utf8(&mut buffer)).or(unknown);
                        tokens.push(id.with_context(|| {
                            format!(
                                "the character {character:?} is not among the {} of the vocabulary: train on a text that \
                                 has it, or with the special token \"<unk>\"",
                                self.vocab_size()
                            )
                        })?);
                    }
                }
            }
        }
        Ok(tokens)
    }

    fn decode(&self, tokens: &[i64]) -> Result<String> {
        tokens.iter().map(|id| self.vocabulary.text(*id)).collect()
    }

    by_vocabulary!();

    fn to_json(&self) -> Result<String> {
        Ok(self.vocabulary.json(KIND).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn characters_are_numbered_as_python_sorts_them() {
        let reference = Reference::parse(include_str!("../../../tests/reference/text_tokenizers.json"));
        let text = reference.value("/text").as_str().expect("a text");
        let tokenizer = CharTokenizer::train(crate::data::moby_dick());
        assert_eq!(tokenizer.vocab_size() as f64, reference.number("/character/size"));
        let tokens = tokenizer.encode(text).expect("known characters");
        let expected: Vec<i64> = reference.numbers("/character/ids").into_iter().map(|id| id as i64).collect();
        assert_eq!(tokens, expected);
        assert_eq!(tokenizer.decode(&tokens).expect("known tokens"), text);
    }

    #[test]
    fn unknown_characters_and_tokens_are_said_or_have_a_token() {
        let plain = CharTokenizer::train("abc");
        assert!(plain.encode("aé").expect_err("unknown").to_string().contains("'é' is not among the 3"));
        assert!(plain.decode(&[3]).expect_err("unknown").to_string().contains("no token 3 among 3"));
        assert!(plain.decode(&[-1]).is_err());
        let lenient = CharTokenizer::train_with("abc", &["<pad>", "<unk>"]);
        assert_eq!(lenient.encode("aé<pad>").expect("tokens"), [2, 1, 0]);
        assert_eq!(lenient.decode(&[2, 1, 0]).expect("a text"), "a<unk><pad>");
        assert_eq!(lenient.special_tokens(), [("<pad>".to_owned(), 0), ("<unk>".to_owned(), 1)]);
        assert_eq!((lenient.token(4).as_deref(), lenient.id("c"), lenient.id("d")), (Some("c"), Some(4), None));
    }

    #[test]
    fn a_saved_tokenizer_comes_back() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("characters.json");
        let tokenizer = CharTokenizer::train_with("\"é\n", &["<unk>"]);
        tokenizer.save(&path).expect("a file");
        let loaded = CharTokenizer::load(&path).expect("a tokenizer");
        assert_eq!(loaded.encode("é\"\nx").expect("tokens"), tokenizer.encode("é\"\nx").expect("tokens"));
        assert_eq!(loaded.special_tokens(), tokenizer.special_tokens());
        let missing = CharTokenizer::load(folder.path().join("none.json")).expect_err("no file");
        assert!(format!("{missing:#}").contains("none.json"));
    }
}
