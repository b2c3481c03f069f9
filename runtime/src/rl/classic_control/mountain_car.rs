//! A car too weak for the hill, which has to swing: MountainCar-v0 and MountainCarContinuous-v0.

use tch::Tensor;

use crate::rl::canvas::{BLUE, Canvas, INK, SKY};
use crate::rl::env::{Env, Episode, SetState, Space, Step, TimeLimit, floats, names};

const LEFT_END: f64 = -1.2;
const RIGHT_END: f64 = 0.6;
const MAX_SPEED: f64 = 0.07;
const GRAVITY: f64 = 0.0025;

/// A car in a valley (Moore, "Efficient memory-based learning for robot control", 1990), without a limit of steps; see
/// [`mountain_car`].
///
/// Observation `[position, velocity]`; actions 0, 1 and 2 push left, not at all, right; each step is worth -1.
/// Terminated at position 0.5. Starts at rest, at a position uniform in -0.6 to -0.4.
#[derive(Debug, Clone)]
pub struct MountainCar {
    state: [f64; 2],
    episode: Episode,
}

/// The same valley with a force of any strength; see [`mountain_car_continuous`].
///
/// The action is a force, clipped to -1 to 1. A step is worth -0.1 times the square of the action, and 100 more where
/// the goal at position 0.45 is reached.
#[derive(Debug, Clone)]
pub struct MountainCarContinuous {
    state: [f64; 2],
    episode: Episode,
}

/// MountainCar-v0 with its limit of 200 steps.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::mountain_car();
/// let _ = env.reset(0);
/// assert_eq!(env.step(2).reward, -1.0);
/// ```
pub fn mountain_car() -> TimeLimit<MountainCar> {
    TimeLimit::new(MountainCar::new(), 200)
}

/// MountainCarContinuous-v0 with its limit of 999 steps.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::mountain_car_continuous();
/// let _ = env.reset(0);
/// assert!((env.step(0.5).reward + 0.025).abs() < 1e-9);
/// ```
pub fn mountain_car_continuous() -> TimeLimit<MountainCarContinuous> {
    TimeLimit::new(MountainCarContinuous::new(), 999)
}

macro_rules! car {
    ($name:ident) => {
        impl $name {
            /// To be [reset](Env::reset) before the first step.
            #[expect(clippy::new_without_default, reason = "environments are made by name")]
            pub fn new() -> Self {
                Self { state: [-0.5, 0.0], episode: Episode::none() }
            }
        }

        /// The state is position and velocity.
        impl SetState for $name {
            type State = [f64; 2];

            fn set_state(&mut self, state: [f64; 2]) {
                self.episode.begin(0);
                self.state = state;
            }
        }
    };
}
car!(MountainCar);
car!(MountainCarContinuous);

fn moved([position, velocity]: [f64; 2], push: f64) -> [f64; 2] {
    let velocity = (velocity + push - GRAVITY * (3.0 * position).cos()).clamp(-MAX_SPEED, MAX_SPEED);
    let position = (position + velocity).clamp(LEFT_END, RIGHT_END);
    // The wall on the left takes all speed.
    [position, if position <= LEFT_END && velocity < 0.0 { 0.0 } else { velocity }]
}

fn started(episode: &mut Episode, seed: u64) -> [f64; 2] {
    episode.begin(seed);
    [episode.uniform(-0.6, -0.4), 0.0]
}

fn space() -> Space {
    Space::Box { low: vec![LEFT_END, -MAX_SPEED], high: vec![RIGHT_END, MAX_SPEED] }
}

fn picture(position: f64, goal: f64) -> Tensor {
    let mut canvas = Canvas::new(480, 240, SKY);
    let scale = 480.0 / (RIGHT_END - LEFT_END);
    let height = |x: f64| 205.0 - ((3.0 * x).sin() * 0.45 + 0.45) * 170.0;
    let across = |x: f64| (x - LEFT_END) * scale;
    canvas.ground(|x| height(LEFT_END + x / scale), [214, 220, 206]);
    canvas.flag((across(goal), height(goal)), 32.0);
    // The car stands on the slope: along is up the hill, out is away from it.
    let slope = (height(position + 0.01) - height(position - 0.01)) / (0.02 * scale);
    let length = slope.hypot(1.0);
    let (along, out) = ((1.0 / length, slope / length), (slope / length, -1.0 / length));
    let at = |a: f64, o: f64| (across(position) + a * along.0 + o * out.0, height(position) + a * along.1 + o * out.1);
    canvas.line(at(-14.0, 15.0), at(14.0, 15.0), 14.0, BLUE);
    canvas.circle(at(-11.0, 6.0), 6.0, INK);
    canvas.circle(at(11.0, 6.0), 6.0, INK);
    canvas.tensor()
}

impl Env for MountainCar {
    type Action = usize;
    type Observation = Tensor;

    fn reset(&mut self, seed: u64) -> Tensor {
        self.state = started(&mut self.episode, seed);
        floats(&self.state)
    }

    fn step(&mut self, action: usize) -> Step<Tensor> {
        self.episode.check_action(action, 3);
        self.state = moved(self.state, (action as f64 - 1.0) * 0.001);
        let terminated = self.state[0] >= 0.5 && self.state[1] >= 0.0;
        self.episode.end_if(terminated);
        Step { observation: floats(&self.state), reward: -1.0, terminated, truncated: false }
    }

    fn observation_space(&self) -> Space {
        space()
    }

    fn action_space(&self) -> Space {
        Space::Discrete(3)
    }

    fn action_names(&self) -> Vec<String> {
        names(&["left", "none", "right"])
    }

    fn render(&self) -> Tensor {
        picture(self.state[0], 0.5)
    }
}

impl Env for MountainCarContinuous {
    type Action = f64;
    type Observation = Tensor;

    fn reset(&mut self, seed: u64) -> Tensor {
        self.state = started(&mut self.episode, seed);
        floats(&self.state)
    }

    fn step(&mut self, action: f64) -> Step<Tensor> {
        self.episode.check_force(action);
        // Gymnasium keeps this state in float32.
        self.state = moved(self.state, action.clamp(-1.0, 1.0) * 0.0015).map(|value| f64::from(value as f32));
        let terminated = self.state[0] >= 0.45 && self.state[1] >= 0.0;
        self.episode.end_if(terminated);
        let reward = if terminated { 100.0 } else { 0.0 } - 0.1 * action * action;
        Step { observation: floats(&self.state), reward, terminated, truncated: false }
    }

    fn observation_space(&self) -> Space {
        space()
    }

    fn action_space(&self) -> Space {
        Space::Box { low: vec![-1.0], high: vec![1.0] }
    }

    fn render(&self) -> Tensor {
        picture(self.state[0], 0.45)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn they_move_as_in_gymnasium() {
        let state = |name: &str| {
            let state = rl::tests::reference().numbers(&format!("/{name}/state"));
            [state[0], state[1]]
        };
        for name in ["mountain_car", "mountain_car_wall", "mountain_car_goal"] {
            let mut env = MountainCar::new();
            env.set_state(state(name));
            rl::tests::follow(name, |action| env.step(action as usize));
        }
        for name in ["mountain_car_continuous", "mountain_car_continuous_goal"] {
            let mut env = MountainCarContinuous::new();
            env.set_state(state(name));
            rl::tests::follow(name, |action| env.step(action));
        }
    }
}
