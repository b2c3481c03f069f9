//! Several copies of an environment that are stepped together.

use tch::Tensor;

use super::env::Env;

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
}

impl<E: Env<Observation = Tensor, Action: Clone>> VecEnv<E> {
    /// `count` copies, each made by `make`.
    ///
    /// # Panics
    ///
    /// Where `count` is 0.
    pub fn new(count: usize, make: impl Fn() -> E) -> Self {
        assert!(count > 0, "no copies to step");
        Self { envs: (0..count).map(|_| make()).collect(), next_seed: 0 }
    }

    /// Starts an episode in each copy, with the seeds `seed`, `seed + 1` and so on, which later episodes go on with.
    pub fn reset(&mut self, seed: u64) -> Tensor {
        self.next_seed = seed.wrapping_add(self.envs.len() as u64);
        let first = |(i, env): (usize, &mut E)| env.reset(seed.wrapping_add(i as u64));
        Tensor::stack(&self.envs.iter_mut().enumerate().map(first).collect::<Vec<_>>(), 0)
    }

    /// Takes an action in each copy.
    ///
    /// # Panics
    ///
    /// Where there is not one action for each copy, or an action is none.
    pub fn step(&mut self, actions: &[E::Action]) -> VecStep {
        let (count, given) = (self.envs.len(), actions.len());
        assert!(given == count, "{given} actions for {count} environments: each takes one");
        let (mut now, mut last) = (Vec::new(), Vec::new());
        let (mut rewards, mut terminated, mut truncated) = (Vec::new(), Vec::new(), Vec::new());
        for (env, action) in self.envs.iter_mut().zip(actions) {
            let step = env.step(action.clone());
            now.push(if step.done() {
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
        VecStep { observations, final_observations, rewards, terminated, truncated }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl::{CartPole, TimeLimit};

    #[test]
    fn an_episode_that_is_over_is_followed_by_the_next() {
        let mut envs = VecEnv::new(2, || TimeLimit::new(CartPole::new(), 2));
        let _ = envs.reset(10);
        let step = envs.step(&[0, 1]);
        assert!(step.observations.equal(&step.final_observations));
        let step = envs.step(&[0, 1]);
        assert_eq!((step.truncated, step.terminated), (vec![true; 2], vec![false; 2]));
        assert!(step.observations.get(0).equal(&CartPole::new().reset(12)));
        assert!(step.observations.get(1).equal(&CartPole::new().reset(13)));
        assert!(!step.observations.equal(&step.final_observations));
    }

    #[test]
    #[should_panic(expected = "1 actions for 2 environments")]
    fn each_copy_takes_an_action() {
        let mut envs = VecEnv::new(2, CartPole::new);
        let _ = envs.reset(0);
        envs.step(&[0]);
    }
}
