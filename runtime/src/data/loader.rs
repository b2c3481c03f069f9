//! Batches of a data set, epoch after epoch.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use tch::Device;

use super::dataset::{Dataset, Sample, shuffled};
use crate::lock::lock;

type Change<S> = Box<dyn Fn(S) -> S + Send>;

/// What a thread that reads ahead shares with the loader. One of them reads at a time.
struct Source<D: Dataset> {
    dataset: D,
    changes: Vec<Change<D::Sample>>,
}

impl<D: Dataset> Source<D> {
    fn batch(&self, indices: &[usize]) -> Result<D::Sample> {
        let batch = self.dataset.batch(indices)?;
        Ok(self.changes.iter().fold(batch, |batch, change| change(batch)))
    }
}

/// Gives the batches of a data set; each `for` loop over it is an epoch.
///
/// ```
/// use oxtorch::prelude::*;
/// let (train, test) = digits().split(0.2, 42)?;
/// let loader = DataLoader::new(train, 64).shuffle(42).to_device(device());
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
pub struct DataLoader<D: Dataset> {
    source: Arc<Mutex<Source<D>>>,
    samples: usize,
    batch_size: usize,
    seed: Option<u64>,
    epoch: AtomicU64,
    drop_last: bool,
    prefetch: usize,
    device: Option<Device>,
}

impl<D: Dataset> DataLoader<D> {
    fn batches_of_an_epoch(&self) -> usize {
        if self.drop_last { self.samples / self.batch_size } else { self.samples.div_ceil(self.batch_size) }
    }
}

impl<D: Dataset + Send + 'static> DataLoader<D>
where
    D::Sample: 'static,
{
    /// Batches of `batch_size` samples in their order; the last one may be smaller.
    ///
    /// # Panics
    ///
    /// Where `batch_size` is 0.
    pub fn new(dataset: D, batch_size: usize) -> Self {
        assert!(batch_size > 0, "DataLoader: a batch size of 0; give at least 1");
        let samples = dataset.len();
        let source = Arc::new(Mutex::new(Source { dataset, changes: Vec::new() }));
        let (epoch, seed) = (AtomicU64::new(0), None);
        Self { source, samples, batch_size, seed, epoch, drop_last: false, prefetch: 0, device: None }
    }

    /// Another order in each epoch. The same seed gives the same orders.
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Leaves out a last batch that is smaller than the others.
    pub fn drop_last(mut self) -> Self {
        self.drop_last = true;
        self
    }

    /// Reads up to so many batches ahead in a thread: worth it where reading takes time, as decoding images does.
    pub fn prefetch(mut self, batches: usize) -> Self {
        self.prefetch = batches;
        self
    }

    /// Gives the batches on a device.
    pub fn to_device(mut self, device: Device) -> Self {
        self.device = Some(device);
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
    pub fn map(self, change: impl Fn(D::Sample) -> D::Sample + Send + 'static) -> Self {
        lock(&self.source).changes.push(Box::new(change));
        self
    }

    /// The number of batches in an epoch.
    pub fn len(&self) -> usize {
        self.batches_of_an_epoch()
    }

    /// Whether there is no batch.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The number of samples in the data set.
    pub fn samples(&self) -> usize {
        self.samples
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
        self.epoch.store(epoch, Ordering::Relaxed);
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
    pub fn iter(&self) -> Epoch<D> {
        Epoch(self.batches())
    }

    /// The next epoch's batches, each as a `Result`. An error ends them, so a bar around them is to be told how many
    /// there should be: `progress(loader.batches()).total(loader.len() as u64)`.
    pub fn batches(&self) -> Batches<D> {
        let epoch = self.epoch.fetch_add(1, Ordering::Relaxed);
        let order = match self.seed {
            Some(seed) => shuffled(self.samples, seed.wrapping_add(epoch)),
            None => (0..self.samples).collect(),
        };
        let groups: Vec<Vec<usize>> = order.chunks(self.batch_size).take(self.len()).map(<[usize]>::to_vec).collect();
        let source = Arc::clone(&self.source);
        let read = groups.into_iter().map(move |indices| lock(&source).batch(&indices));
        let read: Read<D::Sample> =
            if self.prefetch == 0 { Box::new(read) } else { Box::new(Ahead::new(read, self.prefetch)) };
        Batches { read: Some(read), device: self.device, left: self.len() }
    }
}

/// Batches as they are read.
type Read<S> = Box<dyn Iterator<Item = Result<S>> + Send>;

/// Batches that a thread of their own reads before they are asked for.
struct Ahead<S> {
    /// Goes first: a thread that waits to send ends then.
    receiver: Option<Receiver<Result<S>>>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Send + 'static> Ahead<S> {
    fn new(batches: impl Iterator<Item = Result<S>> + Send + 'static, depth: usize) -> Self {
        let (sender, receiver) = sync_channel(depth);
        let thread = thread::spawn(move || {
            for batch in batches {
                let failed = batch.is_err();
                if sender.send(batch).is_err() || failed {
                    break;
                }
            }
        });
        Self { receiver: Some(receiver), thread: Some(thread) }
    }
}

impl<S> Iterator for Ahead<S> {
    type Item = Result<S>;

    fn next(&mut self) -> Option<Self::Item> {
        let batch = self.receiver.as_ref().and_then(|receiver| receiver.recv().ok());
        // A panic there is one here.
        if batch.is_none()
            && let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
        {
            resume_unwind(panic);
        }
        batch
    }
}

impl<S> Drop for Ahead<S> {
    fn drop(&mut self) {
        drop(self.receiver.take());
        if let Some(thread) = self.thread.take() {
            // What went wrong there was to be told with a batch that nobody waits for any more.
            let _ = catch_unwind(AssertUnwindSafe(|| thread.join()));
        }
    }
}

/// How many batches there are, of how many samples, and in which order.
impl<D: Dataset> fmt::Debug for DataLoader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { samples, batch_size, seed, epoch, drop_last, prefetch, device, source: _ } = self;
        f.debug_struct("DataLoader")
            .field("batches", &self.batches_of_an_epoch())
            .field("samples", samples)
            .field("batch_size", batch_size)
            .field("shuffle", seed)
            .field("drop_last", drop_last)
            .field("prefetch", prefetch)
            .field("device", device)
            .field("next_epoch", epoch)
            .finish()
    }
}

/// How many batches are left.
impl<D: Dataset> fmt::Debug for Batches<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("left", &self.left).field("device", &self.device).finish_non_exhaustive()
    }
}

/// How many batches are left.
impl<D: Dataset> fmt::Debug for Epoch<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Batches { left, device, read: _ }) = self;
        f.debug_struct("Epoch").field("left", left).field("device", device).finish_non_exhaustive()
    }
}

/// The batches of one epoch. After an error there are no more.
pub struct Batches<D: Dataset> {
    /// None once there are no more.
    read: Option<Read<D::Sample>>,
    device: Option<Device>,
    left: usize,
}

impl<D: Dataset> Iterator for Batches<D> {
    type Item = Result<D::Sample>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ahead of reading it, which may panic.
        self.left = self.left.saturating_sub(1);
        let batch = self.read.as_mut().and_then(Iterator::next);
        if !matches!(batch, Some(Ok(_))) {
            self.left = 0;
            self.read = None;
        }
        match (batch, self.device) {
            (Some(Ok(batch)), Some(device)) => Some(Ok(batch.to_device(device))),
            (batch, _) => batch,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error takes the place of all that are left.
        (self.left.min(1), Some(self.left))
    }
}

/// The batches of one epoch, in a `for` loop.
pub struct Epoch<D: Dataset>(Batches<D>);

impl<D: Dataset> Iterator for Epoch<D> {
    type Item = D::Sample;

    fn next(&mut self) -> Option<D::Sample> {
        self.0.next().map(|batch| batch.unwrap_or_else(|error| panic!("DataLoader: {error:#}")))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Where a batch fails there is a panic, and not an end.
        (self.0.left, Some(self.0.left))
    }
}

impl<D: Dataset> ExactSizeIterator for Epoch<D> {}

impl<D: Dataset + Send + 'static> IntoIterator for &DataLoader<D>
where
    D::Sample: 'static,
{
    type Item = D::Sample;
    type IntoIter = Epoch<D>;

    fn into_iter(self) -> Epoch<D> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Weak;

    use anyhow::bail;
    use tch::{Kind, Tensor};

    use super::*;

    /// The numbers below a length; one of them may fail.
    struct Numbers {
        len: usize,
        fails: Option<usize>,
        alive: Arc<()>,
    }

    impl Dataset for Numbers {
        type Sample = Tensor;

        fn len(&self) -> usize {
            self.len
        }

        fn get(&self, index: usize) -> Result<Tensor> {
            assert!(Arc::strong_count(&self.alive) > 0);
            match self.fails {
                Some(fails) if fails == index => bail!("sample {index} is damaged"),
                _ => Ok(Tensor::from(index as i64)),
            }
        }
    }

    fn numbers(len: usize) -> Numbers {
        Numbers { len, fails: None, alive: Arc::new(()) }
    }

    fn epoch(loader: &DataLoader<Numbers>) -> Vec<Vec<i64>> {
        loader.into_iter().map(|batch| Vec::<i64>::try_from(batch).expect("numbers")).collect()
    }

    #[test]
    fn batches_come_in_order_with_a_smaller_last_one() {
        for prefetch in [0, 1, 3] {
            let loader = DataLoader::new(numbers(7), 3).prefetch(prefetch);
            assert_eq!(epoch(&loader), [vec![0, 1, 2], vec![3, 4, 5], vec![6]]);
            assert_eq!((loader.len(), loader.samples()), (3, 7));
            let loader = loader.drop_last();
            assert_eq!(epoch(&loader), [vec![0, 1, 2], vec![3, 4, 5]]);
            assert_eq!(loader.len(), 2);
        }
    }

    #[test]
    fn a_loader_says_what_it_gives() {
        let loader = DataLoader::new(numbers(7), 3).shuffle(9);
        assert_eq!(
            format!("{loader:?}"),
            "DataLoader { batches: 3, samples: 7, batch_size: 3, shuffle: Some(9), drop_last: false, prefetch: 0, device: None, \
             next_epoch: 0 }"
        );
        let mut epoch = loader.iter();
        assert!(epoch.next().is_some());
        assert_eq!(format!("{epoch:?}"), "Epoch { left: 2, device: None, .. }");
        assert_eq!(format!("{:?}", loader.batches()), "Batches { left: 3, device: None, .. }");
        assert!(format!("{loader:?}").ends_with("next_epoch: 2 }"));
    }

    #[test]
    fn an_epoch_knows_how_many_batches_are_left() {
        for prefetch in [0, 2] {
            let loader = DataLoader::new(numbers(7), 3).prefetch(prefetch);
            let mut epoch = loader.iter();
            for left in [3, 2, 1, 0, 0] {
                assert_eq!((epoch.len(), epoch.size_hint()), (left, (left, Some(left))));
                assert_eq!(epoch.next().is_some(), left > 0);
            }
            assert_eq!(loader.iter().take(2).enumerate().zip(0..9).size_hint(), (2, Some(2)));
            let mut damaged = DataLoader::new(Numbers { fails: Some(4), ..numbers(9) }, 3).prefetch(prefetch).batches();
            for (left, comes) in [((1, Some(3)), true), ((1, Some(2)), true), ((0, Some(0)), false)] {
                assert_eq!((damaged.size_hint(), damaged.next().is_some()), (left, comes));
            }
        }
    }

    #[test]
    fn a_seed_repeats_the_orders_and_each_epoch_has_another() {
        let loaders = [0, 2].map(|prefetch| DataLoader::new(numbers(50), 8).shuffle(9).prefetch(prefetch));
        let [first, second] = loaders.each_ref().map(|loader| [epoch(loader), epoch(loader)]);
        assert_eq!(first, second);
        assert_ne!(first[0], first[1]);
        for epoch in first {
            let mut all = epoch.concat();
            all.sort_unstable();
            assert_eq!(all, (0..50).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_batch_is_changed_on_its_way() {
        for prefetch in [0, 2] {
            let loader = DataLoader::new(numbers(4), 2).prefetch(prefetch).map(|xs| xs * 10).map(|xs| xs + 1);
            assert_eq!(epoch(&loader), [vec![1, 11], vec![21, 31]]);
        }
    }

    #[test]
    fn an_error_ends_the_epoch_and_says_why() {
        for prefetch in [0, 2] {
            let damaged = || Numbers { fails: Some(4), ..numbers(9) };
            let loader = DataLoader::new(damaged(), 3).prefetch(prefetch);
            let batches: Vec<_> = loader.batches().collect();
            assert_eq!(batches.len(), 2);
            assert_eq!(batches[1].as_ref().expect_err("an error").to_string(), "sample 4 is damaged");
            let panic = catch_unwind(AssertUnwindSafe(|| epoch(&loader))).expect_err("a panic");
            assert_eq!(panic.downcast_ref::<String>().expect("a text"), "DataLoader: sample 4 is damaged");
        }
    }

    #[test]
    fn a_panic_while_reading_reaches_the_loop() {
        for prefetch in [0, 2] {
            let loader = DataLoader::new(numbers(9), 3).prefetch(prefetch).map(|xs| {
                assert!(xs.int64_value(&[0]) < 3, "no more of these");
                xs
            });
            let panic = catch_unwind(AssertUnwindSafe(|| epoch(&loader))).expect_err("a panic");
            assert_eq!(panic.downcast_ref::<&str>(), Some(&"no more of these"));
        }
    }

    #[test]
    fn a_loop_that_is_left_early_ends_its_thread() {
        let numbers = numbers(1000);
        let alive: Weak<()> = Arc::downgrade(&numbers.alive);
        let loader = DataLoader::new(numbers, 1).prefetch(2);
        let mut epoch = loader.into_iter();
        assert!(epoch.next().is_some());
        drop(epoch);
        drop(loader);
        assert_eq!(alive.strong_count(), 0, "the thread still holds the data set");
    }

    #[test]
    fn batches_are_given_on_the_device_that_is_asked_for() {
        let loader = DataLoader::new(crate::data::digits(), 1000).to_device(Device::Cpu);
        let sizes: Vec<_> = loader.into_iter().map(|(images, labels)| (images.size(), labels.kind())).collect();
        assert_eq!(sizes, [(vec![1000, 1, 8, 8], Kind::Int64), (vec![797, 1, 8, 8], Kind::Int64)]);
    }
}
