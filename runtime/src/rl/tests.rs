//! What the tests of the environments have in common.

use super::Step;
use crate::reference::Reference;

pub(super) fn reference() -> Reference {
    Reference::parse(include_str!("../../../tests/reference/rl.json"))
}

/// As [`reference`], of the environments with few states, and of the acrobot.
pub(super) fn toy_reference() -> Reference {
    Reference::parse(include_str!("../../../tests/reference/rl_toy_text.json"))
}

/// Compares the steps of an environment with those that Gymnasium took: observation, reward, terminated, truncated.
pub(super) fn follow(name: &str, step: impl FnMut(f64) -> Step<tch::Tensor>) {
    follow_in(&reference(), name, step);
}

/// As [`follow`], with the values of another script.
pub(super) fn follow_in(reference: &Reference, name: &str, mut step: impl FnMut(f64) -> Step<tch::Tensor>) {
    let actions = reference.numbers(&format!("/{name}/actions"));
    assert!(!actions.is_empty());
    for (i, action) in actions.into_iter().enumerate() {
        let expected = reference.numbers(&format!("/{name}/steps/{i}"));
        let actual = step(action);
        let mut row: Vec<f64> = Vec::try_from(actual.observation.to_kind(tch::Kind::Double)).expect("numbers");
        row.extend([actual.reward, f64::from(u8::from(actual.terminated)), f64::from(u8::from(actual.truncated))]);
        assert_eq!(row.len(), expected.len());
        for (a, e) in row.iter().zip(&expected) {
            assert!((a - e).abs() <= 1e-5 * e.abs().max(1.0), "{name}, step {i}: {row:?} instead of {expected:?}");
        }
    }
}
