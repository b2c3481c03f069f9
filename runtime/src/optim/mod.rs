//! Optimisers, and what surrounds them: learning-rate schedules, parameter groups, gradient clipping, averaged weights.
//!
//! [`Adam`], [`AdamW`], [`Sgd`] and [`RmsProp`] are in [`nn`](crate::nn) too. Adam, AdamW and SGD use libtorch's fused
//! kernels. An [`Optimizer`] can be saved and loaded as weights are.
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

mod algorithms;
mod clip;
mod ema;
mod group;
mod lbfgs;
mod optimizer;
mod plateau;
mod schedule;

pub use algorithms::adadelta::Adadelta;
pub use algorithms::adagrad::Adagrad;
pub use algorithms::adam::{Adam, AdamW, adam, adamw};
pub use algorithms::lion::Lion;
pub use algorithms::nadam::NAdam;
pub use algorithms::radam::RAdam;
pub use algorithms::rms_prop::{RmsProp, RmsProp as RMSprop, rms_prop};
pub use algorithms::sgd::{Sgd, Sgd as SGD, sgd};
pub use clip::{clip_grad_norm, clip_grad_value, grad_norm};
pub use ema::Ema;
pub use group::{group_by, parameters};
pub use lbfgs::{LBFGS, LBFGSOptimizer};
pub use optimizer::{Algorithm, Boxed, Optimizer, OptimizerConfig, Parameter, Setting, State};
pub use plateau::{Better, ReduceLROnPlateau};
pub use schedule::{
    ConstantLR, CosineAnnealingLR, CosineAnnealingWarmRestarts, ExponentialLR, LambdaLR, LinearLR, MultiStepLR,
    OneCycleLR, PolynomialLR, Schedule, SequentialLR, StepLR, warmup_cosine,
};
