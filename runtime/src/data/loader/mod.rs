//! Batches of a data set, epoch after epoch.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::vec::IntoIter;

use anyhow::Result;
use tch::Device;

use super::{Dataset, IntoDataset, Sample, Sampler};
use crate::lock::lock;

mod epoch;
mod plan;
#[cfg(test)]
mod tests;

use epoch::{Ahead, Read, Target};
pub use epoch::{Batches, Epoch};
use plan::{Order, Plan};

type Make<D, B> = Box<dyn Fn(&D, &[usize]) -> Result<B> + Send>;
type Change<B> = Box<dyn Fn(B) -> B + Send>;

/// What a thread that reads ahead shares with the loader. One of them reads at a time.
struct Source<D, B> {
    dataset: D,
    make: Make<D, B>,
    changes: Vec<Change<B>>,
}

impl<D: Dataset, B> Source<D, B> {
    fn batch(&self, indices: &[usize]) -> Result<B> {
        let batch = (self.make)(&self.dataset, indices)?;
        Ok(self.changes.iter().fold(batch, |batch, change| change(batch)))
    }
}

/// The batches of an epoch, each read when it is asked for.
struct Reading<D, B> {
    source: Arc<Mutex<Source<D, B>>>,
    groups: IntoIter<Vec<usize>>,
    samples: usize,
}

impl<D: Dataset, B> Iterator for Reading<D, B> {
    type Item = Result<B>;

    fn next(&mut self) -> Option<Result<B>> {
        let indices = self.groups.next()?;
        Some(plan::check(&indices, self.samples).and_then(|()| lock(&self.source).batch(&indices)))
    }
}

/// How many batches are read ahead, and how: only a loader of what can go to another thread has it.
struct Prefetch<D, B> {
    batches: usize,
    start: fn(Reading<D, B>, usize) -> Read<B>,
}

/// Gives the batches of a data set; each `for` loop over it is an epoch.
///
/// ```
/// use oxtorch::prelude::*;
/// let (train, test) = digits().split(0.2, 42)?;
/// let loader = DataLoader::new(&train, 64).shuffle(42).to_device(device());
/// assert_eq!(loader.len(), 23);
/// for epoch in 0..2 {
///     for (images, labels) in &loader {
///         assert_eq!(images.size()[1..], [1, 8, 8]);
///     }
/// }
/// ```
///
/// With [`DataLoader::prefetch`] a thread of its own reads ahead. A data set that fails to read a sample ends the loop
/// with a panic that says why; [`DataLoader::batches`] gives it as a `Result`.
pub struct DataLoader<D: Dataset, B = <D as Dataset>::Sample> {
    source: Arc<Mutex<Source<D, B>>>,
    plan: Plan,
    prefetch: Option<Prefetch<D, B>>,
    target: Option<Target<B>>,
}

impl<D: Dataset + 'static> DataLoader<D>
where
    D::Sample: Sample + 'static,
{
    /// Batches of `batch_size` samples in their order; the last one may be smaller. The data set is given whole, or as
    /// `&set`: then the loader keeps a clone (see [`IntoDataset`]).
    ///
    /// # Panics
    ///
    /// Where `batch_size` is 0.
    pub fn new<By>(dataset: impl IntoDataset<By, Set = D>, batch_size: usize) -> Self {
        Self::of(dataset.into_dataset(), batch_size, Box::new(|dataset: &D, indices| dataset.batch(indices)))
    }
}

impl<D: Dataset + 'static, B: 'static> DataLoader<D, B> {
    /// Batches that a function makes of `batch_size` samples each: for samples of several shapes, or that are no
    /// tensors, such as texts. PyTorch's `collate_fn`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// struct Names(Vec<&'static str>);
    /// impl Dataset for Names {
    ///     type Sample = &'static str;
    ///     fn len(&self) -> usize { self.0.len() }
    ///     fn get(&self, index: usize) -> Result<&'static str> { Ok(self.0[index]) }
    /// }
    /// let loader = DataLoader::with_collate(Names(names()), 32, |names| {
    ///     let codes: Vec<Tensor> = names.iter().map(|name| Tensor::from_slice(name.as_bytes())).collect();
    ///     let lengths: Vec<i64> = names.iter().map(|name| name.len() as i64).collect();
    ///     (nn::utils::rnn::pad_sequence(&codes, true, 0.0, "right"), Tensor::from_slice(&lengths))
    /// })
    /// .shuffle(42);
    /// for (codes, lengths) in &loader {
    ///     assert_eq!(codes.size()[1], lengths.max().int64_value(&[]));
    /// }
    /// ```
    ///
    /// A function that may fail can give a `Result`, which each batch then is.
    ///
    /// # Panics
    ///
    /// Where `batch_size` is 0.
    #[doc(alias = "collate_fn")]
    #[doc(alias = "collate")]
    pub fn with_collate<By>(
        dataset: impl IntoDataset<By, Set = D>,
        batch_size: usize,
        collate: impl Fn(Vec<D::Sample>) -> B + Send + 'static,
    ) -> Self {
        let make = move |dataset: &D, indices: &[usize]| {
            let samples: Vec<_> = indices.iter().map(|index| dataset.get(*index)).collect::<Result<_>>()?;
            Ok(collate(samples))
        };
        Self::of(dataset.into_dataset(), batch_size, Box::new(make))
    }

    fn of(dataset: D, batch_size: usize, make: Make<D, B>) -> Self {
        let plan = Plan::new(dataset.len(), batch_size);
        let source = Arc::new(Mutex::new(Source { dataset, make, changes: Vec::new() }));
        Self { source, plan, prefetch: None, target: None }
    }

    /// Another order in each epoch. The same seed gives the same orders.
    ///
    /// # Panics
    ///
    /// Where there is a sampler, which decides the order.
    pub fn shuffle(self, seed: u64) -> Self {
        self.ordered(Order::Shuffled(seed))
    }

    /// The samples that a [`Sampler`] gives, in its order.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let all = digits();
    /// let sampler = data::StratifiedSampler::new(&all.labels, 42);
    /// for (_, labels) in &DataLoader::new(&all, 100).sampler(sampler).drop_last() {
    ///     assert!(labels.bincount(None::<Tensor>, 10).min().int64_value(&[]) >= 8);
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Where the loader shuffles, or has another sampler.
    pub fn sampler(self, sampler: impl Sampler + Send + Sync + 'static) -> Self {
        self.ordered(Order::Sampler(Box::new(sampler)))
    }

    fn ordered(mut self, order: Order) -> Self {
        self.plan.set_order(order);
        self
    }

    /// Leaves out a last batch that is smaller than the others.
    pub fn drop_last(mut self) -> Self {
        self.plan.drop_last = true;
        self
    }

    /// Reads up to so many batches ahead in a thread: worth it where reading takes time, as decoding images does.
    pub fn prefetch(mut self, batches: usize) -> Self
    where
        D: Send,
        B: Send,
    {
        self.prefetch = Some(Prefetch { batches, start: |reading, batches| Box::new(Ahead::new(reading, batches)) });
        self
    }

    /// Gives the batches on a device.
    pub fn to_device(mut self, device: Device) -> Self
    where
        B: Sample,
    {
        self.target = Some(Target { device, bring: B::to_device });
        self
    }

    /// Changes each batch, such as by an augmentation, where it is read: on the CPU, and ahead of time with
    /// [`DataLoader::prefetch`].
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let loader = DataLoader::new(digits(), 64).map(|(images, labels)| (images * 2.0 - 1.0, labels));
    /// let (images, _) = loader.into_iter().next().context("a batch")?;
    /// assert_eq!(images.min().double_value(&[]), -1.0);
    /// ```
    pub fn map(self, change: impl Fn(B) -> B + Send + 'static) -> Self {
        lock(&self.source).changes.push(Box::new(change));
        self
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.plan.len()
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of samples in the data set.
    pub fn samples(&self) -> usize {
        self.plan.samples
    }

    /// Has the next epoch be the one with that number, from 0: a shuffled order belongs to its number, so a training
    /// that is taken up again sees the orders that it would have seen.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let loader = DataLoader::new(digits(), 64).shuffle(42);
    /// let first = |loader: &DataLoader<_>| loader.into_iter().next().map(|(_, labels)| labels);
    /// let labels = first(&loader);
    /// loader.set_epoch(0);
    /// assert_eq!(first(&loader), labels);
    /// ```
    pub fn set_epoch(&self, epoch: u64) {
        self.plan.epoch.store(epoch, Ordering::Relaxed);
    }

    /// The next epoch's batches, as a `for` loop over `&loader` has them. It knows how many there are, and so does a
    /// bar:
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let loader = DataLoader::new(digits(), 64);
    /// for (step, (images, _)) in progress(loader.iter().take(3).enumerate()) {
    ///     assert_eq!((step < 3, images.size()[0]), (true, 64));
    /// }
    /// ```
    pub fn iter(&self) -> Epoch<B> {
        Epoch(self.batches())
    }

    /// The next epoch's batches, each as a `Result`. An error ends them, so a bar around them is to be told how many
    /// there should be: `progress(loader.batches()).total(loader.len() as u64)`.
    pub fn batches(&self) -> Batches<B> {
        let groups = self.plan.next_epoch();
        let (left, samples) = (groups.len(), self.plan.samples);
        let reading = Reading { source: Arc::clone(&self.source), groups: groups.into_iter(), samples };
        let read = match &self.prefetch {
            Some(Prefetch { batches, start }) if *batches > 0 => start(reading, *batches),
            _ => Box::new(reading),
        };
        Batches::new(read, left, self.target)
    }
}

/// How many batches there are, of how many samples, and in which order.
impl<D: Dataset, B> fmt::Debug for DataLoader<D, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plan, prefetch, target, source: _ } = self;
        let Plan { samples, batch_size, order, epoch, drop_last } = plan;
        let mut text = f.debug_struct("DataLoader");
        text.field("batches", &plan.len()).field("samples", samples).field("batch_size", batch_size);
        match order {
            Order::AsTheyAre => text.field("shuffle", &None::<u64>),
            Order::Shuffled(seed) => text.field("shuffle", &Some(seed)),
            Order::Sampler(sampler) => text.field("sampler", &format_args!("{} samples", sampler.len())),
        };
        text.field("drop_last", drop_last)
            .field("prefetch", &prefetch.as_ref().map_or(0, |prefetch| prefetch.batches))
            .field("device", &target.map(|target| target.device))
            .field("next_epoch", epoch)
            .finish()
    }
}

impl<D: Dataset + 'static, B: 'static> IntoIterator for &DataLoader<D, B> {
    type Item = B;
    type IntoIter = Epoch<B>;

    fn into_iter(self) -> Epoch<B> {
        self.iter()
    }
}
