//! What surrounds an optimiser: learning-rate schedules, parameter groups, gradient clipping, averaged weights. The
//! optimisers themselves are those of [`nn`](crate::nn): `nn::Sgd`, `nn::Adam`, `nn::AdamW`, `nn::RmsProp`.
//!
//! ```
//! use oxtorch::prelude::*;
//! let vs = nn::VarStore::new(device());
//! let net = nn::linear(vs.root(), 4, 2, Default::default());
//! let mut optimizer = nn::AdamW::default().build(&vs, 1e-3)?;
//! let schedule = optim::OneCycleLR::new(1e-2, 100);
//! for step in 0..100 {
//!     optimizer.set_lr(schedule.lr(step));
//!     let loss = net.forward(&Tensor::randn([8, 4], (Kind::Float, device()))).square().mean(Kind::Float);
//!     optimizer.zero_grad();
//!     loss.backward();
//!     optim::clip_grad_norm(&vs, 1.0);
//!     optimizer.step();
//! }
//! ```

mod clip;
mod ema;
mod group;
mod plateau;
mod schedule;

pub use clip::{clip_grad_norm, clip_grad_value, grad_norm};
pub use ema::Ema;
pub use group::{group_by, parameters};
pub use plateau::{Better, ReduceLROnPlateau};
pub use schedule::{
    ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, LambdaLR, LinearLR, MultiStepLR,
    OneCycleLR, PolynomialLR, Schedule, SequentialLR, StepLR, warmup_cosine,
};
