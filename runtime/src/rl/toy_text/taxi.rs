//! A taxi that fetches a passenger and brings them to where they want to go: Taxi-v4.

use tch::Tensor;

use super::Outcome;
use crate::rl::canvas::{BLUE, Canvas, Color, GREEN, INK, RED, WOOD};
use crate::rl::env::{Env, Episode, SetState, Space, Step, TimeLimit, names};

const SIDE: usize = 5;
const STATES: usize = SIDE * SIDE * 5 * 4;
const ACTIONS: usize = 6;
const PICK_UP: usize = 4;
/// The passenger's place where they are in the taxi.
const IN_TAXI: usize = 4;
/// Red, green, yellow and blue: row and column.
const PLACES: [(usize, usize); 4] = [(0, 0), (0, 4), (4, 0), (4, 3)];
const COLORS: [Color; 4] = [RED, GREEN, [232, 196, 72], BLUE];
/// The columns of each row that have a wall on their right.
const WALLS: [&[usize]; SIDE] = [&[1], &[1], &[], &[0, 2], &[0, 2]];
/// Rows down and columns right of a move: south, north, east, west.
const MOVES: [(i64, i64); 4] = [(1, 0), (-1, 0), (0, 1), (0, -1)];
/// The moves to the left and to the right of each.
const SIDES: [[usize; 2]; 4] = [[2, 3], [3, 2], [1, 0], [0, 1]];
const CELL: f64 = 56.0;

/// A taxi among four places (Dietterich, "Hierarchical reinforcement learning with the MAXQ value function
/// decomposition", 2000), without a limit of steps; see [`taxi`].
///
/// A state is `((row * 5 + column) * 5 + passenger) * 4 + destination`, below 500, where passenger and destination are
/// 0 red, 1 green, 2 yellow, 3 blue, and the passenger 4 in the taxi. Actions: 0 south, 1 north, 2 east, 3 west, 4 pick
/// up, 5 drop off. A step is worth -1, to pick up or drop off where it is not possible -10, and to drop the passenger
/// off at the destination 20, which terminates.
///
/// ```
/// use oxtorch::prelude::*;
/// let env = rl::taxi(false);
/// let state = rl::Taxi::encode(2, 1, 0, 3);
/// assert_eq!(env.transitions(state, 1)[0].state, rl::Taxi::encode(1, 1, 0, 3));
/// assert_eq!(rl::Taxi::decode(state), [2, 1, 0, 3]);
/// ```
#[derive(Debug, Clone)]
pub struct Taxi {
    table: Vec<[Vec<Outcome>; ACTIONS]>,
    state: usize,
    episode: Episode,
}

/// Taxi-v4 with its limit of 200 steps. In the rain a move goes to one of its two sides with a probability of 0.1 each,
/// unless it is against a wall.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::taxi(false);
/// let state = env.reset(0);
/// assert!(state < 500);
/// assert_eq!(env.step(5).reward, -10.0);
/// image(&env.render())?;
/// ```
pub fn taxi(rainy: bool) -> TimeLimit<Taxi> {
    TimeLimit::new(Taxi::new(rainy), 200)
}

impl Taxi {
    /// To be [reset](Env::reset) before the first step; see [`taxi`].
    pub fn new(rainy: bool) -> Self {
        let outcomes = |state| std::array::from_fn(|action| outcomes(state, action, rainy));
        Self { table: (0..STATES).map(outcomes).collect(), state: 0, episode: Episode::none() }
    }

    /// The number of a state: row and column of the taxi, passenger and destination.
    ///
    /// # Panics
    ///
    /// Where one of them is none.
    pub fn encode(row: usize, column: usize, passenger: usize, destination: usize) -> usize {
        assert!(
            row < SIDE && column < SIDE && passenger <= IN_TAXI && destination < PLACES.len(),
            "there is no state of row {row}, column {column}, passenger {passenger}, destination {destination}: they \
             are below 5, 5, 5 and 4"
        );
        ((row * SIDE + column) * 5 + passenger) * 4 + destination
    }

    /// Row and column of the taxi, passenger and destination of a state.
    ///
    /// # Panics
    ///
    /// Where there is no such state.
    pub fn decode(state: usize) -> [usize; 4] {
        assert!(state < STATES, "there is no state {state}: they count from 0 to {}", STATES - 1);
        [state / 100, state / 20 % 5, state / 4 % 5, state % 4]
    }

    /// What an action in a state may lead to, as Gymnasium's `env.unwrapped.P[state][action]`: for planning.
    ///
    /// # Panics
    ///
    /// Where there is no such state or action.
    pub fn transitions(&self, state: usize, action: usize) -> &[Outcome] {
        let _ = Self::decode(state);
        assert!(action < ACTIONS, "there is no action {action}: actions count from 0 to {}", ACTIONS - 1);
        &self.table[state][action]
    }

    /// Which actions change a state: Gymnasium's `action_mask`.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// assert_eq!(rl::Taxi::action_mask(rl::Taxi::encode(0, 0, 0, 3)), [true, false, true, false, true, false]);
    /// ```
    ///
    /// # Panics
    ///
    /// Where there is no such state.
    pub fn action_mask(state: usize) -> [bool; 6] {
        let [row, column, passenger, destination] = Self::decode(state);
        let (at, has) = ((row, column), passenger == IN_TAXI);
        std::array::from_fn(|action| match action {
            0..PICK_UP => moved(at, action) != at,
            PICK_UP => PLACES.get(passenger) == Some(&at),
            _ => has && (at == PLACES[destination] || PLACES.contains(&at)),
        })
    }
}

/// Where a move leads to; a wall and the border stop it.
fn moved((row, column): (usize, usize), action: usize) -> (usize, usize) {
    let (down, right) = MOVES[action];
    let is_wall = |column: usize| WALLS[row].contains(&column);
    if (right == 1 && is_wall(column)) || (right == -1 && column > 0 && is_wall(column - 1)) {
        return (row, column);
    }
    let within = |at: usize, by: i64| (at as i64 + by).clamp(0, SIDE as i64 - 1) as usize;
    (within(row, down), within(column, right))
}

fn outcomes(state: usize, action: usize, rainy: bool) -> Vec<Outcome> {
    let [row, column, passenger, destination] = Taxi::decode(state);
    let at = (row, column);
    let sure = |passenger, reward, terminated| {
        vec![Outcome { probability: 1.0, state: Taxi::encode(row, column, passenger, destination), reward, terminated }]
    };
    let place = PLACES.iter().position(|place| *place == at);
    match action {
        PICK_UP if place == Some(passenger) => sure(IN_TAXI, -1.0, false),
        PICK_UP => sure(passenger, -10.0, false),
        0..PICK_UP => {
            let to = |action: usize, probability: f64| {
                let (row, column) = moved(at, action);
                let state = Taxi::encode(row, column, passenger, destination);
                Outcome { probability, state, reward: -1.0, terminated: false }
            };
            if !rainy {
                return vec![to(action, 1.0)];
            }
            // What stops a move stops the drift as well.
            let [left, right] = if moved(at, action) == at { [action; 2] } else { SIDES[action] };
            let side = (1.0 - 0.8) / 2.0;
            vec![to(action, 0.8), to(left, side), to(right, side)]
        }
        _ => match place {
            Some(place) if passenger == IN_TAXI && place == destination => sure(place, 20.0, true),
            Some(place) if passenger == IN_TAXI => sure(place, -1.0, false),
            _ => sure(passenger, -10.0, false),
        },
    }
}

/// The state is its number; see [`Taxi::encode`].
impl SetState for Taxi {
    type State = usize;

    fn set_state(&mut self, state: usize) {
        let _ = Self::decode(state);
        self.episode.begin(0);
        self.state = state;
    }
}

impl Env for Taxi {
    type Action = usize;
    type Observation = usize;

    fn reset(&mut self, seed: u64) -> usize {
        self.episode.begin(seed);
        // The passenger waits at another place than the destination.
        let (passenger, destination) = (self.episode.index(4), self.episode.index(3));
        let destination = if destination >= passenger { destination + 1 } else { destination };
        self.state = Self::encode(self.episode.index(SIDE), self.episode.index(SIDE), passenger, destination);
        self.state
    }

    fn step(&mut self, action: usize) -> Step<usize> {
        self.episode.check_action(action, ACTIONS);
        let chosen = Outcome::drawn(&self.table[self.state][action], &mut self.episode);
        self.state = chosen.state;
        self.episode.end_if(chosen.terminated);
        chosen.into()
    }

    fn observation_space(&self) -> Space {
        Space::Discrete(STATES)
    }

    fn action_space(&self) -> Space {
        Space::Discrete(ACTIONS)
    }

    fn action_names(&self) -> Vec<String> {
        names(&["south", "north", "east", "west", "pick up", "drop off"])
    }

    fn render(&self) -> Tensor {
        let size = (CELL * SIDE as f64) as u32;
        let mut canvas = Canvas::new(size, size, [236, 236, 232]);
        let corner = |(row, column): (usize, usize)| (column as f64 * CELL, row as f64 * CELL);
        let [row, column, passenger, destination] = Self::decode(self.state);
        for (place, color) in PLACES.into_iter().zip(COLORS) {
            let (x, y) = corner(place);
            canvas.rectangle((x + 4.0, y + 4.0), (x + CELL - 4.0, y + CELL - 4.0), color);
        }
        let (x, y) = corner(PLACES[destination]);
        canvas.flag((x + CELL * 0.4, y + CELL * 0.82), CELL * 0.62);
        for (row, walls) in WALLS.iter().enumerate() {
            for column in *walls {
                let (x, y) = corner((row, column + 1));
                canvas.line((x, y), (x, y + CELL), 5.0, INK);
            }
        }
        let (x, y) = corner((row, column));
        canvas.rectangle((x + 12.0, y + 20.0), (x + CELL - 12.0, y + CELL - 20.0), [250, 206, 60]);
        canvas.circle((x + 19.0, y + CELL - 18.0), 5.0, INK);
        canvas.circle((x + CELL - 19.0, y + CELL - 18.0), 5.0, INK);
        let (x, y) = PLACES.get(passenger).map_or((x, y - 12.0), |place| corner(*place));
        canvas.circle((x + CELL / 2.0, y + CELL / 2.0 - 8.0), 6.0, WOOD);
        canvas.line((x + CELL / 2.0, y + CELL / 2.0 + 4.0), (x + CELL / 2.0, y + CELL / 2.0 + 8.0), 10.0, WOOD);
        canvas.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;
    use crate::tests::panic_message;

    #[test]
    fn the_table_is_gymnasiums() {
        let reference = rl::tests::toy_reference();
        for (name, rainy) in [("taxi", false), ("taxi_rainy", true)] {
            let env = Taxi::new(rainy);
            for row in 0..STATES * ACTIONS {
                let outcomes = env.transitions(row / ACTIONS, row % ACTIONS);
                let actual: Vec<f64> = outcomes
                    .iter()
                    .flat_map(|o| [o.probability, o.state as f64, o.reward, f64::from(u8::from(o.terminated))])
                    .collect();
                assert_eq!(actual, reference.numbers(&format!("/{name}/{row}")), "{name} {row}");
            }
        }
        assert_eq!(rl::taxi(false).limit() as f64, reference.number("/limits/Taxi-v4"));
    }

    #[test]
    fn actions_that_change_a_state_are_gymnasiums() {
        let reference = rl::tests::toy_reference();
        for state in 0..STATES {
            let mask = Taxi::action_mask(state).map(|is_on| f64::from(u8::from(is_on)));
            assert_eq!(mask[..], reference.numbers(&format!("/taxi_masks/{state}")), "{state}");
        }
    }

    #[test]
    fn a_ride_ends_at_the_destination() {
        let mut env = taxi(false);
        env.set_state(Taxi::encode(1, 0, 0, 2));
        let steps = [1, 4, 0, 0, 0, 0, 5].map(|action| env.step(action));
        assert_eq!(steps.map(|step| step.reward).iter().sum::<f64>(), 14.0);
        assert!(steps[6].terminated && panic_message(|| env.step(0)).contains("the episode is over"));
        assert_eq!(env.render().size(), [3, 280, 280]);
    }

    #[test]
    fn a_ride_begins_with_a_passenger_who_wants_to_go_elsewhere() {
        let mut env = taxi(true);
        for seed in 0..200 {
            let [_, _, passenger, destination] = Taxi::decode(env.reset(seed));
            assert!(passenger < IN_TAXI && passenger != destination);
        }
        assert!(panic_message(|| Taxi::decode(500)).contains("no state 500: they count from 0 to 499"));
    }
}
