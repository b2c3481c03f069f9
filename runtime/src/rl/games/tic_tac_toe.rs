//! Tic-tac-toe, for an agent against an opponent.

use tch::Tensor;

use super::Opponent;
use crate::rl::canvas::{BLUE, Canvas, INK, RED, SKY};
use crate::rl::env::{Env, Episode, Space, Step, floats};

const LINES: [[usize; 3]; 8] = [[0, 1, 2], [3, 4, 5], [6, 7, 8], [0, 3, 6], [1, 4, 7], [2, 5, 8], [0, 4, 8], [2, 4, 6]];

/// Tic-tac-toe. Cells 0 to 8 are numbered row by row; the agent has the crosses and begins.
///
/// A state is the board as a number below 3⁹: 0 empty, 1 cross, 2 nought, cell 0 the lowest digit. A game that the one
/// who moves wins is worth 1, one lost to the opponent's answer -1, all else 0.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut game = rl::TicTacToe::new(rl::Opponent::Perfect);
/// game.reset(0);
/// let step = loop {
///     let step = game.step(game.legal_moves()[0]);
///     if step.done() { break step }
/// };
/// assert!(step.reward <= 0.0);
/// ```
#[derive(Debug, Clone)]
pub struct TicTacToe {
    board: [i8; 9],
    turn: i8,
    opponent: Opponent,
    episode: Episode,
}

impl TicTacToe {
    /// A game against an opponent, to be [reset](Env::reset) before the first step.
    pub fn new(opponent: Opponent) -> Self {
        Self { board: [0; 9], turn: 1, opponent, episode: Episode::none() }
    }

    /// The cells: 1 cross, -1 nought, 0 empty.
    pub fn board(&self) -> [i8; 9] {
        self.board
    }

    /// The same as a float32 tensor `[9]`, for a network.
    pub fn features(&self) -> Tensor {
        floats(&self.board.map(f64::from))
    }

    /// The empty cells; none where the game is over.
    pub fn legal_moves(&self) -> Vec<usize> {
        if winner(&self.board) == 0 { empty(&self.board) } else { Vec::new() }
    }

    /// A best move for the player whose turn it is, by minimax; of several the first. None where the game is over.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let mut game = rl::TicTacToe::new(rl::Opponent::Human);
    /// game.reset(0);
    /// [0, 4, 1].map(|cell| game.step(cell));
    /// assert_eq!(game.best_move(), Some(2));
    /// ```
    pub fn best_move(&self) -> Option<usize> {
        minimax(&mut self.board.clone(), self.turn, 9).1
    }

    fn state(&self) -> usize {
        self.board.iter().rev().fold(0, |state, cell| state * 3 + [2, 0, 1][(cell + 1) as usize])
    }

    /// Plays a move, and says whether it wins and whether the game is over.
    fn play(&mut self, cell: usize) -> (bool, bool) {
        self.board[cell] = self.turn;
        self.turn = -self.turn;
        let won = winner(&self.board) != 0;
        (won, won || empty(&self.board).is_empty())
    }
}

fn empty(board: &[i8; 9]) -> Vec<usize> {
    (0..9).filter(|cell| board[*cell] == 0).collect()
}

fn winner(board: &[i8; 9]) -> i8 {
    let full = LINES.iter().find(|line| board[line[0]] != 0 && line.iter().all(|cell| board[*cell] == board[line[0]]));
    full.map_or(0, |line| board[line[0]])
}

/// What the board is worth to the player whose turn it is: 1 won, 0 drawn, -1 lost; and the first move that gets it.
/// What does not end within `depth` moves counts as drawn.
fn minimax(board: &mut [i8; 9], turn: i8, depth: usize) -> (i8, Option<usize>) {
    if winner(board) != 0 {
        return (-1, None);
    }
    if depth == 0 {
        return (0, None);
    }
    let mut best = (0, None);
    for cell in empty(board) {
        board[cell] = turn;
        let value = -minimax(board, -turn, depth - 1).0;
        board[cell] = 0;
        if best.1.is_none() || value > best.0 {
            best = (value, Some(cell));
        }
        if value == 1 {
            break;
        }
    }
    best
}

impl Env for TicTacToe {
    type Action = usize;
    type Observation = usize;

    fn reset(&mut self, seed: u64) -> usize {
        self.episode.begin(seed);
        (self.board, self.turn) = ([0; 9], 1);
        self.state()
    }

    fn step(&mut self, action: usize) -> Step<usize> {
        self.episode.check_action(action, 9);
        assert!(self.board[action] == 0, "cell {action} is taken: the legal moves are {:?}", self.legal_moves());
        let (won, mut over) = self.play(action);
        let mut reward = if won { 1.0 } else { 0.0 };
        let answer = match self.opponent {
            _ if over => None,
            Opponent::Human => None,
            Opponent::Perfect => self.best_move(),
            Opponent::Search(depth) => minimax(&mut self.board.clone(), self.turn, depth.max(1)).1,
            Opponent::Random => {
                let moves = self.legal_moves();
                Some(moves[self.episode.index(moves.len())])
            }
        };
        if let Some(cell) = answer {
            let lost;
            (lost, over) = self.play(cell);
            reward = if lost { -1.0 } else { 0.0 };
        }
        self.episode.end_if(over);
        Step { observation: self.state(), reward, terminated: over, truncated: false }
    }

    fn observation_space(&self) -> Space {
        Space::Discrete(3usize.pow(9))
    }

    fn action_space(&self) -> Space {
        Space::Discrete(9)
    }

    fn render(&self) -> Tensor {
        let mut canvas = Canvas::new(240, 240, SKY);
        for at in [80.0, 160.0] {
            canvas.line((at, 12.0), (at, 228.0), 3.0, INK);
            canvas.line((12.0, at), (228.0, at), 3.0, INK);
        }
        for (cell, owner) in self.board.iter().enumerate() {
            let (x, y) = ((cell % 3) as f64 * 80.0 + 40.0, (cell / 3) as f64 * 80.0 + 40.0);
            match owner {
                1 => {
                    canvas.line((x - 20.0, y - 20.0), (x + 20.0, y + 20.0), 8.0, BLUE);
                    canvas.line((x - 20.0, y + 20.0), (x + 20.0, y - 20.0), 8.0, BLUE);
                }
                -1 => {
                    canvas.circle((x, y), 25.0, RED);
                    canvas.circle((x, y), 17.0, SKY);
                }
                _ => {}
            }
        }
        canvas.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perfect_opponent_never_loses() {
        fn every_game(game: &TicTacToe) -> usize {
            game.legal_moves()
                .into_iter()
                .map(|cell| {
                    let mut next = game.clone();
                    let step = next.step(cell);
                    assert!(step.reward <= 0.0, "{:?}", next.board());
                    if step.done() { 1 } else { every_game(&next) }
                })
                .sum()
        }
        let mut game = TicTacToe::new(Opponent::Perfect);
        game.reset(0);
        // From the first move on, so that the search stays short.
        game.step(1);
        assert!(every_game(&game) > 20);
    }

    #[test]
    fn perfect_play_of_both_draws() {
        let mut game = TicTacToe::new(Opponent::Perfect);
        game.reset(0);
        let last = loop {
            let step = game.step(game.best_move().expect("a move"));
            if step.done() {
                break step;
            }
        };
        assert_eq!((last.reward, empty(&game.board()).len()), (0.0, 0));
    }

    #[test]
    fn a_line_of_three_wins_for_the_one_who_moves() {
        let mut game = TicTacToe::new(Opponent::Human);
        game.reset(0);
        let steps = [3, 0, 4, 1, 8, 2].map(|cell| game.step(cell));
        assert_eq!((steps[5].reward, steps[5].terminated, steps[4].terminated), (1.0, true, false));
        assert!(game.legal_moves().is_empty() && game.best_move().is_none());
        assert_eq!(game.board(), [-1, -1, -1, 1, 1, 0, 0, 0, 1]);
        assert_eq!(steps[0].observation, 27);
    }

    #[test]
    #[should_panic(expected = "cell 4 is taken: the legal moves are [0, 1, 2, 3, 5, 6, 7, 8]")]
    fn no_cell_is_taken_twice() {
        let mut game = TicTacToe::new(Opponent::Human);
        game.reset(0);
        game.step(4);
        game.step(4);
    }
}
