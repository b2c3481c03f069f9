//! Which names courses use most: these come first. What only few programs write comes last.

use std::collections::HashMap;
use std::sync::LazyLock;

/// `[Owner::]`, `[Owner.]` and `[.]`, each with the names behind it, the most used first; `[.]` is for values of any
/// type.
const USUAL: &str = include_str!("usual.txt");

/// Where a name stands in the list: what comes first is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Use {
    /// The session's or the cell's own, and fields.
    Own,
    /// Among what is used most of this owner.
    OfOwner(usize),
    /// Among what is used most of what the owner has its names from: of iterators, for the result of `map`.
    OfParent(usize),
    /// Among what is used most of values of any type.
    OfAny(usize),
    /// Another variant of an enum.
    Variant,
    /// Any other.
    Plain,
    /// A variant of another name.
    Rare,
}

type Places = HashMap<&'static str, usize>;

static LISTS: LazyLock<HashMap<&str, Places>> = LazyLock::new(|| {
    let blocks = USUAL.split("\n\n").filter_map(|block| block.trim_start().strip_prefix('[')?.split_once("]\n"));
    blocks.map(|(owner, names)| (owner, names.split_whitespace().zip(0..).collect())).collect()
});

/// How a name behind `owner` is used, which ends with `::` or `.` here.
pub(super) fn of(owner: &str, name: &str) -> Use {
    if let Some(place) = LISTS.get(owner).and_then(|names| names.get(name)) {
        return Use::OfOwner(*place);
    }
    if owner.ends_with('.')
        && let Some(place) = of_any(name)
    {
        return Use::OfAny(place);
    }
    if is_rare(name) { Use::Rare } else { Use::Plain }
}

/// The place among the names that are used most of values of any type.
pub(super) fn of_any(name: &str) -> Option<usize> {
    LISTS.get(".").and_then(|names| names.get(name)).copied()
}

/// The names that are used most behind `owner`.
#[cfg(test)]
pub(super) fn names(owner: &str) -> Vec<&'static str> {
    let mut names: Vec<_> = LISTS.get(owner).into_iter().flatten().collect();
    names.sort_by_key(|(_, place)| **place);
    names.into_iter().map(|(name, _)| *name).collect()
}

/// Whether a name is a variant of another one: in place, by hand backward, of libtorch's own, into a given tensor, or
/// with an error in place of a panic.
pub(super) fn is_rare(name: &str) -> bool {
    let endings = ["_", "_backward", "_copy", "_out", "_jvp", "_forward_only"];
    let beginnings = ["_", "f_", "g_", "internal_", "cudnn_", "mkldnn_", "miopen_", "fbgemm_", "quantized_", "sparse_"];
    endings.iter().any(|end| name.ends_with(end)) || beginnings.iter().any(|begin| name.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_courses_use_comes_first_and_variants_last() {
        assert!(of("Tensor.", "matmul") < of("Tensor.", "unwrap_or"));
        assert!(of("Tensor.", "sqrt") < of("Tensor.", "acosh"));
        assert!(of("Tensor.", "acosh") < of("Tensor.", "acosh_"));
        for rare in ["relu_", "convolution_backward", "view_copy", "add_out", "f_add", "_softmax", "internal_cat"] {
            assert_eq!(of("Tensor.", rare), Use::Rare, "{rare}");
        }
        assert!(matches!(of("Tensor.", "zero_"), Use::OfOwner(_)));
        assert_eq!(of("Tensor::", "zeros"), Use::OfOwner(0));
        assert_eq!(of("Tensor::", "map"), Use::Plain);
        assert_eq!(names("Kind::")[..2], ["Float", "Int64"]);
    }
}
