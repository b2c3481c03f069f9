//! Which samples a loader reads, and in which order.

use super::split::{shuffle, shuffled};

mod stratified;
mod weighted;

pub use stratified::StratifiedSampler;
pub use weighted::WeightedRandomSampler;

/// Gives the indices of the samples of an epoch, for [`DataLoader::sampler`](super::DataLoader::sampler). The names are
/// PyTorch's; an order belongs to a seed and the number of its epoch.
///
/// ```
/// use oxtorch::prelude::*;
/// /// Short texts first.
/// struct ByLength(Vec<usize>);
/// impl data::Sampler for ByLength {
///     fn len(&self) -> usize { self.0.len() }
///     fn indices(&self, _epoch: u64) -> Vec<usize> {
///         let mut order: Vec<usize> = (0..self.0.len()).collect();
///         order.sort_by_key(|index| self.0[*index]);
///         order
///     }
/// }
/// let x = Tensor::from_slice(&[30i64, 10, 20]);
/// let loader = DataLoader::new(TensorDataset::of(&x)?, 3).sampler(ByLength(vec![30, 10, 20]));
/// assert_eq!(loader.iter().next(), Some(Tensor::from_slice(&[10i64, 20, 30])));
/// ```
pub trait Sampler {
    /// The number of indices in an epoch.
    fn len(&self) -> usize;

    /// Whether there is none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The indices of an epoch, which count from 0. The same epoch has the same ones.
    fn indices(&self, epoch: u64) -> Vec<usize>;
}

/// All samples in their order, which is that of a loader without a sampler.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::{Sampler, SequentialSampler};
/// assert_eq!(SequentialSampler::new(3).indices(0), [0, 1, 2]);
/// ```
#[derive(Debug, Clone)]
pub struct SequentialSampler {
    len: usize,
}

impl SequentialSampler {
    /// The indices below `len`.
    pub fn new(len: usize) -> Self {
        Self { len }
    }
}

impl Sampler for SequentialSampler {
    fn len(&self) -> usize {
        self.len
    }

    fn indices(&self, _epoch: u64) -> Vec<usize> {
        (0..self.len).collect()
    }
}

/// All samples, in another order in each epoch: that of [`DataLoader::shuffle`](super::DataLoader::shuffle).
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::{RandomSampler, Sampler};
/// let sampler = RandomSampler::new(100, 42);
/// assert_ne!(sampler.indices(0), sampler.indices(1));
/// ```
#[derive(Debug, Clone)]
pub struct RandomSampler {
    len: usize,
    seed: u64,
}

impl RandomSampler {
    /// The indices below `len`.
    pub fn new(len: usize, seed: u64) -> Self {
        Self { len, seed }
    }
}

impl Sampler for RandomSampler {
    fn len(&self) -> usize {
        self.len
    }

    fn indices(&self, epoch: u64) -> Vec<usize> {
        shuffled(self.len, self.seed.wrapping_add(epoch))
    }
}

/// Some samples, in another order in each epoch.
///
/// ```
/// use oxtorch::prelude::*;
/// let parts = random_split(1797, &[0.8, 0.2], 42)?;
/// let sampler = data::SubsetRandomSampler::new(parts[1].clone(), 42);
/// let validation = DataLoader::new(digits(), 64).sampler(sampler);
/// assert_eq!(validation.len(), 6);
/// ```
#[derive(Debug, Clone)]
pub struct SubsetRandomSampler {
    indices: Vec<usize>,
    seed: u64,
}

impl SubsetRandomSampler {
    /// The samples of these indices.
    pub fn new(indices: Vec<usize>, seed: u64) -> Self {
        Self { indices, seed }
    }
}

impl Sampler for SubsetRandomSampler {
    fn len(&self) -> usize {
        self.indices.len()
    }

    fn indices(&self, epoch: u64) -> Vec<usize> {
        let mut indices = self.indices.clone();
        shuffle(&mut indices, self.seed.wrapping_add(epoch));
        indices
    }
}

#[cfg(test)]
mod tests {
    use tch::Tensor;

    use super::*;
    use crate::data::{DataLoader, digits};
    use crate::tests::panic_message;

    #[test]
    fn a_subset_comes_whole_and_in_another_order_in_each_epoch() {
        let sampler = SubsetRandomSampler::new((10..60).collect(), 3);
        let mut orders = [0, 1, 0].map(|epoch| sampler.indices(epoch));
        assert_eq!(orders[0], orders[2]);
        assert_ne!(orders[0], orders[1]);
        orders.iter_mut().for_each(|order| order.sort_unstable());
        assert!(orders.iter().all(|order| *order == (10..60).collect::<Vec<_>>()));
    }

    #[test]
    fn a_loader_reads_what_its_sampler_gives() {
        let order = |loader: &DataLoader<crate::data::LabelledImages>| -> Vec<Tensor> {
            loader.iter().map(|(_, labels)| labels).collect()
        };
        let shuffled = DataLoader::new(digits(), 100).shuffle(4);
        let sampled = DataLoader::new(digits(), 100).sampler(RandomSampler::new(1797, 4));
        for _ in 0..2 {
            assert_eq!(order(&shuffled), order(&sampled));
        }
        let few = DataLoader::new(digits(), 4).sampler(SequentialSampler::new(6));
        assert_eq!((few.len(), few.iter().count()), (2, 2));
        assert!(format!("{few:?}").contains("sampler: 6 samples"));
    }

    #[test]
    fn two_orders_and_samples_that_are_not_there_are_refused() {
        let loader = || DataLoader::new(digits(), 4).sampler(SequentialSampler::new(2000));
        assert!(panic_message(|| loader().shuffle(0)).contains("one of `shuffle` and `sampler`"));
        let error = loader().batches().find_map(Result::err).expect("an error").to_string();
        assert_eq!(error, "the sampler gives sample 1797 of 1797, which count from 0");
    }
}
