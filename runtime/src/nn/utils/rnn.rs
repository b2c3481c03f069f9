//! Sequences of several lengths as one tensor, and back: what PyTorch has in `torch.nn.utils.rnn`. Recurrent layers
//! read such a tensor by `seq_lengths`, without packing it.

use std::borrow::Borrow;

use tch::{Kind, Tensor};

use crate::elements::elements;

/// Sequences `[Lᵢ, ...]` as one tensor, filled up to the longest with `padding_value`: `[B, T, ...]` with
/// `batch_first`, else `[T, B, ...]`. `padding_side` is `"right"`, where the filling goes behind each sequence, or
/// `"left"`, where it goes ahead of it, as texts need it that a language model goes on with.
///
/// ```
/// use oxtorch::prelude::*;
/// use nn::utils::rnn::pad_sequence;
/// let sequences = [Tensor::from_slice(&[1i64, 2, 3]), Tensor::from_slice(&[4i64])];
/// assert_eq!(pad_sequence(&sequences, true, 0.0, "right"), Tensor::from_slice2(&[[1i64, 2, 3], [4, 0, 0]]));
/// assert_eq!(pad_sequence(&sequences, true, -1.0, "left"), Tensor::from_slice2(&[[1i64, 2, 3], [-1, -1, 4]]));
/// ```
///
/// Batches of samples of several lengths, with the lengths:
///
/// ```
/// use oxtorch::prelude::*;
/// # struct Texts;
/// # impl Dataset for Texts {
/// #     type Sample = (Tensor, Tensor);
/// #     fn len(&self) -> usize { 6 }
/// #     fn get(&self, index: usize) -> Result<(Tensor, Tensor)> {
/// #         Ok((Tensor::ones([index as i64 + 1], (Kind::Int64, Device::Cpu)), Tensor::from(index as i64 % 2)))
/// #     }
/// # }
/// let loader = DataLoader::with_collate(Texts, 3, |samples: Vec<(Tensor, Tensor)>| {
///     let lengths: Vec<i64> = samples.iter().map(|(tokens, _)| tokens.size()[0]).collect();
///     let (tokens, labels): (Vec<Tensor>, Vec<Tensor>) = samples.into_iter().unzip();
///     let tokens = nn::utils::rnn::pad_sequence(&tokens, true, 0.0, "right");
///     (tokens, Tensor::from_slice(&lengths), Tensor::stack(&labels, 0))
/// });
/// for (tokens, lengths, labels) in &loader {
///     assert_eq!((tokens.size()[0], lengths.size(), labels.size()), (3, vec![3], vec![3]));
/// }
/// ```
///
/// # Panics
///
/// Where there is no sequence, they differ in more than their lengths, or the side is another.
pub fn pad_sequence<T: Borrow<Tensor>>(
    sequences: &[T],
    batch_first: bool,
    padding_value: f64,
    padding_side: &str,
) -> Tensor {
    assert!(!sequences.is_empty(), "pad_sequence: no sequences; give at least one");
    assert!(
        ["left", "right"].contains(&padding_side),
        "pad_sequence: a padding side of {padding_side:?}; give \"right\" or \"left\""
    );
    let sizes: Vec<Vec<i64>> = sequences.iter().map(|sequence| sequence.borrow().size()).collect();
    let first = &sizes[0];
    let other = sizes.iter().find(|size| size.is_empty() || size.len() != first.len() || size[1..] != first[1..]);
    if let Some(other) = other {
        panic!("pad_sequence: sequences of {first:?} and {other:?}; they may differ in the first dimension only");
    }
    Tensor::pad_sequence(sequences, batch_first, padding_value, padding_side)
}

/// The sequences of a tensor that is filled up on the right: `[B, T, ...]` with `batch_first`, else `[T, B, ...]`, and
/// their lengths, int64 `[B]`. The other way round of [`pad_sequence`].
///
/// ```
/// use oxtorch::prelude::*;
/// use nn::utils::rnn::unpad_sequence;
/// let padded = Tensor::from_slice2(&[[1i64, 2, 3], [4, 0, 0]]);
/// let sequences = unpad_sequence(&padded, &Tensor::from_slice(&[3i64, 1]), true);
/// assert_eq!(sequences, [Tensor::from_slice(&[1i64, 2, 3]), Tensor::from_slice(&[4i64])]);
/// ```
///
/// # Panics
///
/// Where there is not one length for each sequence, or one is not in 0 to T.
pub fn unpad_sequence(padded: &Tensor, lengths: &Tensor, batch_first: bool) -> Vec<Tensor> {
    assert!(padded.dim() >= 2, "unpad_sequence: a tensor of {:?}; it has a batch and steps", padded.size());
    let padded = if batch_first { padded.shallow_clone() } else { padded.transpose(0, 1) };
    let (batch, steps) = (padded.size()[0], padded.size()[1]);
    assert!(lengths.size() == [batch], "unpad_sequence: lengths of {:?} for {batch} sequences", lengths.size());
    let sequence = |(at, length): (usize, i64)| {
        assert!((0..=steps).contains(&length), "unpad_sequence: a length of {length} among {steps} steps");
        padded.get(at as i64).narrow(0, 0, length)
    };
    elements::<i64>(lengths).into_iter().enumerate().map(sequence).collect()
}

/// Which steps belong to the sequences, and are not filling: bool `[B, T]` from lengths int64 `[B]`, for filling on the
/// right. `max_length` is T, which is the longest length otherwise.
///
/// ```
/// use oxtorch::prelude::*;
/// let mask = nn::utils::rnn::length_mask(&Tensor::from_slice(&[3i64, 1]), None);
/// assert_eq!(mask, Tensor::from_slice2(&[[true, true, true], [true, false, false]]));
/// ```
///
/// # Panics
///
/// Where the lengths are of another shape, or none.
pub fn length_mask(lengths: &Tensor, max_length: Option<i64>) -> Tensor {
    assert!(
        lengths.dim() == 1 && lengths.numel() > 0,
        "length_mask: lengths of {:?}; give one for each sequence, [B]",
        lengths.size()
    );
    let steps = max_length.unwrap_or_else(|| lengths.max().int64_value(&[]));
    Tensor::arange(steps, (Kind::Int64, lengths.device())).lt_tensor(&lengths.unsqueeze(1))
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;
    use crate::tests::panic_message;

    #[test]
    fn padded_sequences_and_their_gradients_are_pytorchs() {
        let reference = Reference::parse(include_str!("../../../../tests/reference/pad_sequence.json"));
        let sequences = [0, 1, 2].map(|at| reference.tensor(&format!("/sequences/{at}")).set_requires_grad(true));
        for (name, batch_first, value, side) in [
            ("steps_first", false, 0.0, "right"),
            ("batch_first", true, 0.0, "right"),
            ("value", true, -1.5, "right"),
            ("left", true, 2.0, "left"),
            ("left_steps_first", false, 0.0, "left"),
        ] {
            let padded = pad_sequence(&sequences, batch_first, value, side);
            reference.check(&format!("/{name}/output"), &padded, 0.0);
            let gradients = Tensor::run_backward(&[padded.square().sum(Kind::Float)], &sequences, false, false);
            for (at, gradient) in gradients.iter().enumerate() {
                reference.check(&format!("/{name}/gradients/{at}"), gradient, 1e-6);
            }
        }
    }

    #[test]
    fn what_is_filled_up_is_cut_off_again_on_any_kind() {
        for kind in [Kind::Float, Kind::Double, Kind::Int64, Kind::Bool] {
            let sequences = [4, 0, 2].map(|length| Tensor::ones([length, 3], (kind, Device::Cpu)));
            let lengths = Tensor::from_slice(&[4i64, 0, 2]);
            for batch_first in [true, false] {
                let padded = pad_sequence(&sequences.each_ref(), batch_first, 0.0, "right");
                assert_eq!((padded.kind(), padded.size().len()), (kind, 3));
                let back = unpad_sequence(&padded, &lengths, batch_first);
                assert!(back.iter().zip(&sequences).all(|(back, sequence)| back.equal(sequence)));
            }
            let mask = length_mask(&lengths, Some(5));
            assert_eq!((mask.size(), mask.sum(Kind::Int64).int64_value(&[])), (vec![3, 5], 6));
        }
    }

    #[test]
    fn sequences_that_do_not_go_together_are_named() {
        let zeros = |size: &[i64]| Tensor::zeros(size, (Kind::Float, Device::Cpu));
        let padded = |sequences: &[Tensor], side: &str| panic_message(|| pad_sequence(sequences, true, 0.0, side));
        assert!(padded(&[], "left").contains("no sequences"));
        assert!(padded(&[zeros(&[2])], "top").contains("a padding side of \"top\""));
        assert!(padded(&[zeros(&[2, 3]), zeros(&[4, 5])], "left").contains("sequences of [2, 3] and [4, 5]"));
        assert!(padded(&[zeros(&[])], "left").contains("sequences of [] and []"));
        let lengths = Tensor::from_slice(&[3i64]);
        assert!(
            panic_message(|| unpad_sequence(&zeros(&[1, 2]), &lengths, true)).contains("a length of 3 among 2 steps")
        );
        assert!(panic_message(|| unpad_sequence(&zeros(&[2, 2]), &lengths, true)).contains("lengths of [1] for 2"));
    }
}
