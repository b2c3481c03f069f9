//! Text for language models: tokenizers, windows to train on, and the next token.

mod character;
mod sampling;
mod tokenizer;
mod windows;
mod word;

pub use character::CharTokenizer;
pub use sampling::Sampler;
pub use tokenizer::Tokenizer;
pub use windows::TokenWindows;
pub use word::{WordConfig, WordTokenizer};
