//! What the tests of several packages need: arbitrary input, and an engine that plays a script.

pub mod metadata;
mod scripted;

use arbtest::ArbTest;
use arbtest::arbitrary::{Result, Unstructured};
pub use scripted::Scripted;

/// Tries the property on arbitrary input; `run` starts it. A run takes a second or two. For a long one say how long:
///
///     OXTORCH_FUZZ_SECONDS=600 cargo test --release -p oxtorch-jupyter --lib wire -- --nocapture
///
/// A failure names a seed, with which `ARBTEST_SEED=... cargo test ...` repeats it.
pub fn fuzz<P: FnMut(&mut Unstructured<'_>) -> Result<()>>(property: P) -> ArbTest<P> {
    let seconds = std::env::var("OXTORCH_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    arbtest::arbtest(property).budget_ms(seconds.map_or(1500, |seconds: u64| seconds * 1000))
}
