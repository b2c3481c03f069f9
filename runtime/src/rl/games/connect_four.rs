//! Connect four, for an agent against an opponent, or for two.

use std::fmt;

use tch::{Kind, Tensor};

use super::{FourBoard, Opponent};
use crate::rl::canvas::{BLUE, Canvas, RED};
use crate::rl::env::{Env, Episode, Space, Step};

const CELL: f64 = 44.0;
/// The cells of the largest board on which a search to the end takes seconds at most.
const PERFECT_CELLS: usize = 24;

/// Connect four: a stone falls to the lowest free row of its column, and four in a line win. The agent begins, unless
/// the opponent is [`Opponent::Human`], where each step is the move of the player whose turn it is.
///
/// Observation: float32 `[2, rows, columns]`, from the top row down, the stones of the player whose turn it is, and
/// those of the other. Actions are columns. A game that the one who moves wins is worth 1, one lost to the opponent's
/// answer -1, all else 0. For a search of one's own, which copies many boards, there is [`FourBoard`].
///
/// ```
/// use oxtorch::prelude::*;
/// let mut game = rl::ConnectFour::new(rl::Opponent::Search(4));
/// assert_eq!(game.reset(0).size(), [2, 6, 7]);
/// let step = loop {
///     let step = game.step(game.legal_moves()[0]);
///     if step.done() { break step }
/// };
/// assert_eq!(step.reward, -1.0);
/// println!("{game}");
/// image(&game.render())?;
/// ```
#[derive(Debug, Clone)]
pub struct ConnectFour {
    board: FourBoard,
    opponent: Opponent,
    episode: Episode,
}

impl ConnectFour {
    /// A game on 6 rows and 7 columns against an opponent, to be [reset](Env::reset) before the first step.
    ///
    /// # Panics
    ///
    /// For [`Opponent::Perfect`], who takes minutes for a move on this board: give [`Opponent::Search`], or a
    /// [smaller board](ConnectFour::with_board).
    pub fn new(opponent: Opponent) -> Self {
        Self::with_board(6, 7, opponent)
    }

    /// A game on a board of one's own, such as 6 rows and 5 columns.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let mut game = rl::ConnectFour::with_board(6, 5, rl::Opponent::Human);
    /// assert_eq!(game.reset(0).size(), [2, 6, 5]);
    /// let last = [0, 1, 0, 1, 0, 1, 0].map(|column| game.step(column)).into_iter().last().context("a step")?;
    /// assert_eq!((last.reward, last.terminated, game.winner()), (1.0, true, Some(1)));
    /// ```
    ///
    /// # Panics
    ///
    /// Where there is no line of four, the board is too large (see [`FourBoard::new`]), or it has more than 24 cells
    /// and the opponent is [`Opponent::Perfect`].
    pub fn with_board(rows: usize, columns: usize, opponent: Opponent) -> Self {
        let board = FourBoard::new(rows, columns);
        assert!(
            opponent != Opponent::Perfect || rows * columns <= PERFECT_CELLS,
            "a perfect opponent takes minutes for a move on {rows} rows and {columns} columns: give \
             `Opponent::Search(8)`, or a board of {PERFECT_CELLS} cells at most"
        );
        Self { board, opponent, episode: Episode::none() }
    }

    /// The board with its stones.
    pub fn board(&self) -> FourBoard {
        self.board
    }

    /// Begins an episode with a board of one's own, of any size.
    pub fn set_board(&mut self, board: FourBoard) {
        self.episode.begin(0);
        self.episode.end_if(board.legal_moves().is_empty());
        self.board = board;
    }

    /// The columns that take a stone; none where the game is over.
    pub fn legal_moves(&self) -> Vec<usize> {
        self.board.legal_moves()
    }

    /// The player who has four in a line: 1, who began, or -1.
    pub fn winner(&self) -> Option<i8> {
        self.board.winner()
    }

    /// What a network sees of the board: the observation.
    pub fn features(&self) -> Tensor {
        let (rows, columns, turn) = (self.board.rows(), self.board.columns(), self.board.turn());
        let cells = || (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        let of =
            |player: i8| cells().map(move |(row, column)| f32::from(u8::from(self.board.cell(row, column) == player)));
        let stones: Vec<f32> = of(turn).chain(of(-turn)).collect();
        Tensor::from_slice(&stones).view([2, rows as i64, columns as i64]).to_kind(Kind::Float)
    }

    /// Plays a move, and says whether it wins and whether the game is over.
    fn play(&mut self, column: usize) -> (bool, bool) {
        self.board.play(column);
        let won = self.board.winner().is_some();
        (won, won || self.board.is_full())
    }

    fn answer(&mut self) -> Option<usize> {
        let moves = match self.opponent {
            Opponent::Human => return None,
            Opponent::Random => self.legal_moves(),
            Opponent::Perfect => self.board.best_moves(self.board.rows() * self.board.columns()).0,
            Opponent::Search(depth) => self.board.best_moves(depth).0,
        };
        Some(moves[self.episode.index(moves.len())])
    }
}

impl Env for ConnectFour {
    type Action = usize;
    type Observation = Tensor;

    fn reset(&mut self, seed: u64) -> Tensor {
        self.episode.begin(seed);
        self.board = FourBoard::new(self.board.rows(), self.board.columns());
        self.features()
    }

    fn step(&mut self, action: usize) -> Step<Tensor> {
        self.episode.check_action(action, self.board.columns());
        let (won, mut over) = self.play(action);
        let mut reward = if won { 1.0 } else { 0.0 };
        let answer = if over { None } else { self.answer() };
        if let Some(column) = answer {
            let lost;
            (lost, over) = self.play(column);
            reward = if lost { -1.0 } else { 0.0 };
        }
        self.episode.end_if(over);
        Step::new(self.features(), reward, over)
    }

    fn observation_space(&self) -> Space {
        let numbers = 2 * self.board.rows() * self.board.columns();
        Space::Box { low: vec![0.0; numbers], high: vec![1.0; numbers] }
    }

    fn action_space(&self) -> Space {
        Space::Discrete(self.board.columns())
    }

    fn render(&self) -> Tensor {
        let (rows, columns) = (self.board.rows(), self.board.columns());
        let size = |cells: usize| (cells as f64 * CELL) as u32 + 12;
        let mut canvas = Canvas::new(size(columns), size(rows), BLUE);
        for row in 0..rows {
            for column in 0..columns {
                let at = ((column as f64 + 0.5) * CELL + 6.0, (row as f64 + 0.5) * CELL + 6.0);
                let color = match self.board.cell(row, column) {
                    1 => RED,
                    -1 => [246, 206, 70],
                    _ => [236, 240, 248],
                };
                canvas.circle(at, CELL * 0.4, color);
            }
        }
        canvas.tensor()
    }
}

/// The board, as [`FourBoard`] writes it.
impl fmt::Display for ConnectFour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.board.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::panic_message;

    #[test]
    fn an_observation_is_from_the_side_of_the_player_whose_turn_it_is() {
        let mut game = ConnectFour::with_board(4, 5, Opponent::Human);
        let _ = game.reset(0);
        let seen = [2, 2, 3].map(|column| game.step(column))[2].observation.shallow_clone();
        let stone = |plane: i64, row: i64, column: i64| seen.double_value(&[plane, row, column]);
        assert_eq!((stone(0, 2, 2), stone(1, 3, 2), stone(1, 3, 3)), (1.0, 1.0, 1.0));
        assert_eq!((seen.sum(Kind::Float).double_value(&[]), seen.kind()), (3.0, Kind::Float));
        assert_eq!((game.observation_space().len(), game.action_space()), (40, Space::Discrete(5)));
        assert_eq!(game.render().size(), [3, 188, 232]);
        assert!(game.to_string().starts_with(". . . . .\n"));
    }

    fn board(moves: &[usize]) -> FourBoard {
        let mut board = FourBoard::new(6, 7);
        moves.iter().for_each(|column| board.play(*column));
        board
    }

    #[test]
    fn an_opponent_who_looks_ahead_wins_and_blocks() {
        let mut game = ConnectFour::new(Opponent::Search(2));
        // The agent has three in the first column, and plays elsewhere: the opponent must close it.
        game.set_board(board(&[0, 6, 0, 6, 0, 5]));
        game.step(3);
        assert_eq!(game.board().cell(2, 0), -1);
        // Now three of the opponent's and no block: it wins.
        game.set_board(board(&[0, 6, 1, 6, 0, 6]));
        let step = game.step(3);
        assert_eq!((step.reward, step.terminated, game.winner()), (-1.0, true, Some(-1)));
        assert!(panic_message(|| game.step(3)).contains("the episode is over"));
    }

    #[test]
    fn a_perfect_opponent_does_not_lose_a_small_board() {
        for seed in 0..5 {
            let mut game = ConnectFour::with_board(4, 4, Opponent::Perfect);
            let _ = game.reset(seed);
            let last = loop {
                let moves = game.legal_moves();
                let step = game.step(moves[seed as usize % moves.len()]);
                if step.done() {
                    break step;
                }
            };
            assert!(last.reward <= 0.0, "{game}");
        }
        assert!(panic_message(|| ConnectFour::new(Opponent::Perfect)).contains("give `Opponent::Search(8)`"));
    }

    #[test]
    fn a_seed_repeats_a_game_against_chance() {
        let game = |seed| {
            let mut game = ConnectFour::with_board(6, 5, Opponent::Random);
            let _ = game.reset(seed);
            while !game.step(game.legal_moves()[0]).done() {}
            game.board()
        };
        assert_eq!(game(3), game(3));
        assert!((0..10).any(|seed| game(seed) != game(3)));
    }
}
