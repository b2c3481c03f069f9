//! Games for two, against an opponent or for both.

mod connect_four;
mod four_board;
mod tic_tac_toe;

pub use connect_four::ConnectFour;
pub use four_board::FourBoard;
pub use tic_tac_toe::TicTacToe;

/// Who answers the agent's moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opponent {
    /// Any legal move.
    Random,
    /// A best move by a search to the end of the game, so that it never loses where it need not.
    Perfect,
    /// Nobody: each step is the move of the player whose turn it is.
    Human,
    /// A best move by a search of so many moves ahead, 1 or more; of several any.
    Search(usize),
}
