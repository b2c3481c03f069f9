//! What every Oxtorch cell can use, compiled once into a shared library that the host process loads.
//!
//! A notebook shows what a type writes of itself, so each public one has `Debug` at least.
#![warn(missing_debug_implementations)]

pub mod audio;
pub mod autograd;
pub mod cell;
pub mod data;
pub mod device;
pub mod display;
pub mod distributions;
mod elements;
mod error_macros;
#[doc(hidden)]
pub mod host;
pub mod io;
mod lock;
pub mod metrics;
pub mod nn;
pub mod optim;
pub mod plot;
pub mod prelude;
pub mod rl;
mod shim;
mod support;
#[cfg(test)]
mod tests;
pub mod text;
pub mod train;
pub mod vision;
pub mod widgets;

pub use display::{animation, font, picture, progress, table, tensor};
pub use host::checkpoint::checkpoint;
#[doc(hidden)]
pub use host::evcxr;
#[doc(inline)]
pub use host::{checkpoint, input, modes};
pub use nn::summary;
#[cfg(test)]
use tests::reference;
pub use {anyhow, image, ndarray, plotters, rand, serde_json, tch, tokio};
