//! Some of the samples of a data set.

use anyhow::Result;

use super::{Dataset, IntoDataset, Sample};

/// Some of the samples of another data set, in the order of their indices.
///
/// ```
/// use oxtorch::prelude::*;
/// let few = Subset::new(digits(), (0..50).collect())?;
/// assert_eq!(few.len(), 50);
/// ```
#[derive(Debug, Clone)]
pub struct Subset<D> {
    dataset: D,
    indices: Vec<usize>,
}

impl<D: Dataset> Subset<D> {
    /// The samples of these indices, of a set that is given whole or as `&set` (see [`IntoDataset`]).
    ///
    /// # Errors
    ///
    /// Where there is no sample of an index.
    pub fn new<By>(dataset: impl IntoDataset<By, Set = D>, indices: Vec<usize>) -> Result<Self> {
        let dataset = dataset.into_dataset();
        let len = dataset.len();
        if let Some(index) = indices.iter().find(|index| **index >= len) {
            anyhow::bail!("there is no sample {index} among {len}, which count from 0");
        }
        Ok(Self { dataset, indices })
    }

    /// Which samples of the other data set these are.
    pub fn indices(&self) -> &[usize] {
        &self.indices
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

    fn batch(&self, indices: &[usize]) -> Result<D::Sample>
    where
        D::Sample: Sample,
    {
        let indices: Vec<usize> = indices.iter().map(|index| self.indices[*index]).collect();
        self.dataset.batch(&indices)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::digits;

    #[test]
    fn an_index_without_a_sample_is_named() {
        assert!(Subset::new(digits(), vec![1797]).expect_err("none").to_string().contains("1797 among 1797"));
    }

    #[test]
    fn a_subset_knows_its_indices() {
        let few = Subset::new(digits(), vec![7, 3]).expect("two");
        assert_eq!(few.indices(), [7, 3]);
        let (_, labels) = few.batch(&[1, 0]).expect("a batch");
        assert!(labels.equal(&digits().batch(&[3, 7]).expect("a batch").1));
    }
}
