//! Texts as a model takes them: with its special tokens, in pairs, cut and padded to batches.

use anyhow::{Result, ensure};
use oxtorch_boundary as boundary;
use tch::Tensor;

/// What one sequence of tokens is made of: a text, or a pair of texts that belong together, such as a question and a
/// passage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Input<'a>(pub(super) boundary::Input<'a>);

macro_rules! inputs {
    ($($ty:ty => |$given:pat_param| $input:expr;)*) => {
        $(impl<'a> From<$ty> for Input<'a> {
            fn from($given: $ty) -> Self {
                Self($input)
            }
        })*
    };
}

inputs! {
    &'a str => |text| boundary::Input::One(text);
    &'a String => |text| boundary::Input::One(text);
    &&'a str => |text| boundary::Input::One(text);
    (&'a str, &'a str) => |(first, second)| boundary::Input::Pair(first, second);
    &(&'a str, &'a str) => |(first, second)| boundary::Input::Pair(first, second);
}

/// How texts become sequences of tokens. By default with special tokens, as long as they are.
///
/// ```
/// use oxtorch::prelude::*;
/// let plain = text::EncodeConfig { special: false, ..Default::default() };
/// let batch = text::EncodeConfig { padding: text::Padding::Longest, max_length: Some(128), ..Default::default() };
/// ```
#[derive(Debug, Clone)]
pub struct EncodeConfig {
    /// Whether the special tokens of the model stand around and between the texts, such as `[CLS]` and `[SEP]`. Default
    /// true.
    pub special: bool,
    /// What shorter sequences are filled up to. Default [`Padding::None`].
    pub padding: Padding,
    /// The token that they are filled up with. Default that of the file, or else one by name, such as `[PAD]` or
    /// `<pad>`.
    pub pad_token: Option<String>,
    /// How many tokens a sequence has at most, special ones included: of a longer text the end is left out, and of a
    /// pair that of the longer text first. Default no limit.
    pub max_length: Option<usize>,
}

impl Default for EncodeConfig {
    fn default() -> Self {
        Self { special: true, padding: Padding::None, pad_token: None, max_length: None }
    }
}

impl EncodeConfig {
    pub(super) fn rules(&self) -> boundary::EncodingRules<'_> {
        let padding = match self.padding {
            Padding::None => boundary::Padding::None,
            Padding::Longest => boundary::Padding::Longest,
            Padding::To(length) => boundary::Padding::To(length),
        };
        let (special, pad_token, max_length) = (self.special, self.pad_token.as_deref(), self.max_length);
        boundary::EncodingRules { special, padding, pad_token, max_length }
    }
}

/// What shorter sequences are filled up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Padding {
    /// Each is as long as its text.
    #[default]
    None,
    /// The longest of those that are encoded together.
    Longest,
    /// That many tokens.
    To(usize),
}

/// The tokens of a text or a pair, and what a model is told of each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoding {
    /// The tokens.
    pub ids: Vec<i64>,
    /// 1 for a token that counts, 0 for padding: the `attention_mask`.
    pub mask: Vec<i64>,
    /// Which text each token is of, as the model numbers them, 0 and 1 as a rule: the `token_type_ids`.
    pub types: Vec<i64>,
}

impl From<boundary::Encoding> for Encoding {
    fn from(encoding: boundary::Encoding) -> Self {
        let numbers = |numbers: Vec<u32>| numbers.into_iter().map(i64::from).collect();
        Self { ids: numbers(encoding.ids), mask: numbers(encoding.mask), types: numbers(encoding.types) }
    }
}

/// Several sequences of one length, as the inputs of a model: each `[N, L]` int64.
#[derive(Debug)]
pub struct EncodedBatch {
    /// The tokens: `input_ids`.
    pub ids: Tensor,
    /// 1 for tokens that count, 0 for padding: `attention_mask`.
    pub mask: Tensor,
    /// Which text each token is of: `token_type_ids`.
    pub types: Tensor,
}

impl EncodedBatch {
    pub(super) fn of(encodings: &[Encoding]) -> Result<Self> {
        let lengths = || encodings.iter().map(|encoding| encoding.ids.len());
        let (shortest, longest) = (lengths().min().unwrap_or(0), lengths().max().unwrap_or(0));
        ensure!(
            shortest == longest,
            "the texts have {shortest} to {longest} tokens, and a batch has rows of one length: `padding: text::Padding::Longest` fills \
             the shorter ones up"
        );
        let stacked = |part: fn(&Encoding) -> &Vec<i64>| {
            let all: Vec<i64> = encodings.iter().flat_map(|encoding| part(encoding).iter().copied()).collect();
            Tensor::from_slice(&all).view([encodings.len() as i64, longest as i64])
        };
        Ok(Self {
            ids: stacked(|encoding| &encoding.ids),
            mask: stacked(|encoding| &encoding.mask),
            types: stacked(|encoding| &encoding.types),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::reference::Reference;
    use crate::text::{BpeTokenizer, Tokenizer};

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/tokenizer_files.json"))
    }

    /// The tokenizers of the files, with what Python makes of them.
    fn each(check: impl Fn(&BpeTokenizer, &Value)) {
        let reference = reference();
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["bpe", "wordpiece", "unigram"] {
            let file = reference.value(&format!("/{name}"));
            let path = folder.path().join("tokenizer.json");
            std::fs::write(&path, file["json"].to_string()).expect("writes");
            check(&BpeTokenizer::load(&path).expect("a tokenizer"), file);
        }
    }

    fn numbers(value: &Value) -> Vec<i64> {
        value.as_array().expect("a list").iter().map(|number| number.as_i64().expect("a number")).collect()
    }

    fn texts(file: &Value) -> Vec<&str> {
        file["texts"].as_array().expect("texts").iter().map(|text| text.as_str().expect("a text")).collect()
    }

    /// What Python writes down for each sequence.
    fn assert_is(encodings: &[Encoding], expected: &Value, what: &str) {
        let expected = expected.as_array().expect("a list");
        assert_eq!(encodings.len(), expected.len(), "{what}");
        for (encoding, expected) in encodings.iter().zip(expected) {
            assert_eq!(encoding.ids, numbers(&expected["ids"]), "{what}");
            assert_eq!(encoding.mask, numbers(&expected["mask"]), "{what}");
            assert_eq!(encoding.types, numbers(&expected["types"]), "{what}");
        }
    }

    #[test]
    fn texts_are_neither_cut_nor_padded_unless_asked_for() {
        each(|tokenizer, file| {
            for (text, expected) in texts(file).iter().zip(file["plain"].as_array().expect("a list")) {
                assert_eq!(tokenizer.encode(text).expect("tokens"), numbers(&expected["ids"]), "{text}");
            }
            let plain = EncodeConfig { special: false, ..Default::default() };
            assert_is(&tokenizer.encode_each(texts(file), &plain).expect("tokens"), &file["plain"], "plain");
            let default = EncodeConfig::default();
            assert_is(&tokenizer.encode_each(texts(file), &default).expect("tokens"), &file["special"], "special");
        });
    }

    #[test]
    fn pairs_cuts_and_padding_are_those_of_python() {
        each(|tokenizer, file| {
            let texts = texts(file);
            let pairs: Vec<(&str, &str)> = texts.windows(2).map(|pair| (pair[0], pair[1])).collect();
            let config = EncodeConfig::default();
            assert_is(&tokenizer.encode_each(&pairs, &config).expect("tokens"), &file["pairs"], "pairs");
            let padded = EncodeConfig { padding: Padding::Longest, ..config.clone() };
            assert_is(&tokenizer.encode_each(&texts, &padded).expect("tokens"), &file["longest"], "longest");
            let cut = EncodeConfig { padding: Padding::To(16), max_length: Some(12), ..config.clone() };
            assert_is(&tokenizer.encode_each(&texts, &cut).expect("tokens"), &file["cut"], "cut");
            assert_is(&tokenizer.encode_each(&pairs, &cut).expect("tokens"), &file["cut_pairs"], "cut pairs");
            // What one batch asks for is not there for the next.
            assert_is(&tokenizer.encode_each(&texts, &config).expect("tokens"), &file["special"], "special");
            let batch = tokenizer.encode_batch(&texts, &padded).expect("a batch");
            assert_eq!(batch.ids.size(), [texts.len() as i64, numbers(&file["longest"][0]["ids"]).len() as i64]);
            assert_eq!((batch.mask.size(), batch.types.size()), (batch.ids.size(), batch.ids.size()));
        });
    }

    #[test]
    fn of_a_pair_the_longer_text_is_cut_first_however_many_words_it_has() {
        each(|tokenizer, file| {
            let pairs = [
                ("a a a", "b b"),
                ("b b", "a a a"),
                ("a a a a a a", "b"),
                ("b", "a a a a a a"),
                ("whale sea ship", "whale ship"),
            ];
            for case in file["pairs_of_words"].as_array().expect("a list") {
                let max_length = case["max_length"].as_u64().map(|length| length as usize);
                let config = EncodeConfig { max_length, ..Default::default() };
                let encodings = tokenizer.encode_each(pairs, &config).expect("tokens");
                assert_is(&encodings, &case["cut"], &format!("at most {max_length:?}"));
            }
        });
        // As tokenizers 0.22.1 and 0.23.3 for Python, whose default has no special tokens.
        let tokenizer = BpeTokenizer::train("", Default::default()).expect("a tokenizer");
        for (max_length, text) in [(1, "a"), (2, "ab"), (3, "a b"), (4, "a b "), (5, "a ab "), (7, "a a b b")] {
            let config = EncodeConfig { max_length: Some(max_length), ..Default::default() };
            let encoding = tokenizer.encode_with(("a a a", "b b"), &config).expect("tokens");
            assert_eq!(tokenizer.decode(&encoding.ids).expect("a text"), text, "at most {max_length}");
        }
    }

    #[test]
    fn special_tokens_are_left_out_of_a_text_where_asked_for() {
        each(|tokenizer, file| {
            for (at, text) in texts(file).into_iter().enumerate() {
                let tokens = tokenizer.encode_with(text, &EncodeConfig::default()).expect("tokens").ids;
                let all = file["decoded"][at]["all"].as_str().expect("a text");
                assert_eq!(tokenizer.decode(&tokens).expect("a text"), all);
                let skipped = file["decoded"][at]["skipped"].as_str().expect("a text");
                assert_eq!(tokenizer.decode_text(&tokens).expect("a text"), skipped);
            }
        });
    }

    #[test]
    fn what_a_file_says_of_padding_is_written_again() {
        let folder = tempfile::tempdir().expect("a folder");
        each(|tokenizer, file| {
            let path = folder.path().join("again.json");
            tokenizer.save(&path).expect("writes");
            let again: Value = serde_json::from_slice(&std::fs::read(&path).expect("reads")).expect("is JSON");
            for part in ["padding", "truncation", "post_processor"] {
                assert_eq!(again[part], file["json"][part], "{part}");
            }
        });
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        let tokenizer = BpeTokenizer::train("the whale, the whale", Default::default()).expect("a tokenizer");
        let failed =
            |config: EncodeConfig| format!("{:#}", tokenizer.encode_batch(["a", "b c"], &config).expect_err("fails"));
        assert!(failed(EncodeConfig::default()).contains("`padding: text::Padding::Longest`"));
        let padded = EncodeConfig { padding: Padding::Longest, ..Default::default() };
        assert!(failed(padded.clone()).contains("there is no padding token"));
        let unknown = EncodeConfig { pad_token: Some("<none>".to_owned()), ..padded.clone() };
        assert!(failed(unknown).contains("no token \"<none>\""));
        assert!(failed(EncodeConfig { max_length: Some(0), ..Default::default() }).contains("give at least 1"));
        let by_name = EncodeConfig { pad_token: Some("a".to_owned()), ..padded };
        assert_eq!(tokenizer.encode_batch(["a", "b c"], &by_name).expect("a batch").mask.size(), [2, 3]);
        each(|tokenizer, file| {
            let added = file["special"][0]["ids"].as_array().expect("ids").len()
                - file["plain"][0]["ids"].as_array().expect("ids").len();
            let short = EncodeConfig { max_length: Some(added), ..Default::default() };
            assert!(tokenizer.encode_with("a whale", &short).is_err());
        });
    }
}
