//! Columns of one mean and deviation.

use tch::Tensor;

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
    use super::*;
    use crate::reference::Reference;

    #[test]
    fn standardised_columns_are_scikit_learns() {
        let reference = Reference::parse(include_str!("../../../tests/reference/data.json"));
        let scaler = Standardize::fit(&reference.tensor("/scaler/train"));
        reference.check("/scaler/train_out", &scaler.apply(&reference.tensor("/scaler/train")), 1e-5);
        reference.check("/scaler/test_out", &scaler.apply(&reference.tensor("/scaler/test")), 1e-5);
    }
}
