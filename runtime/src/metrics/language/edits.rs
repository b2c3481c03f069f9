//! How many changes make one text another.

use super::check_counts;

/// The Levenshtein distance: how many elements have to be inserted, removed or replaced to make one sequence the other
/// (V. I. Levenshtein, 1966). As `torchaudio.functional.edit_distance`.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(metrics::edit_distance("kitten".chars(), "sitting".chars()), 3);
/// assert_eq!(metrics::edit_distance("the cat sat".split(' '), "a cat sat".split(' ')), 1);
/// assert_eq!(metrics::edit_distance([1, 2, 3], [2, 3, 4]), 2);
/// ```
pub fn edit_distance<T: PartialEq>(a: impl IntoIterator<Item = T>, b: impl IntoIterator<Item = T>) -> usize {
    let b: Vec<T> = b.into_iter().collect();
    // Distances from the elements of `a` so far to each beginning of `b`.
    let mut distances: Vec<usize> = (0..=b.len()).collect();
    for element in a {
        let mut diagonal = distances[0];
        distances[0] += 1;
        for (place, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(element != *other);
            diagonal = distances[place + 1];
            distances[place + 1] = replaced.min(diagonal + 1).min(distances[place] + 1);
        }
    }
    distances[b.len()]
}

/// How many words of the references are wrong: the [edit distances](edit_distance) between the words of all predictions
/// and references, as a share of all words of the references. White space parts words. It can be over 1, and is not
/// finite for references without words. As `torchmetrics.text.WordErrorRate` and jiwer's `wer`.
///
/// ```
/// use oxtorch::prelude::*;
/// let error = metrics::word_error_rate(&["the cat sat", "hello"], &["the cat sat down", "hello"]);
/// assert_eq!(error, 0.2);
/// ```
///
/// # Panics
///
/// Where there is not one reference for each prediction.
#[track_caller]
pub fn word_error_rate<P: AsRef<str>, R: AsRef<str>>(predictions: &[P], references: &[R]) -> f64 {
    check_counts("word_error_rate", predictions.len(), references.len());
    let (mut edits, mut words) = (0, 0);
    for (prediction, reference) in predictions.iter().zip(references) {
        let reference = || reference.as_ref().split_whitespace();
        edits += edit_distance(prediction.as_ref().split_whitespace(), reference());
        words += reference().count();
    }
    edits as f64 / words as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn the_error_rate_is_jiwers() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/language_metrics.json"));
        let (predictions, references) = (reference.texts("/predictions"), reference.texts("/references"));
        assert!((word_error_rate(&predictions, &references) - reference.number("/word_error_rate")).abs() < 1e-12);
        assert!(word_error_rate(&["a"], &[""]).is_infinite());
        assert_eq!(word_error_rate(&["a b c"], &["d"]), 3.0);
    }

    #[test]
    fn distances_are_rapidfuzzs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/language_metrics.json"));
        let (predictions, references) = (reference.texts("/predictions"), reference.texts("/references"));
        let distances = predictions.iter().zip(&references).map(|(a, b)| edit_distance(a.chars(), b.chars()) as f64);
        assert_eq!(distances.collect::<Vec<_>>(), reference.numbers("/edit_distances"));
        assert_eq!(edit_distance("".chars(), "abc".chars()), 3);
        assert_eq!(edit_distance("abc".chars(), "".chars()), 3);
        let tokens = vec![1, 2];
        assert_eq!(edit_distance(&tokens, &tokens), 0);
    }
}
