//! A pole on a cart that is pushed left and right: CartPole-v1.

use tch::Tensor;

use crate::rl::canvas::{BLUE, Canvas, INK, SKY, WOOD};
use crate::rl::env::{Env, Episode, SetState, Space, Step, TimeLimit, floats, names};

const GRAVITY: f64 = 9.8;
const POLE_MASS: f64 = 0.1;
const TOTAL_MASS: f64 = 1.1;
/// Half of the pole's length.
const LENGTH: f64 = 0.5;
const FORCE: f64 = 10.0;
const INTERVAL: f64 = 0.02;
const FARTHEST: f64 = 2.4;
/// 12 degrees.
const WIDEST: f64 = 12.0 * std::f64::consts::PI / 180.0;

/// A pole on a cart (Barto, Sutton, Anderson, "Neuronlike adaptive elements that can solve difficult learning control
/// problems", 1983), without a limit of steps; see [`cart_pole`].
///
/// Observation `[position, velocity, angle, angular velocity]`; actions 0 and 1 push left and right; the reward of each
/// step is one. Where the cart is more than 2.4 from the middle or the pole more than 12 degrees from upright, the
/// episode terminates. It starts with four numbers uniform in -0.05 to 0.05.
#[derive(Debug, Clone)]
pub struct CartPole {
    state: [f64; 4],
    episode: Episode,
}

/// CartPole-v1 with its limit of 500 steps.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::cart_pole();
/// assert_eq!(env.reset(0).size(), [4]);
/// assert_eq!(env.step(1).reward, 1.0);
/// ```
pub fn cart_pole() -> TimeLimit<CartPole> {
    TimeLimit::new(CartPole::new(), 500)
}

impl CartPole {
    /// To be [reset](Env::reset) before the first step.
    #[expect(clippy::new_without_default, reason = "environments are made by name")]
    pub fn new() -> Self {
        Self { state: [0.0; 4], episode: Episode::none() }
    }
}

/// The state is position, velocity, angle, angular velocity.
impl SetState for CartPole {
    type State = [f64; 4];

    fn set_state(&mut self, state: [f64; 4]) {
        self.episode.begin(0);
        self.state = state;
    }
}

impl Env for CartPole {
    type Action = usize;
    type Observation = Tensor;

    fn reset(&mut self, seed: u64) -> Tensor {
        self.episode.begin(seed);
        self.state = std::array::from_fn(|_| self.episode.uniform(-0.05, 0.05));
        floats(&self.state)
    }

    fn step(&mut self, action: usize) -> Step<Tensor> {
        self.episode.check_action(action, 2);
        let [x, speed, angle, turn] = self.state;
        let force = if action == 1 { FORCE } else { -FORCE };
        let (sin, cos) = angle.sin_cos();
        let push = (force + POLE_MASS * LENGTH * turn * turn * sin) / TOTAL_MASS;
        let turning = (GRAVITY * sin - cos * push) / (LENGTH * (4.0 / 3.0 - POLE_MASS * cos * cos / TOTAL_MASS));
        let speeding = push - POLE_MASS * LENGTH * turning * cos / TOTAL_MASS;
        self.state =
            [x + INTERVAL * speed, speed + INTERVAL * speeding, angle + INTERVAL * turn, turn + INTERVAL * turning];
        let terminated = self.state[0].abs() > FARTHEST || self.state[2].abs() > WIDEST;
        self.episode.end_if(terminated);
        Step { observation: floats(&self.state), reward: 1.0, terminated, truncated: false }
    }

    fn observation_space(&self) -> Space {
        let high = vec![2.0 * FARTHEST, f64::INFINITY, 2.0 * WIDEST, f64::INFINITY];
        Space::Box { low: high.iter().map(|bound| -bound).collect(), high }
    }

    fn action_space(&self) -> Space {
        Space::Discrete(2)
    }

    fn action_names(&self) -> Vec<String> {
        names(&["left", "right"])
    }

    fn render(&self) -> Tensor {
        let mut canvas = Canvas::new(480, 240, SKY);
        let x = 240.0 + self.state[0] / FARTHEST * 200.0;
        canvas.line((20.0, 200.0), (460.0, 200.0), 2.0, INK);
        canvas.rectangle((x - 32.0, 170.0), (x + 32.0, 194.0), BLUE);
        canvas.circle((x - 18.0, 194.0), 7.0, INK);
        canvas.circle((x + 18.0, 194.0), 7.0, INK);
        let (sin, cos) = self.state[2].sin_cos();
        canvas.line((x, 170.0), (x + 130.0 * sin, 170.0 - 130.0 * cos), 10.0, WOOD);
        canvas.circle((x, 170.0), 5.0, INK);
        canvas.tensor()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn it_moves_as_in_gymnasium() {
        for name in ["cart_pole", "cart_pole_leaves"] {
            let mut env = CartPole::new();
            let state = rl::tests::reference().numbers(&format!("/{name}/state"));
            env.set_state([state[0], state[1], state[2], state[3]]);
            rl::tests::follow(name, |action| env.step(action as usize));
            assert!(env.episode_is_over(), "{name} ends in termination");
        }
    }

    impl CartPole {
        fn episode_is_over(&self) -> bool {
            std::panic::catch_unwind(|| self.episode.check()).is_err()
        }
    }

    #[test]
    #[should_panic(expected = "the episode is over: call reset(seed)")]
    fn no_step_after_the_end() {
        let mut env = CartPole::new();
        env.set_state([2.4, 1.0, 0.0, 0.0]);
        assert!(env.step(1).terminated);
        env.step(1);
    }

    #[test]
    fn it_starts_near_upright() {
        let mut env = CartPole::new();
        for seed in 0..50 {
            assert!(env.reset(seed).abs().max().double_value(&[]) <= 0.05);
        }
        assert_eq!((env.render().size(), env.render().kind()), (vec![3, 240, 480], tch::Kind::Uint8));
    }
}
