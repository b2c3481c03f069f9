//! What can be trained on: samples that are numbered from 0.

use std::rc::Rc;
use std::sync::Arc;

use anyhow::{Result, ensure};
use tch::Tensor;

use super::{ImageFolder, LabelledImages, LabelledTable, Sample, TensorDataset};

/// Numbered samples. Write `len` and `get` for data of your own; [`DataLoader`](super::DataLoader) makes batches of it.
///
/// ```
/// use oxtorch::prelude::*;
/// struct Squares;
/// impl Dataset for Squares {
///     type Sample = (Tensor, Tensor);
///     fn len(&self) -> usize { 100 }
///     fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
///         let x = Tensor::from(index as f32);
///         Ok((x.shallow_clone(), x.square()))
///     }
/// }
/// let loader = DataLoader::new(Squares, 10);
/// for (x, y) in &loader {
///     assert_eq!(x.size(), [10]);
///     assert!(y.equal(&x.square()));
/// }
/// ```
pub trait Dataset {
    /// What a sample is, and a batch: mostly `(Tensor, Tensor)`, an input and its target. Samples of another type need
    /// [`DataLoader::with_collate`](super::DataLoader::with_collate).
    type Sample;

    /// The number of samples.
    fn len(&self) -> usize;

    /// Whether there is no sample.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One sample.
    ///
    /// # Errors
    ///
    /// Where it cannot be read.
    fn get(&self, index: usize) -> Result<Self::Sample>;

    /// Several samples as a batch. Data that lies in one tensor has a faster way than the default, which gets one after
    /// the other.
    ///
    /// # Errors
    ///
    /// Where one cannot be read, or they do not fit together.
    fn batch(&self, indices: &[usize]) -> Result<Self::Sample>
    where
        Self::Sample: Sample,
    {
        let samples: Vec<_> = indices.iter().map(|index| self.get(*index)).collect::<Result<_>>()?;
        ensure!(!samples.is_empty(), "a batch of no samples");
        Self::Sample::stack(&samples)
    }
}

macro_rules! behind_a_pointer {
    ($($pointer:ident)*) => {$(
        impl<D: Dataset + ?Sized> Dataset for $pointer<D> {
            type Sample = D::Sample;

            fn len(&self) -> usize {
                (**self).len()
            }

            fn get(&self, index: usize) -> Result<D::Sample> {
                (**self).get(index)
            }

            fn batch(&self, indices: &[usize]) -> Result<D::Sample>
            where
                D::Sample: Sample,
            {
                (**self).batch(indices)
            }
        }
    )*};
}
behind_a_pointer!(Arc Box Rc);

/// What takes a data set takes it whole, or as `&set`: then it keeps a clone, so that it stays when a cell ends. The
/// clones of the sets of this library share their tensors. A set of one's own that has no `Clone` can be lent in an
/// [`Rc`]; for [`DataLoader::prefetch`](super::DataLoader::prefetch) it has to be given whole, or needs `Clone`.
///
/// ```
/// use oxtorch::prelude::*;
/// use std::rc::Rc;
/// struct Squares(Tensor);
/// impl Dataset for Squares {
///     type Sample = (Tensor, Tensor);
///     fn len(&self) -> usize { self.0.size()[0] as usize }
///     fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
///         let x = self.0.get(index as i64);
///         Ok((x.shallow_clone(), x.square()))
///     }
/// }
/// let squares = Rc::new(Squares(Tensor::arange(100, (Kind::Float, Device::Cpu))));
/// let (loader, few) = (DataLoader::new(&squares, 10), Subset::new(&squares, vec![1, 2, 3])?);
/// assert_eq!((loader.len(), few.len(), squares.len()), (10, 3, 100));
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no data set that can be taken",
    label = "neither a `Dataset` nor a reference to one that has `Clone`",
    note = "what is given as `&set` is cloned: give `set` itself, write `#[derive(Clone)]`, or lend an `Rc`: `let set \
            = std::rc::Rc::new(set);` and `&set`"
)]
pub trait IntoDataset<By> {
    /// What is kept.
    type Set: Dataset;

    /// The set to keep.
    fn into_dataset(self) -> Self::Set;
}

/// How a data set is given: itself.
#[derive(Debug)]
pub enum Whole {}

/// How a data set is given: by a reference.
#[derive(Debug)]
pub enum Lent {}

impl<D: Dataset> IntoDataset<Whole> for D {
    type Set = D;

    fn into_dataset(self) -> D {
        self
    }
}

impl<D: Dataset + Clone> IntoDataset<Lent> for &D {
    type Set = D;

    fn into_dataset(self) -> D {
        self.clone()
    }
}

impl LabelledImages {
    fn pairs(&self) -> Result<TensorDataset> {
        TensorDataset::new(&self.images, &self.labels)
    }
}

/// Images `[C, H, W]` with their label, a tensor of no dimension; as batches `[N, C, H, W]` and `[N]`.
impl Dataset for LabelledImages {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        LabelledImages::len(self)
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        self.pairs()?.get(index)
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        self.pairs()?.batch(indices)
    }
}

/// Images are read from their files when they are asked for.
impl Dataset for ImageFolder {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        ImageFolder::len(self)
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        let (image, label) = ImageFolder::get(self, index)?;
        Ok((image, Tensor::from(label)))
    }
}

impl LabelledTable {
    fn pairs(&self) -> Result<TensorDataset> {
        TensorDataset::new(&self.features, &self.labels)
    }
}

/// Rows of features with their label: `[features]` and a tensor of no dimension; as batches `[N, features]` and `[N]`.
impl Dataset for LabelledTable {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.labels.numel()
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        self.pairs()?.get(index)
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        self.pairs()?.batch(indices)
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::data::{DataLoader, Subset, digits, iris};

    struct Slow(TensorDataset);

    impl Dataset for Slow {
        type Sample = (Tensor, Tensor);

        fn len(&self) -> usize {
            self.0.len()
        }

        fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
            self.0.get(index)
        }
    }

    fn pairs() -> TensorDataset {
        let xs = Tensor::arange(24, (Kind::Float, Device::Cpu)).view([6, 2, 2]);
        TensorDataset::new(&xs, &xs.sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Float)).expect("pairs")
    }

    #[test]
    fn the_fast_way_to_a_batch_gives_what_the_slow_way_gives() {
        let fast = pairs().batch(&[4, 0, 5]).expect("a batch");
        let slow = Slow(pairs()).batch(&[4, 0, 5]).expect("a batch");
        assert!(fast.0.equal(&slow.0) && fast.1.equal(&slow.1));
        assert_eq!(fast.1, Tensor::from_slice(&[70f32, 6.0, 86.0]));
    }

    #[test]
    fn a_set_is_taken_whole_lent_or_behind_a_pointer() {
        let sums = |loader: &dyn Fn() -> Vec<(Tensor, Tensor)>| -> Vec<f64> {
            loader().iter().map(|(_, sums)| sums.sum(Kind::Double).double_value(&[])).collect()
        };
        let set = pairs();
        let lent = DataLoader::new(&set, 4).prefetch(1);
        let boxed: Box<dyn Dataset<Sample = (Tensor, Tensor)> + Send> = Box::new(Slow(pairs()));
        let boxed = DataLoader::new(boxed, 4);
        let shared: Rc<dyn Dataset<Sample = (Tensor, Tensor)>> = Rc::new(digits());
        let (first, again) =
            (DataLoader::new(&shared, 1000), DataLoader::new(Subset::new(&shared, vec![3]).expect("one"), 1));
        assert_eq!((first.len(), again.len(), shared.len()), (2, 1, 1797));
        let expected = sums(&|| DataLoader::new(set.clone(), 4).iter().collect());
        assert_eq!(expected.len(), 2);
        assert_eq!(sums(&|| lent.iter().collect()), expected);
        assert_eq!(sums(&|| boxed.iter().collect()), expected);
    }

    #[test]
    fn the_rows_of_a_table_are_samples() {
        let (features, labels) = iris().batch(&[0, 149]).expect("a batch");
        assert_eq!((features.size(), labels), (vec![2, 4], Tensor::from_slice(&[0i64, 2])));
        assert_eq!(DataLoader::new(&iris(), 50).len(), 3);
    }
}
