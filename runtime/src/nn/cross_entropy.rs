//! Cross entropy of logits of any shape, and the axis that their classes are on.

use tch::{Kind, Reduction, Tensor};

/// Cross entropy of logits against the right classes, the mean over all targets: PyTorch's `F.cross_entropy`, which
/// takes the logits of language models as they come as well. Targets of -100 do not count.
///
/// | logits | targets | |
/// | --- | --- | --- |
/// | `[N, C]` | `[N]` | samples |
/// | `[C]` | `[]` | one sample |
/// | `[B, T, V]` | `[B, T]` | tokens: classes on the last axis |
/// | `[N, C, H, W]` | `[N, H, W]` | pixels: classes on axis 1, as PyTorch has them |
/// | `[N, C]` | `[N, C]` floats | the share of each class in place of the right one |
///
/// ```
/// use oxtorch::prelude::*;
/// let logits = Tensor::zeros([2, 5, 50], (Kind::Float, device()));
/// let tokens = Tensor::ones([2, 5], (Kind::Int64, device()));
/// assert!((nn::cross_entropy(&logits, &tokens).double_value(&[]) - 50f64.ln()).abs() < 1e-5);
/// ```
///
/// # Panics
///
/// Where the shapes do not go together, or where they would with the classes on axis 1 as well as on the last one:
/// logits `[B, T, T]` for targets `[B, T]`. The message says what to write then.
#[track_caller]
pub fn cross_entropy(logits: &Tensor, targets: &Tensor) -> Tensor {
    let shares = targets.is_floating_point() && logits.size() == targets.size() && logits.dim() <= 2;
    let (logits, targets) =
        if shares { (logits.shallow_clone(), targets.shallow_clone()) } else { rows("cross_entropy", logits, targets) };
    logits.cross_entropy_loss(&targets, None::<Tensor>, Reduction::Mean, -100, 0.0)
}

/// Logits of any shape as `[M, C]`, and their targets as `[M]` int64.
///
/// # Panics
///
/// As [`cross_entropy`].
#[track_caller]
pub(crate) fn rows(what: &str, logits: &Tensor, targets: &Tensor) -> (Tensor, Tensor) {
    assert!(
        !targets.is_floating_point(),
        "{what}: targets of {:?}; the right classes are integers: `targets.to_kind(Kind::Int64)`",
        targets.kind()
    );
    let axis = class_axis(&logits.size(), &targets.size()).unwrap_or_else(|reason| panic!("{what}: {reason}"));
    let logits = logits.movedim_int(axis, -1);
    let classes = logits.size().last().copied().unwrap_or(1);
    (logits.reshape([-1, classes]), targets.reshape([-1]).to_kind(Kind::Int64))
}

/// The axis of logits that the shape of the targets does not have.
fn class_axis(logits: &[i64], targets: &[i64]) -> Result<i64, String> {
    let without = |axis: usize| logits.len() > axis && [&logits[..axis], &logits[axis + 1..]].concat() == targets;
    let last = logits.len().saturating_sub(1);
    match (without(1), without(last)) {
        (true, true) if last > 1 => Err(format!(
            "logits of {logits:?} for targets of {targets:?} can have their classes on axis 1 or on the last. If on the last, give \
             `logits.flatten(0, -2)` and `targets.flatten(0, -1)`; if on axis 1, `logits.flatten(2, -1).transpose(1, 2).flatten(0, 1)` \
             and `targets.flatten(0, -1)`"
        )),
        (_, true) => Ok(last as i64),
        (true, false) => Ok(1),
        (false, false) => Err(format!(
            "logits of {logits:?} for targets of {targets:?}; they are [N, C] and [N], [..., C] and [...], or with the classes on axis \
             1 [N, C, ...] and [N, ...]"
        )),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    fn message(logits: &[i64], targets: &[i64]) -> String {
        class_axis(logits, targets).expect_err("no axis")
    }

    #[test]
    fn the_class_axis_is_the_one_that_targets_lack() {
        assert_eq!(class_axis(&[8, 10], &[8]), Ok(1));
        assert_eq!(class_axis(&[10], &[]), Ok(0));
        assert_eq!(class_axis(&[2, 5, 50], &[2, 5]), Ok(2));
        assert_eq!(class_axis(&[2, 50, 5], &[2, 5]), Ok(1));
        assert_eq!(class_axis(&[5, 5, 50], &[5, 5]), Ok(2));
        assert_eq!(class_axis(&[2, 3, 8, 9], &[2, 8, 9]), Ok(1));
        assert_eq!(class_axis(&[2, 8, 9, 3], &[2, 8, 9]), Ok(3));
        assert!(message(&[2, 5, 5], &[2, 5]).contains("axis 1 or on the last"));
        assert!(message(&[2, 4, 4, 4], &[2, 4, 4]).contains("`logits.flatten(0, -2)`"));
        assert!(message(&[8, 10], &[8, 1]).contains("[N, C] and [N]"));
        assert!(message(&[8, 10], &[9]).contains("logits of [8, 10] for targets of [9]"));
        assert!(message(&[], &[]).contains("[..., C]"));
    }

    #[test]
    fn it_is_pytorchs_loss_wherever_the_classes_are() {
        let logits = Tensor::arange(120, (Kind::Double, Device::Cpu)).sin().reshape([2, 5, 12]);
        let tokens = Tensor::arange(10, (Kind::Int64, Device::Cpu)).reshape([2, 5]);
        let _ = tokens.get(1).get(4).fill_(-100);
        let expected = logits.transpose(1, 2).cross_entropy_loss(&tokens, None::<Tensor>, Reduction::Mean, -100, 0.0);
        let near = |loss: Tensor| assert!((loss - &expected).abs().double_value(&[]) < 1e-12);
        near(cross_entropy(&logits, &tokens));
        near(cross_entropy(&logits.transpose(1, 2), &tokens));
        near(cross_entropy(&logits.flatten(0, 1), &tokens.flatten(0, 1).to_kind(Kind::Int)));
        let one = logits.get(0).get(0);
        let class = Tensor::from(3i64);
        assert_eq!(cross_entropy(&one, &class), cross_entropy(&one.unsqueeze(0), &class.unsqueeze(0)));
        let shares = Tensor::from_slice(&[1.0f64]).unsqueeze(0).constant_pad_nd([3, 8]);
        let difference = cross_entropy(&one.unsqueeze(0), &shares) - cross_entropy(&one, &class);
        assert!(difference.abs().double_value(&[]) < 1e-12);
    }
}
