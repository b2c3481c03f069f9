//! What every Oxtorch cell can use, compiled once into a shared library that the host process loads.

pub mod cell;
pub mod channel;
pub mod checkpoint;
pub mod device;
pub mod digits;
pub mod display;
mod errors;
#[doc(hidden)]
pub mod evcxr;
pub mod font;
#[doc(hidden)]
pub mod host;
pub mod input;
mod live;
pub mod picture;
pub mod plot;
pub mod prelude;
pub mod progress;
pub mod table;
pub mod tensor;

pub use checkpoint::checkpoint;
pub use {anyhow, image, ndarray, plotters, rand, serde_json, tch, tokio};
