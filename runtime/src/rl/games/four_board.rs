//! The board of connect four, as two numbers of 64 bits.

use std::fmt;

use crate::checkpoint::checkpoint;

/// A board of connect four with its stones, small enough to be copied for each move of a search: a column takes its
/// rows and one bit more, which stays empty so that lines do not go on in the next column.
///
/// Columns are numbered from the left, from 0; the player 1 begins.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut board = rl::FourBoard::new(6, 7);
/// for column in [3, 3, 4, 4, 5, 5] {
///     board.play(column);
/// }
/// assert_eq!((board.turn(), board.winner()), (1, None));
/// board.play(6);
/// assert_eq!(board.winner(), Some(1));
/// println!("{board}");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FourBoard {
    /// Of the player whose turn it is.
    own: u64,
    /// Of both.
    all: u64,
    rows: u8,
    columns: u8,
    moves: u8,
}

impl FourBoard {
    /// An empty board: 6 rows and 7 columns in the game that is sold.
    ///
    /// # Panics
    ///
    /// Where there is no line of four, or rows and columns do not go into 64 bits: `(rows + 1) * columns <= 64`.
    pub fn new(rows: usize, columns: usize) -> Self {
        let is_one = rows > 0 && columns > 0 && rows.max(columns) >= 4;
        assert!(is_one, "a board of {rows} rows and {columns} columns has no line of four");
        assert!(
            (rows + 1).saturating_mul(columns) <= 64,
            "a board of {rows} rows and {columns} columns is too large: (rows + 1) * columns is 64 at most"
        );
        Self { own: 0, all: 0, rows: rows as u8, columns: columns as u8, moves: 0 }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        usize::from(self.rows)
    }

    /// The number of columns.
    pub fn columns(&self) -> usize {
        usize::from(self.columns)
    }

    /// How many stones there are.
    pub fn moves(&self) -> usize {
        usize::from(self.moves)
    }

    /// The player whose turn it is: 1, who began, or -1.
    pub fn turn(&self) -> i8 {
        if self.moves.is_multiple_of(2) { 1 } else { -1 }
    }

    /// Whether a stone can be put into a column. It says nothing about whether the game is over.
    pub fn is_open(&self, column: usize) -> bool {
        column < self.columns() && self.all & self.top(column) == 0
    }

    /// The columns that take a stone; none where the game is over.
    pub fn legal_moves(&self) -> Vec<usize> {
        if self.winner().is_some() {
            return Vec::new();
        }
        (0..self.columns()).filter(|column| self.is_open(*column)).collect()
    }

    /// Puts a stone of the player whose turn it is into a column.
    ///
    /// # Panics
    ///
    /// Where there is no such column, or it is full, or somebody has won.
    pub fn play(&mut self, column: usize) {
        assert!(self.winner().is_none(), "the game is over: player {} has won", -self.turn());
        let columns = self.columns();
        assert!(column < columns, "there is no column {column}: columns count from 0 to {}", columns - 1);
        assert!(self.is_open(column), "column {column} is full: the legal moves are {:?}", self.legal_moves());
        self.put(column);
    }

    fn put(&mut self, column: usize) {
        self.own ^= self.all;
        self.all |= self.all + self.bottom(column);
        self.moves += 1;
    }

    /// The player who has four in a line: 1 or -1.
    pub fn winner(&self) -> Option<i8> {
        // Only the last stone can have made a line.
        self.has_line(self.own ^ self.all).then(|| -self.turn())
    }

    /// Whether all columns are full.
    pub fn is_full(&self) -> bool {
        self.moves() == self.rows() * self.columns()
    }

    /// The owner of a cell, by row from the top and column from the left: 1, -1, or 0 where it is empty.
    ///
    /// # Panics
    ///
    /// Where there is no such cell.
    pub fn cell(&self, row: usize, column: usize) -> i8 {
        let (rows, columns) = (self.rows(), self.columns());
        assert!(
            row < rows && column < columns,
            "there is no cell {row}, {column} among {rows} rows and {columns} columns"
        );
        let bit = self.bottom(column) << (rows - 1 - row);
        match (self.all & bit != 0, self.own & bit != 0) {
            (false, _) => 0,
            (true, true) => self.turn(),
            (true, false) => -self.turn(),
        }
    }

    /// The columns that are worth most to the player whose turn it is, by a search of `depth` moves ahead, and that
    /// worth: 1 where they win, the sooner the better, -1 where they lose, as late as possible, 0 where the search sees
    /// no end or a draw. None where the game is over.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let mut board = rl::FourBoard::new(6, 7);
    /// for column in [2, 2, 3, 3] {
    ///     board.play(column);
    /// }
    /// // With a third stone beside the others, either side wins.
    /// assert_eq!(board.best_moves(3), (vec![1, 4], 1));
    /// ```
    ///
    /// # Panics
    ///
    /// Where `depth` is 0.
    pub fn best_moves(&self, depth: usize) -> (Vec<usize>, i8) {
        assert!(depth > 0, "a search of 0 moves ahead finds no move; give at least 1");
        let mut seen = Seen::new();
        let worth = |column: &usize| {
            let mut next = *self;
            next.put(*column);
            -next.search(depth - 1, -WIN, WIN, &mut seen)
        };
        let moves = self.legal_moves();
        let worths: Vec<i32> = moves.iter().map(worth).collect();
        let best = worths.iter().copied().max().unwrap_or(0);
        let is_best = |(_, worth): &(usize, i32)| *worth == best;
        let moves = moves.into_iter().zip(worths).filter(is_best).map(|(column, _)| column).collect();
        (moves, best.signum() as i8)
    }

    /// What the board is worth to the player whose turn it is, between two bounds: [`WIN`] less the number of stones at
    /// the end where they win, the opposite where they lose.
    fn search(&self, depth: usize, mut low: i32, mut high: i32, seen: &mut Seen) -> i32 {
        if self.has_line(self.own ^ self.all) {
            return i32::from(self.moves) - WIN;
        }
        if depth == 0 || self.is_full() {
            return 0;
        }
        if self.wins_next() {
            return WIN - i32::from(self.moves) - 1;
        }
        if depth >= Seen::LEAST_DEPTH {
            match seen.get(self, depth) {
                Some((worth, Bound::Exact)) => return worth,
                Some((worth, Bound::Least)) => low = low.max(worth),
                Some((worth, Bound::Most)) => high = high.min(worth),
                None => {}
            }
            if low >= high {
                return low;
            }
        }
        let (asked, mut best) = (low, -WIN);
        for column in self.middle_first() {
            let mut next = *self;
            next.put(column);
            best = best.max(-next.search(depth - 1, -high, -low, seen));
            low = low.max(best);
            if low >= high {
                break;
            }
        }
        if depth >= Seen::LEAST_DEPTH {
            checkpoint();
            let bound = if best <= asked {
                Bound::Most
            } else if best >= high {
                Bound::Least
            } else {
                Bound::Exact
            };
            seen.put(self, depth, best, bound);
        }
        best
    }

    /// Whether one stone more makes a line.
    fn wins_next(&self) -> bool {
        let mut open = (0..self.columns()).filter(|column| self.is_open(*column));
        open.any(|column| {
            let stone = (self.all + self.bottom(column)) & self.column(column);
            self.has_line(self.own | stone)
        })
    }

    /// The open columns, those in the middle first: more lines go through them.
    fn middle_first(&self) -> impl Iterator<Item = usize> {
        let (board, columns) = (*self, self.columns());
        let middle = (columns - 1) / 2;
        let nth = move |at: usize| if at % 2 == 1 { middle + at.div_ceil(2) } else { middle - at / 2 };
        (0..columns).map(nth).filter(move |column| board.is_open(*column))
    }

    fn has_line(&self, stones: u64) -> bool {
        let up = u32::from(self.rows) + 1;
        // Up, right, and the two diagonals.
        [1, up, up - 1, up + 1].into_iter().any(|step| {
            let pairs = stones & (stones >> step);
            pairs & (pairs >> (2 * step)) != 0
        })
    }

    fn bottom(&self, column: usize) -> u64 {
        1 << (column * (self.rows() + 1))
    }

    fn top(&self, column: usize) -> u64 {
        self.bottom(column) << (self.rows() - 1)
    }

    /// All cells of a column.
    fn column(&self, column: usize) -> u64 {
        ((1 << self.rows()) - 1) << (column * (self.rows() + 1))
    }
}

/// Above the stones of any board.
const WIN: i32 = 100;

/// What a worth that a search found says about the true one.
#[derive(Clone, Copy)]
enum Bound {
    Exact,
    Least,
    Most,
}

/// Worths that a search has found, each in the place that its board gives; a later one takes the place of another.
struct Seen(Vec<Option<(FourBoard, u8, i8, Bound)>>);

impl Seen {
    /// The searches that are worth to be kept.
    const LEAST_DEPTH: usize = 4;
    const PLACES: usize = 1 << 18;

    fn new() -> Self {
        Self(Vec::new())
    }

    fn place(board: &FourBoard) -> usize {
        // Stones of one player and those of both tell boards apart; the factor spreads the sums.
        (board.own.wrapping_add(board.all).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize % Self::PLACES
    }

    fn get(&self, board: &FourBoard, depth: usize) -> Option<(i32, Bound)> {
        let (of, to, worth, bound) = (*self.0.get(Self::place(board))?)?;
        (of == *board && usize::from(to) == depth).then_some((i32::from(worth), bound))
    }

    fn put(&mut self, board: &FourBoard, depth: usize, worth: i32, bound: Bound) {
        if self.0.is_empty() {
            self.0.resize(Self::PLACES, None);
        }
        self.0[Self::place(board)] = Some((*board, depth.min(255) as u8, worth as i8, bound));
    }
}

/// Rows of `X`, who began, `O` and `.`, with the numbers of the columns below.
impl fmt::Display for FourBoard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |owner: i8| ['O', '.', 'X'][(owner + 1) as usize];
        for row in 0..self.rows() {
            let cells: Vec<String> =
                (0..self.columns()).map(|column| letter(self.cell(row, column)).to_string()).collect();
            writeln!(f, "{}", cells.join(" "))?;
        }
        let numbers: Vec<String> = (0..self.columns()).map(|column| (column % 10).to_string()).collect();
        f.write_str(&numbers.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::panic_message;

    fn played(rows: usize, columns: usize, moves: &[usize]) -> FourBoard {
        let mut board = FourBoard::new(rows, columns);
        moves.iter().for_each(|column| board.play(*column));
        board
    }

    /// Whether a player has a line, cell by cell.
    fn has_line_by_cells(board: &FourBoard, player: i8) -> bool {
        let (rows, columns) = (board.rows() as i64, board.columns() as i64);
        let owner = |row: i64, column: i64| {
            let is_in = (0..rows).contains(&row) && (0..columns).contains(&column);
            if is_in { board.cell(row as usize, column as usize) } else { 0 }
        };
        let starts = (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column)));
        starts.into_iter().any(|(row, column)| {
            let ways = [(0, 1), (1, 0), (1, 1), (1, -1)];
            ways.iter().any(|(down, right)| (0..4).all(|at| owner(row + at * down, column + at * right) == player))
        })
    }

    #[test]
    fn nobody_plays_on_once_a_player_has_won() {
        let mut board = FourBoard::new(6, 7);
        [0, 1, 0, 1, 0, 1, 0].into_iter().for_each(|column| board.play(column));
        let message = crate::tests::panic_message(|| board.play(5));
        assert_eq!(message, "the game is over: player 1 has won");
        assert_eq!(board.winner(), Some(1));
    }

    #[test]
    fn lines_are_found_as_cell_by_cell_on_boards_of_all_sizes() {
        for (rows, columns) in [(6, 7), (6, 5), (5, 6), (4, 4), (7, 8), (1, 9), (12, 4)] {
            let mut wins = 0;
            for seed in 0..200u64 {
                let mut board = FourBoard::new(rows, columns);
                let mut number = seed;
                while !board.legal_moves().is_empty() {
                    number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let moves = board.legal_moves();
                    board.play(moves[(number >> 33) as usize % moves.len()]);
                    let by_cells = [1, -1].into_iter().find(|player| has_line_by_cells(&board, *player));
                    assert_eq!(board.winner(), by_cells, "{board}");
                }
                assert!(board.winner().is_some() || board.is_full());
                wins += usize::from(board.winner().is_some());
            }
            assert!(wins > 20, "{rows} {columns}: {wins}");
        }
    }

    /// The worth of a board by minimax without any shortcut.
    fn plain(board: &FourBoard, depth: usize) -> i32 {
        if board.winner().is_some() {
            return i32::from(board.moves) - WIN;
        }
        let moves = board.legal_moves();
        if depth == 0 || moves.is_empty() {
            return 0;
        }
        let worth = |column: &usize| {
            let mut next = *board;
            next.put(*column);
            -plain(&next, depth - 1)
        };
        moves.iter().map(worth).max().unwrap_or(0)
    }

    #[test]
    fn the_search_finds_what_minimax_finds() {
        for seed in 0..12u64 {
            let mut board = FourBoard::new(4, 5);
            let mut number = seed;
            for _ in 0..4 + seed % 5 {
                number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let moves = board.legal_moves();
                if !moves.is_empty() {
                    board.play(moves[(number >> 33) as usize % moves.len()]);
                }
            }
            for depth in [1, 2, 4, 6] {
                let worths: Vec<(usize, i32)> = board
                    .legal_moves()
                    .into_iter()
                    .map(|column| {
                        let mut next = board;
                        next.put(column);
                        (column, -plain(&next, depth - 1))
                    })
                    .collect();
                let best = worths.iter().map(|(_, worth)| *worth).max().unwrap_or(0);
                let moves = worths.iter().filter(|(_, worth)| *worth == best).map(|(column, _)| *column).collect();
                assert_eq!(board.best_moves(depth), (moves, best.signum() as i8), "{depth}\n{board}");
            }
        }
    }

    #[test]
    fn small_boards_are_solved() {
        // As known from J. Tromp's table: both of these are draws.
        assert_eq!(FourBoard::new(4, 4).best_moves(16).1, 0);
        assert_eq!(FourBoard::new(4, 5).best_moves(20).1, 0);
    }

    #[test]
    fn a_board_is_text_from_the_top() {
        let board = played(4, 5, &[2, 2, 3, 0]);
        assert_eq!(board.to_string(), ". . . . .\n. . . . .\n. . O . .\nO . X X .\n0 1 2 3 4");
        assert_eq!((board.cell(2, 2), board.cell(3, 2), board.cell(0, 0), board.moves()), (-1, 1, 0, 4));
    }

    #[test]
    fn moves_and_boards_that_are_none_are_refused() {
        assert!(panic_message(|| FourBoard::new(3, 3)).contains("3 rows and 3 columns has no line of four"));
        assert!(panic_message(|| FourBoard::new(8, 8)).contains("is too large"));
        assert!(panic_message(|| played(4, 4, &[4])).contains("no column 4: columns count from 0 to 3"));
        let full = [1, 1, 1, 1, 1];
        assert!(panic_message(|| played(4, 4, &full)).contains("column 1 is full: the legal moves are [0, 2, 3]"));
        assert!(panic_message(|| FourBoard::new(4, 4).best_moves(0)).contains("a search of 0 moves"));
        assert!(played(6, 7, &[0, 1, 0, 1, 0, 1, 0]).legal_moves().is_empty());
        assert_eq!(played(6, 7, &[0, 1, 0, 1, 0, 1, 0]).best_moves(3), (vec![], 0));
    }
}
