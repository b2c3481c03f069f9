//! The batches of one epoch, as they are asked for or read ahead in a thread.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use anyhow::Result;
use tch::Device;

/// The device that batches are wanted on.
pub(super) struct Target<B> {
    pub(super) device: Device,
    /// What brings a batch there.
    pub(super) bring: fn(&B, Device) -> B,
}

impl<B> Clone for Target<B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Target<B> {}

/// Batches as they are read.
pub(super) type Read<S> = Box<dyn Iterator<Item = Result<S>>>;

/// Batches that a thread of their own reads before they are asked for.
pub(super) struct Ahead<S> {
    /// Goes first: a thread that waits to send ends then.
    receiver: Option<Receiver<Result<S>>>,
    thread: Option<JoinHandle<()>>,
}

impl<S: Send + 'static> Ahead<S> {
    pub(super) fn new(batches: impl Iterator<Item = Result<S>> + Send + 'static, depth: usize) -> Self {
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

/// How many batches are left.
impl<B> fmt::Debug for Batches<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batches").field("left", &self.left).field("device", &self.device()).finish_non_exhaustive()
    }
}

/// How many batches are left.
impl<B> fmt::Debug for Epoch<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epoch").field("left", &self.0.left).field("device", &self.0.device()).finish_non_exhaustive()
    }
}

/// The batches of one epoch. After an error there are no more.
pub struct Batches<B> {
    /// None once there are no more.
    read: Option<Read<B>>,
    target: Option<Target<B>>,
    left: usize,
}

impl<B> Batches<B> {
    /// So many batches.
    pub(super) fn new(read: Read<B>, left: usize, target: Option<Target<B>>) -> Self {
        Self { read: Some(read), target, left }
    }

    fn device(&self) -> Option<Device> {
        self.target.map(|target| target.device)
    }
}

impl<B> Iterator for Batches<B> {
    type Item = Result<B>;

    fn next(&mut self) -> Option<Self::Item> {
        // Ahead of reading it, which may panic.
        self.left = self.left.saturating_sub(1);
        let batch = self.read.as_mut().and_then(Iterator::next);
        if !matches!(batch, Some(Ok(_))) {
            self.left = 0;
            self.read = None;
        }
        match (batch, self.target) {
            (Some(Ok(batch)), Some(target)) => Some(Ok((target.bring)(&batch, target.device))),
            (batch, _) => batch,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // An error takes the place of all that are left.
        (self.left.min(1), Some(self.left))
    }
}

/// The batches of one epoch, in a `for` loop.
pub struct Epoch<B>(pub(super) Batches<B>);

impl<B> Iterator for Epoch<B> {
    type Item = B;

    fn next(&mut self) -> Option<B> {
        self.0.next().map(|batch| batch.unwrap_or_else(|error| panic!("DataLoader: {error:#}")))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        // Where a batch fails there is a panic, and not an end.
        (self.0.left, Some(self.0.left))
    }
}

impl<B> ExactSizeIterator for Epoch<B> {}
