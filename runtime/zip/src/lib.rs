//! The kept version of the crate `zip`, for what asks for 0.6: what the two name differently, by its name there.

pub use kept::*;

/// How archives are written.
pub mod write {
    pub use kept::write::*;

    /// The options of one file in an archive.
    pub type FileOptions = SimpleFileOptions;
}
