//! BLEU: how many n-grams of a translation are in a reference.

use std::hash::Hash;

use super::check_counts;
use super::ngrams::NGrams;
use crate::metrics::share;

const MOST: usize = 4;

/// BLEU of a corpus (K. Papineni et al., BLEU: a method for automatic evaluation of machine translation, 2002), from 0
/// to 1: the geometric mean of the precisions of 1- to 4-grams, each counted at most as often as in one of the
/// references, times the brevity penalty `exp(1 - r / c)` where the predictions have `c` tokens, fewer than the `r` of
/// the references nearest in length.
///
/// `predictions` are the tokens of each sentence; `references` has for each sentence one or several references, each of
/// tokens. There is no smoothing: where no 4-gram is right, it is 0. The value is that of torchtext's `bleu_score`, and
/// a hundredth of sacrebleu's with `smooth_method="none"` and `tokenize="none"`; as with these, sentences count
/// together, so it is not the mean of the sentences' values.
///
/// ```
/// use oxtorch::prelude::*;
/// let words = |text: &'static str| text.split_whitespace().collect::<Vec<_>>();
/// let predictions = vec![words("the cat is on the red mat"), words("a dog barks")];
/// let references = vec![
///     vec![words("the cat is on the mat"), words("there is a cat on the red mat")],
///     vec![words("a dog barks")],
/// ];
/// let bleu = metrics::bleu(&predictions, &references);
/// assert!((bleu - 0.75f64.powf(0.25)).abs() < 1e-9); // 3 of 4 sequences of 4 words, and all shorter ones
/// ```
///
/// # Panics
///
/// Where there is not a list of references for each prediction, or one of them is empty.
#[track_caller]
pub fn bleu<T: Eq + Hash>(predictions: &[Vec<T>], references: &[Vec<Vec<T>>]) -> f64 {
    check_counts("bleu", predictions.len(), references.len());
    if let Some(empty) = references.iter().position(Vec::is_empty) {
        panic!("bleu: no reference for prediction {empty}; each has a list of one or more");
    }
    let pairs = || predictions.iter().zip(references);
    let predicted: usize = predictions.iter().map(Vec::len).sum();
    let expected: usize = pairs().map(|(prediction, references)| nearest_length(prediction, references)).sum();
    let precision = |n: usize| {
        let (right, total) = pairs().fold((0, 0), |(right, total), (prediction, references)| {
            let grams = NGrams::count(prediction, n);
            let allowed = references.iter().map(|reference| NGrams::count(reference, n)).reduce(NGrams::union);
            (right + allowed.map_or(0, |allowed| grams.shared(&allowed)), total + grams.total())
        });
        share(right as f64, total as f64)
    };
    let brevity = if predicted < expected { (1.0 - expected as f64 / predicted as f64).exp() } else { 1.0 };
    let logarithms: f64 = (1..=MOST).map(|n| precision(n).ln()).sum();
    brevity * (logarithms / MOST as f64).exp()
}

/// How long the reference is whose length is nearest to the prediction's; the shorter of two.
fn nearest_length<T>(prediction: &[T], references: &[Vec<T>]) -> usize {
    let lengths = references.iter().map(Vec::len);
    lengths.min_by_key(|length| (length.abs_diff(prediction.len()), *length)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    #[test]
    fn it_is_sacrebleus_without_smoothing() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/language_metrics.json"));
        let (predictions, first, second) =
            (reference.texts("/predictions"), reference.texts("/references"), reference.texts("/others"));
        let predictions: Vec<_> = predictions.iter().map(|text| words(text)).collect();
        let one: Vec<_> = first.iter().map(|text| vec![words(text)]).collect();
        let two: Vec<_> = first.iter().zip(&second).map(|(a, b)| vec![words(a), words(b)]).collect();
        for (name, actual) in [
            ("one", bleu(&predictions, &one)),
            ("two", bleu(&predictions, &two)),
            ("short", bleu(&[predictions[0][..4].to_vec()], &one[..1])),
            ("last", bleu(&predictions[4..], &one[4..])),
        ] {
            let expected = reference.number(&format!("/bleu/{name}"));
            assert!((actual - expected).abs() < 1e-9, "{name}: {actual} instead of {expected}");
        }
    }

    #[test]
    fn nothing_right_is_zero_and_all_right_one() {
        let references = [vec![vec![1, 2, 3, 4, 5]]];
        assert_eq!(bleu(&[vec![1, 2, 3, 4, 5]], &references), 1.0);
        assert_eq!(bleu(&[vec![1, 2, 9, 9, 5]], &references), 0.0);
        assert_eq!(bleu(&[vec![]], &references), 0.0);
        assert_eq!(bleu::<u8>(&[], &[]), 0.0);
    }

    #[test]
    fn a_prediction_without_references_is_said() {
        let message = |references: &[Vec<Vec<u8>>]| panic_message(|| bleu(&[vec![1u8]], references));
        assert!(message(&[vec![]]).contains("no reference for prediction 0"));
        assert!(message(&[]).contains("bleu: 1 predictions for 0 references"));
    }
}
