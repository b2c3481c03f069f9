//! Help for failures at run time, by what their message says.

const NO_GPU: &str =
    "libtorch finds no GPU here. `device()` is the best device there is, as in `(Kind::Float, device())`";
const INDICES: &str = "indices are integers: `.to_kind(Kind::Int64)` makes them from numbers of another kind";

/// Pieces of messages, and the help for those that hold them all.
const HELP: [(&[&str], &str); 52] = [
    (&["from the 'CUDA' backend"], NO_GPU),
    (&["No CUDA GPUs are available"], NO_GPU),
    (&["Found no NVIDIA driver"], NO_GPU),
    (
        &["shapes cannot be multiplied"],
        "in AxB and CxD, B and C have to be the same number; `size()` gives a tensor's shape, `tr()` transposes a matrix",
    ),
    (
        &["expected target dtype to be Long"],
        "labels are integers: `.to_kind(Kind::Int64)` makes them from numbers of another kind",
    ),
    (&["Target", "is out of bounds"], "with n classes, the labels are 0 to n-1"),
    (&["index out of range in self"], "an embedding with n rows takes the indices 0 to n-1"),
    (
        &["backward through the graph a second time"],
        "compute the loss again before each `backward()`; keep totals as numbers, `loss.double_value(&[])`; what the next step \
         begins with, such as the state of an RNN, is `state.detach()`",
    ),
    (
        &["grad can be implicitly created only for scalar"],
        "reduce it to one number first: `.mean(Kind::Float)` or `.sum(Kind::Float)`",
    ),
    (
        &["does not require grad and does not have a grad_fn"],
        "nothing that this was computed from needs a gradient: was it made without `.set_requires_grad(true)`, or inside \
         `no_grad`? A `no_grad_guard` in a variable holds in all later cells: `:vars` lists it, `drop(_guard)` ends it",
    ),
    (
        &["a leaf Variable that requires grad", "in-place"],
        "change parameters inside `no_grad(|| { ... })`, as an optimiser does",
    ),
    (
        &["cannot be converted to Scalar"],
        "pick one element, as in `x.double_value(&[0, 1])`, or reduce them to one number first: `x.mean(Kind::Float)`",
    ),
    (
        &["Attempting to convert a Tensor with", "dimensions to flat vector"],
        "call `.flatten(0, -1)` first to make it one-dimensional",
    ),
    (
        &["must match the size of tensor b", "in eq_tensor(self: Int64"],
        "classes are compared one by one, [N] to [N]; for logits `metrics::accuracy(&logits, &labels)` takes [N, C] and [N], [B, T, V] and \
         [B, T], [N, C, H, W] and [N, H, W]",
    ),
    (
        &["must match the size of tensor b"],
        "sizes are compared from the last backwards, and each pair has to be equal, or one of them 1; `x.unsqueeze(1)` adds a \
         size of 1",
    ),
    (
        &["The expanded size of the tensor"],
        "only a size of 1 can be expanded; `x.unsqueeze(0)` adds one, and `x.repeat([2, 1])` copies",
    ),
    (
        &["Expected size for first two dimensions of batch2"],
        "in [N, A, B] and [N, C, D], N has to be the same, and B equal to C; `x.transpose(1, 2)` swaps the last two",
    ),
    (
        &["to have", "channels, but got"],
        "the input is [N, C, H, W], with C as the layer's number of input channels; grey images have 1, colored ones 3",
    ),
    (
        &["(unbatched)", "(batched) input to conv"],
        "images are [N, C, H, W]: `x.view([-1, 1, 28, 28])` makes them from rows of 784 numbers",
    ),
    (
        &["Sizes of tensors must match except in dimension"],
        "all sizes have to be the same, except along the dimension that is joined",
    ),
    (
        &["stack expects each tensor to be equal size"],
        "stacking needs one shape for all; `Tensor::cat` joins along an existing dimension",
    ),
    (
        &["is invalid for input of size"],
        "the product of the sizes has to be the number of elements; one of them may be -1, for the rest",
    ),
    (&["view size is not compatible"], "`.reshape(...)` copies if it has to"),
    (
        &["size mismatch (got input"],
        "each row of [N, C] needs one label of [N]: compare the `size()` of both, and check how the batch was made",
    ),
    (
        &["input tensor should be 1D or 2D", "in nll_loss("],
        "this takes only logits [N, C]: `nn::cross_entropy(&logits, &targets)` takes [B, T, V] for targets [B, T], and [N, C, H, W] for \
         [N, H, W]",
    ),
    (
        &["multi-target not supported"],
        "labels are class numbers, [N]: `labels.squeeze_dim(1)` makes them from a column, `labels.argmax(1, false)` from rows with a 1 for \
         the class; `nn::cross_entropy(&logits, &targets)` takes tokens and probabilities too",
    ),
    (
        &["Expected target size", ", got"],
        "the classes are axis 1 here: [N, C, ...] for labels [N, ...]. `nn::cross_entropy(&logits, &targets)` takes [B, T, V] for [B, T] too",
    ),
    (
        &["doesn't match the broadcast shape", "in binary_cross_entropy_with_logits("],
        "predictions and targets need the same shape: `targets.view_as(&logits)` or `logits.squeeze_dim(1)`",
    ),
    (
        &["Expected a proper Tensor but got None"],
        "this tensor is undefined, like a gradient before `loss.backward()`, or one that the loss does not depend on; \
         check `x.grad().defined()`",
    ),
    (
        &["Index tensor must have the same number of dimensions"],
        "the index has as many axes as the tensor: `x.gather(1, &index.unsqueeze(1), false)` takes one number of each row",
    ),
    (&["Dimension out of range"], "dimensions count from 0, and from -1 backwards: -1 is the last one"),
    (
        &["to have the same dtype, but got"],
        "`.to_kind(Kind::Float)` on one of them makes both the same: networks compute in Float, literals such as 1.0 are Double",
    ),
    (
        &["must have the same dtype, but got"],
        "an input needs the kind of the weights: `x.to_kind(Kind::Float)`, unless the network was made in another kind; \
         `Tensor::from_slice(&[1.0])` is Double",
    ),
    (
        &["Input type", "should be the same"],
        "an input needs the kind of the weights: `x.to_kind(Kind::Float)`, unless the network was made in another kind; also \
         divide images of bytes by 255",
    ),
    (
        &["could not infer output dtype"],
        "integers have no mean of their own kind: say which it should have, as in `x.mean(Kind::Float)`",
    ),
    (&["one of the following scalar types: Long, Int"], INDICES),
    (&["Expected dtype int32 or int64 for index"], INDICES),
    (
        &["can't be cast to the desired output type"],
        "an in-place operation keeps the kind of its tensor: write `x = x.to_kind(Kind::Float) + y`, or start with another kind",
    ),
    (&["not implemented for 'Long'"], "this needs floating-point numbers: call `.to_kind(Kind::Float)` first"),
    (&["expected condition to be a boolean tensor"], "a comparison gives one, as `x.gt(0.0)` does"),
    (
        &["modified by an inplace operation"],
        "a tensor that a gradient still needs must not change: write `let y = &y + 1.0;` instead of `y += 1.0`, and `fill_` or \
         `zero_` after `backward()`",
    ),
    (
        &["Only Tensors of floating point", "can require gradients"],
        "call `.to_kind(Kind::Float)` first to make a tensor that can be trained",
    ),
    (
        &["Expected all tensors to be on the same device"],
        "`.to_device(device())` moves a tensor to where the network is; a `DataLoader` moves its batches with `.to_device(device())`",
    ),
    (
        &["CUDA out of memory"],
        "try smaller batches, `no_grad` where nothing is trained, or drop what is no longer needed; `:vars` lists tensors",
    ),
    (&["can't allocate memory"], "there is not that much memory: check the shape, or work on smaller batches"),
    (
        &["RefCell already"],
        "an earlier `borrow()` or `borrow_mut()` is still alive, maybe in the function that calls this one: use what that has given, \
         or end it ahead of the call, with `drop(...)` or a block `{ ... }` around it",
    ),
    (&["on an `Err` value: Any { .. }"], "the thread has panicked; its message is above"),
    (
        &["attempt to subtract with overflow"],
        "the result is too small for its type: a `usize`, such as a length, is never negative. `a.saturating_sub(b)` stops at 0; `a as i64 - b \
         as i64` goes below it",
    ),
    (&["attempt to add with overflow"], "the result is too large for its type; `i64` and `f64` can hold more"),
    (&["attempt to multiply with overflow"], "the result is too large for its type; `i64` and `f64` can hold more"),
    (&["no entry found for key"], "`.get(key)` gives an `Option` instead: `None` if the key is not there"),
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
