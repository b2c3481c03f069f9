//! Fingerprints of a list of tokens: winnowing (Schleimer, Wilkerson, Aiken: Winnowing, SIGMOD 2003).
//!
//! Each run of [`RUN`] tokens has a hash. Of each [`WINDOW`] hashes that follow each other the least one is a
//! fingerprint. So two texts that share `RUN + WINDOW - 1` tokens share a fingerprint, wherever these tokens stand, and
//! only a part of all hashes has to be compared.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// How many tokens have to agree: shorter runs are in everybody's code.
const RUN: usize = 16;
/// Of how many hashes one is kept: an agreement of 23 tokens is always seen, which is two or three lines.
const WINDOW: usize = 8;

/// The hashes of all runs of tokens.
pub(super) fn hashes(tokens: &[u8]) -> impl Iterator<Item = u64> {
    tokens.windows(RUN).map(|run| {
        let mut hasher = DefaultHasher::new();
        run.hash(&mut hasher);
        hasher.finish()
    })
}

/// The fingerprints of some tokens, without what is known already.
pub(super) fn fingerprints(tokens: &[u8], known: &HashSet<u64>) -> HashSet<u64> {
    let hashes: Vec<u64> = hashes(tokens).filter(|hash| !known.contains(hash)).collect();
    // A text with fewer hashes is one window.
    let windows = hashes.windows(WINDOW.min(hashes.len()).max(1));
    windows.filter_map(|window| window.iter().copied().min()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tokens that repeat nowhere, from a seed.
    fn noise(seed: u64, count: usize) -> Vec<u8> {
        let next = |state: &u64| Some(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1));
        std::iter::successors(Some(seed), next).map(|state| (state >> 33) as u8).take(count).collect()
    }

    #[test]
    fn texts_that_share_enough_tokens_share_a_fingerprint() {
        let shared = noise(1, RUN + WINDOW - 1);
        for at in 0..40 {
            let one = [noise(2, at), shared.clone(), noise(3, 50)].concat();
            let other = [noise(4, 60 - at), shared.clone(), noise(5, 7)].concat();
            let [one, other] = [one, other].map(|tokens| fingerprints(&tokens, &HashSet::new()));
            assert!(!one.is_disjoint(&other), "{at}");
        }
        let [one, other] = [2, 3].map(|seed| fingerprints(&noise(seed, 200), &HashSet::new()));
        assert!(one.is_disjoint(&other));
    }

    #[test]
    fn a_part_of_the_hashes_is_kept_and_nothing_that_is_known() {
        let tokens = noise(1, 1000);
        let kept = fingerprints(&tokens, &HashSet::new()).len();
        assert!((150..350).contains(&kept), "two of nine, by the paper: {kept}");
        assert!(fingerprints(&tokens, &hashes(&tokens).collect()).is_empty());
    }

    #[test]
    fn a_short_text_has_one_fingerprint_or_none() {
        for (count, kept) in [(0, 0), (RUN - 1, 0), (RUN, 1), (RUN + WINDOW - 1, 1)] {
            assert_eq!(fingerprints(&noise(1, count), &HashSet::new()).len(), kept, "{count}");
        }
    }
}
