//! A pendulum that is to be swung up and held: Pendulum-v1.

use std::f64::consts::PI;

use tch::Tensor;

use crate::rl::canvas::{Canvas, INK, RED, SKY};
use crate::rl::env::{Env, Episode, SetState, Space, Step, TimeLimit, floats};

const MAX_TORQUE: f64 = 2.0;
const MAX_SPEED: f64 = 8.0;
const INTERVAL: f64 = 0.05;
const GRAVITY: f64 = 10.0;

/// A pendulum with a motor too weak to lift it at once, without a limit of steps; see [`pendulum`].
///
/// Observation `[cos θ, sin θ, angular velocity]`, θ = 0 upright; the action is a torque, clipped to -2 to 2. The
/// reward is `-(θ² + 0.1 θ'² + 0.001 u²)`, θ in -π to π. It never terminates. Starts with θ uniform in -π to π and θ'
/// in -1 to 1.
#[derive(Debug, Clone)]
pub struct Pendulum {
    state: [f64; 2],
    episode: Episode,
}

/// Pendulum-v1 with its limit of 200 steps.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::pendulum();
/// let _ = env.reset(0);
/// assert!(env.step(2.0).reward <= 0.0);
/// ```
pub fn pendulum() -> TimeLimit<Pendulum> {
    TimeLimit::new(Pendulum::new(), 200)
}

impl Pendulum {
    /// To be [reset](Env::reset) before the first step.
    #[expect(clippy::new_without_default, reason = "environments are made by name")]
    pub fn new() -> Self {
        Self { state: [0.0; 2], episode: Episode::none() }
    }

    fn observation(&self) -> Tensor {
        let [angle, turn] = self.state;
        floats(&[angle.cos(), angle.sin(), turn])
    }
}

/// The state is angle and angular velocity.
impl SetState for Pendulum {
    type State = [f64; 2];

    fn set_state(&mut self, state: [f64; 2]) {
        self.episode.begin(0);
        self.state = state;
    }
}

impl Env for Pendulum {
    type Action = f64;
    type Observation = Tensor;

    fn reset(&mut self, seed: u64) -> Tensor {
        self.episode.begin(seed);
        self.state = [self.episode.uniform(-PI, PI), self.episode.uniform(-1.0, 1.0)];
        self.observation()
    }

    fn step(&mut self, action: f64) -> Step<Tensor> {
        self.episode.check_force(action);
        let torque = action.clamp(-MAX_TORQUE, MAX_TORQUE);
        let [angle, turn] = self.state;
        let off = (angle + PI).rem_euclid(2.0 * PI) - PI;
        let reward = -(off * off + 0.1 * turn * turn + 0.001 * torque * torque);
        let turn = (turn + (1.5 * GRAVITY * angle.sin() + 3.0 * torque) * INTERVAL).clamp(-MAX_SPEED, MAX_SPEED);
        self.state = [angle + turn * INTERVAL, turn];
        Step { observation: self.observation(), reward, terminated: false, truncated: false }
    }

    fn observation_space(&self) -> Space {
        Space::Box { low: vec![-1.0, -1.0, -MAX_SPEED], high: vec![1.0, 1.0, MAX_SPEED] }
    }

    fn action_space(&self) -> Space {
        Space::Box { low: vec![-MAX_TORQUE], high: vec![MAX_TORQUE] }
    }

    fn render(&self) -> Tensor {
        let mut canvas = Canvas::new(240, 240, SKY);
        let (sin, cos) = self.state[0].sin_cos();
        canvas.line((120.0, 120.0), (120.0 - 90.0 * sin, 120.0 - 90.0 * cos), 16.0, RED);
        canvas.circle((120.0, 120.0), 6.0, INK);
        canvas.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn it_moves_as_in_gymnasium() {
        for name in ["pendulum", "pendulum_fast"] {
            let mut env = Pendulum::new();
            let state = rl::tests::reference().numbers(&format!("/{name}/state"));
            env.set_state([state[0], state[1]]);
            rl::tests::follow(name, |action| env.step(action));
        }
    }

    #[test]
    #[should_panic(expected = "an action of NaN is not a force")]
    fn no_force_of_nan() {
        let mut env = pendulum();
        let _ = env.reset(0);
        env.step(f64::NAN);
    }
}
