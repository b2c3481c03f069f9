//! Parts of a data set: to train on, to validate with, to test on.

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;

/// Divides the indices of `len` samples at random into parts of the given fractions: for [`Subset`](super::Subset) or
/// `index_select`.
/// The same seed gives the same parts.
///
/// ```
/// use oxtorch::prelude::*;
/// let parts = random_split(100, &[0.7, 0.2, 0.1], 42)?;
/// assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [70, 20, 10]);
/// ```
///
/// # Errors
///
/// Where the fractions do not sum to 1.
pub fn random_split(len: usize, fractions: &[f64], seed: u64) -> Result<Vec<Vec<usize>>> {
    Ok(parts(&shuffled(len, seed), &bounds(len, fractions)?))
}

/// The parts of an order between one bound and the next.
pub(super) fn parts(order: &[usize], bounds: &[usize]) -> Vec<Vec<usize>> {
    bounds.windows(2).map(|bounds| order[bounds[0]..bounds[1]].to_vec()).collect()
}

/// Where the parts of `len` samples begin and end, from 0 to `len`.
pub(super) fn bounds(len: usize, fractions: &[f64]) -> Result<Vec<usize>> {
    let sum: f64 = fractions.iter().sum();
    ensure!(
        (sum - 1.0).abs() < 1e-6 && fractions.iter().all(|fraction| *fraction >= 0.0),
        "fractions of {fractions:?} sum to {sum}; they must not be negative and must sum to 1"
    );
    let mut bounds = vec![0];
    let mut before = 0.0;
    for fraction in fractions {
        before += fraction;
        bounds.push(((len as f64 * before).round() as usize).min(len));
    }
    Ok(bounds)
}

/// For each of `folds` rounds of cross-validation, the indices to train on and those to test on. Each sample is tested
/// once.
///
/// ```
/// use oxtorch::prelude::*;
/// for (train, test) in k_fold(100, 5, 42)? {
///     assert_eq!((train.len(), test.len()), (80, 20));
/// }
/// ```
///
/// # Errors
///
/// Where there are fewer than 2 folds, or more than samples.
pub fn k_fold(len: usize, folds: usize, seed: u64) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
    check_folds(len, folds)?;
    let order = shuffled(len, seed);
    let round = |fold: usize| {
        let (from, to) = (len * fold / folds, len * (fold + 1) / folds);
        ([&order[..from], &order[to..]].concat(), order[from..to].to_vec())
    };
    Ok((0..folds).map(round).collect())
}

pub(super) fn check_folds(len: usize, folds: usize) -> Result<()> {
    ensure!(folds >= 2 && folds <= len, "{folds} folds of {len} samples: give 2 to {len}");
    Ok(())
}

/// The numbers below `len` in an order that the seed decides.
pub(super) fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    shuffle(&mut order, seed);
    order
}

/// Brings the indices into an order that the seed decides.
pub(super) fn shuffle(indices: &mut [usize], seed: u64) {
    indices.shuffle(&mut StdRng::seed_from_u64(seed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_said() {
        assert!(random_split(10, &[0.5, 0.6], 0).expect_err("too much").to_string().contains("sum to 1.1"));
        assert!(k_fold(3, 4, 0).is_err() && k_fold(3, 1, 0).is_err());
    }

    #[test]
    fn splits_and_folds_hold_each_sample_once() {
        let parts = random_split(11, &[0.5, 0.25, 0.25], 3).expect("parts");
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..11).collect::<Vec<_>>());
        assert_eq!(parts, random_split(11, &[0.5, 0.25, 0.25], 3).expect("parts"));
        let mut tested = Vec::new();
        for (train, test) in k_fold(11, 3, 3).expect("folds") {
            assert_eq!(train.len() + test.len(), 11);
            assert!(test.iter().all(|index| !train.contains(index)));
            tested.extend(test);
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..11).collect::<Vec<_>>());
    }
}
