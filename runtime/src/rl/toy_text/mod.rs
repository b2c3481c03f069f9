//! Environments whose states can be counted: Gymnasium's toy text, and mazes of one's own.

mod blackjack;
mod grid;
mod outcome;
mod taxi;

pub use blackjack::{Blackjack, BlackjackRules, blackjack};
pub use grid::{Grid, cliff_walking, frozen_lake, frozen_lake_8x8, frozen_lake_map, grid_world};
pub use outcome::Outcome;
pub use taxi::{Taxi, taxi};
