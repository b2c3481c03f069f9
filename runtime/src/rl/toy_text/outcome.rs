//! What actions lead to, as a table knows it.

use crate::rl::env::{Episode, Step};

/// What an action in a state may lead to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// How likely it is.
    pub probability: f64,
    /// The state that is come to.
    pub state: usize,
    /// What it is worth.
    pub reward: f64,
    /// Whether the episode ends there.
    pub terminated: bool,
}

impl Outcome {
    /// One of several, by their probabilities.
    pub(super) fn drawn(outcomes: &[Self], episode: &mut Episode) -> Self {
        let mut left = episode.uniform(0.0, 1.0);
        let is_it = |outcome: &&Self| {
            left -= outcome.probability;
            left < 0.0
        };
        // The last one also where the sum was rounded down.
        *outcomes.iter().find(is_it).unwrap_or(&outcomes[outcomes.len() - 1])
    }
}

impl From<Outcome> for Step<usize> {
    fn from(outcome: Outcome) -> Self {
        Step::new(outcome.state, outcome.reward, outcome.terminated)
    }
}
