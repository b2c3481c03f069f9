//! Provides what cells run against: libtorch, the C++ shim of `tch`, and the runtime built by the user's toolchain.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A built runtime: everything the engine needs to compile cells and to start a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runtime {
    /// Names this build: a hash of sources, toolchain and libtorch.
    pub key: String,
    /// The toolchain's own `rustc` (not rustup's proxy), which built the runtime and compiles the cells.
    pub rustc: PathBuf,
    /// The output of `rustc -vV`.
    pub toolchain: String,
    /// The runtime's shared library, for `--extern oxtorch=`.
    pub library: PathBuf,
    /// The crates that the runtime was built from, for `-L dependency=`.
    pub dependencies: Vec<PathBuf>,
    /// Where `libtch.so` lies, for `-L native=`.
    pub native: Vec<PathBuf>,
    /// The host's executable; it finds its libraries by itself (rpath).
    pub host: PathBuf,
}
