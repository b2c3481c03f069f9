//! What every cell has in scope. Its names lose to anything that the user defines.

pub use crate::{anyhow, image, ndarray, plotters, rand, tch};
pub use anyhow::{Context, Result, anyhow, bail, ensure};
pub use tch::nn::{Module, ModuleT, OptimizerConfig};
pub use tch::{Device, IndexOp, Kind, Reduction, TchError, Tensor, nn, no_grad, no_grad_guard};
