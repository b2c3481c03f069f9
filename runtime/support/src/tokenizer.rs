//! Tokenizers by the `tokenizers` crate of Hugging Face.

use oxtorch_boundary::{BpeTraining, Encoding, EncodingRules, Input, Padding, TrainedTokenizer};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{
    AddedToken, PaddingParams, PaddingStrategy, PostProcessor, PostProcessorWrapper, Tokenizer, TruncationParams,
    TruncationStrategy, pad_encodings, truncate_encodings,
};

/// Names of the padding token in the files of models, of which the first that there is is taken.
const PAD_TOKENS: [&str; 5] = ["[PAD]", "<pad>", "<|pad|>", "<PAD>", "<|padding|>"];

struct Pipeline {
    /// It finds the tokens of a text, all of them and no others. The crate would stop at the word that reaches a
    /// greatest length, and so take two long texts of a pair to be equally long.
    tokenizer: Tokenizer,
    /// What the file says of special tokens, of padding and of cutting. It is written again, and tells the token and
    /// the side.
    processor: Option<PostProcessorWrapper>,
    padding: Option<PaddingParams>,
    truncation: Option<TruncationParams>,
}

impl Pipeline {
    fn new(mut tokenizer: Tokenizer) -> Result<Self, String> {
        let (padding, truncation) = (tokenizer.get_padding().cloned(), tokenizer.get_truncation().cloned());
        let processor = tokenizer.get_post_processor().cloned();
        tokenizer.with_padding(None);
        tokenizer.with_truncation(None).map_err(|error| error.to_string())?;
        tokenizer.with_post_processor(None::<PostProcessorWrapper>);
        Ok(Self { tokenizer, processor, padding, truncation })
    }

    /// How a batch is padded.
    fn padding(&self, rules: &EncodingRules<'_>) -> Result<Option<PaddingParams>, String> {
        let strategy = match rules.padding {
            Padding::None => return Ok(None),
            Padding::Longest => PaddingStrategy::BatchLongest,
            Padding::To(length) => PaddingStrategy::Fixed(length),
        };
        let tokenizer = &self.tokenizer;
        let of_file = self.padding.clone().filter(|padding| tokenizer.id_to_token(padding.pad_id).is_some());
        let mut padding = PaddingParams { strategy, pad_to_multiple_of: None, ..of_file.clone().unwrap_or_default() };
        let token = match (rules.pad_token, of_file) {
            (Some(token), _) => token,
            (None, Some(_)) => return Ok(Some(padding)),
            (None, None) => PAD_TOKENS.into_iter().find(|token| tokenizer.token_to_id(token).is_some()).ok_or(
                "there is no padding token: say which one to use, such as \
                 `pad_token: Some(\"<|endoftext|>\".into())`",
            )?,
        };
        padding.pad_id =
            tokenizer.token_to_id(token).ok_or_else(|| format!("there is no token {token:?} to pad with"))?;
        padding.pad_token = token.to_owned();
        Ok(Some(padding))
    }

    /// How many special tokens stand around a text or a pair.
    fn added(&self, is_pair: bool, rules: &EncodingRules<'_>) -> usize {
        let processor = self.processor.as_ref().filter(|_| rules.special);
        processor.map_or(0, |processor| processor.added_tokens(is_pair))
    }

    /// An error where texts cannot be cut as short as that.
    fn check_max_length(&self, texts: &[Input<'_>], rules: &EncodingRules<'_>) -> Result<(), String> {
        let Some(max_length) = rules.max_length else { return Ok(()) };
        let has_pairs = texts.iter().any(|text| matches!(text, Input::Pair(..)));
        let least = self.added(has_pairs, rules).max(self.added(false, rules)) + 1;
        if max_length < least {
            return Err(format!("a maximum length of {max_length} leaves no room for a text; give at least {least}"));
        }
        Ok(())
    }

    /// Cuts the tokens of a text or a pair, and puts the special ones around them.
    fn processed(
        &self,
        first: tokenizers::Encoding,
        second: Option<tokenizers::Encoding>,
        rules: &EncodingRules<'_>,
    ) -> tokenizers::Result<tokenizers::Encoding> {
        let (first, second) = match rules.max_length {
            None => (first, second),
            Some(max_length) => {
                let max_length = max_length.saturating_sub(self.added(second.is_some(), rules));
                let direction = self.truncation.as_ref().map(|truncation| truncation.direction).unwrap_or_default();
                let strategy = TruncationStrategy::LongestFirst;
                let params = TruncationParams { max_length, strategy, stride: 0, direction };
                truncate_encodings(first, second, &params)?
            }
        };
        match &self.processor {
            Some(processor) => processor.process(first, second, rules.special),
            None => Ok(tokenizers::Encoding::merge(std::iter::once(first).chain(second), false)),
        }
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
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    fn encode_batch(&self, texts: &[Input<'_>], rules: &EncodingRules<'_>) -> Result<Vec<Encoding>, String> {
        self.check_max_length(texts, rules)?;
        let padding = self.padding(rules)?;
        let parts = texts.iter().flat_map(|text| match *text {
            Input::One(text) => vec![text],
            Input::Pair(first, second) => vec![first, second],
        });
        let parts = self.tokenizer.encode_batch_fast(parts.collect(), false).map_err(|error| error.to_string())?;
        let mut parts = parts.into_iter();
        let sequence = |text: &Input<'_>| {
            let first = parts.next()?;
            let second = match text {
                Input::One(_) => None,
                Input::Pair(..) => {
                    let mut second = parts.next()?;
                    second.set_type_ids(vec![1; second.len()]);
                    Some(second)
                }
            };
            Some(self.processed(first, second, rules))
        };
        let sequences = texts.iter().map_while(sequence).collect::<tokenizers::Result<Vec<_>>>();
        let mut encoded = sequences.map_err(|error| error.to_string())?;
        if let Some(padding) = padding {
            pad_encodings(&mut encoded, &padding).map_err(|error| error.to_string())?;
        }
        let encoding = |encoding: &tokenizers::Encoding| Encoding {
            ids: encoding.get_ids().to_vec(),
            mask: encoding.get_attention_mask().to_vec(),
            types: encoding.get_type_ids().to_vec(),
        };
        Ok(encoded.iter().map(encoding).collect())
    }

    fn pieces(&self, text: &str) -> Result<Vec<String>, String> {
        let encoding = self.tokenizer.encode(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_tokens().to_vec())
    }

    fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, String> {
        self.tokenizer.decode(ids, skip_special).map_err(|error| error.to_string())
    }

    fn vocab_size(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    fn token(&self, id: u32) -> Option<String> {
        self.tokenizer.id_to_token(id)
    }

    fn id(&self, token: &str) -> Option<u32> {
        self.tokenizer.token_to_id(token)
    }

    fn special_tokens(&self) -> Vec<(String, u32)> {
        let added = self.tokenizer.get_added_tokens_decoder().into_iter();
        let mut special: Vec<(String, u32)> =
            added.filter(|(_, token)| token.special).map(|(id, token)| (token.content, id)).collect();
        special.sort_by_key(|(_, id)| *id);
        special
    }

    fn to_json(&self) -> Result<String, String> {
        let mut tokenizer = self.tokenizer.clone();
        tokenizer.with_post_processor(self.processor.clone());
        tokenizer.with_padding(self.padding.clone());
        tokenizer.with_truncation(self.truncation.clone()).map_err(|error| error.to_string())?;
        tokenizer.to_string(true).map_err(|error| error.to_string())
    }
}
