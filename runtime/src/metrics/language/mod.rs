//! How good models of language are: how surprised by a text, and how near what they write is to references.

mod bleu;
mod chrf;
mod edits;
mod ngrams;
mod perplexity;
mod rouge;

pub use bleu::bleu;
pub use chrf::chrf;
pub use edits::{edit_distance, word_error_rate};
pub use perplexity::perplexity;
pub use rouge::{Rouge, rouge_l, rouge_n};

/// Complains where there is not one reference for each prediction.
#[track_caller]
fn check_counts(what: &str, predictions: usize, references: usize) {
    assert!(
        predictions == references,
        "{what}: {predictions} predictions for {references} references; each prediction needs one, in the same order"
    );
}
