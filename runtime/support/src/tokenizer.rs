//! Tokenizers by the `tokenizers` crate of Hugging Face.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use oxtorch_boundary::{BpeTraining, Encoding, EncodingRules, Input, Padding, TrainedTokenizer};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, EncodeInput, PaddingParams, PaddingStrategy, PostProcessor, Tokenizer, TruncationParams,
    TruncationStrategy,
};

/// Names of the padding token in the files of models, of which the first that there is is taken.
const PAD_TOKENS: [&str; 5] = ["[PAD]", "<pad>", "<|pad|>", "<PAD>", "<|padding|>"];

struct Pipeline {
    /// It cuts and pads only while a batch that asks for it is encoded.
    tokenizer: RwLock<Tokenizer>,
    /// What the file says of padding and of cutting. It is written again, and tells the token and the side.
    padding: Option<PaddingParams>,
    truncation: Option<TruncationParams>,
}

impl Pipeline {
    fn new(mut tokenizer: Tokenizer) -> Result<Self, String> {
        let (padding, truncation) = (tokenizer.get_padding().cloned(), tokenizer.get_truncation().cloned());
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        Ok(Self { tokenizer: RwLock::new(tokenizer), padding, truncation })
    }

    fn tokenizer(&self) -> RwLockReadGuard<'_, Tokenizer> {
        // `Settings` ends what a panic leaves.
        self.tokenizer.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How a batch is padded.
    fn padding(&self, tokenizer: &Tokenizer, rules: &EncodingRules<'_>) -> Result<Option<PaddingParams>, String> {
        let strategy = match rules.padding {
            Padding::None => return Ok(None),
            Padding::Longest => PaddingStrategy::BatchLongest,
            Padding::To(length) => PaddingStrategy::Fixed(length),
        };
        let of_file = self.padding.clone().filter(|padding| tokenizer.id_to_token(padding.pad_id).is_some());
        let mut padding = PaddingParams { strategy, pad_to_multiple_of: None, ..of_file.clone().unwrap_or_default() };
        let token = match (rules.pad_token, of_file) {
            (Some(token), _) => token,
            (None, Some(_)) => return Ok(Some(padding)),
            (None, None) => PAD_TOKENS.into_iter().find(|token| tokenizer.token_to_id(token).is_some()).ok_or(
                "there is no padding token: say which one is to stand there, such as \
                 `pad_token: Some(\"<|endoftext|>\".into())`",
            )?,
        };
        padding.pad_id =
            tokenizer.token_to_id(token).ok_or_else(|| format!("there is no token {token:?} to fill up with"))?;
        padding.pad_token = token.to_owned();
        Ok(Some(padding))
    }

    /// How the texts of a batch are cut.
    fn truncation(
        &self,
        tokenizer: &Tokenizer,
        texts: &[Input<'_>],
        rules: &EncodingRules<'_>,
    ) -> Result<Option<TruncationParams>, String> {
        let Some(max_length) = rules.max_length else { return Ok(None) };
        let has_pairs = texts.iter().any(|text| matches!(text, Input::Pair(..)));
        let added = |is_pair| tokenizer.get_post_processor().map_or(0, |processor| processor.added_tokens(is_pair));
        // The crate counts the special tokens of one text also where none are added.
        let least = if rules.special { added(has_pairs).max(added(false)) } else { added(false) } + 1;
        if max_length < least {
            return Err(format!("a greatest length of {max_length} leaves no room for a text; give at least {least}"));
        }
        let direction = self.truncation.as_ref().map(|truncation| truncation.direction).unwrap_or_default();
        Ok(Some(TruncationParams { max_length, strategy: TruncationStrategy::LongestFirst, stride: 0, direction }))
    }
}

/// A tokenizer that cuts and pads until this ends, however that is.
struct Settings<'a>(RwLockWriteGuard<'a, Tokenizer>);

impl Drop for Settings<'_> {
    fn drop(&mut self) {
        self.0.with_padding(None);
        // Nothing can be wrong with no truncation.
        let _ = self.0.with_truncation(None);
    }
}

pub(crate) fn train(text: &str, training: &BpeTraining<'_>) -> Result<Box<dyn TrainedTokenizer>, String> {
    let special = training.special.iter().map(|token| AddedToken::from(token.as_str(), true)).collect();
    let trainer = BpeTrainer::builder()
        .vocab_size(training.vocab_size)
        .min_frequency(training.min_frequency)
        .special_tokens(special)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .show_progress(false)
        .build();
    let mut pipeline = Tokenizer::new(BPE::default());
    pipeline.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    pipeline.with_decoder(Some(ByteLevel::default()));
    // Line by line, each with the line end that it has: the trainer counts them on several threads.
    pipeline
        .train(&mut TrainerWrapper::BpeTrainer(trainer), text.split_inclusive('\n'))
        .map_err(|error| error.to_string())?;
    Ok(Box::new(Pipeline::new(pipeline)?))
}

pub(crate) fn read(json: &[u8]) -> Result<Box<dyn TrainedTokenizer>, String> {
    let pipeline = Tokenizer::from_bytes(json).map_err(|error| error.to_string())?;
    Ok(Box::new(Pipeline::new(pipeline)?))
}

impl TrainedTokenizer for Pipeline {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.tokenizer().encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    fn encode_batch(&self, texts: &[Input<'_>], rules: &EncodingRules<'_>) -> Result<Vec<Encoding>, String> {
        let inputs: Vec<EncodeInput<'_>> = texts
            .iter()
            .map(|text| match *text {
                Input::One(text) => text.into(),
                Input::Pair(first, second) => (first, second).into(),
            })
            .collect();
        let (padding, truncation) = {
            let tokenizer = self.tokenizer();
            (self.padding(&tokenizer, rules)?, self.truncation(&tokenizer, texts, rules)?)
        };
        let encoded = if padding.is_none() && truncation.is_none() {
            self.tokenizer().encode_batch(inputs, rules.special)
        } else {
            let mut settings = Settings(self.tokenizer.write().unwrap_or_else(PoisonError::into_inner));
            settings.0.with_padding(padding);
            settings.0.with_truncation(truncation).map_err(|error| error.to_string())?;
            settings.0.encode_batch(inputs, rules.special)
        };
        let encoding = |encoding: &tokenizers::Encoding| Encoding {
            ids: encoding.get_ids().to_vec(),
            mask: encoding.get_attention_mask().to_vec(),
            types: encoding.get_type_ids().to_vec(),
        };
        Ok(encoded.map_err(|error| error.to_string())?.iter().map(encoding).collect())
    }

    fn pieces(&self, text: &str) -> Result<Vec<String>, String> {
        let encoding = self.tokenizer().encode(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_tokens().to_vec())
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, String> {
        self.tokenizer().decode(ids, skip_special).map_err(|error| error.to_string())
    }

    fn vocab_size(&self) -> usize {
        self.tokenizer().get_vocab_size(true)
    }

    fn token(&self, id: u32) -> Option<String> {
        self.tokenizer().id_to_token(id)
    }

    fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer().token_to_id(token)
    }

    fn special_tokens(&self) -> Vec<(String, u32)> {
        let added = self.tokenizer().get_added_tokens_decoder().into_iter();
        let mut special: Vec<(String, u32)> =
            added.filter(|(_, token)| token.special).map(|(id, token)| (token.content, id)).collect();
        special.sort_by_key(|(_, id)| *id);
        special
    }

    fn to_json(&self) -> Result<String, String> {
        let mut tokenizer = self.tokenizer().clone();
        tokenizer.with_padding(self.padding.clone());
        tokenizer.with_truncation(self.truncation.clone()).map_err(|error| error.to_string())?;
        tokenizer.to_string(true).map_err(|error| error.to_string())
    }
}
