//! Two links that are to be swung up by the joint between them: Acrobot-v1.

use std::f64::consts::PI;

use tch::Tensor;

use crate::rl::canvas::{BLUE, Canvas, GREEN, INK, SKY, WOOD};
use crate::rl::env::{Env, Episode, SetState, Space, Step, TimeLimit, floats, names};

/// Links of a length and a mass of 1, whose centre is in their middle and whose moment of inertia is 1.
const HALF: f64 = 0.5;
const GRAVITY: f64 = 9.8;
const INTERVAL: f64 = 0.2;
const MAX_SPEED: [f64; 2] = [4.0 * PI, 9.0 * PI];

/// Two links that hang on one another, with a motor between them (Sutton, "Generalization in reinforcement learning:
/// successful examples using sparse coarse coding", 1996), without a limit of steps; see [`acrobot`].
///
/// Observation `[cos θ₁, sin θ₁, cos θ₂, sin θ₂, θ₁', θ₂']`, where θ₁ = 0 hangs down and θ₂ is the angle between the
/// links; actions 0, 1 and 2 are a torque of -1, 0 and 1; each step is worth -1, and the last 0. Terminated where the
/// free end is higher than one link above the fixed one: `-cos θ₁ - cos(θ₁ + θ₂) > 1`. Starts with four numbers uniform
/// in -0.1 to 0.1. The equations are those of the book of Sutton and Barto, by one step of Runge and Kutta of 0.2 s.
#[derive(Debug, Clone)]
pub struct Acrobot {
    /// θ₁, θ₂, θ₁', θ₂'.
    state: [f64; 4],
    episode: Episode,
}

/// Acrobot-v1 with its limit of 500 steps.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::acrobot();
/// assert_eq!(env.reset(0).size(), [6]);
/// assert_eq!(env.step(2).reward, -1.0);
/// image(&env.render())?;
/// ```
pub fn acrobot() -> TimeLimit<Acrobot> {
    TimeLimit::new(Acrobot::new(), 500)
}

impl Acrobot {
    /// To be [reset](Env::reset) before the first step.
    #[expect(clippy::new_without_default, reason = "environments are made by name")]
    pub fn new() -> Self {
        Self { state: [0.0; 4], episode: Episode::none() }
    }

    fn observation(&self) -> Tensor {
        let [first, second, turn, bend] = self.state;
        floats(&[first.cos(), first.sin(), second.cos(), second.sin(), turn, bend])
    }
}

/// How fast a state changes under a torque.
fn change([first, second, turn, bend]: [f64; 4], torque: f64) -> [f64; 4] {
    let (sin, cos) = second.sin_cos();
    let d1 = HALF * HALF + (1.0 + HALF * HALF + 2.0 * HALF * cos) + 2.0;
    let d2 = HALF * HALF + HALF * cos + 1.0;
    let phi2 = HALF * GRAVITY * (first + second - PI / 2.0).cos();
    let swing = -HALF * bend * bend * sin - 2.0 * HALF * bend * turn * sin;
    let phi1 = swing + (HALF + 1.0) * GRAVITY * (first - PI / 2.0).cos() + phi2;
    let bending = (torque + d2 / d1 * phi1 - HALF * turn * turn * sin - phi2) / (HALF * HALF + 1.0 - d2 * d2 / d1);
    [turn, bend, -(d2 * bending + phi1) / d1, bending]
}

/// One step of the fourth order of Runge and Kutta.
fn moved(state: [f64; 4], torque: f64) -> [f64; 4] {
    let ahead = |k: [f64; 4], time: f64| std::array::from_fn(|at| state[at] + time * k[at]);
    let k1 = change(state, torque);
    let k2 = change(ahead(k1, INTERVAL / 2.0), torque);
    let k3 = change(ahead(k2, INTERVAL / 2.0), torque);
    let k4 = change(ahead(k3, INTERVAL), torque);
    std::array::from_fn(|at| state[at] + INTERVAL / 6.0 * (k1[at] + 2.0 * k2[at] + 2.0 * k3[at] + k4[at]))
}

/// The same angle in -π to π.
fn wrapped(angle: f64) -> f64 {
    if (-PI..=PI).contains(&angle) { angle } else { (angle + PI).rem_euclid(2.0 * PI) - PI }
}

/// The state is two angles and their velocities.
impl SetState for Acrobot {
    type State = [f64; 4];

    fn set_state(&mut self, state: [f64; 4]) {
        self.episode.begin(0);
        self.state = state;
    }
}

impl Env for Acrobot {
    type Action = usize;
    type Observation = Tensor;

    fn reset(&mut self, seed: u64) -> Tensor {
        self.episode.begin(seed);
        self.state = std::array::from_fn(|_| self.episode.uniform(-0.1, 0.1));
        self.observation()
    }

    fn step(&mut self, action: usize) -> Step<Tensor> {
        self.episode.check_action(action, 3);
        let [first, second, turn, bend] = moved(self.state, action as f64 - 1.0);
        let (first, second) = (wrapped(first), wrapped(second));
        let [turn_limit, bend_limit] = MAX_SPEED;
        self.state = [first, second, turn.clamp(-turn_limit, turn_limit), bend.clamp(-bend_limit, bend_limit)];
        let terminated = -first.cos() - (first + second).cos() > 1.0;
        self.episode.end_if(terminated);
        Step::new(self.observation(), if terminated { 0.0 } else { -1.0 }, terminated)
    }

    fn observation_space(&self) -> Space {
        let high = vec![1.0, 1.0, 1.0, 1.0, MAX_SPEED[0], MAX_SPEED[1]];
        Space::Box { low: high.iter().map(|bound| -bound).collect(), high }
    }

    fn action_space(&self) -> Space {
        Space::Discrete(3)
    }

    fn action_names(&self) -> Vec<String> {
        names(&["torque -1", "no torque", "torque 1"])
    }

    fn render(&self) -> Tensor {
        let mut canvas = Canvas::new(240, 240, SKY);
        let [first, second, ..] = self.state;
        let link = 52.0;
        let below = |(x, y): (f64, f64), angle: f64| (x + link * angle.sin(), y + link * angle.cos());
        let top = (120.0, 120.0);
        let joint = below(top, first);
        canvas.line((10.0, top.1 - link), (230.0, top.1 - link), 2.0, GREEN);
        canvas.line(top, joint, 12.0, BLUE);
        canvas.line(joint, below(joint, first + second), 12.0, WOOD);
        for place in [top, joint] {
            canvas.circle(place, 5.0, INK);
        }
        canvas.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn it_moves_as_in_gymnasium() {
        let reference = rl::tests::toy_reference();
        for name in ["acrobot", "acrobot_fast", "acrobot_goal"] {
            let mut env = Acrobot::new();
            let state = reference.numbers(&format!("/{name}/state"));
            env.set_state([state[0], state[1], state[2], state[3]]);
            rl::tests::follow_in(&reference, name, |action| env.step(action as usize));
        }
        assert_eq!(rl::acrobot().limit() as f64, reference.number("/limits/Acrobot-v1"));
    }

    #[test]
    fn it_starts_hanging_down() {
        let mut env = acrobot();
        for seed in 0..20 {
            let state = env.reset(seed);
            assert!(state.double_value(&[0]) > 0.99 && state.double_value(&[4]).abs() <= 0.1);
        }
        assert_eq!((env.render().size(), env.observation_space().len()), (vec![3, 240, 240], 6));
    }
}
