//! Tokenizers by the `tokenizers` crate of Hugging Face.

use oxtorch_boundary::{BpeTraining, TrainedTokenizer};
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer};

struct Pipeline(Tokenizer);

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
    Ok(Box::new(Pipeline(pipeline)))
}

pub(crate) fn read(json: &[u8]) -> Result<Box<dyn TrainedTokenizer>, String> {
    let pipeline = Tokenizer::from_bytes(json).map_err(|error| error.to_string())?;
    Ok(Box::new(Pipeline(pipeline)))
}

impl TrainedTokenizer for Pipeline {
    fn encode(&self, text: &str) -> Result<Vec<u32>, String> {
        let encoding = self.0.encode_fast(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_ids().to_vec())
    }

    fn pieces(&self, text: &str) -> Result<Vec<String>, String> {
        let encoding = self.0.encode(text, false).map_err(|error| error.to_string())?;
        Ok(encoding.get_tokens().to_vec())
    }

    fn decode(&self, ids: &[u32]) -> Result<String, String> {
        self.0.decode(ids, false).map_err(|error| error.to_string())
    }

    fn vocab_size(&self) -> usize {
        self.0.get_vocab_size(true)
    }

    fn token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }

    fn id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }

    fn special_tokens(&self) -> Vec<(String, u32)> {
        let added = self.0.get_added_tokens_decoder().into_iter();
        let mut special: Vec<(String, u32)> =
            added.filter(|(_, token)| token.special).map(|(id, token)| (token.content, id)).collect();
        special.sort_by_key(|(_, id)| *id);
        special
    }

    fn to_json(&self) -> Result<String, String> {
        self.0.to_string(true).map_err(|error| error.to_string())
    }
}
