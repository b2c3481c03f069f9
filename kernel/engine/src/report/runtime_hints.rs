//! Help for failures at run time, by what their message says.

const NO_GPU: &str =
    "libtorch finds no GPU here. `device()` is the best device there is, as in `(Kind::Float, device())`";
const INDICES: &str = "indices are integers: `.to_kind(Kind::Int64)` makes them of numbers of another kind";

/// Pieces of messages, and the help for those that hold them all.
const HELP: [(&[&str], &str); 51] = [
    (&["from the 'CUDA' backend"], NO_GPU),
    (&["No CUDA GPUs are available"], NO_GPU),
    (&["Found no NVIDIA driver"], NO_GPU),
    (
        &["shapes cannot be multiplied"],
        "in AxB and CxD, B and C have to be the same number; `size()` tells a tensor's shape, `tr()` transposes a matrix",
    ),
    (
        &["expected target dtype to be Long"],
        "labels are integers: `.to_kind(Kind::Int64)` makes them of numbers of another kind",
    ),
    (&["Target", "is out of bounds"], "with n classes, the labels are 0 to n-1"),
    (&["index out of range in self"], "an embedding with n rows takes the indices 0 to n-1"),
    (
        &["backward through the graph a second time"],
        "compute the loss again ahead of each `backward()`; keep totals as numbers, `loss.double_value(&[])`",
    ),
    (
        &["grad can be implicitly created only for scalar"],
        "make one number of it first: `.mean(Kind::Float)` or `.sum(Kind::Float)`",
    ),
    (
        &["does not require grad and does not have a grad_fn"],
        "nothing that this was computed from needs a gradient: was it made without `.set_requires_grad(true)`, or inside \
         `no_grad`?",
    ),
    (
        &["a leaf Variable that requires grad", "in-place"],
        "change parameters inside `no_grad(|| { ... })`, as an optimiser does",
    ),
    (
        &["cannot be converted to Scalar"],
        "pick one element, as in `x.double_value(&[0, 1])`, or make one number of them first: `x.mean(Kind::Float)`",
    ),
    (
        &["Attempting to convert a Tensor with", "dimensions to flat vector"],
        "`.flatten(0, -1)` ahead of it makes one dimension of all",
    ),
    (
        &["must match the size of tensor b", "in eq_tensor(self: Int64"],
        "classes are compared one by one, [N] with [N]; of logits `metrics::accuracy(&logits, &labels)` takes [N, C] and [N], [B, T, V] and \
         [B, T], [N, C, H, W] and [N, H, W]",
    ),
    (
        &["must match the size of tensor b"],
        "sizes are compared from the last one on, and each pair has to be the same, or one of them 1; `x.unsqueeze(1)` adds a \
         size of 1",
    ),
    (
        &["The expanded size of the tensor"],
        "only a size of 1 can be expanded; `x.unsqueeze(0)` adds one, and `x.repeat([2, 1])` copies",
    ),
    (
        &["Expected size for first two dimensions of batch2"],
        "in [N, A, B] and [N, C, D], N has to be the same, and B and C; `x.transpose(1, 2)` exchanges the last two",
    ),
    (
        &["to have", "channels, but got"],
        "the input is [N, C, H, W], with C as the layer's number of input channels; grey images have 1, coloured ones 3",
    ),
    (
        &["(unbatched)", "(batched) input to conv"],
        "images are [N, C, H, W]: `x.view([-1, 1, 28, 28])` makes them of rows of 784 numbers",
    ),
    (
        &["Sizes of tensors must match except in dimension"],
        "all sizes but the one along which they are joined have to be the same",
    ),
    (
        &["stack expects each tensor to be equal size"],
        "stacking needs one shape for all; `Tensor::cat` joins along a dimension that is there",
    ),
    (
        &["is invalid for input of size"],
        "the sizes multiplied have to give the number of elements; one of them may be -1, for what is left",
    ),
    (&["view size is not compatible"], "`.reshape(...)` copies where it has to"),
    (
        &["size mismatch (got input"],
        "each row of [N, C] needs one label of [N]: take `size()` of both, and look at how the batch was made",
    ),
    (
        &["input tensor should be 1D or 2D", "in nll_loss("],
        "this takes logits [N, C] alone: `nn::cross_entropy(&logits, &targets)` takes [B, T, V] for targets [B, T], and [N, C, H, W] for \
         [N, H, W]",
    ),
    (
        &["multi-target not supported"],
        "labels are the right classes, [N]: `labels.squeeze_dim(1)` makes them of a column, `labels.argmax(1, false)` of rows with a 1 for \
         the class; `nn::cross_entropy(&logits, &targets)` takes tokens and shares as well",
    ),
    (
        &["Expected target size", ", got"],
        "the classes are axis 1 here: [N, C, ...] for labels [N, ...]. `nn::cross_entropy(&logits, &targets)` takes [B, T, V] for [B, T] too",
    ),
    (
        &["doesn't match the broadcast shape", "in binary_cross_entropy_with_logits("],
        "each prediction has a target of its own, in one shape: `targets.view_as(&logits)` or `logits.squeeze_dim(1)`",
    ),
    (
        &["Expected a proper Tensor but got None"],
        "this tensor is undefined, as a gradient is until `loss.backward()` has run, and one that the loss does not depend on; \
         `x.grad().defined()` tells",
    ),
    (&["Dimension out of range"], "dimensions count from 0, and from -1 backwards: -1 is the last one"),
    (
        &["to have the same dtype, but got"],
        "`.to_kind(Kind::Float)` on one of them makes both the same: networks compute in Float, literals such as 1.0 are Double",
    ),
    (
        &["must have the same dtype, but got"],
        "`.to_kind(Kind::Float)` makes the input one: networks compute in Float, `Tensor::from_slice(&[1.0])` is Double",
    ),
    (
        &["Input type", "should be the same"],
        "`.to_kind(Kind::Float)` makes the input one of Float, as weights are; images of bytes are divided by 255 as well",
    ),
    (
        &["could not infer output dtype"],
        "integers have no mean of their kind: say which it should be, as in `x.mean(Kind::Float)`",
    ),
    (&["one of the following scalar types: Long, Int"], INDICES),
    (&["Expected dtype int32 or int64 for index"], INDICES),
    (
        &["can't be cast to the desired output type"],
        "an operation in place keeps the kind of its tensor: write `x = x.to_kind(Kind::Float) + y`, or begin with another kind",
    ),
    (&["not implemented for 'Long'"], "this computes with floating point: `.to_kind(Kind::Float)` ahead of it"),
    (&["expected condition to be a boolean tensor"], "a comparison gives one, as `x.gt(0.0)` does"),
    (
        &["modified by an inplace operation"],
        "what is still needed for a gradient is not to be changed: write `let y = &y + 1.0;` in place of `y += 1.0`, and `fill_` or \
         `zero_` after `backward()`",
    ),
    (
        &["Only Tensors of floating point", "can require gradients"],
        "`.to_kind(Kind::Float)` ahead of it makes a tensor that can be learned",
    ),
    (
        &["Expected all tensors to be on the same device"],
        "`.to_device(device())` brings a tensor to where the network is; a `DataLoader` does it for batches by `.to_device(device())`",
    ),
    (
        &["CUDA out of memory"],
        "try smaller batches, `no_grad` where nothing is learned, or drop what is no longer needed; `:vars` lists tensors",
    ),
    (&["can't allocate memory"], "there is not that much memory: check the shape, or work on smaller batches"),
    (&["RefCell already"], "an earlier borrow still lives: end it with `drop(...)`, or by a block `{ ... }` around it"),
    (&["on an `Err` value: Any { .. }"], "the thread has panicked; what it said stands above"),
    (
        &["attempt to subtract with overflow"],
        "the result is below what its type can hold: a `usize`, such as a length, is never negative",
    ),
    (&["attempt to add with overflow"], "the result is above what its type can hold; `i64` and `f64` hold more"),
    (&["attempt to multiply with overflow"], "the result is above what its type can hold; `i64` and `f64` hold more"),
    (&["no entry found for key"], "`.get(key)` gives an `Option` instead: `None` where the key is not there"),
    (&["capacity overflow"], "no machine has that much memory: check how the length was computed"),
];

/// Help for a failure with this message.
pub fn help(message: &str) -> Option<&'static str> {
    let fits = |pieces: &[&str]| pieces.iter().all(|piece| message.contains(piece));
    if let Some((_, help)) = HELP.iter().find(|(pieces, _)| fits(pieces)) {
        return Some(help);
    }
    // The system's message names no file; one that tells more was given context already.
    message
        .starts_with("No such file or directory")
        .then_some("`.context(\"reading the data\")?` in place of `?` says which; a relative path starts in `std::env::current_dir()?`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_help_is_found_by_its_own_pieces() {
        for (pieces, text) in HELP {
            assert_eq!(help(&pieces.join(" ")), Some(text), "{pieces:?} is hidden by an earlier line");
        }
        assert_eq!(help("the loss is NaN"), None);
    }
}
