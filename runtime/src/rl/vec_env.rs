//! Several copies of an environment that are stepped together.

use tch::Tensor;

use super::env::{Env, Space};
use crate::elements::elements;

/// Copies of an environment of tensors. One whose episode is over starts the next one at once.
///
/// ```
/// use oxtorch::prelude::*;
/// let mut envs = rl::VecEnv::new(4, rl::cart_pole);
/// assert_eq!(envs.reset(0).size(), [4, 4]);
/// let step = envs.step(&[0, 1, 0, 1]);
/// assert_eq!((step.observations.size(), step.rewards), (vec![4, 4], vec![1.0; 4]));
/// ```
#[derive(Debug)]
pub struct VecEnv<E> {
    envs: Vec<E>,
    next_seed: u64,
    /// The rewards of each copy's episode so far.
    returns: Vec<f64>,
}

/// What the actions of all copies led to.
#[derive(Debug)]
pub struct VecStep {
    /// `[N, ...]`; where an episode is over, the first of the next one.
    pub observations: Tensor,
    /// `[N, ...]`, what the actions led to: where an episode is over, its last observation.
    pub final_observations: Tensor,
    /// Of each copy.
    pub rewards: Vec<f64>,
    /// Of each copy.
    pub terminated: Vec<bool>,
    /// Of each copy.
    pub truncated: Vec<bool>,
    /// Of each episode that is over with this step, the sum of its rewards.
    pub episode_returns: Vec<f64>,
}

impl VecStep {
    /// Whether the episode of each copy is over, in either way.
    pub fn done(&self) -> Vec<bool> {
        self.terminated.iter().zip(&self.truncated).map(|(terminated, truncated)| *terminated || *truncated).collect()
    }
}

/// What [`VecEnv::step`] takes: an action for each copy, as a list or an array, or as a tensor such as a policy draws.
pub trait Actions<A> {
    /// One for each copy.
    fn list(&self) -> Vec<A>;
}

impl<A: Clone> Actions<A> for [A] {
    fn list(&self) -> Vec<A> {
        self.to_vec()
    }
}

impl<A: Clone, const N: usize> Actions<A> for [A; N] {
    fn list(&self) -> Vec<A> {
        self.to_vec()
    }
}

impl<A: Clone> Actions<A> for Vec<A> {
    fn list(&self) -> Vec<A> {
        self.clone()
    }
}

/// Integers of any shape.
impl Actions<usize> for Tensor {
    #[track_caller]
    fn list(&self) -> Vec<usize> {
        assert!(
            !self.is_floating_point(),
            "actions of {:?} are none of a few: draw some, as by `Categorical::from_logits(&logits).sample([])`, or take \
             `argmax(-1, false)`",
            self.kind()
        );
        let number = |action| usize::try_from(action).unwrap_or_else(|_| panic!("there is no action {action}"));
        elements::<i64>(self).into_iter().map(number).collect()
    }
}

/// Numbers of any shape, `[N]` or `[N, 1]` for example.
impl Actions<f64> for Tensor {
    fn list(&self) -> Vec<f64> {
        elements(self)
    }
}

impl<E: Env<Observation = Tensor>> VecEnv<E> {
    /// `count` copies, each made by `make`.
    ///
    /// # Panics
    ///
    /// Where `count` is 0.
    pub fn new(count: usize, make: impl Fn() -> E) -> Self {
        assert!(count > 0, "no copies to step");
        Self { envs: (0..count).map(|_| make()).collect(), next_seed: 0, returns: vec![0.0; count] }
    }

    /// Starts an episode in each copy, with the seeds `seed`, `seed + 1` and so on, which later episodes go on with.
    pub fn reset(&mut self, seed: u64) -> Tensor {
        self.next_seed = seed.wrapping_add(self.envs.len() as u64);
        self.returns.fill(0.0);
        let first = |(i, env): (usize, &mut E)| env.reset(seed.wrapping_add(i as u64));
        Tensor::stack(&self.envs.iter_mut().enumerate().map(first).collect::<Vec<_>>(), 0)
    }

    /// What observations there are of each copy.
    pub fn single_observation_space(&self) -> Space {
        self.envs[0].observation_space()
    }

    /// What actions there are for each copy.
    pub fn single_action_space(&self) -> Space {
        self.envs[0].action_space()
    }

    /// Takes an action in each copy.
    ///
    /// # Panics
    ///
    /// Where there is not one action for each copy, or an action is none.
    pub fn step(&mut self, actions: &(impl Actions<E::Action> + ?Sized)) -> VecStep {
        let actions = actions.list();
        let (count, given) = (self.envs.len(), actions.len());
        assert!(given == count, "{given} actions for {count} environments: each takes one");
        let (mut now, mut last) = (Vec::new(), Vec::new());
        let (mut rewards, mut terminated, mut truncated) = (Vec::new(), Vec::new(), Vec::new());
        let mut episode_returns = Vec::new();
        for ((env, action), total) in self.envs.iter_mut().zip(actions).zip(&mut self.returns) {
            let step = env.step(action);
            *total += step.reward;
            now.push(if step.done() {
                episode_returns.push(std::mem::take(total));
                self.next_seed = self.next_seed.wrapping_add(1);
                env.reset(self.next_seed.wrapping_sub(1))
            } else {
                step.observation.shallow_clone()
            });
            last.push(step.observation);
            rewards.push(step.reward);
            terminated.push(step.terminated);
            truncated.push(step.truncated);
        }
        let (observations, final_observations) = (Tensor::stack(&now, 0), Tensor::stack(&last, 0));
        VecStep { observations, final_observations, rewards, terminated, truncated, episode_returns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl::{CartPole, SetState, TimeLimit};

    #[test]
    fn probabilities_are_no_actions() {
        let mut envs = VecEnv::new(2, CartPole::new);
        let _ = envs.reset(0);
        let message = crate::tests::panic_message(|| envs.step(&Tensor::from_slice(&[0.9f32, 0.1])));
        assert!(message.contains("actions of Float are none of a few"), "{message}");
    }

    #[test]
    fn a_state_that_is_set_begins_an_episode() {
        let mut env = TimeLimit::new(CartPole::new(), 2);
        let _ = env.reset(0);
        let _ = (env.step(0), env.step(0));
        env.set_state([0.0; 4]);
        assert_eq!([env.step(0), env.step(1)].map(|step| step.truncated), [false, true]);
    }

    #[test]
    fn an_episode_that_is_over_is_followed_by_the_next() {
        let mut envs = VecEnv::new(2, || TimeLimit::new(CartPole::new(), 2));
        let _ = envs.reset(10);
        let step = envs.step(&[0, 1]);
        assert!(step.observations.equal(&step.final_observations));
        let step = envs.step(&[0, 1]);
        assert_eq!((step.done(), step.episode_returns), (vec![true; 2], vec![2.0; 2]));
        assert_eq!((step.truncated, step.terminated), (vec![true; 2], vec![false; 2]));
        assert_eq!((envs.single_observation_space().len(), envs.single_action_space().len()), (4, 2));
        assert!(step.observations.get(0).equal(&CartPole::new().reset(12)));
        assert!(step.observations.get(1).equal(&CartPole::new().reset(13)));
        assert!(!step.observations.equal(&step.final_observations));
    }

    #[test]
    fn actions_are_lists_or_tensors() {
        let mut carts = VecEnv::new(2, CartPole::new);
        let mut moved = |actions: &dyn Fn(&mut VecEnv<CartPole>) -> VecStep| {
            let _ = carts.reset(3);
            actions(&mut carts).observations
        };
        let expected = moved(&|carts| carts.step(&[0, 1]));
        assert!(moved(&|carts| carts.step(&vec![0, 1])).equal(&expected));
        assert!(moved(&|carts| carts.step(&[0, 1][..])).equal(&expected));
        assert!(moved(&|carts| carts.step(&Tensor::from_slice(&[0i64, 1]))).equal(&expected));
        let mut pendulums = VecEnv::new(2, crate::rl::pendulum);
        let _ = pendulums.reset(3);
        assert_eq!(pendulums.step(&Tensor::from_slice(&[0.5f32, 1.0]).unsqueeze(1)).rewards.len(), 2);
    }

    #[test]
    #[should_panic(expected = "there is no action -1")]
    fn no_action_below_0() {
        let mut envs = VecEnv::new(1, CartPole::new);
        let _ = envs.reset(0);
        envs.step(&Tensor::from_slice(&[-1i64]));
    }

    #[test]
    #[should_panic(expected = "1 actions for 2 environments")]
    fn each_copy_takes_an_action() {
        let mut envs = VecEnv::new(2, CartPole::new);
        let _ = envs.reset(0);
        envs.step(&[0]);
    }
}
