//! Parts of a data set in which the classes are as frequent as in the whole, as scikit-learn makes them.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::Tensor;

use super::split::{bounds, check_folds, parts, shuffled};
use super::{Dataset, IntoDataset, Subset};
use crate::elements::elements;

/// Divides a data set at random: `(train, test)`, of which `test` has the fraction `test_size`, rounded up. With
/// `stratify`, the class of each sample, int64 `[N]`, both parts have the classes in the proportions of the whole.
/// scikit-learn's `train_test_split`. The set is given whole or as `&set` (see [`IntoDataset`]).
///
/// ```
/// use oxtorch::prelude::*;
/// let flowers = iris();
/// let (train, test) = train_test_split(&flowers, 0.2, Some(&flowers.labels), 42)?;
/// let (_, labels) = test.batch(&(0..30).collect::<Vec<_>>())?;
/// assert_eq!(labels.bincount(None::<Tensor>, 3), Tensor::from_slice(&[10i64, 10, 10]));
/// let train = DataLoader::new(train, 16).shuffle(42);
/// assert_eq!(train.samples(), 120);
/// ```
///
/// # Errors
///
/// Where one part would be empty, there is not one label for each sample, or a class has only one sample. Also where a
/// part has fewer samples than there are classes.
pub fn train_test_split<D: Dataset + Clone, By>(
    dataset: impl IntoDataset<By, Set = D>,
    test_size: f64,
    stratify: Option<&Tensor>,
    seed: u64,
) -> Result<(Subset<D>, Subset<D>)> {
    let dataset = dataset.into_dataset();
    let len = dataset.len();
    // A cast from float saturates: what is below 0 or not a number gives 0. What multiplies to a whole number but for
    // the last digit is that number.
    let test = ((len as f64 * test_size - 1e-9).ceil() as usize).min(len);
    ensure!(
        test > 0 && test < len && test_size < 1.0,
        "a test size of {test_size} leaves {} of {len} samples to train on and {test} to test on; give a fraction \
         between 0 and 1",
        len - test
    );
    let bounds = [0, len - test, len];
    let mut both = match stratify {
        None => parts(&shuffled(len, seed), &bounds),
        Some(labels) => {
            check_labels(labels)?;
            ensure!(
                labels.size() == [len as i64],
                "labels of {:?} for {len} samples: give one for each, [{len}]",
                labels.size()
            );
            let classes = classes_of(labels).len();
            ensure!(
                test.min(len - test) >= classes,
                "{} samples to train on and {test} to test on cannot have all {classes} classes: give another fraction",
                len - test
            );
            stratified(labels, &bounds, seed)?
        }
    };
    let (test, train) = (both.pop().unwrap_or_default(), both.pop().unwrap_or_default());
    Ok((Subset::new(&dataset, train)?, Subset::new(dataset, test)?))
}

/// Divides the indices of samples at random into parts of the given fractions, each with the classes in the proportions
/// of the whole. `labels` is the class of each sample, int64 `[N]`. Otherwise as
/// [`random_split`](super::random_split).
///
/// ```
/// use oxtorch::prelude::*;
/// let labels = digits().labels;
/// let parts = stratified_split(&labels, &[0.7, 0.2, 0.1], 42)?;
/// let ones = parts.iter().map(|part| part.iter().filter(|index| labels.int64_value(&[**index as i64]) == 1).count());
/// assert_eq!(ones.collect::<Vec<_>>(), [127, 37, 18]);
/// ```
///
/// # Errors
///
/// Where the fractions do not sum to 1, or a class has only one sample.
pub fn stratified_split(labels: &Tensor, fractions: &[f64], seed: u64) -> Result<Vec<Vec<usize>>> {
    check_labels(labels)?;
    stratified(labels, &bounds(labels.numel(), fractions)?, seed)
}

/// As [`k_fold`](super::k_fold), with the classes in the proportions of the whole in each fold. `labels` is the class
/// of each sample, int64 `[N]`. scikit-learn's `StratifiedKFold`.
///
/// ```
/// use oxtorch::prelude::*;
/// let labels = iris().labels;
/// for (train, test) in stratified_k_fold(&labels, 5, 42)? {
///     let of_class = |class| test.iter().filter(|index| labels.int64_value(&[**index as i64]) == class).count();
///     assert_eq!((train.len(), [0, 1, 2].map(of_class)), (120, [10, 10, 10]));
/// }
/// ```
///
/// # Errors
///
/// Where there are fewer than 2 folds, or more than samples.
pub fn stratified_k_fold(labels: &Tensor, folds: usize, seed: u64) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
    check_labels(labels)?;
    check_folds(labels.numel(), folds)?;
    // Dealt out like cards, class after class.
    let cards = classes_by_chance(labels, &mut StdRng::seed_from_u64(seed)).concat();
    let round = |fold: usize| {
        let (mut train, mut test) = (Vec::new(), Vec::new());
        for (at, index) in cards.iter().enumerate() {
            if at % folds == fold { test.push(*index) } else { train.push(*index) }
        }
        (train, test)
    };
    Ok((0..folds).map(round).collect())
}

/// An error if labels are not the numbers of classes.
pub(super) fn check_labels(labels: &Tensor) -> Result<()> {
    ensure!(
        labels.dim() == 1 && !labels.is_floating_point(),
        "labels of {:?} {:?}; they are the class of each sample, integers [N]: of one-hot rows, `argmax(1, false)`",
        labels.size(),
        labels.kind()
    );
    Ok(())
}

/// The samples of each class, in the order of the classes.
pub(super) fn classes_of(labels: &Tensor) -> Vec<Vec<usize>> {
    let mut classes: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
    for (index, label) in elements::<i64>(labels).into_iter().enumerate() {
        classes.entry(label).or_default().push(index);
    }
    classes.into_values().collect()
}

fn classes_by_chance(labels: &Tensor, rng: &mut StdRng) -> Vec<Vec<usize>> {
    let mut classes = classes_of(labels);
    classes.iter_mut().for_each(|class| class.shuffle(rng));
    classes
}

/// Parts that begin and end at these bounds.
fn stratified(labels: &Tensor, bounds: &[usize], seed: u64) -> Result<Vec<Vec<usize>>> {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut classes = classes_by_chance(labels, &mut rng);
    if let Some(lonely) = classes.iter().find(|class| class.len() < 2) {
        let class = elements::<i64>(labels)[lonely[0]];
        anyhow::bail!("class {class} has one sample, which cannot be in each part: leave it out, or do not stratify");
    }
    let part = |bounds: &[usize]| {
        let shares = shares(&classes.iter().map(Vec::len).collect::<Vec<_>>(), bounds[1] - bounds[0]);
        let taken = classes.iter_mut().zip(shares).flat_map(|(class, share)| class.drain(..share));
        let mut part: Vec<usize> = taken.collect();
        part.shuffle(&mut rng);
        part
    };
    Ok(bounds.windows(2).map(part).collect())
}

/// How many of each class belong to a part of `size`: in proportion to how many there are, rounded down, and one more
/// where the most was cut off.
fn shares(counts: &[usize], size: usize) -> Vec<usize> {
    let all: usize = counts.iter().sum();
    let mut shares: Vec<usize> = counts.iter().map(|count| count * size / all.max(1)).collect();
    let mut by_rest: Vec<usize> = (0..counts.len()).collect();
    by_rest.sort_by_key(|class| std::cmp::Reverse(counts[*class] * size % all.max(1)));
    let missing = size - shares.iter().sum::<usize>();
    by_rest.into_iter().take(missing).for_each(|class| shares[class] += 1);
    shares
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::data::{digits, iris};
    use crate::reference::Reference;

    fn counts(labels: &Tensor, indices: &[usize]) -> Vec<f64> {
        let labels = elements::<i64>(labels);
        let classes = labels.iter().max().map_or(0, |class| class + 1);
        let count = |class| indices.iter().filter(|index| labels[**index] == class).count() as f64;
        (0..classes).map(count).collect()
    }

    fn sorted(parts: &[&[usize]]) -> Vec<usize> {
        let mut all = parts.concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn labels_that_are_no_classes_are_refused() {
        let classes = Tensor::from_slice(&[0i64, 1, 2, 0, 1, 2]);
        for labels in [classes.one_hot(3), classes.to_kind(Kind::Float) / 3, Tensor::from_slice(&[f64::NAN, 1.0])] {
            let said =
                [stratified_k_fold(&labels, 2, 0).map(drop), stratified_split(&labels, &[0.5, 0.5], 0).map(drop)];
            for said in said {
                let said = said.expect_err("no classes").to_string();
                assert!(said.contains("they are the class of each sample"), "{said}");
            }
        }
        let set = crate::data::TensorDataset::of(&classes).expect("rows");
        let said = train_test_split(&set, 0.2, Some(&classes), 0).map(drop).expect_err("two samples for three classes");
        assert!(said.to_string().contains("cannot have all 3 classes"), "{said}");
    }

    #[test]
    fn parts_have_as_many_of_each_class_as_scikit_learns() {
        let reference = Reference::parse(include_str!("../../../tests/reference/stratified.json"));
        for (name, test_size) in [("fifth", 0.2), ("quarter", 0.25), ("third", 0.33)] {
            let labels = reference.tensor("/labels");
            let set = crate::data::TensorDataset::of(&labels).expect("rows");
            let (train, test) = train_test_split(&set, test_size, Some(&labels), 0).expect("two parts");
            assert_eq!(counts(&labels, train.indices()), reference.numbers(&format!("/{name}/train")), "{name}");
            assert_eq!(counts(&labels, test.indices()), reference.numbers(&format!("/{name}/test")), "{name}");
            assert_eq!(sorted(&[train.indices(), test.indices()]), (0..labels.numel()).collect::<Vec<_>>());
            let (plain, rest) = train_test_split(&set, test_size, None, 0).expect("two parts");
            assert_eq!((plain.len(), rest.len()), (train.len(), test.len()));
        }
    }

    #[test]
    fn three_parts_and_folds_hold_each_sample_once_and_repeat_with_their_seed() {
        let labels = digits().labels;
        let parts = stratified_split(&labels, &[0.6, 0.3, 0.1], 1).expect("parts");
        assert_eq!(sorted(&parts.iter().map(Vec::as_slice).collect::<Vec<_>>()), (0..1797).collect::<Vec<_>>());
        assert_eq!(parts, stratified_split(&labels, &[0.6, 0.3, 0.1], 1).expect("parts"));
        assert_ne!(parts, stratified_split(&labels, &[0.6, 0.3, 0.1], 2).expect("parts"));
        let folds = stratified_k_fold(&labels, 4, 1).expect("folds");
        let tested: Vec<&[usize]> = folds.iter().map(|(_, test)| test.as_slice()).collect();
        assert_eq!(sorted(&tested), (0..1797).collect::<Vec<_>>());
        let of_each = folds.iter().map(|(_, test)| counts(&labels, test)).collect::<Vec<_>>();
        assert!((0..10).all(|class| of_each.iter().all(|fold| (fold[class] - of_each[0][class]).abs() <= 1.0)));
        assert!(folds.iter().all(|(train, test)| sorted(&[train, test]).len() == 1797));
    }

    #[test]
    fn parts_that_cannot_be_made_are_explained() {
        let iris = iris();
        let said = |test_size, labels: Option<&Tensor>| {
            train_test_split(&iris, test_size, labels, 0).map(|_| ()).expect_err("no parts").to_string()
        };
        assert!(said(1.0, None).contains("a test size of 1 leaves 0 of 150 samples to train on and 150 to test on"));
        assert!(said(f64::NAN, None).contains("a test size of NaN leaves 150"));
        let few = Tensor::from_slice(&[0i64, 0, 1]);
        assert!(said(0.2, Some(&few)).contains("labels of [3] for 150 samples"));
        let lonely = stratified_split(&few, &[0.5, 0.5], 0).expect_err("no parts").to_string();
        assert!(lonely.contains("class 1 has one sample"), "{lonely}");
        assert!(stratified_k_fold(&few, 4, 0).is_err());
    }
}
