//! Text for language models: tokenizers, windows to train on, and the tokens that come next.

mod beam_search;
mod bpe;
mod character;
mod encoding;
mod sampling;
mod tokenizer;
mod windows;
mod word;

pub use beam_search::{BeamSearchConfig, Hypothesis, beam_search};
pub use bpe::{BpeConfig, BpeTokenizer};
pub use character::CharTokenizer;
pub use encoding::{EncodeConfig, EncodedBatch, Encoding, Input, Padding};
pub use sampling::Sampler;
pub use tokenizer::Tokenizer;
pub use windows::TokenWindows;
pub use word::{WordConfig, WordTokenizer};
