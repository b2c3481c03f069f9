//! What an environment is, and the limit on the steps of an episode.

use std::ops::{Deref, DerefMut};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tch::Tensor;

/// What an agent acts in: it is reset, then stepped until the episode is over. Names are those of Gymnasium.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::frozen_lake(false);
/// assert_eq!(env.reset(0), 0);
/// let step = env.step(2);
/// assert_eq!((step.observation, step.reward, step.done()), (1, 0.0, false));
/// ```
///
/// An environment of one's own says what `reset` and `step` do. What else there is has a default; a limit of steps
/// comes from [`TimeLimit`].
///
/// ```
/// use oxtorch::prelude::*;
/// /// From 3 to either end of 0 to 6, of which the right one is worth 1.
/// struct Corridor { at: usize }
/// impl Env for Corridor {
///     type Observation = usize;
///     type Action = usize;
///     fn reset(&mut self, _seed: u64) -> usize { self.at = 3; self.at }
///     fn step(&mut self, action: usize) -> rl::Step<usize> {
///         self.at = if action == 1 { self.at + 1 } else { self.at - 1 };
///         let reward = if self.at == 6 { 1.0 } else { 0.0 };
///         rl::Step::new(self.at, reward, self.at == 0 || self.at == 6)
///     }
/// }
/// let mut env = rl::TimeLimit::new(Corridor { at: 3 }, 50);
/// env.reset(0);
/// let last = [1, 1, 1].map(|action| env.step(action))[2];
/// assert_eq!((last.reward, last.terminated, last.truncated), (1.0, true, false));
/// ```
pub trait Env {
    /// `usize` for states of a table, a float32 tensor for others.
    type Observation;
    /// `usize` for one of a few actions, `f64` for a force, an array for several numbers.
    type Action;

    /// Starts an episode and gives its first observation. The same seed and actions give the same episode.
    fn reset(&mut self, seed: u64) -> Self::Observation;

    /// Takes an action.
    ///
    /// # Panics
    ///
    /// Where there is no such action, or the episode is over or was never begun.
    fn step(&mut self, action: Self::Action) -> Step<Self::Observation>;

    /// What observations there are.
    ///
    /// # Panics
    ///
    /// Where an environment of one's own does not say it.
    fn observation_space(&self) -> Space {
        unsaid::<Self>("which observations there are", "observation_space(&self) -> rl::Space", "Space::Discrete(7)")
    }

    /// What actions there are.
    ///
    /// # Panics
    ///
    /// Where an environment of one's own does not say it.
    fn action_space(&self) -> Space {
        unsaid::<Self>("which actions there are", "action_space(&self) -> rl::Space", "Space::Discrete(2)")
    }

    /// The names of the actions, for figures and tables: their numbers, where an environment has no others. None for
    /// actions that are not of a few.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// assert_eq!(rl::frozen_lake(true).action_names(), ["left", "down", "right", "up"]);
    /// ```
    ///
    /// # Panics
    ///
    /// Where neither these nor the actions are known, as in [`Env::action_space`].
    fn action_names(&self) -> Vec<String> {
        match self.action_space() {
            Space::Discrete(count) => (0..count).map(|action| action.to_string()).collect(),
            _ => Vec::new(),
        }
    }

    /// A picture of the present state, uint8 `[3, H, W]`, for [`image()`](crate::picture::image()).
    ///
    /// # Panics
    ///
    /// Where an environment of one's own draws none.
    fn render(&self) -> Tensor {
        unsaid::<Self>("how it looks", "render(&self) -> Tensor", "a tensor uint8 [3, H, W]")
    }
}

/// An environment that can begin an episode in a state of one's own, in place of one that [`Env::reset`] draws.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::cart_pole();
/// env.set_state([0.0, 0.0, 0.1, 0.0]);
/// assert!(!env.step(1).done());
/// ```
pub trait SetState {
    /// What a state consists of.
    type State;

    /// Begins an episode in a state.
    ///
    /// # Panics
    ///
    /// Where there is no such state.
    fn set_state(&mut self, state: Self::State);
}

#[track_caller]
fn unsaid<E: ?Sized>(what: &str, function: &str, example: &str) -> ! {
    let path = std::any::type_name::<E>();
    let name = path.rsplit("::").next().unwrap_or(path);
    panic!("{name} does not say {what}: write `fn {function}` in its `impl Env`, such as {example}")
}

/// What an action led to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step<O> {
    /// What is seen now.
    pub observation: O,
    /// What the action was worth.
    pub reward: f64,
    /// The episode came to its end: nothing follows, so the value of what follows is 0.
    pub terminated: bool,
    /// The episode was cut off by a limit: it could have gone on, so the value of what follows is not 0.
    pub truncated: bool,
}

impl<O> Step<O> {
    /// A step of an episode that no limit cuts off.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let step = rl::Step::new(3usize, -1.0, false);
    /// assert_eq!((step.observation, step.reward, step.done()), (3, -1.0, false));
    /// ```
    pub fn new(observation: O, reward: f64, terminated: bool) -> Self {
        Self { observation, reward, terminated, truncated: false }
    }

    /// Whether the episode is over, in either way.
    pub fn done(&self) -> bool {
        self.terminated || self.truncated
    }
}

/// The values that an action or an observation takes.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(rl::cart_pole().action_space(), rl::Space::Discrete(2));
/// assert_eq!(rl::cart_pole().observation_space().len(), 4);
/// ```
#[derive(Debug, Clone, PartialEq)]
pub enum Space {
    /// Whole numbers from 0 below this one.
    Discrete(usize),
    /// Vectors between two bounds, which may be infinite.
    Box {
        /// The lowest value of each element.
        low: Vec<f64>,
        /// The highest value of each element.
        high: Vec<f64>,
    },
    /// Several of these together.
    Tuple(Vec<Space>),
}

impl Space {
    /// The number of discrete values, or of a vector's elements: the inputs or outputs of a network. Of a tuple, those
    /// of its parts together.
    #[expect(clippy::len_without_is_empty, reason = "no space is empty")]
    pub fn len(&self) -> usize {
        match self {
            Self::Discrete(count) => *count,
            Self::Box { low, .. } => low.len(),
            Self::Tuple(parts) => parts.iter().map(Self::len).sum(),
        }
    }
}

/// Cuts episodes off after a number of steps, as Gymnasium does. What the environment has beyond [`Env`] is still
/// there.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut env = rl::TimeLimit::new(rl::CartPole::new(), 3);
/// let _ = env.reset(0);
/// let truncated: Vec<bool> = (0..3).map(|i| env.step(i % 2).truncated).collect();
/// assert_eq!(truncated, [false, false, true]);
/// ```
#[derive(Debug, Clone)]
pub struct TimeLimit<E> {
    env: E,
    limit: usize,
    steps: usize,
}

impl<E> TimeLimit<E> {
    /// An environment with at most `limit` steps an episode.
    ///
    /// # Panics
    ///
    /// Where the limit is 0.
    pub fn new(env: E, limit: usize) -> Self {
        assert!(limit > 0, "an episode has at least one step: the limit is 0");
        Self { env, limit, steps: 0 }
    }

    /// The most steps of an episode.
    pub fn limit(&self) -> usize {
        self.limit
    }
}

impl<E: Env> Env for TimeLimit<E> {
    type Action = E::Action;
    type Observation = E::Observation;

    fn reset(&mut self, seed: u64) -> E::Observation {
        self.steps = 0;
        self.env.reset(seed)
    }

    fn step(&mut self, action: E::Action) -> Step<E::Observation> {
        assert!(
            self.steps < self.limit,
            "the episode was truncated after {} steps: call reset(seed) before the next step",
            self.limit
        );
        let step = self.env.step(action);
        self.steps += 1;
        Step { truncated: step.truncated || self.steps >= self.limit, ..step }
    }

    fn observation_space(&self) -> Space {
        self.env.observation_space()
    }

    fn action_space(&self) -> Space {
        self.env.action_space()
    }

    fn action_names(&self) -> Vec<String> {
        self.env.action_names()
    }

    fn render(&self) -> Tensor {
        self.env.render()
    }
}

impl<E: SetState> SetState for TimeLimit<E> {
    type State = E::State;

    fn set_state(&mut self, state: E::State) {
        self.steps = 0;
        self.env.set_state(state);
    }
}

impl<E> Deref for TimeLimit<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.env
    }
}

impl<E> DerefMut for TimeLimit<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.env
    }
}

/// Where an episode stands, and its random numbers.
#[derive(Debug, Clone)]
pub(super) struct Episode {
    rng: StdRng,
    begun: bool,
    over: bool,
}

impl Episode {
    pub(super) fn none() -> Self {
        Self { rng: StdRng::seed_from_u64(0), begun: false, over: false }
    }

    pub(super) fn begin(&mut self, seed: u64) {
        *self = Self { rng: StdRng::seed_from_u64(seed), begun: true, over: false };
    }

    #[track_caller]
    pub(super) fn check(&self) {
        assert!(self.begun, "no episode has begun: call reset(seed) before the first step");
        assert!(!self.over, "the episode is over: call reset(seed) before the next step");
    }

    #[track_caller]
    pub(super) fn check_action(&self, action: usize, actions: usize) {
        self.check();
        assert!(action < actions, "there is no action {action}: actions count from 0 to {}", actions - 1);
    }

    #[track_caller]
    pub(super) fn check_force(&self, force: f64) {
        self.check();
        assert!(force.is_finite(), "an action of {force} is not a force: has the training diverged?");
    }

    pub(super) fn end_if(&mut self, terminated: bool) {
        self.over = terminated;
    }

    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    pub(super) fn uniform(&mut self, low: f64, high: f64) -> f64 {
        self.rng.random_range(low..high)
    }

    pub(super) fn index(&mut self, count: usize) -> usize {
        self.rng.random_range(0..count)
    }
}

/// Names of actions.
pub(super) fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

pub(super) fn floats(values: &[f64]) -> Tensor {
    Tensor::from_slice(values).to_kind(tch::Kind::Float)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn limits_are_those_of_gymnasium() {
        let reference = rl::tests::reference();
        for (name, limit) in [
            ("CartPole-v1", rl::cart_pole().limit()),
            ("MountainCar-v0", rl::mountain_car().limit()),
            ("MountainCarContinuous-v0", rl::mountain_car_continuous().limit()),
            ("Pendulum-v1", rl::pendulum().limit()),
            ("FrozenLake-v1", rl::frozen_lake(true).limit()),
            ("FrozenLake8x8-v1", rl::frozen_lake_8x8(true).limit()),
        ] {
            assert_eq!(limit as f64, reference.number(&format!("/limits/{name}")), "{name}");
        }
        let mut car = rl::mountain_car();
        let _ = car.reset(0);
        let expected = reference.numbers("/truncated");
        let mut steps = 0.0;
        let last = loop {
            steps += 1.0;
            let step = car.step(1);
            if step.done() {
                break step;
            }
        };
        assert_eq!([steps, f64::from(u8::from(last.terminated)), f64::from(u8::from(last.truncated))], expected[..]);
    }

    #[test]
    fn a_seed_repeats_the_episode() {
        let episode = |seed| {
            let mut lake = rl::frozen_lake(true);
            let mut states = vec![lake.reset(seed)];
            loop {
                let step = lake.step(states.len() % 4);
                states.push(step.observation);
                if step.done() {
                    return states;
                }
            }
        };
        assert_eq!(episode(3), episode(3));
        assert!((0..20).any(|seed| episode(seed) != episode(3)));
        assert!(rl::cart_pole().reset(1).equal(&rl::cart_pole().reset(1)));
        assert!(!rl::cart_pole().reset(1).equal(&rl::cart_pole().reset(2)));
    }

    #[test]
    #[should_panic(expected = "truncated after 1 steps: call reset(seed)")]
    fn no_step_after_truncation() {
        let mut env = TimeLimit::new(rl::CartPole::new(), 1);
        let _ = env.reset(0);
        env.step(0);
        env.step(0);
    }

    #[test]
    #[should_panic(expected = "no episode has begun")]
    fn no_step_before_reset() {
        rl::cart_pole().step(0);
    }

    #[test]
    #[should_panic(expected = "no action 2: actions count from 0 to 1")]
    fn no_action_out_of_range() {
        let mut env = rl::cart_pole();
        let _ = env.reset(0);
        env.step(2);
    }

    /// An environment that says no more than it has to.
    struct Silent;

    impl Silent {
        fn turn(&mut self) {}
    }

    impl Env for Silent {
        type Action = [f64; 2];
        type Observation = usize;

        fn reset(&mut self, seed: u64) -> usize {
            seed as usize
        }

        fn step(&mut self, [first, second]: [f64; 2]) -> Step<usize> {
            Step::new(1, first + second, true)
        }
    }

    #[test]
    fn an_environment_of_ones_own_need_not_say_more_than_reset_and_step() {
        let mut env = TimeLimit::new(Silent, 1);
        assert_eq!(env.reset(5), 5);
        assert_eq!(env.step([0.5, 1.0]), Step { observation: 1, reward: 1.5, terminated: true, truncated: true });
        let said = |run: fn(&TimeLimit<Silent>)| crate::tests::panic_message(|| run(&TimeLimit::new(Silent, 1)));
        assert!(said(|env| drop(env.render())).starts_with("Silent does not say how it looks: write `fn render"));
        assert!(said(|env| drop(env.action_space())).contains("which actions there are: write `fn action_space"));
        assert!(said(|env| drop(env.action_names())).contains("which actions there are"));
        assert!(said(|env| drop(env.observation_space())).contains("which observations there are"));
    }

    #[test]
    fn what_is_changed_within_an_episode_leaves_its_limit() {
        let mut env = TimeLimit::new(Silent, 1);
        let _ = (env.reset(0), env.step([0.0, 0.0]));
        env.turn();
        assert!(crate::tests::panic_message(|| env.step([0.0, 0.0])).contains("truncated after 1 steps"));
    }

    #[test]
    fn actions_have_names() {
        assert_eq!(rl::cart_pole().action_names(), ["left", "right"]);
        assert_eq!(rl::cliff_walking(false).action_names(), ["up", "right", "down", "left"]);
        assert_eq!(rl::TicTacToe::new(rl::Opponent::Human).action_names().len(), 9);
        assert!(rl::pendulum().action_names().is_empty());
    }
}
