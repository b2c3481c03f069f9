//! ROUGE: how much of a reference is in a summary.

use std::hash::Hash;

use super::check_counts;
use super::ngrams::NGrams;
use crate::metrics::share;

/// What [`rouge_n`] and [`rouge_l`] find, from 0 to 1: the means over all texts.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Rouge {
    /// How much of the predictions is in the references.
    pub precision: f64,
    /// How much of the references is in the predictions.
    pub recall: f64,
    /// The harmonic mean of both, of each text; rouge-score's `fmeasure`.
    pub f1: f64,
}

/// ROUGE-N (C.-Y. Lin, ROUGE: a package for automatic evaluation of summaries, 2004): the n-grams that a text and its
/// reference share. A reference of tokens for the tokens of each prediction; the values are those of rouge-score,
/// averaged over the texts. Lower case, stems and punctuation are up to you: rouge-score itself lowers letters, and
/// takes what is neither a letter from a to z nor a digit for white space.
///
/// ```
/// use oxtorch::prelude::*;
/// let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
/// let rouge = metrics::rouge_n(&[words("the cat was found")], &[words("the cat was under the bed")], 1);
/// assert_eq!((rouge.precision, rouge.recall), (0.75, 0.5));
/// ```
///
/// # Panics
///
/// Where there is not one reference for each prediction, or `n` is 0.
#[track_caller]
pub fn rouge_n<T: Eq + Hash>(predictions: &[Vec<T>], references: &[Vec<T>], n: usize) -> Rouge {
    assert!(n > 0, "rouge_n: n is 0; it is how many tokens are counted together, so give 1 or more");
    check_counts("rouge_n", predictions.len(), references.len());
    mean(predictions, references, |prediction, reference| {
        let (prediction, reference) = (NGrams::count(prediction, n), NGrams::count(reference, n));
        Rouge::of(prediction.shared(&reference), prediction.total(), reference.total())
    })
}

/// ROUGE-L of the same paper: the longest sequence of tokens that is in both in the same order, with or without others
/// in between. A text counts as one sentence (rouge-score's `rougeL`, not `rougeLsum`). Otherwise as [`rouge_n`].
///
/// ```
/// use oxtorch::prelude::*;
/// let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
/// let rouge = metrics::rouge_l(&[words("police kill the gunman")], &[words("police killed the gunman")]);
/// assert_eq!(rouge.f1, 0.75);
/// ```
///
/// # Panics
///
/// Where there is not one reference for each prediction.
#[track_caller]
pub fn rouge_l<T: PartialEq>(predictions: &[Vec<T>], references: &[Vec<T>]) -> Rouge {
    check_counts("rouge_l", predictions.len(), references.len());
    mean(predictions, references, |prediction, reference| {
        Rouge::of(longest_common(prediction, reference), prediction.len(), reference.len())
    })
}

impl Rouge {
    fn of(shared: usize, predicted: usize, expected: usize) -> Self {
        let [shared, predicted, expected] = [shared, predicted, expected].map(|count| count as f64);
        let (precision, recall) = (share(shared, predicted), share(shared, expected));
        Self { precision, recall, f1: share(2.0 * precision * recall, precision + recall) }
    }
}

fn mean<T>(predictions: &[Vec<T>], references: &[Vec<T>], of_text: impl Fn(&[T], &[T]) -> Rouge) -> Rouge {
    let texts: Vec<Rouge> = predictions.iter().zip(references).map(|(a, b)| of_text(a, b)).collect();
    let mean = |value: fn(&Rouge) -> f64| share(texts.iter().map(value).sum(), texts.len() as f64);
    Rouge { precision: mean(|text| text.precision), recall: mean(|text| text.recall), f1: mean(|text| text.f1) }
}

/// How long the longest common subsequence is.
fn longest_common<T: PartialEq>(a: &[T], b: &[T]) -> usize {
    // With the elements of `a` so far and each beginning of `b`.
    let mut lengths = vec![0; b.len() + 1];
    for element in a {
        let mut diagonal = 0;
        for (place, other) in b.iter().enumerate() {
            let longer = if element == other { diagonal + 1 } else { lengths[place + 1].max(lengths[place]) };
            diagonal = lengths[place + 1];
            lengths[place + 1] = longer;
        }
    }
    lengths[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn values_are_rouge_scores() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/language_metrics.json"));
        let tokens = |name: &str| -> Vec<Vec<String>> {
            let texts = reference.texts(name);
            texts.iter().map(|text| text.split_whitespace().map(str::to_owned).collect()).collect()
        };
        let (predictions, references) = (tokens("/predictions"), tokens("/references"));
        for (name, actual) in [
            ("rouge1", rouge_n(&predictions, &references, 1)),
            ("rouge2", rouge_n(&predictions, &references, 2)),
            ("rougeL", rouge_l(&predictions, &references)),
        ] {
            let expected = reference.numbers(&format!("/rouge/{name}"));
            let actual = [actual.precision, actual.recall, actual.f1];
            let near = actual.iter().zip(&expected).all(|(actual, expected)| (actual - expected).abs() < 1e-12);
            assert!(near, "{name}: {actual:?} instead of {expected:?}");
        }
    }

    #[test]
    fn texts_without_tokens_are_worth_nothing() {
        assert_eq!(rouge_n(&[vec![]], &[vec![1]], 1), Rouge::default());
        assert_eq!(rouge_l(&[vec![1]], &[vec![]]), Rouge::default());
        assert_eq!(rouge_l::<u8>(&[], &[]), Rouge::default());
    }
}
