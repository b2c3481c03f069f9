//! Text for language models.

mod sampling;

pub use sampling::Sampler;
