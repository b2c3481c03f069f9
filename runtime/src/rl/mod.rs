//! Reinforcement learning: environments with the dynamics of Gymnasium, and what agents are built of.
//!
//! | function | environment | observation | action |
//! | --- | --- | --- | --- |
//! | [`cart_pole`] | CartPole-v1 | tensor `[4]` | `usize`, 0 or 1 |
//! | [`mountain_car`] | MountainCar-v0 | tensor `[2]` | `usize`, 0 to 2 |
//! | [`mountain_car_continuous`] | MountainCarContinuous-v0 | tensor `[2]` | `f64` in -1 to 1 |
//! | [`pendulum`] | Pendulum-v1 | tensor `[3]` | `f64` in -2 to 2 |
//! | [`acrobot`] | Acrobot-v1 | tensor `[6]` | `usize`, 0 to 2 |
//! | [`frozen_lake`], [`frozen_lake_8x8`], [`frozen_lake_map`] | FrozenLake-v1 | `usize`, the cell | `usize`, 0 to 3 |
//! | [`cliff_walking`] | CliffWalking-v1 | `usize`, the cell | `usize`, 0 to 3 |
//! | [`taxi`] | Taxi-v4 | `usize`, below 500 | `usize`, 0 to 5 |
//! | [`blackjack`] | Blackjack-v1 | `(sum, dealer, ace)`, each `usize` | `usize`, 0 or 1 |
//! | [`grid_world`] | a map of one's own with walls | `usize`, the cell | `usize`, 0 to 3 |
//! | [`TicTacToe`] | against an opponent, or for two | `usize`, the board | `usize`, 0 to 8 |
//! | [`ConnectFour`] | against an opponent, or for two | tensor `[2, rows, columns]` | `usize`, the column |
//!
//! One of your own implements [`Env`].
//!
//! States of a table are `usize`, so that they index an array; others are float32 tensors, so that they go into a
//! network.
//!
//! ```
//! use oxtorch::prelude::*;
//! let mut env = rl::cart_pole();
//! let mut state = env.reset(7);
//! let mut total = 0.0;
//! loop {
//!     let action = if state.double_value(&[2]) > 0.0 { 1 } else { 0 };
//!     let step = env.step(action);
//!     total += step.reward;
//!     if step.done() { break }
//!     state = step.observation;
//! }
//! assert!(total > 10.0);
//! ```

mod canvas;
mod classic_control;
mod env;
mod games;
mod replay;
mod returns;
#[cfg(test)]
mod tests;
mod toy_text;
mod vec_env;

pub use classic_control::{
    Acrobot, CartPole, MountainCar, MountainCarContinuous, Pendulum, acrobot, cart_pole, mountain_car,
    mountain_car_continuous, pendulum,
};
pub use env::{Env, SetState, Space, Step, TimeLimit};
pub use games::{ConnectFour, FourBoard, Opponent, TicTacToe};
pub use replay::{Batch, IntoAction, PrioritizedBatch, PrioritizedReplayBuffer, ReplayBuffer};
pub use returns::{advantages, discounted_returns, linear_epsilon};
pub use toy_text::{
    Blackjack, BlackjackRules, Grid, Outcome, Taxi, blackjack, cliff_walking, frozen_lake, frozen_lake_8x8,
    frozen_lake_map, grid_world, taxi,
};
pub use vec_env::{Actions, VecEnv, VecStep};
