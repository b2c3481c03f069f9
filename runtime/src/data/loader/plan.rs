//! Which samples the batches of an epoch are made of. It knows no data set, so it is compiled with the runtime, and not
//! with each cell that has a loader.

use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Result, anyhow};

use crate::data::Sampler;
use crate::data::split::shuffled;

/// The order in which samples are read.
pub(super) enum Order {
    AsTheyAre,
    Shuffled(u64),
    Sampler(Box<dyn Sampler + Send + Sync>),
}

pub(super) struct Plan {
    pub(super) samples: usize,
    pub(super) batch_size: usize,
    pub(super) order: Order,
    pub(super) epoch: AtomicU64,
    pub(super) drop_last: bool,
}

impl Plan {
    pub(super) fn new(samples: usize, batch_size: usize) -> Self {
        assert!(batch_size > 0, "DataLoader: a batch size of 0; give at least 1");
        Self { samples, batch_size, order: Order::AsTheyAre, epoch: AtomicU64::new(0), drop_last: false }
    }

    pub(super) fn set_order(&mut self, order: Order) {
        let is_free = match (&self.order, &order) {
            (Order::AsTheyAre, _) | (Order::Shuffled(_), Order::Shuffled(_)) => true,
            (Order::Shuffled(_) | Order::Sampler(_), _) => false,
        };
        assert!(is_free, "DataLoader: one of `shuffle` and `sampler` decides the order; give one of them, once");
        self.order = order;
    }

    /// The number of batches in an epoch.
    pub(super) fn len(&self) -> usize {
        let samples = match &self.order {
            Order::Sampler(sampler) => sampler.len(),
            _ => self.samples,
        };
        if self.drop_last { samples / self.batch_size } else { samples.div_ceil(self.batch_size) }
    }

    /// The samples of each batch of the next epoch.
    pub(super) fn next_epoch(&self) -> Vec<Vec<usize>> {
        let order = self.order_of(self.epoch.fetch_add(1, Ordering::Relaxed));
        order.chunks(self.batch_size).take(self.len()).map(<[usize]>::to_vec).collect()
    }

    fn order_of(&self, epoch: u64) -> Vec<usize> {
        match &self.order {
            Order::AsTheyAre => (0..self.samples).collect(),
            Order::Shuffled(seed) => shuffled(self.samples, seed.wrapping_add(epoch)),
            Order::Sampler(sampler) => sampler.indices(epoch),
        }
    }
}

/// Whether a data set of so many samples has those of a batch, which a sampler of the user's may have given.
pub(super) fn check(indices: &[usize], samples: usize) -> Result<()> {
    match indices.iter().find(|index| **index >= samples) {
        Some(index) => Err(anyhow!("the sampler gives sample {index} of {samples}, which count from 0")),
        None => Ok(()),
    }
}
