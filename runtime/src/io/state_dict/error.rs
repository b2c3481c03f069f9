//! What can be wrong with weights.

use thiserror::Error;

use crate::io::FileError;

/// Why weights could not be taken over.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StateDictError {
    /// The file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The weights are those of another network. None was taken.
    #[error("{origin} does not fit the network:{}", listed(missing, unexpected, shapes))]
    Mismatch {
        /// Where the weights come from.
        origin: String,
        /// Variables that have no weights.
        missing: Vec<String>,
        /// Weights that have no variable.
        unexpected: Vec<String>,
        /// Weights of another shape: the name, the shape there and here.
        shapes: Vec<(String, Vec<i64>, Vec<i64>)>,
    },
    /// The state is that of another optimizer. None was taken.
    #[error("{origin} does not fit the optimizer: {why}")]
    Optimizer {
        /// Where the state comes from.
        origin: String,
        /// What differs.
        why: String,
    },
}

fn listed(missing: &[String], unexpected: &[String], shapes: &[(String, Vec<i64>, Vec<i64>)]) -> String {
    /// Long networks have long lists, of which the first lines say enough.
    const MOST: usize = 10;
    let mut text = String::new();
    for (what, names) in [("missing", missing), ("unexpected", unexpected)] {
        if !names.is_empty() {
            let more = names.len().saturating_sub(MOST);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            text += &format!("\n  {what}: {}{more}", names[..names.len().min(MOST)].join(", "));
        }
    }
    for (name, there, here) in shapes.iter().take(MOST) {
        text += &format!("\n  shape of {name}: {there:?} there, {here:?} here");
    }
    if !missing.is_empty() && !unexpected.is_empty() {
        text += "\n`StateDict::rename` changes names that differ; `load_partial` loads what fits";
    }
    text
}

/// What [`StateDict::load_partial`](super::StateDict::load_partial) could not bring together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// Variables that have no weights, and stay as they were.
    pub missing: Vec<String>,
    /// Weights that have no variable.
    pub unexpected: Vec<String>,
}
