//! How often which sequences of n tokens are in a text.

use std::collections::HashMap;
use std::hash::Hash;

/// Counts of n-grams.
pub(super) struct NGrams<'a, T>(HashMap<&'a [T], usize>);

impl<'a, T: Eq + Hash> NGrams<'a, T> {
    pub(super) fn count(tokens: &'a [T], n: usize) -> Self {
        let mut counts = HashMap::new();
        for gram in tokens.windows(n) {
            *counts.entry(gram).or_default() += 1;
        }
        Self(counts)
    }

    pub(super) fn total(&self) -> usize {
        self.0.values().sum()
    }

    /// How many are in both: each as often as in the text that has fewer of it.
    pub(super) fn shared(&self, other: &Self) -> usize {
        self.0.iter().map(|(gram, count)| *count.min(other.0.get(gram).unwrap_or(&0))).sum()
    }

    /// Each as often as in the text that has more of it.
    pub(super) fn union(mut self, other: Self) -> Self {
        for (gram, count) in other.0 {
            let most = self.0.entry(gram).or_default();
            *most = count.max(*most);
        }
        self
    }
}
