//! Byte pair encoding: frequent pairs of pieces become pieces, from bytes on (R. Sennrich et al., Neural machine
//! translation of rare words with subword units, 2016; on bytes as GPT-2 does it). By the `tokenizers` crate of Hugging
//! Face, whose files are read and written.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use oxtorch_boundary::{BpeTraining, TrainedTokenizer};

use super::encoding::{EncodeConfig, EncodedBatch, Encoding, Input};
use super::tokenizer::{Tokenizer, read_by};
use crate::support::support;

/// How a [`BpeTokenizer`] is trained.
#[derive(Debug, Clone)]
pub struct BpeConfig {
    /// How many tokens there are in the end, special ones and the 256 bytes included. Default 1000.
    pub vocab_size: usize,
    /// Pairs that occur less often are not joined. Default 2.
    pub min_frequency: u64,
    /// The first tokens, such as `<|endoftext|>`. Default none.
    pub special: Vec<String>,
}

impl Default for BpeConfig {
    fn default() -> Self {
        Self { vocab_size: 1000, min_frequency: 2, special: Vec::new() }
    }
}

/// Pieces of words, down to bytes: no text is unknown, and each comes back as it was.
///
/// ```
/// use oxtorch::prelude::*;
/// let config = text::BpeConfig { vocab_size: 300, ..Default::default() };
/// let tokenizer = text::BpeTokenizer::train("the whale and the sea and the ship ".repeat(3), config)?;
/// let tokens = tokenizer.encode("the whale 鲸")?;
/// assert!(tokens.len() < "the whale 鲸".len());
/// assert_eq!(tokenizer.decode(&tokens)?, "the whale 鲸");
/// ```
#[derive(Clone)]
pub struct BpeTokenizer {
    tokenizer: Arc<dyn TrainedTokenizer>,
}

impl BpeTokenizer {
    /// Finds pieces that are frequent in a text. An interrupt is not heard until it is done: a megabyte takes about a
    /// second.
    ///
    /// # Errors
    ///
    /// Where the text cannot be trained on.
    pub fn train(text: impl AsRef<str>, config: BpeConfig) -> Result<Self> {
        Self::trained(text.as_ref(), config)
    }

    fn trained(text: &str, config: BpeConfig) -> Result<Self> {
        let BpeConfig { vocab_size, min_frequency, special } = &config;
        let training = BpeTraining { vocab_size: *vocab_size, min_frequency: *min_frequency, special };
        let tokenizer = support().and_then(|support| (support.train_bpe)(text, &training)).map_err(failed)?;
        Ok(Self { tokenizer: tokenizer.into() })
    }

    /// Reads a `tokenizer.json`, of [`Tokenizer::save`] or of a model of Hugging Face: of BPE, WordPiece or Unigram.
    ///
    /// [`Tokenizer::encode`] gives the tokens of the text alone. What a model is given, with special tokens, a mask and
    /// more, is made by [`BpeTokenizer::encode_with`] and [`BpeTokenizer::encode_batch`]. Padding and cutting that a
    /// file turns on happen only where [`EncodeConfig`] asks for them.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let path = std::env::temp_dir().join("oxtorch-tokenizer.json");
    /// text::BpeTokenizer::train("a whale, a whale", Default::default())?.save(&path)?;
    /// let tokenizer = text::BpeTokenizer::load(&path)?;
    /// assert_eq!(tokenizer.decode(&tokenizer.encode("a whale")?)?, "a whale");
    /// ```
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or holds something else.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let text = std::fs::read(path).with_context(|| format!("cannot read the tokenizer {}", path.display()))?;
        let support = support().map_err(failed)?;
        let tokenizer = (support.read_tokenizer)(&text)
            .map_err(|error| anyhow!("{} is not a tokenizer.json: {}", path.display(), reason(&text, error)))?;
        Ok(Self { tokenizer: tokenizer.into() })
    }

    /// A text, or a pair of texts, as a model takes it: with its special tokens, unless the [`EncodeConfig`] says
    /// otherwise.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let config = text::BpeConfig { special: vec!["<pad>".into()], ..Default::default() };
    /// let tokenizer = text::BpeTokenizer::train("call me, call me", config)?;
    /// let padded = text::EncodeConfig { padding: text::Padding::To(4), ..Default::default() };
    /// let encoding = tokenizer.encode_with("call me", &padded)?;
    /// assert_eq!(encoding.mask, [1, 1, 0, 0]);
    /// assert_eq!(tokenizer.decode_text(&encoding.ids)?, "call me");
    /// ```
    ///
    /// # Errors
    ///
    /// Where there is no token for a part of it, none to pad with, or `max_length` leaves no room.
    pub fn encode_with<'a>(&self, input: impl Into<Input<'a>>, config: &EncodeConfig) -> Result<Encoding> {
        self.encode_each([input], config)?.pop().context("a text has a sequence of tokens")
    }

    /// Several texts or pairs as a model takes them: tensors `[N, L]`. They need one length, so give
    /// [`EncodeConfig::padding`].
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let config = text::BpeConfig { special: vec!["<pad>".into()], ..Default::default() };
    /// let tokenizer = text::BpeTokenizer::train("call me, call me", config)?;
    /// let padded = text::EncodeConfig { padding: text::Padding::Longest, ..Default::default() };
    /// let batch = tokenizer.encode_batch(["call me, call me", "me"], &padded)?;
    /// assert_eq!(batch.ids.size(), batch.mask.size());
    /// ```
    ///
    /// # Errors
    ///
    /// As [`BpeTokenizer::encode_with`], and where the sequences are not of one length.
    pub fn encode_batch<'a, I: Into<Input<'a>>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        config: &EncodeConfig,
    ) -> Result<EncodedBatch> {
        EncodedBatch::of(&self.encode_each(inputs, config)?)
    }

    /// Several texts or pairs, each by itself.
    ///
    /// # Errors
    ///
    /// As [`BpeTokenizer::encode_with`].
    pub fn encode_each<'a, I: Into<Input<'a>>>(
        &self,
        inputs: impl IntoIterator<Item = I>,
        config: &EncodeConfig,
    ) -> Result<Vec<Encoding>> {
        let inputs = inputs.into_iter().map(|input| {
            let input: Input<'a> = input.into();
            input.0
        });
        let inputs: Vec<_> = inputs.collect();
        let encodings = self.tokenizer.encode_batch(&inputs, &config.rules()).map_err(failed)?;
        Ok(encodings.into_iter().map(Encoding::from).collect())
    }

    /// The text of tokens, without the special ones: what [`Tokenizer::decode`] gives, less `[CLS]`, `<pad>` and the
    /// like.
    ///
    /// # Errors
    ///
    /// Where there is no token of a number.
    pub fn decode_text(&self, tokens: &[i64]) -> Result<String> {
        self.decoded(tokens, true)
    }

    fn decoded(&self, tokens: &[i64], skip_special: bool) -> Result<String> {
        let known = |id: &i64| u32::try_from(*id).ok().filter(|id| self.tokenizer.token(*id).is_some());
        let unknown = |id: &i64| format!("there is no token {id} among {}, which count from 0", self.vocab_size());
        let ids: Vec<u32> = tokens.iter().map(|id| known(id).with_context(|| unknown(id))).collect::<Result<_>>()?;
        self.tokenizer.decode(&ids, skip_special).map_err(failed)
    }

    /// The tokens of a text as they are written: `["Call", "Ġme"]`, where `Ġ` stands for a blank.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let tokenizer = text::BpeTokenizer::train("call me, call me", Default::default())?;
    /// assert_eq!(tokenizer.pieces("call me")?, ["call", "Ġme"]);
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Tokenizer::encode`].
    pub fn pieces(&self, text: &str) -> Result<Vec<String>> {
        self.tokenizer.pieces(text).map_err(failed)
    }
}

/// Why a file is no `tokenizer.json`. What the crate says of JSON that is something else is about a place in it where
/// nothing is wrong.
fn reason(text: &[u8], error: String) -> String {
    match serde_json::from_slice::<serde_json::Value>(text) {
        Ok(file) if file["model"].is_object() => error,
        Ok(file) if file["type"].is_string() => format!("its \"type\" is {}{}", file["type"], read_by(&file)),
        Ok(_) => "it has no \"model\"".to_owned(),
        Err(error) => format!("it is not JSON: {error}"),
    }
}

fn failed(error: String) -> anyhow::Error {
    anyhow!("tokenizer: {error}")
}

impl std::fmt::Debug for BpeTokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // All tokens and merges are too much to read.
        f.debug_struct("BpeTokenizer").field("vocab_size", &self.vocab_size()).finish_non_exhaustive()
    }
}

impl Tokenizer for BpeTokenizer {
    fn encode(&self, text: &str) -> Result<Vec<i64>> {
        let ids = self.tokenizer.encode(text).map_err(failed)?;
        Ok(ids.into_iter().map(i64::from).collect())
    }

    fn decode(&self, tokens: &[i64]) -> Result<String> {
        self.decoded(tokens, false)
    }

    fn vocab_size(&self) -> usize {
        self.tokenizer.vocab_size()
    }

    fn token(&self, id: i64) -> Option<String> {
        self.tokenizer.token(u32::try_from(id).ok()?)
    }

    fn id(&self, token: &str) -> Option<i64> {
        self.tokenizer.id(token).map(i64::from)
    }

    fn special_tokens(&self) -> Vec<(String, i64)> {
        self.tokenizer.special_tokens().into_iter().map(|(token, id)| (token, i64::from(id))).collect()
    }

    fn to_json(&self) -> Result<String> {
        self.tokenizer.to_json().map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/text_tokenizers.json"))
    }

    fn ids(reference: &Reference, pointer: &str) -> Vec<i64> {
        reference.numbers(pointer).into_iter().map(|id| id as i64).collect()
    }

    #[test]
    fn what_is_trained_is_what_python_trains() {
        let reference = reference();
        let text = reference.value("/text").as_str().expect("a text");
        // A part of the book: without optimisation the whole takes long.
        let book: String =
            crate::data::moby_dick().chars().take(reference.number("/bpe/characters") as usize).collect();
        let config = BpeConfig { vocab_size: 600, special: vec!["<|endoftext|>".into()], ..Default::default() };
        let tokenizer = BpeTokenizer::train(&book, config).expect("a tokenizer");
        assert_eq!(tokenizer.vocab_size() as f64, reference.number("/bpe/size"));
        let tokens = tokenizer.encode(text).expect("tokens");
        assert_eq!(tokens, ids(&reference, "/bpe/ids"));
        assert_eq!(tokenizer.decode(&tokens).expect("a text"), text);
        assert_eq!(tokenizer.special_tokens(), [("<|endoftext|>".to_owned(), 0)]);
        let cut = tokenizer.pieces(text).expect("pieces");
        assert_eq!(cut, tokens.iter().filter_map(|id| tokenizer.token(*id)).collect::<Vec<_>>());
        assert!(cut.concat().starts_with("CallĠmeĠI"), "{cut:?}");
        let pieces: Vec<String> = (300..600).filter_map(|id| tokenizer.token(id)).collect();
        let expected = reference.value("/bpe/pieces").as_array().expect("a list");
        assert_eq!(pieces, expected.iter().filter_map(|piece| piece.as_str()).collect::<Vec<_>>());
    }

    #[test]
    fn a_file_of_python_is_read_and_one_of_ours_comes_back() {
        let reference = reference();
        let folder = tempfile::tempdir().expect("a folder");
        let (python, ours) = (folder.path().join("python.json"), folder.path().join("ours.json"));
        std::fs::write(&python, reference.value("/file/json").to_string()).expect("a file");
        let text = reference.value("/text").as_str().expect("a text");
        let tokenizer = BpeTokenizer::load(&python).expect("a tokenizer");
        assert_eq!(tokenizer.encode(text).expect("tokens"), ids(&reference, "/file/ids"));
        tokenizer.save(&ours).expect("a file");
        let loaded = BpeTokenizer::load(&ours).expect("a tokenizer");
        assert_eq!(loaded.encode(text).expect("tokens"), ids(&reference, "/file/ids"));
        let error = BpeTokenizer::load(folder.path().join("none.json")).expect_err("no file");
        assert!(format!("{error:#}").contains("cannot read the tokenizer"));
        let refused = |text: &str| {
            std::fs::write(&python, text).expect("a file");
            BpeTokenizer::load(&python).expect_err("no tokenizer").to_string()
        };
        assert!(refused("{}").ends_with("python.json is not a tokenizer.json: it has no \"model\""));
        assert!(refused("{").contains("is not a tokenizer.json: it is not JSON: EOF"));
        assert!(refused(r#"{"model": {"type": "BPE"}}"#).contains("is not a tokenizer.json: "));
        let of_characters = crate::text::CharTokenizer::train("abc").to_json().expect("JSON");
        assert!(refused(&of_characters).ends_with("\"type\" is \"character\"; `text::CharTokenizer::load` reads it"));
        let of_words = crate::text::WordTokenizer::train("a b", Default::default()).to_json().expect("JSON");
        assert!(refused(&of_words).ends_with("\"type\" is \"word\"; `text::WordTokenizer::load` reads it"));
    }

    #[test]
    fn tokens_that_are_not_there_are_said() {
        let tokenizer = BpeTokenizer::train("aa aa aa", BpeConfig::default()).expect("a tokenizer");
        for id in [-1, 5000] {
            let error = tokenizer.decode(&[id]).expect_err("no such token").to_string();
            assert!(error.contains(&format!("no token {id} among {}", tokenizer.vocab_size())), "{error}");
        }
        assert_eq!(tokenizer.id("aa").and_then(|id| tokenizer.token(id)).as_deref(), Some("aa"));
    }
}
