//! Which part of a data set is meant.

/// The part of a data set that a model learns from, or the one that tells how well it has learnt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Split {
    /// To train on.
    Train,
    /// To test on.
    Test,
}
