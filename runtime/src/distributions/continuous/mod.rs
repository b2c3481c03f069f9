//! Distributions of numbers with a density, one family a file.

pub(super) mod beta;
pub(super) mod dirichlet;
pub(super) mod exponential;
pub(super) mod gamma;
pub(super) mod laplace;
pub(super) mod multivariate_normal;
pub(super) mod normal;
pub(super) mod uniform;
