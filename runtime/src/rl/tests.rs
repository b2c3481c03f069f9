//! What the tests of the environments have in common.

use super::Step;

pub(super) fn reference() -> crate::reference::Reference {
    crate::reference::Reference::parse(include_str!("../../../tests/reference/rl.json"))
}

/// Compares the steps of an environment with those that Gymnasium took: observation, reward, terminated, truncated.
pub(super) fn follow(name: &str, mut step: impl FnMut(f64) -> Step<tch::Tensor>) {
    let reference = reference();
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
