//! The user's tools: the Rust toolchain, compilers and linkers, rust-analyzer.

pub mod analyzer;
pub mod linker;
pub mod toolchain;
