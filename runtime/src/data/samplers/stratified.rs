//! Batches with the classes of the whole set.

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use tch::Tensor;

use super::Sampler;
use crate::data::stratified::{check_labels, classes_of};

/// All samples, each once in an epoch, in an order in which the classes are spread evenly: each batch has about as many
/// of a class as the whole set has in proportion.
///
/// ```
/// use oxtorch::prelude::*;
/// let labels = Tensor::arange(100, (Kind::Int64, Device::Cpu)).ge(90).to_kind(Kind::Int64);
/// let sampler = data::StratifiedSampler::new(&labels, 42);
/// for batch in &DataLoader::new(TensorDataset::of(&labels)?, 20).sampler(sampler) {
///     assert!((1..=3).contains(&batch.sum(Kind::Int64).int64_value(&[])));
/// }
/// ```
#[derive(Debug, Clone)]
pub struct StratifiedSampler {
    /// The samples of each class.
    classes: Vec<Vec<usize>>,
    seed: u64,
}

impl StratifiedSampler {
    /// The class of each sample, int64 `[N]`.
    ///
    /// # Panics
    ///
    /// Where they are no integers `[N]`.
    pub fn new(labels: &Tensor, seed: u64) -> Self {
        if let Err(error) = check_labels(labels) {
            panic!("StratifiedSampler: {error}");
        }
        Self { classes: classes_of(labels), seed }
    }
}

impl Sampler for StratifiedSampler {
    fn len(&self) -> usize {
        self.classes.iter().map(Vec::len).sum()
    }

    fn indices(&self, epoch: u64) -> Vec<usize> {
        let mut rng = StdRng::seed_from_u64(self.seed.wrapping_add(epoch));
        let mut places: Vec<(f64, usize)> = Vec::new();
        for class in &self.classes {
            let mut class = class.clone();
            class.shuffle(&mut rng);
            // At even distances from a beginning by chance.
            let begin: f64 = rng.random();
            let step = 1.0 / class.len() as f64;
            places.extend(class.iter().enumerate().map(|(at, index)| ((at as f64 + begin) * step, *index)));
        }
        places.sort_by(|a, b| a.0.total_cmp(&b.0));
        places.into_iter().map(|(_, index)| index).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stretch_has_the_classes_in_proportion() {
        let labels: Vec<i64> = (0..300).map(|at| [0, 0, 0, 1, 1, 7][at % 6]).collect();
        let sampler = StratifiedSampler::new(&Tensor::from_slice(&labels), 5);
        for epoch in 0..5 {
            let order = sampler.indices(epoch);
            for batch in order.chunks(30) {
                let count = |class| batch.iter().filter(|index| labels[**index] == class).count();
                assert!(count(0).abs_diff(15) <= 1 && count(1).abs_diff(10) <= 1 && count(7).abs_diff(5) <= 1);
            }
            let mut all = order;
            all.sort_unstable();
            assert_eq!(all, (0..300).collect::<Vec<_>>());
        }
        assert_eq!(sampler.indices(2), sampler.indices(2));
        assert_ne!(sampler.indices(2), sampler.indices(3));
        assert_eq!(sampler.len(), 300);
    }
}
