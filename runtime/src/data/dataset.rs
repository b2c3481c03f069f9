//! What can be trained on: samples that are numbered from 0.

use anyhow::{Result, ensure};
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use tch::{Device, Tensor};

use super::{ImageFolder, LabelledImages};
use crate::elements::first_beyond;

/// A tensor, or a few of them that belong together: one sample, or a batch of samples along the first dimension.
pub trait Sample: Send + Sized {
    /// Puts samples of one shape on top of each other.
    ///
    /// # Errors
    ///
    /// Where their shapes differ.
    fn stack(samples: &[Self]) -> Result<Self>;

    /// The same on another device.
    fn to_device(&self, device: Device) -> Self;
}

impl Sample for Tensor {
    fn stack(samples: &[Self]) -> Result<Self> {
        if let Some(other) = samples.iter().find(|sample| sample.size() != samples[0].size()) {
            anyhow::bail!(
                "samples of {:?} and {:?} cannot form a batch: crop, resize or pad them to one shape",
                samples[0].size(),
                other.size()
            );
        }
        Ok(Tensor::f_stack(samples, 0)?)
    }

    fn to_device(&self, device: Device) -> Self {
        Tensor::to_device(self, device)
    }
}

macro_rules! sample {
    (@tensor $part:tt) => { Tensor };
    ($($part:tt)*) => {
        impl Sample for ($(sample!(@tensor $part),)*) {
            fn stack(samples: &[Self]) -> Result<Self> {
                Ok(($({
                    let parts: Vec<Tensor> = samples.iter().map(|sample| sample.$part.shallow_clone()).collect();
                    Sample::stack(&parts)?
                },)*))
            }

            fn to_device(&self, device: Device) -> Self {
                ($(self.$part.to_device(device),)*)
            }
        }
    };
}
sample!(0 1);
sample!(0 1 2);

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
    /// What a sample is, and a batch: mostly `(Tensor, Tensor)`, an input and its target.
    type Sample: Sample;

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
    fn batch(&self, indices: &[usize]) -> Result<Self::Sample> {
        let samples: Vec<_> = indices.iter().map(|index| self.get(*index)).collect::<Result<_>>()?;
        ensure!(!samples.is_empty(), "a batch of no samples");
        Self::Sample::stack(&samples)
    }
}

/// A row of one tensor with the same row of another: inputs and targets that lie in memory.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::randn([100, 3], (Kind::Float, Device::Cpu));
/// let data = TensorDataset::new(&x, &x.sum_dim_intlist(1i64, false, Kind::Float))?;
/// assert_eq!(data.len(), 100);
/// ```
#[derive(Debug)]
pub struct TensorDataset {
    inputs: Tensor,
    targets: Tensor,
}

impl TensorDataset {
    /// Inputs `[N, ...]` and targets `[N, ...]`.
    ///
    /// # Errors
    ///
    /// Where one has more rows than the other.
    pub fn new(inputs: &Tensor, targets: &Tensor) -> Result<Self> {
        let (of_inputs, of_targets) = (inputs.size(), targets.size());
        ensure!(
            !of_inputs.is_empty() && of_inputs.first() == of_targets.first(),
            "inputs of {of_inputs:?} and targets of {of_targets:?} do not pair up: both need equally many rows"
        );
        Ok(Self { inputs: inputs.shallow_clone(), targets: targets.shallow_clone() })
    }
}

impl Dataset for TensorDataset {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        self.targets.size()[0] as usize
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        Ok((self.inputs.f_get(index as i64)?, self.targets.f_get(index as i64)?))
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        rows(&self.inputs, &self.targets, indices)
    }
}

/// Images `[C, H, W]` with their label, a tensor of no dimension; as batches `[N, C, H, W]` and `[N]`.
impl Dataset for LabelledImages {
    type Sample = (Tensor, Tensor);

    fn len(&self) -> usize {
        LabelledImages::len(self)
    }

    fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
        Ok((self.images.f_get(index as i64)?, self.labels.f_get(index as i64)?))
    }

    fn batch(&self, indices: &[usize]) -> Result<(Tensor, Tensor)> {
        rows(&self.images, &self.labels, indices)
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

fn rows(inputs: &Tensor, targets: &Tensor, indices: &[usize]) -> Result<(Tensor, Tensor)> {
    let indices: Vec<i64> = indices.iter().map(|index| *index as i64).collect();
    let indices = Tensor::from_slice(&indices).to_device(inputs.device());
    Ok((inputs.f_index_select(0, &indices)?, targets.f_index_select(0, &indices)?))
}

/// Some of the samples of another data set, in the order of their indices.
///
/// ```
/// use oxtorch::prelude::*;
/// let few = Subset::new(digits(), (0..50).collect())?;
/// assert_eq!(few.len(), 50);
/// ```
#[derive(Debug)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples of these indices.
    ///
    /// # Errors
    ///
    /// Where there is no sample of an index.
    pub fn new(dataset: D, indices: Vec<usize>) -> Result<Self> {
        let len = dataset.len();
        if let Some(index) = indices.iter().find(|index| **index >= len) {
            anyhow::bail!("there is no sample {index} among {len}, which count from 0");
        }
        Ok(Self { dataset, indices })
    }
}

impl<D: Dataset> Dataset for Subset<D> {
    type Sample = D::Sample;

    fn len(&self) -> usize {
        self.indices.len()
    }

    fn get(&self, index: usize) -> Result<D::Sample> {
        let index = self.indices.get(index);
        self.dataset.get(*index.ok_or_else(|| anyhow::anyhow!("the subset has {} samples", self.indices.len()))?)
    }

    fn batch(&self, indices: &[usize]) -> Result<D::Sample> {
        let indices: Vec<usize> = indices.iter().map(|index| self.indices[*index]).collect();
        self.dataset.batch(&indices)
    }
}

/// Divides the indices of `len` samples at random into parts of the given fractions: for [`Subset`] or `index_select`.
/// The same seed gives the same parts.
///
/// ```
/// use oxtorch::prelude::*;
/// let parts = random_split(100, &[0.7, 0.2, 0.1], 42)?;
/// assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [70, 20, 10]);
/// ```
///
/// # Errors
///
/// Where the fractions do not sum to 1.
pub fn random_split(len: usize, fractions: &[f64], seed: u64) -> Result<Vec<Vec<usize>>> {
    let sum: f64 = fractions.iter().sum();
    ensure!(
        (sum - 1.0).abs() < 1e-6 && fractions.iter().all(|fraction| *fraction >= 0.0),
        "fractions of {fractions:?} sum to {sum}; they must not be negative and must sum to 1"
    );
    let order = shuffled(len, seed);
    let mut bounds = vec![0];
    let mut before = 0.0;
    for fraction in fractions {
        before += fraction;
        bounds.push(((len as f64 * before).round() as usize).min(len));
    }
    Ok(bounds.windows(2).map(|bounds| order[bounds[0]..bounds[1]].to_vec()).collect())
}

/// For each of `folds` rounds of cross-validation, the indices to train on and those to test on. Each sample is tested
/// once.
///
/// ```
/// use oxtorch::prelude::*;
/// for (train, test) in k_fold(100, 5, 42)? {
///     assert_eq!((train.len(), test.len()), (80, 20));
/// }
/// ```
///
/// # Errors
///
/// Where there are fewer than 2 folds, or more than samples.
pub fn k_fold(len: usize, folds: usize, seed: u64) -> Result<Vec<(Vec<usize>, Vec<usize>)>> {
    ensure!(folds >= 2 && folds <= len, "{folds} folds of {len} samples: give 2 to {len}");
    let order = shuffled(len, seed);
    let round = |fold: usize| {
        let (from, to) = (len * fold / folds, len * (fold + 1) / folds);
        ([&order[..from], &order[to..]].concat(), order[from..to].to_vec())
    };
    Ok((0..folds).map(round).collect())
}

/// The numbers below `len` in an order that the seed decides.
pub(super) fn shuffled(len: usize, seed: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut StdRng::seed_from_u64(seed));
    order
}

/// 1 in the column of each label and 0 elsewhere: labels `[...]` int64 to `[..., classes]` float32.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(one_hot(&Tensor::from_slice(&[2i64, 0]), 3), Tensor::from_slice2(&[[0f32, 0.0, 1.0], [1.0, 0.0, 0.0]]));
/// ```
///
/// # Panics
///
/// Where a label is not in 0 to `classes`.
pub fn one_hot(labels: &Tensor, classes: i64) -> Tensor {
    if let Some(label) = first_beyond(labels, classes) {
        panic!("one_hot: a label of {label} for {classes} classes, which count from 0");
    }
    labels.to_kind(tch::Kind::Int64).one_hot(classes).to_kind(tch::Kind::Float)
}

/// Brings each column to a mean of 0 and a deviation of 1: fit on what is trained on, and applied to all. As
/// scikit-learn's `StandardScaler`.
///
/// ```
/// use oxtorch::prelude::*;
/// let train = Tensor::from_slice2(&[[1f32, 10.0], [3.0, 30.0]]);
/// let scaler = Standardize::fit(&train);
/// assert_eq!(scaler.apply(&train), Tensor::from_slice2(&[[-1f32, -1.0], [1.0, 1.0]]));
/// assert_eq!(scaler.undo(&scaler.apply(&train)), train);
/// ```
#[derive(Debug)]
pub struct Standardize {
    /// Of each column, `[1, ...]`.
    pub mean: Tensor,
    /// Of each column, `[1, ...]`, with N below the fraction line; 1 where a column is constant.
    pub std: Tensor,
}

impl Standardize {
    /// The statistics over the first dimension of `[N, ...]`.
    pub fn fit(xs: &Tensor) -> Self {
        let (variance, mean) = xs.var_mean_correction([0i64].as_slice(), 0.0, true);
        let std = variance.sqrt();
        let std = std.where_self(&std.gt(0.0), &std.ones_like());
        Self { mean, std }
    }

    /// `(x - mean) / std`
    pub fn apply(&self, xs: &Tensor) -> Tensor {
        (xs - &self.mean) / &self.std
    }

    /// `x * std + mean`
    pub fn undo(&self, xs: &Tensor) -> Tensor {
        xs * &self.std + &self.mean
    }
}

#[cfg(test)]
mod tests {
    use tch::Kind;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn standardised_columns_are_scikit_learns() {
        let reference = Reference::parse(include_str!("../../../tests/reference/data.json"));
        let scaler = Standardize::fit(&reference.tensor("/scaler/train"));
        reference.check("/scaler/train_out", &scaler.apply(&reference.tensor("/scaler/train")), 1e-5);
        reference.check("/scaler/test_out", &scaler.apply(&reference.tensor("/scaler/test")), 1e-5);
    }

    #[test]
    fn the_fast_way_to_a_batch_gives_what_the_slow_way_gives() {
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
        let xs = Tensor::arange(24, (Kind::Float, Device::Cpu)).view([6, 2, 2]);
        let data =
            TensorDataset::new(&xs, &xs.sum_dim_intlist([1i64, 2].as_slice(), false, Kind::Float)).expect("pairs");
        let fast = data.batch(&[4, 0, 5]).expect("a batch");
        let slow = Slow(data).batch(&[4, 0, 5]).expect("a batch");
        assert!(fast.0.equal(&slow.0) && fast.1.equal(&slow.1));
        assert_eq!(fast.1, Tensor::from_slice(&[70f32, 6.0, 86.0]));
    }

    #[test]
    fn what_does_not_fit_is_said() {
        let (a, b) =
            (Tensor::zeros([3, 2], (Kind::Float, Device::Cpu)), Tensor::zeros([4], (Kind::Float, Device::Cpu)));
        assert!(TensorDataset::new(&a, &b).expect_err("no pairs").to_string().contains("[3, 2] and targets of [4]"));
        let samples = [a.shallow_clone(), b];
        assert!(Tensor::stack(&samples[..1], 0).size() == [1, 3, 2]);
        assert!(Sample::stack(&samples).expect_err("no batch").to_string().contains("[3, 2] and [4]"));
        assert!(
            Subset::new(crate::data::digits(), vec![1797]).expect_err("none").to_string().contains("1797 among 1797")
        );
        assert!(random_split(10, &[0.5, 0.6], 0).expect_err("too much").to_string().contains("sum to 1.1"));
        assert!(k_fold(3, 4, 0).is_err() && k_fold(3, 1, 0).is_err());
    }

    #[test]
    fn splits_and_folds_hold_each_sample_once() {
        let parts = random_split(11, &[0.5, 0.25, 0.25], 3).expect("parts");
        let mut all = parts.concat();
        all.sort_unstable();
        assert_eq!(all, (0..11).collect::<Vec<_>>());
        assert_eq!(parts, random_split(11, &[0.5, 0.25, 0.25], 3).expect("parts"));
        let mut tested = Vec::new();
        for (train, test) in k_fold(11, 3, 3).expect("folds") {
            assert_eq!(train.len() + test.len(), 11);
            assert!(test.iter().all(|index| !train.contains(index)));
            tested.extend(test);
        }
        tested.sort_unstable();
        assert_eq!(tested, (0..11).collect::<Vec<_>>());
    }
}
