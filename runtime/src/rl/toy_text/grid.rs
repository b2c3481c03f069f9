//! Worlds of cells with a table of transitions: FrozenLake-v1, CliffWalking-v1 and mazes of one's own.

use anyhow::{Result, ensure};
use tch::Tensor;

use super::Outcome;
use crate::rl::canvas::{BLUE, Canvas, Color, INK};
use crate::rl::env::{Env, Episode, Space, Step, TimeLimit, names};

const CELL: f64 = 56.0;
const ICE: Color = [226, 238, 247];
const HOLE: Color = [54, 76, 110];
const WALL: Color = [92, 96, 106];
const CLIFF: Color = [96, 72, 60];
const TRAP: Color = [226, 140, 128];
/// Rows down and columns right of a move: left, down, right, up.
const LAKE_MOVES: [(i64, i64); 4] = [(0, -1), (1, 0), (0, 1), (-1, 0)];
/// Up, right, down, left.
const CLIFF_MOVES: [(i64, i64); 4] = [(-1, 0), (0, 1), (1, 0), (0, -1)];
const MAP_4X4: [&str; 4] = ["SFFF", "FHFH", "FFFH", "HFFG"];
const MAP_8X8: [&str; 8] =
    ["SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"];

/// A world of cells, numbered row by row from 0, with four actions.
#[derive(Debug, Clone)]
pub struct Grid {
    cells: Vec<u8>,
    columns: usize,
    moves: [(i64, i64); 4],
    table: Vec<[Vec<Outcome>; 4]>,
    starts: Vec<usize>,
    state: usize,
    episode: Episode,
}

/// FrozenLake-v1, 4 by 4, with its limit of 100 steps: from the start to the goal, which is worth 1, not into a hole.
///
/// Actions: 0 left, 1 down, 2 right, 3 up. On slippery ice each is taken as it is, or as one of the two to its sides,
/// with a probability of 1/3 each.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::frozen_lake(false);
/// env.reset(0);
/// let steps = [2, 2, 1, 1, 1, 2].map(|action| env.step(action));
/// let last = steps[5];
/// assert_eq!((last.reward, last.terminated), (1.0, true));
/// ```
pub fn frozen_lake(slippery: bool) -> TimeLimit<Grid> {
    TimeLimit::new(lake(&MAP_4X4, slippery), 100)
}

/// FrozenLake8x8-v1 with its limit of 200 steps; see [`frozen_lake`].
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(rl::frozen_lake_8x8(true).observation_space(), rl::Space::Discrete(64));
/// ```
pub fn frozen_lake_8x8(slippery: bool) -> TimeLimit<Grid> {
    TimeLimit::new(lake(&MAP_8X8, slippery), 200)
}

/// A lake of one's own, of `S` start, `F` frozen, `H` hole, `G` goal, with a limit of 100 steps; see [`frozen_lake`].
///
/// ```
/// use oxtorch::prelude::*;
/// let env = rl::frozen_lake_map(&["SFH", "FFG"], false)?;
/// assert_eq!(env.transitions(4, 2)[0].reward, 1.0);
/// ```
///
/// # Errors
///
/// Where rows differ in length, a letter is another, or there is no start.
pub fn frozen_lake_map(map: &[&str], slippery: bool) -> Result<TimeLimit<Grid>> {
    check(map, "SFHG")?;
    Ok(TimeLimit::new(lake(map, slippery), 100))
}

/// CliffWalking-v1: from one end of a cliff to the other. A step is worth -1, one over the edge -100 and leads back to
/// the start. As in Gymnasium, episodes have no limit.
///
/// Actions: 0 up, 1 right, 2 down, 3 left. Slippery as in [`frozen_lake`].
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::cliff_walking(false);
/// assert_eq!(env.reset(0), 36);
/// assert_eq!(env.step(1).reward, -100.0);
/// ```
pub fn cliff_walking(slippery: bool) -> Grid {
    let map = ["............", "............", "............", "SCCCCCCCCCCG"];
    let ways = if slippery { [3, 0, 1].map(|turn| (turn, 1.0 / 3.0)).to_vec() } else { vec![(0, 1.0)] };
    // Gymnasium's table of the cliff goes on behind the goal.
    Grid::new(&map, CLIFF_MOVES, &ways, false, |cell| match cell {
        b'C' => (-100.0, false),
        b'G' => (-1.0, true),
        _ => (-1.0, false),
    })
}

/// A maze of one's own, with a limit of 100 steps: `S` start, `.` free, `#` wall, `G` goal, `X` trap.
///
/// Actions: 0 left, 1 down, 2 right, 3 up; a step into a wall or over the border stays. The goal is worth 1, a trap -1,
/// both end the episode; any other step is worth -0.04, as in the world of Russell and Norvig's "Artificial
/// Intelligence". With probability `slip` the move goes to one of the two sides, half of it each.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::grid_world(&["...G", ".#.X", "S..."], 0.2)?;
/// assert_eq!(env.reset(0), 8);
/// assert_eq!(env.transitions(2, 2)[1].probability, 0.8);
/// image(&env.render())?;
/// ```
///
/// # Errors
///
/// Where rows differ in length, a letter is another, there is no start, or `slip` is no probability.
pub fn grid_world(map: &[&str], slip: f64) -> Result<TimeLimit<Grid>> {
    check(map, "S.#GX")?;
    ensure!((0.0..=1.0).contains(&slip), "slip is a probability, from 0 to 1, not {slip}");
    let ways = ways((slip > 0.0).then_some(1.0 - slip));
    let grid = Grid::new(map, LAKE_MOVES, &ways, true, |cell| match cell {
        b'G' => (1.0, true),
        b'X' => (-1.0, true),
        _ => (-0.04, false),
    });
    Ok(TimeLimit::new(grid, 100))
}

fn check(map: &[&str], letters: &str) -> Result<()> {
    let columns = map.first().map_or(0, |row| row.len());
    ensure!(columns > 0, "a map of no cells: give one string for each row");
    for (i, row) in map.iter().enumerate() {
        if let Some(other) = row.chars().find(|letter| !letters.contains(*letter)) {
            anyhow::bail!("row {i} of the map holds {other:?}: cells are the letters of {letters:?}");
        }
        ensure!(row.len() == columns, "row {i} of the map has {} cells, the first has {columns}", row.len());
    }
    ensure!(map.iter().any(|row| row.contains('S')), "the map has no start: put an S somewhere");
    Ok(())
}

fn lake(map: &[&str], slippery: bool) -> Grid {
    Grid::new(map, LAKE_MOVES, &ways(slippery.then_some(1.0 / 3.0)), true, |cell| match cell {
        b'G' => (1.0, true),
        b'H' => (0.0, true),
        _ => (0.0, false),
    })
}

/// Which way a move goes, as a number to add to that of its own, and how probable it is: what the move itself is not,
/// goes to its two sides, half of it each.
fn ways(success: Option<f64>) -> Vec<(usize, f64)> {
    let Some(success) = success else { return vec![(0, 1.0)] };
    let side = (1.0 - success) / 2.0;
    vec![(3, side), (0, success), (1, side)]
}

impl Grid {
    /// A map in which a step onto a cell has a reward, and may end the episode. After a fall off a cliff the state is
    /// the start. `stays` says that nobody leaves a cell that ends the episode, as in most of Gymnasium's tables.
    fn new(
        map: &[&str],
        moves: [(i64, i64); 4],
        ways: &[(usize, f64)],
        stays: bool,
        reward_of: impl Fn(u8) -> (f64, bool),
    ) -> Self {
        let cells = map.concat().into_bytes();
        let starts: Vec<usize> = (0..cells.len()).filter(|cell| cells[*cell] == b'S').collect();
        let columns = map[0].len();
        let state = starts[0];
        let mut grid = Self { cells, columns, moves, table: Vec::new(), starts, state, episode: Episode::none() };
        let outcomes = |from: usize, action: usize| {
            if stays && reward_of(grid.cells[from]).1 {
                return vec![Outcome { probability: 1.0, state: from, reward: 0.0, terminated: true }];
            }
            let outcome = |(turn, probability): &(usize, f64)| {
                let to = grid.neighbour(from, (action + turn) % 4);
                let (reward, terminated) = reward_of(grid.cells[to]);
                let state = if grid.cells[to] == b'C' { grid.starts[0] } else { to };
                Outcome { probability: *probability, state, reward, terminated }
            };
            ways.iter().map(outcome).collect()
        };
        grid.table = (0..grid.cells.len()).map(|from| std::array::from_fn(|action| outcomes(from, action))).collect();
        grid
    }

    fn neighbour(&self, from: usize, action: usize) -> usize {
        let rows = (self.cells.len() / self.columns) as i64;
        let (down, right) = self.moves[action];
        let row = ((from / self.columns) as i64 + down).clamp(0, rows - 1) as usize;
        let column = ((from % self.columns) as i64 + right).clamp(0, self.columns as i64 - 1) as usize;
        let to = row * self.columns + column;
        if self.cells[to] == b'#' { from } else { to }
    }

    /// The number of cells.
    pub fn states(&self) -> usize {
        self.cells.len()
    }

    /// What an action in a state may lead to, as Gymnasium's `env.unwrapped.P[state][action]`: for planning.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let env = rl::frozen_lake(true);
    /// let likely: f64 = env.transitions(0, 2).iter().map(|outcome| outcome.probability).sum();
    /// assert!((likely - 1.0).abs() < 1e-9);
    /// ```
    ///
    /// # Panics
    ///
    /// Where there is no such state or action.
    pub fn transitions(&self, state: usize, action: usize) -> &[Outcome] {
        assert!(state < self.states(), "there is no state {state}: they count from 0 to {}", self.states() - 1);
        assert!(action < 4, "there is no action {action}: actions count from 0 to 3");
        &self.table[state][action]
    }

    /// A picture of what was learnt, uint8 `[3, H, W]`: the value of each cell, the highest of its four, as a color,
    /// and its best action as an arrow. `q` is a tensor `[states, 4]`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let env = rl::frozen_lake(false);
    /// image(&env.policy_picture(&Tensor::rand([16, 4], (Kind::Float, Device::Cpu))))?;
    /// ```
    ///
    /// # Panics
    ///
    /// Where `q` is of another shape.
    pub fn policy_picture(&self, q: &Tensor) -> Tensor {
        let shape = [self.states() as i64, 4];
        assert!(q.size() == shape, "a table of values is {shape:?}, states and actions, not {:?}", q.size());
        let values = q.max_dim(1, false);
        let best: Vec<f64> = (0..shape[0]).map(|cell| values.0.double_value(&[cell])).collect();
        let open: Vec<usize> = (0..self.states()).filter(|cell| !self.closed(*cell)).collect();
        let low = open.iter().map(|cell| best[*cell]).fold(f64::INFINITY, f64::min);
        let high = open.iter().map(|cell| best[*cell]).fold(f64::NEG_INFINITY, f64::max);
        let mut canvas = self.canvas();
        for cell in open {
            let (x, y) = self.corner(cell);
            let part = if high > low { (best[cell] - low) / (high - low) } else { 0.0 };
            let shade = |from: f64, to: f64| (from + part * (to - from)) as u8;
            let color = [shade(250.0, 96.0), shade(248.0, 182.0), shade(236.0, 130.0)];
            canvas.rectangle((x + 1.0, y + 1.0), (x + CELL - 1.0, y + CELL - 1.0), color);
            let (down, right) = self.moves[values.1.int64_value(&[cell as i64]) as usize];
            canvas.arrow((x + CELL / 2.0, y + CELL / 2.0), (right as f64, down as f64), 26.0, INK);
        }
        canvas.tensor()
    }

    fn closed(&self, cell: usize) -> bool {
        b"#GHXC".contains(&self.cells[cell])
    }

    fn corner(&self, cell: usize) -> (f64, f64) {
        ((cell % self.columns) as f64 * CELL, (cell / self.columns) as f64 * CELL)
    }

    fn canvas(&self) -> Canvas {
        let rows = self.cells.len() / self.columns;
        let mut canvas = Canvas::new(self.columns as u32 * CELL as u32, rows as u32 * CELL as u32, [255, 255, 255]);
        for (cell, letter) in self.cells.iter().enumerate() {
            let (x, y) = self.corner(cell);
            let color = match letter {
                b'#' => WALL,
                b'C' => CLIFF,
                b'X' => TRAP,
                b'S' => [250, 226, 168],
                b'G' => [206, 234, 208],
                b'.' => [240, 240, 236],
                _ => ICE,
            };
            canvas.rectangle((x + 1.0, y + 1.0), (x + CELL - 1.0, y + CELL - 1.0), color);
            match letter {
                b'H' => canvas.circle((x + CELL / 2.0, y + CELL / 2.0), CELL * 0.36, HOLE),
                b'G' => canvas.flag((x + CELL * 0.4, y + CELL * 0.82), CELL * 0.62),
                _ => {}
            }
        }
        canvas
    }
}

impl Env for Grid {
    type Action = usize;
    type Observation = usize;

    fn reset(&mut self, seed: u64) -> usize {
        self.episode.begin(seed);
        self.state = self.starts[self.episode.index(self.starts.len())];
        self.state
    }

    fn step(&mut self, action: usize) -> Step<usize> {
        self.episode.check_action(action, 4);
        let chosen = Outcome::drawn(&self.table[self.state][action], &mut self.episode);
        self.state = chosen.state;
        self.episode.end_if(chosen.terminated);
        chosen.into()
    }

    fn observation_space(&self) -> Space {
        Space::Discrete(self.states())
    }

    fn action_space(&self) -> Space {
        Space::Discrete(4)
    }

    fn action_names(&self) -> Vec<String> {
        let name = |step: (i64, i64)| match step {
            (0, -1) => "left",
            (0, 1) => "right",
            (-1, 0) => "up",
            _ => "down",
        };
        names(&self.moves.map(name))
    }

    fn render(&self) -> Tensor {
        let mut canvas = self.canvas();
        let (x, y) = self.corner(self.state);
        canvas.circle((x + CELL / 2.0, y + CELL * 0.34), CELL * 0.14, BLUE);
        canvas.line((x + CELL / 2.0, y + CELL * 0.6), (x + CELL / 2.0, y + CELL * 0.74), CELL * 0.3, BLUE);
        canvas.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn tables_are_those_of_gymnasium() {
        let reference = rl::tests::reference();
        for (name, grid) in [
            ("frozen_lake", &*frozen_lake(true)),
            ("frozen_lake_sure", &*frozen_lake(false)),
            ("frozen_lake_8x8", &*frozen_lake_8x8(true)),
            ("frozen_lake_8x8_sure", &*frozen_lake_8x8(false)),
            ("cliff", &cliff_walking(false)),
            ("cliff_slippery", &cliff_walking(true)),
        ] {
            let rows = reference.value(&format!("/{name}")).as_array().expect("rows").len();
            assert_eq!(rows, grid.states() * 4);
            for row in 0..rows {
                let actual: Vec<f64> = grid
                    .transitions(row / 4, row % 4)
                    .iter()
                    .flat_map(|o| [o.probability, o.state as f64, o.reward, f64::from(u8::from(o.terminated))])
                    .collect();
                assert_eq!(actual, reference.numbers(&format!("/{name}/{row}")), "{name} {row}");
            }
        }
    }

    #[test]
    fn ice_slips_to_each_side_as_often() {
        let mut env = frozen_lake(true);
        let mut seen = [0; 16];
        for seed in 0..3000 {
            env.reset(seed);
            seen[env.step(1).observation] += 1;
        }
        // Left stays at 0, down leads to 4, right to 1; 1000 each, with a deviation of 26.
        assert!([0, 1, 4].iter().all(|cell| (870..1130).contains(&seen[*cell])), "{seen:?}");
    }

    #[test]
    fn walls_and_borders_hold() {
        let env = grid_world(&["...G", ".#.X", "S..."], 0.0).expect("a map");
        assert_eq!(env.transitions(4, 2)[0].state, 4);
        assert_eq!(env.transitions(0, 3)[0].state, 0);
        let trap = Outcome { probability: 1.0, state: 7, reward: -1.0, terminated: true };
        assert_eq!(env.transitions(6, 2), [trap]);
    }

    #[test]
    fn maps_that_are_none_are_refused() {
        let message = |map: &[&str]| frozen_lake_map(map, false).expect_err("no map").to_string();
        assert!(message(&[]).contains("no cells"));
        assert!(message(&["SF", "G"]).contains("row 1 of the map has 1 cells, the first has 2"));
        assert!(message(&["SQ"]).contains("holds 'Q'"));
        assert!(message(&["FG"]).contains("no start"));
        assert!(grid_world(&["SG"], 1.5).expect_err("no probability").to_string().contains("not 1.5"));
    }

    #[test]
    fn pictures_have_a_size_for_each_cell() {
        let env = frozen_lake(false);
        assert_eq!(env.render().size(), [3, 224, 224]);
        let q = Tensor::zeros([16, 4], (tch::Kind::Float, tch::Device::Cpu));
        assert_eq!(env.policy_picture(&q).size(), [3, 224, 224]);
    }
}
