//! Where batches come from.

use anyhow::Result;

use crate::data::{DataLoader, Dataset};

/// What gives the batches of an epoch: a [`DataLoader`], or something of one's own.
pub trait Loader<S> {
    /// How many batches an epoch has.
    fn batches(&self) -> usize;

    /// The batches of the next epoch.
    fn epoch(&self) -> Box<dyn Iterator<Item = Result<S>> + '_>;
}

impl<D: Dataset + Send + 'static> Loader<D::Sample> for DataLoader<D>
where
    D::Sample: 'static,
{
    fn batches(&self) -> usize {
        self.len()
    }

    fn epoch(&self) -> Box<dyn Iterator<Item = Result<D::Sample>> + '_> {
        Box::new(DataLoader::batches(self))
    }
}
