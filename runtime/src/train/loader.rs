//! Where batches come from.

use anyhow::Result;

use crate::data::{DataLoader, Dataset};

/// What gives the batches of an epoch: a [`DataLoader`], or something of one's own.
pub trait Loader<S> {
    /// How many batches an epoch has.
    fn batches(&self) -> usize;

    /// The batches of an epoch: of a training the one with that number, from 0, whose order is the same also when it is
    /// taken up later; the next one where none is given.
    fn epoch(&self, number: Option<u64>) -> Box<dyn Iterator<Item = Result<S>> + '_>;
}

impl<D: Dataset + Send + 'static> Loader<D::Sample> for DataLoader<D>
where
    D::Sample: 'static,
{
    fn batches(&self) -> usize {
        self.len()
    }

    fn epoch(&self, number: Option<u64>) -> Box<dyn Iterator<Item = Result<D::Sample>> + '_> {
        number.into_iter().for_each(|number| self.set_epoch(number));
        Box::new(DataLoader::batches(self))
    }
}
