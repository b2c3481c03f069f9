//! chrF: how many sequences of characters of a translation are in a reference.

use super::check_counts;
use super::ngrams::NGrams;
use crate::metrics::share;

const MOST: usize = 6;
/// How many times as much recall counts as precision.
const BETA: f64 = 2.0;

/// chrF of a corpus (M. Popović, chrF: character n-gram F-score, 2015), from 0 to 1: `(1 + 4) P R / (4 P + R)` with the
/// means P and R of precision and recall over n-grams of 1 to 6 characters, without white space. A reference for each
/// prediction. It needs no words, so it also suits Chinese and languages with many forms of a word.
///
/// The value is a hundredth of sacrebleu's `corpus_chrf`.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(metrics::chrf(&["the cat"], &["the cat"]), 1.0);
/// let near = metrics::chrf(&["机器学习很有趣"], &["机器学习非常有趣"]);
/// let far = metrics::chrf(&["今天下雨"], &["机器学习非常有趣"]);
/// assert!(far < near && near < 1.0);
/// ```
///
/// # Panics
///
/// Where there is not one reference for each prediction.
#[track_caller]
pub fn chrf<P: AsRef<str>, R: AsRef<str>>(predictions: &[P], references: &[R]) -> f64 {
    check_counts("chrf", predictions.len(), references.len());
    let predictions: Vec<_> = predictions.iter().map(|text| characters(text.as_ref())).collect();
    let references: Vec<_> = references.iter().map(|text| characters(text.as_ref())).collect();
    let orders: Vec<_> = (1..=MOST).filter_map(|n| precision_and_recall(&predictions, &references, n)).collect();
    let [precision, recall] =
        [0, 1].map(|which| share(orders.iter().map(|order| order[which]).sum(), orders.len() as f64));
    share((1.0 + BETA * BETA) * precision * recall, BETA * BETA * precision + recall)
}

fn characters(text: &str) -> Vec<char> {
    text.chars().filter(|char| !char.is_whitespace()).collect()
}

/// Of the n-grams of all sentences; `None` where one side has none of that length.
fn precision_and_recall(predictions: &[Vec<char>], references: &[Vec<char>], n: usize) -> Option<[f64; 2]> {
    let (mut shared, mut predicted, mut expected) = (0, 0, 0);
    for (prediction, reference) in predictions.iter().zip(references) {
        let (prediction, reference) = (NGrams::count(prediction, n), NGrams::count(reference, n));
        shared += prediction.shared(&reference);
        expected += reference.total();
        // As sacrebleu does, which leaves out what nothing can match.
        predicted += if reference.total() > 0 { prediction.total() } else { 0 };
    }
    let shares = [predicted, expected].map(|all| share(shared as f64, all as f64));
    (predicted > 0 && expected > 0).then_some(shares)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn it_is_sacrebleus() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/language_metrics.json"));
        let (predictions, references) = (reference.texts("/predictions"), reference.texts("/references"));
        let near = |name: &str, actual: f64| {
            let expected = reference.number(&format!("/chrf/{name}"));
            assert!((actual - expected).abs() < 1e-9, "{name}: {actual} instead of {expected}");
        };
        near("corpus", chrf(&predictions, &references));
        for sentence in 0..predictions.len() {
            near(&format!("{sentence}"), chrf(&predictions[sentence..=sentence], &references[sentence..=sentence]));
        }
    }

    #[test]
    fn texts_without_characters_are_worth_nothing() {
        assert_eq!(chrf(&[""], &["a text"]), 0.0);
        assert_eq!(chrf(&["a text"], &[" "]), 0.0);
        assert_eq!(chrf::<&str, &str>(&[], &[]), 0.0);
    }
}
