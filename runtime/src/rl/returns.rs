//! What the rewards of an episode are worth at each of its steps, and how much to explore.

/// `G_t = r_t + discount * G_{t+1}`: what follows each step of one episode.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!(rl::discounted_returns(&[1.0, 1.0, 4.0], 0.5), [2.5, 3.0, 4.0]);
/// ```
pub fn discounted_returns(rewards: &[f64], discount: f64) -> Vec<f64> {
    let mut returns = vec![0.0; rewards.len()];
    let mut following = 0.0;
    for (value, reward) in returns.iter_mut().zip(rewards).rev() {
        following = reward + discount * following;
        *value = following;
    }
    returns
}

/// Generalised advantage estimation (Schulman et al., "High-dimensional continuous control using generalized advantage
/// estimation", 2016): `A_t = δ_t + discount * decay * A_{t+1}` with `δ_t = r_t + discount * V_{t+1} - V_t`.
///
/// `values` are those of the states acted in, `last_value` that of the state after the last step; nothing follows where
/// `terminated`. Values to learn are `A + V`.
///
/// ```
/// use oxtorch::prelude::*;
/// let advantages = rl::advantages(&[1.0, 1.0], &[0.5, 0.5], &[false, true], 9.0, 1.0, 1.0);
/// assert_eq!(advantages, [1.5, 0.5]);
/// ```
///
/// # Panics
///
/// Where there is not one value and one end for each reward.
pub fn advantages(
    rewards: &[f64],
    values: &[f64],
    terminated: &[bool],
    last_value: f64,
    discount: f64,
    decay: f64,
) -> Vec<f64> {
    assert!(
        rewards.len() == values.len() && rewards.len() == terminated.len(),
        "{} rewards, {} values and {} ends: each step has one of each",
        rewards.len(),
        values.len(),
        terminated.len()
    );
    let mut advantages = vec![0.0; rewards.len()];
    let (mut next_value, mut next) = (last_value, 0.0);
    for t in (0..rewards.len()).rev() {
        let on = if terminated[t] { 0.0 } else { discount };
        next = rewards[t] + on * next_value - values[t] + on * decay * next;
        advantages[t] = next;
        next_value = values[t];
    }
    advantages
}

/// How often to act at random: falls in a line from `from` to `to` over `steps` steps, and stays there.
///
/// ```
/// use oxtorch::prelude::*;
/// assert_eq!([0, 50, 200].map(|step| rl::linear_epsilon(step, 1.0, 0.0, 100)), [1.0, 0.5, 0.0]);
/// ```
pub fn linear_epsilon(step: usize, from: f64, to: f64, steps: usize) -> f64 {
    if step >= steps { to } else { from + (to - from) * step as f64 / steps as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rl;

    #[test]
    fn returns_and_advantages_are_those_of_their_sums() {
        let reference = rl::tests::reference();
        let numbers = |name: &str| reference.numbers(&format!("/gae/{name}"));
        let ends: Vec<bool> = numbers("terminated").iter().map(|end| *end == 1.0).collect();
        let near = |actual: Vec<f64>, expected: Vec<f64>| {
            assert_eq!(actual.len(), expected.len());
            assert!(actual.iter().zip(&expected).all(|(a, e)| (a - e).abs() < 1e-12), "{actual:?} {expected:?}");
        };
        near(advantages(&numbers("rewards"), &numbers("values"), &ends, 0.7, 0.9, 0.8), numbers("advantages"));
        near(discounted_returns(&numbers("rewards"), 0.9), numbers("returns"));
    }

    #[test]
    #[should_panic(expected = "2 rewards, 1 values and 2 ends")]
    fn each_step_has_a_value() {
        advantages(&[0.0, 0.0], &[0.0], &[false, true], 0.0, 0.9, 0.9);
    }
}
