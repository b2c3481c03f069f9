//! Help for failures at run time, by what their message says.

/// Pieces of messages, and the help for those that hold them all.
const HELP: [(&[&str], &str); 21] = [
    (
        &["from the 'CUDA' backend"],
        "libtorch finds no GPU here. `device()` is the best device there is, as in `(Kind::Float, device())`",
    ),
    (
        &["No CUDA GPUs are available"],
        "libtorch finds no GPU here. `device()` is the best device there is, as in `(Kind::Float, device())`",
    ),
    (
        &["Found no NVIDIA driver"],
        "libtorch finds no GPU here. `device()` is the best device there is, as in `(Kind::Float, device())`",
    ),
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
