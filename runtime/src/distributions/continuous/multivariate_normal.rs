//! The normal distribution of vectors.

use std::borrow::Borrow;
use std::f64::consts::PI;

use tch::Tensor;

use crate::distributions::constraint::{Constraint, check, check_value};
use crate::distributions::distribution::{Distribution, extended};
use crate::distributions::kl::KlDivergence;
use crate::distributions::parameter::{broadcast_all, check_floats};

const FAMILY: &str = "MultivariateNormal";

/// The normal distribution of vectors of D numbers, with the density
/// `exp(-(x - loc)^T Σ^-1 (x - loc) / 2) / sqrt((2 pi)^D det Σ)`. As PyTorch's `MultivariateNormal`.
///
/// It is kept as the Cholesky factor L of its covariance `Σ = L L^T`. If you have L, give that: it costs least.
///
/// ```
/// use oxtorch::prelude::*;
/// use distributions::MultivariateNormal;
/// let loc = Tensor::from_slice(&[0.0f32, 1.0]);
/// let covariance = Tensor::from_slice2(&[[2.0f32, 0.5], [0.5, 1.0]]);
/// let normal = MultivariateNormal::new(&loc, &covariance);
/// let x = normal.sample(&[100]);
/// assert_eq!(x.size(), [100, 2]);
/// assert_eq!(normal.log_prob(&x).size(), [100]);
/// ```
#[derive(Debug)]
pub struct MultivariateNormal {
    /// `[batch shape, D]`.
    loc: Tensor,
    /// `[..., D, D]` with a batch that may be smaller than that of the means.
    factor: Tensor,
}

impl MultivariateNormal {
    /// From means `[..., D]` and covariances `[..., D, D]`, as `MultivariateNormal(loc, covariance_matrix)` in PyTorch.
    ///
    /// # Panics
    ///
    /// Where the covariance is not symmetric and positive definite, or the shapes do not fit.
    #[track_caller]
    pub fn new(loc: impl Borrow<Tensor>, covariance_matrix: impl Borrow<Tensor>) -> Self {
        let (loc, covariance_matrix) = (loc.borrow(), covariance_matrix.borrow());
        let name = "covariance_matrix";
        Self::checked(loc, name, covariance_matrix, &Constraint::Symmetric, |matrix| cholesky(name, matrix))
    }

    /// From means `[..., D]` and inverses of covariances, `[..., D, D]`.
    ///
    /// # Panics
    ///
    /// Where the precision is not symmetric and positive definite, or the shapes do not fit.
    #[track_caller]
    pub fn from_precision_matrix(loc: impl Borrow<Tensor>, precision_matrix: impl Borrow<Tensor>) -> Self {
        let (loc, precision_matrix) = (loc.borrow(), precision_matrix.borrow());
        let name = "precision_matrix";
        Self::checked(loc, name, precision_matrix, &Constraint::Symmetric, |matrix| {
            // The factor of the matrix read backwards is that of its inverse, transposed and inverted.
            let backwards = cholesky(name, &matrix.flip([-2, -1]));
            let inverse = backwards.flip([-2, -1]).mt();
            let one = Tensor::eye(dimension(matrix), (matrix.kind(), matrix.device()));
            inverse.linalg_solve_triangular(&one, false, true, false)
        })
    }

    /// From means `[..., D]` and lower triangular matrices L `[..., D, D]` with a positive diagonal, where the
    /// covariance is `L L^T`.
    ///
    /// # Panics
    ///
    /// Where L is not such a matrix, or the shapes do not fit.
    #[track_caller]
    pub fn from_scale_tril(loc: impl Borrow<Tensor>, scale_tril: impl Borrow<Tensor>) -> Self {
        let (loc, scale_tril) = (loc.borrow(), scale_tril.borrow());
        Self::checked(loc, "scale_tril", scale_tril, &Constraint::LowerCholesky, Tensor::shallow_clone)
    }

    /// From means `[..., D]` and standard deviations `[..., D]` of independent numbers. In PyTorch
    /// `MultivariateNormal(loc, scale_tril=torch.diag_embed(scale))`.
    ///
    /// # Panics
    ///
    /// Where a deviation is not positive, or the shapes do not fit.
    #[track_caller]
    pub fn from_scale_diag(loc: impl Borrow<Tensor>, scale_diag: impl Borrow<Tensor>) -> Self {
        let (loc, scale_diag) = (loc.borrow(), scale_diag.borrow());
        assert!(scale_diag.dim() > 0, "{FAMILY}: `scale_diag` is a single number; it is [..., D]");
        check(FAMILY, &[("scale_diag", scale_diag, &Constraint::Positive)]);
        Self::of(loc, "scale_diag", &scale_diag.diag_embed(0, -2, -1), Tensor::shallow_clone)
    }

    #[track_caller]
    fn checked(
        loc: &Tensor,
        name: &str,
        matrix: &Tensor,
        constraint: &Constraint<'_>,
        factor: impl Fn(&Tensor) -> Tensor,
    ) -> Self {
        let size = matrix.size();
        assert!(
            matches!(size[..], [.., rows, columns] if rows == columns),
            "{FAMILY}: `{name}` of {size:?}; it is [..., D, D] (standard deviations [..., D] are for `from_scale_diag`)"
        );
        check(FAMILY, &[("loc", loc, &Constraint::Real), (name, matrix, constraint)]);
        Self::of(loc, name, matrix, factor)
    }

    #[track_caller]
    fn of(loc: &Tensor, name: &str, matrix: &Tensor, factor: impl Fn(&Tensor) -> Tensor) -> Self {
        check_floats(FAMILY, "loc", loc);
        check_floats(FAMILY, name, matrix);
        let fits = loc.size().last() == Some(&dimension(matrix));
        let Some([loc, _]) = broadcast_all([loc, &matrix.select(-1, 0)]).ok().filter(|_| fits) else {
            panic!(
                "{FAMILY}: `loc` of {:?} and `{name}` of {:?}; they are [..., D] and [..., D, D], or [..., D] for \
                 deviations, and what stands before broadcasts",
                loc.size(),
                matrix.size()
            )
        };
        Self { loc, factor: factor(matrix) }
    }

    /// The mean, `[batch shape, D]`.
    pub fn loc(&self) -> &Tensor {
        &self.loc
    }

    /// The Cholesky factor L of the covariance, `[batch shape, D, D]`.
    pub fn scale_tril(&self) -> Tensor {
        self.expanded(&self.factor)
    }

    /// `[batch shape, D, D]`.
    pub fn covariance_matrix(&self) -> Tensor {
        self.expanded(&self.factor.matmul(&self.factor.mt()))
    }

    /// The inverse of the covariance, `[batch shape, D, D]`.
    pub fn precision_matrix(&self) -> Tensor {
        self.expanded(&self.factor.cholesky_inverse(false))
    }

    fn expanded(&self, matrix: &Tensor) -> Tensor {
        let size = self.loc.size();
        matrix.expand([&size[..], &size[size.len() - 1..]].concat(), false)
    }

    /// `log det L`, half the logarithm of the covariance's determinant.
    fn half_log_det(&self) -> Tensor {
        self.factor.diagonal(0, -2, -1).log().sum_dim_intlist(-1i64, false, None)
    }
}

/// D of `[..., D, D]`.
fn dimension(matrix: &Tensor) -> i64 {
    matrix.size().last().copied().unwrap_or(0)
}

#[track_caller]
fn cholesky(name: &str, matrix: &Tensor) -> Tensor {
    matrix.f_linalg_cholesky(false).unwrap_or_else(|error| {
        let reason = error.to_string();
        let reason = reason.lines().next().unwrap_or_default();
        panic!("{FAMILY}: `{name}` has to be positive definite; adding `1e-6` to its diagonal may help: {reason}")
    })
}

/// `|L^-1 x|^2` for factors `[..., D, D]` and vectors `[..., D]`. What the vectors have on axes that the factors lack
/// become columns of one system of equations, so that no factor is copied.
fn mahalanobis(factor: &Tensor, vectors: &Tensor) -> Tensor {
    let size = vectors.size();
    let (shape, batch) = (&size[..size.len() - 1], &size[size.len() - (factor.dim() - 1)..]);
    let columns = vectors.reshape([&[-1], batch].concat()).movedim_int(0, -1);
    let solved = factor.linalg_solve_triangular(&columns, false, true, false);
    solved.square().sum_dim_intlist(-2i64, false, None).movedim_int(-1, 0).reshape(shape)
}

impl Distribution for MultivariateNormal {
    fn batch_shape(&self) -> Vec<i64> {
        let mut shape = self.loc.size();
        let _ = shape.pop();
        shape
    }

    fn event_shape(&self) -> Vec<i64> {
        self.loc.size().last().copied().into_iter().collect()
    }

    fn has_rsample(&self) -> bool {
        true
    }

    fn rsample(&self, shape: &[i64]) -> Tensor {
        let noise = Tensor::randn(extended(self, shape), (self.loc.kind(), self.loc.device()));
        &self.loc + self.factor.matmul(&noise.unsqueeze(-1)).squeeze_dim(-1)
    }

    #[track_caller]
    fn log_prob(&self, value: &Tensor) -> Tensor {
        let value = check_value(self, &Constraint::Real, value, &self.loc);
        let constant = dimension(&self.factor) as f64 * (2.0 * PI).ln();
        (mahalanobis(&self.factor, &(value - &self.loc)) + constant) * -0.5 - self.half_log_det()
    }

    fn entropy(&self) -> Tensor {
        let constant = 0.5 * dimension(&self.factor) as f64 * (1.0 + (2.0 * PI).ln());
        (self.half_log_det() + constant).expand(self.batch_shape(), false)
    }

    fn mean(&self) -> Tensor {
        self.loc.shallow_clone()
    }

    fn variance(&self) -> Tensor {
        self.factor.square().sum_dim_intlist(-1i64, false, None).expand_as(&self.loc)
    }

    fn mode(&self) -> Tensor {
        self.loc.shallow_clone()
    }
}

impl KlDivergence for MultivariateNormal {
    #[track_caller]
    fn kl_divergence(&self, other: &Self) -> Tensor {
        assert_eq!(self.event_shape(), other.event_shape(), "{FAMILY}: a KL divergence between events of these shapes");
        let ratio = other.factor.linalg_solve_triangular(&self.factor, false, true, false);
        let trace = ratio.square().sum_dim_intlist([-2i64, -1].as_slice(), false, None);
        let distance = mahalanobis(&other.factor, &(&other.loc - &self.loc));
        other.half_log_det() - self.half_log_det() + (trace + distance - dimension(&self.factor) as f64) * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distributions::tests::check_family;

    #[test]
    fn it_is_pytorchs() {
        check_family("normal_covariance", |given| MultivariateNormal::new(&given[0], &given[1]));
        check_family("normal_precision", |given| MultivariateNormal::from_precision_matrix(&given[0], &given[1]));
        check_family("normal_scale_tril", |given| MultivariateNormal::from_scale_tril(&given[0], &given[1]));
        check_family("normal_scale_diag", |given| MultivariateNormal::from_scale_diag(&given[0], &given[1]));
        check_family("normal_batch", |given| MultivariateNormal::from_scale_tril(&given[0], &given[1]));
    }

    #[test]
    #[should_panic(expected = "`covariance_matrix` has to be symmetric, but 1 of 1 are not")]
    fn what_is_not_symmetric_is_refused() {
        let matrix = Tensor::from_slice2(&[[1.0, 0.5], [0.0, 1.0]]);
        let _ = MultivariateNormal::new(Tensor::from_slice(&[0.0, 0.0]), &matrix);
    }

    #[test]
    #[should_panic(expected = "`covariance_matrix` has to be positive definite")]
    fn what_is_not_positive_definite_is_refused() {
        let matrix = Tensor::from_slice2(&[[1.0, 2.0], [2.0, 1.0]]);
        let _ = MultivariateNormal::new(Tensor::from_slice(&[0.0, 0.0]), &matrix);
    }

    #[test]
    #[should_panic(expected = "`covariance_matrix` of [2]; it is [..., D, D] (standard deviations [..., D] are for")]
    fn deviations_are_no_covariance() {
        let _ = MultivariateNormal::new(Tensor::from_slice(&[0.0, 0.0]), Tensor::from_slice(&[1.0, 2.0]));
    }

    #[test]
    #[should_panic(expected = "`loc` of [3] and `scale_tril` of [2, 2]")]
    fn means_of_another_dimension_are_refused() {
        let matrix = Tensor::from_slice2(&[[1.0, 0.0], [2.0, 1.0]]);
        let _ = MultivariateNormal::from_scale_tril(Tensor::from_slice(&[0.0, 0.0, 0.0]), &matrix);
    }
}
