//! What every Oxtorch cell can use, compiled once into a shared library that the host process loads.

pub mod cell;
pub mod channel;
pub mod checkpoint;
#[doc(hidden)]
pub mod host;
pub mod prelude;

pub use checkpoint::checkpoint;
pub use {anyhow, image, ndarray, plotters, rand, tch};
