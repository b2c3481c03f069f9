//! Samples that lie in memory, each a row of one or several tensors.

use anyhow::{Result, ensure};
use tch::Tensor;

use super::{Dataset, Sample};

/// The same row of several tensors: inputs and targets that lie in memory. Two tensors make pairs; for another number
/// there is [`TensorDataset::of`]. A clone shares the tensors.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::randn([100, 3], (Kind::Float, Device::Cpu));
/// let data = TensorDataset::new(&x, &x.sum_dim_intlist(1i64, false, Kind::Float))?;
/// assert_eq!(data.len(), 100);
/// ```
#[derive(Debug)]
pub struct TensorDataset<S = (Tensor, Tensor)> {
    tensors: S,
    len: usize,
}

impl TensorDataset {
    /// Inputs `[N, ...]` and targets `[N, ...]`.
    ///
    /// # Errors
    ///
    /// Where one has more rows than the other.
    pub fn new(inputs: &Tensor, targets: &Tensor) -> Result<Self> {
        Self::of((inputs, targets))
    }
}

impl<S: Tensors> TensorDataset<S> {
    /// Tensors `[N, ...]`: a reference to one, or a tuple or an array of up to six references. A sample is what is
    /// given, with a row in place of each tensor.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let x = Tensor::randn([100, 3], (Kind::Float, Device::Cpu));
    /// let (y, weights) = (x.square(), x.abs());
    /// for (x, y, weights) in &DataLoader::new(TensorDataset::of((&x, &y, &weights))?, 10) {
    ///     assert_eq!((x.size(), y.size(), weights.size()), (vec![10, 3], vec![10, 3], vec![10, 3]));
    /// }
    /// for x in &DataLoader::new(TensorDataset::of(&x)?, 10) {
    ///     assert_eq!(x.size(), [10, 3]);
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// Where there is none, or one has more rows than another.
    pub fn of(tensors: impl TensorRefs<Tensors = S>) -> Result<Self> {
        let tensors = tensors.shared();
        let mut sizes = Vec::new();
        let _ = tensors.map_each(|tensor| {
            sizes.push(tensor.size());
            Ok(tensor.shallow_clone())
        })?;
        let len = sizes.first().and_then(|size| size.first().copied());
        let Some(len) = len.filter(|len| sizes.iter().all(|size| size.first() == Some(len))) else {
            anyhow::bail!(unequal(&sizes));
        };
        Ok(Self { tensors, len: len as usize })
    }
}

fn unequal(sizes: &[Vec<i64>]) -> String {
    match sizes {
        [] => "a set of no tensors: give at least one".to_owned(),
        [size] => format!("a tensor of {size:?} has no rows: give one of at least one dimension"),
        [inputs, targets] => {
            format!("inputs of {inputs:?} and targets of {targets:?} do not pair up: both need equally many rows")
        }
        sizes => format!("tensors of {sizes:?} do not go together: all need equally many rows"),
    }
}

impl<S: Tensors> Clone for TensorDataset<S> {
    fn clone(&self) -> Self {
        let tensors = self.tensors.map_each(|tensor| Ok(tensor.shallow_clone()));
        Self { tensors: tensors.expect("a reference to a tensor can always be taken"), len: self.len }
    }
}

impl<S: Tensors> Dataset for TensorDataset<S> {
    type Sample = S;

    fn len(&self) -> usize {
        self.len
    }

    fn get(&self, index: usize) -> Result<S> {
        ensure!(index < self.len, "there is no sample {index} among {}, which count from 0", self.len);
        self.tensors.map_each(|tensor| Ok(tensor.f_get(index as i64)?))
    }

    fn batch(&self, indices: &[usize]) -> Result<S> {
        let indices: Vec<i64> = indices.iter().map(|index| *index as i64).collect();
        let indices = Tensor::from_slice(&indices);
        self.tensors.map_each(|tensor| Ok(tensor.f_index_select(0, &indices.to_device(tensor.device()))?))
    }
}

/// Tensors that are a sample: one, or a tuple or an array of them.
pub trait Tensors: Sample {
    /// The same with another tensor in place of each.
    ///
    /// # Errors
    ///
    /// The first of `change`.
    fn map_each(&self, change: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Self>;
}

/// References to tensors: to one, or a tuple or an array of them.
pub trait TensorRefs {
    /// The same without references.
    type Tensors: Tensors;

    /// Further names of the same tensors.
    fn shared(self) -> Self::Tensors;
}

impl Tensors for Tensor {
    fn map_each(&self, mut change: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Self> {
        change(self)
    }
}

impl TensorRefs for &Tensor {
    type Tensors = Tensor;

    fn shared(self) -> Tensor {
        self.shallow_clone()
    }
}

impl<const N: usize> Tensors for [Tensor; N] {
    fn map_each(&self, change: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Self> {
        let changed: Vec<Tensor> = self.iter().map(change).collect::<Result<_>>()?;
        Ok(changed.try_into().expect("as many as there were"))
    }
}

impl<const N: usize> TensorRefs for [&Tensor; N] {
    type Tensors = [Tensor; N];

    fn shared(self) -> [Tensor; N] {
        self.map(Tensor::shallow_clone)
    }
}

macro_rules! tensors {
    (@tensor $part:tt) => { Tensor };
    (@reference $part:tt) => { &Tensor };
    ($($part:tt)*) => {
        impl Tensors for ($(tensors!(@tensor $part),)*) {
            fn map_each(&self, mut change: impl FnMut(&Tensor) -> Result<Tensor>) -> Result<Self> {
                Ok(($(change(&self.$part)?,)*))
            }
        }

        impl TensorRefs for ($(tensors!(@reference $part),)*) {
            type Tensors = ($(tensors!(@tensor $part),)*);

            fn shared(self) -> Self::Tensors {
                ($(self.$part.shallow_clone(),)*)
            }
        }
    };
}
tensors!(0);
tensors!(0 1);
tensors!(0 1 2);
tensors!(0 1 2 3);
tensors!(0 1 2 3 4);
tensors!(0 1 2 3 4 5);

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::data::DataLoader;

    fn columns() -> [Tensor; 3] {
        let column = |at: i64| Tensor::arange_start(at * 10, at * 10 + 5, (Kind::Int64, Device::Cpu));
        [column(0), column(1), column(2)]
    }

    #[test]
    fn a_sample_has_a_row_of_each_tensor() {
        let [a, b, c] = columns();
        let numbers = |tensor: &Tensor| Vec::<i64>::try_from(tensor).expect("numbers");
        let (first, second, third) = TensorDataset::of((&a, &b, &c)).expect("rows").batch(&[4, 1]).expect("a batch");
        assert_eq!([numbers(&first), numbers(&second), numbers(&third)], [[4, 1], [14, 11], [24, 21]]);
        let (only,) = TensorDataset::of((&a,)).expect("rows").get(3).expect("a sample");
        assert_eq!(only.int64_value(&[]), 3);
        assert_eq!(TensorDataset::of(&b).expect("rows").get(3).expect("a sample").int64_value(&[]), 13);
        let loader = DataLoader::new(TensorDataset::of([&a, &c]).expect("rows"), 2);
        let last = loader.iter().last().map(|[first, second]| (numbers(&first), numbers(&second)));
        assert_eq!((loader.len(), last), (3, Some((vec![4], vec![24]))));
    }

    #[test]
    fn samples_of_several_tensors_are_stacked_as_they_lie_in_memory() {
        let [a, b, c] = columns();
        let set = TensorDataset::of([&a, &b, &c]).expect("rows");
        let samples: Vec<_> = [4, 1].into_iter().map(|at| set.get(at).expect("a sample")).collect();
        let (stacked, batch) = (Sample::stack(&samples).expect("a batch"), set.batch(&[4, 1]).expect("a batch"));
        assert!(stacked.iter().zip(&batch).all(|(stacked, batch)| stacked.equal(batch)));
    }

    #[test]
    fn a_clone_shares_the_tensors() {
        let [a, b, _] = columns();
        let set = TensorDataset::new(&a, &b).expect("pairs");
        assert_eq!(set.clone().tensors.0.data_ptr(), a.data_ptr());
    }

    #[test]
    fn tensors_that_do_not_go_together_are_refused() {
        let (a, b) =
            (Tensor::zeros([3, 2], (Kind::Float, Device::Cpu)), Tensor::zeros([4], (Kind::Float, Device::Cpu)));
        let said = |result: Result<()>| result.expect_err("no set").to_string();
        assert!(said(TensorDataset::new(&a, &b).map(|_| ())).contains("inputs of [3, 2] and targets of [4]"));
        assert!(said(TensorDataset::of((&a, &a, &b)).map(|_| ())).contains("[[3, 2], [3, 2], [4]] do not go together"));
        assert!(said(TensorDataset::of(&Tensor::from(1.0)).map(|_| ())).contains("a tensor of [] has no rows"));
        assert!(said(TensorDataset::of([] as [&Tensor; 0]).map(|_| ())).contains("no tensors"));
        let set = TensorDataset::of(&a).expect("rows");
        assert!(said(set.get(3).map(|_| ())).contains("no sample 3 among 3"));
    }
}
