//! What every Oxtorch cell can use, compiled once into a shared library that the host process loads.
//!
//! A notebook shows what a type writes of itself, so each public one has `Debug` at least.
#![warn(missing_debug_implementations)]

pub mod animation;
pub mod audio;
pub mod cell;
pub mod channel;
pub mod checkpoint;
pub mod data;
pub mod device;
pub mod display;
mod errors;
#[doc(hidden)]
pub mod evcxr;
#[doc(hidden)]
pub mod exported {
    include!(concat!(env!("OUT_DIR"), "/exported.rs"));
}
mod flush;
pub mod font;
#[doc(hidden)]
pub mod host;
#[cfg(test)]
mod indexing_tests;
pub mod input;
pub mod io;
mod live;
pub mod metrics;
pub mod modes;
pub mod nn;
pub mod optim;
pub mod picture;
pub mod plot;
pub mod prelude;
pub mod progress;
#[cfg(test)]
mod reference;
mod replace;
pub mod rl;
pub mod summary;
mod support;
pub mod table;
pub mod tensor;
pub mod text;
pub mod train;

pub use checkpoint::checkpoint;
pub use {anyhow, image, ndarray, plotters, rand, serde_json, tch, tokio};
