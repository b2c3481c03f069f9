//! Where batches come from.

use anyhow::Result;

use crate::data::{DataLoader, Dataset, RandomSampler, Sample, Sampler, SequentialSampler};

/// What gives the batches of an epoch: a [`DataLoader`], a data set (see [`BATCH_SIZE`]), or something of one's own.
pub trait Loader<S> {
    /// How many batches an epoch has.
    fn batches(&self) -> usize;

    /// The batches of an epoch: of a training the one with that number, from 0, whose order is the same also when it is
    /// taken up later; the next one where none is given.
    fn epoch(&self, number: Option<u64>) -> Box<dyn Iterator<Item = Result<S>> + '_>;
}

impl<D: Dataset + 'static, B: 'static> Loader<B> for DataLoader<D, B> {
    fn batches(&self) -> usize {
        self.len()
    }

    fn epoch(&self, number: Option<u64>) -> Box<dyn Iterator<Item = Result<B>> + '_> {
        number.into_iter().for_each(|number| self.set_epoch(number));
        Box::new(DataLoader::batches(self))
    }
}

/// The samples in a batch where a [`Trainer`](super::Trainer) is given a data set and no [`DataLoader`]: 32. It is
/// trained on in another order in each epoch, the same ones in each training, and validated, evaluated and predicted in
/// its own order.
pub const BATCH_SIZE: usize = 32;

impl<D: Dataset> Loader<D::Sample> for D
where
    D::Sample: Sample,
{
    fn batches(&self) -> usize {
        self.len().div_ceil(BATCH_SIZE)
    }

    fn epoch(&self, number: Option<u64>) -> Box<dyn Iterator<Item = Result<D::Sample>> + '_> {
        let order = match number {
            Some(number) => RandomSampler::new(self.len(), 0).indices(number),
            None => SequentialSampler::new(self.len()).indices(0),
        };
        let batches: Vec<Vec<usize>> = order.chunks(BATCH_SIZE).map(<[usize]>::to_vec).collect();
        Box::new(batches.into_iter().map(|indices| self.batch(&indices)))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind, Tensor};

    use super::*;
    use crate::data::TensorDataset;

    #[test]
    fn a_set_is_mixed_for_training_and_read_in_its_order_otherwise() {
        let numbers = Tensor::arange(70, (Kind::Int64, Device::Cpu));
        let set = TensorDataset::of(&numbers).expect("rows");
        let loader: &dyn Loader<Tensor> = &set;
        let read = |number| -> Vec<Tensor> { loader.epoch(number).map(|batch| batch.expect("a batch")).collect() };
        let all = |number| Tensor::cat(&read(number), 0);
        assert_eq!((loader.batches(), read(None).len(), read(None)[2].size()), (3, 3, vec![6]));
        assert!(all(None).equal(&numbers));
        assert!(all(Some(1)).equal(&all(Some(1))) && !all(Some(1)).equal(&all(Some(2))));
        assert!(all(Some(1)).sort(0, false).0.equal(&numbers));
    }
}
