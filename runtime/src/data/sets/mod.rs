//! The data sets: what is downloaded, and what comes with the runtime.

mod cifar;
pub mod digits;
mod karate_club;
mod mnist;
mod shipped;

pub use cifar::{cifar10, cifar100};
pub use digits::{Digits, digits};
pub use karate_club::{LabelledGraph, karate_club};
pub use mnist::{fashion_mnist, mnist};
pub use shipped::{LabelledTable, iris, mnist_10k, moby_dick, names};

/// The part of a data set that a model learns from, or the one that tells how well it has learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To train on.
    Train,
    /// To test on.
    Test,
}
