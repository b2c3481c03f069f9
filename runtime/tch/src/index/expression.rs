//! What can stand in an index, and how it is written in Rust.

use std::fmt::Debug;
use std::iter::StepBy;
use std::ops::{Range, RangeFrom, RangeFull, RangeInclusive, RangeTo, RangeToInclusive};

use torch::{NewAxis, Tensor};

/// One part of an index, for one axis or several.
#[derive(Debug)]
#[non_exhaustive]
pub enum Index {
    /// One place on an axis, which the result does not have; a negative one counts from the end.
    At(i64),
    /// Places on an axis from `start` to before `end`, each `step` behind the one before, by Python's rules.
    Slice {
        /// The first place, or the start of the axis.
        start: Option<i64>,
        /// The place behind the last, or the end of the axis.
        end: Option<i64>,
        /// How far apart places are, at least 1.
        step: i64,
    },
    /// A new axis of size 1.
    NewAxis,
    /// All axes that the other parts leave.
    Ellipsis,
    /// Integers: the places on an axis. `bool`: which elements of as many axes as the tensor has.
    Tensor(Tensor),
    /// What is no index, and why.
    Refused(String),
}

/// All axes that the rest of an index leaves, Python's `...`: `x.i((Ellipsis, 0))` is `x[..., 0]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ellipsis;

/// Traits of what an index is made of, with one help for what is not.
macro_rules! index_traits {
    ($($(#[$doc:meta])* pub trait $name:ident { $($body:tt)* })*) => {$(
        $(#[$doc])*
        #[diagnostic::on_unimplemented(
            message = "a tensor has no index of type `{Self}`",
            label = "not an index of a tensor",
            note = "an index is a number, a range, a range with steps, a list or tensor of integers, a mask (a tensor of `bool`), `NewAxis`, \
                    `Ellipsis`, or a tuple of these: `x.i((.., 1..3, -1))`",
            note = "`n as i64` makes an index from another number; `x.flip([0])` is `x` backwards"
        )]
        pub trait $name { $($body)* }
    )*};
}

index_traits! {
    /// What [`IndexOp::i`](super::IndexOp::i) takes: one [`AxisIndex`], a tuple of them, or a list of [`Index`].
    pub trait IndexExpression {
        /// The parts of the index in the order of the axes.
        fn into_indices(self) -> Vec<Index>;
    }

    /// What stands for an axis in an index.
    pub trait AxisIndex {
        /// The part of the index.
        fn into_index(self) -> Index;
    }
}

/// The integers of Rust.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an integer, so it cannot bound a range in an index",
    note = "a range in an index has integers as its ends, as in `x.i(1..3)`; `n as i64` makes one from another number"
)]
pub trait Integer: Copy + Debug {
    /// Whether the type has negative numbers.
    const SIGNED: bool;

    /// The number; one that is too large for the type is larger than any axis.
    fn to_i64(self) -> i64;
}

macro_rules! integers {
    ($($name:ident)*) => {$(
        impl Integer for $name {
            const SIGNED: bool = $name::MIN != 0;

            fn to_i64(self) -> i64 {
                i64::try_from(self).unwrap_or(i64::MAX)
            }
        }

        impl AxisIndex for $name {
            fn into_index(self) -> Index {
                Index::At(self.to_i64())
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

/// What a list in an index consists of: integers, or `bool`s for a mask.
#[diagnostic::on_unimplemented(
    message = "a list of `{Self}` is not an index of a tensor",
    note = "a list in an index holds integers, `x.i([0, 2])`, or says for each place whether to take it, `x.i([true, false])`"
)]
pub trait ListElement: Copy {
    /// The list as a tensor of one axis.
    fn tensor(list: &[Self]) -> Tensor;
}

impl<T: Integer> ListElement for T {
    fn tensor(list: &[Self]) -> Tensor {
        Tensor::from_slice(&list.iter().map(|place| place.to_i64()).collect::<Vec<i64>>())
    }
}

impl ListElement for bool {
    fn tensor(list: &[Self]) -> Tensor {
        Tensor::from_slice(list)
    }
}

/// Says of types what part of an index a value of each is.
macro_rules! axis_index {
    ($($(#[$doc:meta])* [$($generics:tt)*] $part:ty => |$it:pat_param| $index:expr;)*) => {$(
        $(#[$doc])*
        impl<$($generics)*> AxisIndex for $part {
            fn into_index(self) -> Index {
                let $it = self;
                $index
            }
        }
    )*};
}

axis_index! {
    [] Index => |index| index;
    [] NewAxis => |_| Index::NewAxis;
    /// `None` is Python's `None`: a new axis.
    [] Option<NewAxis> => |_| Index::NewAxis;
    [] Ellipsis => |_| Index::Ellipsis;
    [] Tensor => |tensor| Index::Tensor(tensor);
    [] &Tensor => |tensor| if tensor.defined() {
        Index::Tensor(tensor.shallow_clone())
    } else {
        Index::Refused("an index tensor has no values: it is not defined".to_owned())
    };
    [E: ListElement] Vec<E> => |list| Index::Tensor(E::tensor(&list));
    [E: ListElement] &Vec<E> => |list| Index::Tensor(E::tensor(list));
    [E: ListElement] &[E] => |list| Index::Tensor(E::tensor(list));
    [E: ListElement, const N: usize] [E; N] => |list| Index::Tensor(E::tensor(&list));
    [E: ListElement, const N: usize] &[E; N] => |list| Index::Tensor(E::tensor(list));
    [] RangeFull => |_| slice(None, None, 1);
    [T: Integer] Range<T> => |range| slice(Some(range.start.to_i64()), Some(range.end.to_i64()), 1);
    [T: Integer] RangeFrom<T> => |range| slice(Some(range.start.to_i64()), None, 1);
    [T: Integer] RangeTo<T> => |range| slice(None, Some(range.end.to_i64()), 1);
    [T: Integer] RangeInclusive<T> => |range| slice(Some(range.start().to_i64()), behind(range.end().to_i64()), 1);
    [T: Integer] RangeToInclusive<T> => |range| slice(None, behind(range.end.to_i64()), 1);
    [T: Integer] StepBy<RangeFrom<T>> => |range| stepped(&range);
    [T: Integer] StepBy<RangeInclusive<T>> => |range| stepped(&range);
}

fn slice(start: Option<i64>, end: Option<i64>, step: i64) -> Index {
    Index::Slice { start, end, step }
}

/// The end of a range that includes its last place: behind -1 is the end of the axis, not its start.
fn behind(last: i64) -> Option<i64> {
    (last != -1).then_some(last.saturating_add(1))
}

/// Steps for the ranges that are no iterators in Rust: `x.i((..).step_by(2))` is `x[::2]`.
pub trait Steps {
    /// Each `step`-th place of the range.
    fn step_by(self, step: usize) -> Index;
}

macro_rules! steps {
    ($([$($generics:tt)*] $range:ty),*) => {$(
        impl<$($generics)*> Steps for $range {
            fn step_by(self, step: usize) -> Index {
                match (self.into_index(), i64::try_from(step)) {
                    (Index::Slice { start, end, .. }, Ok(step @ 1..)) => slice(start, end, step),
                    _ => Index::Refused(format!("a range cannot go in steps of {step}")),
                }
            }
        }
    )*};
}

steps!([] RangeFull, [T: Integer] RangeTo<T>, [T: Integer] RangeToInclusive<T>);

impl<T: Integer> AxisIndex for StepBy<Range<T>>
where
    Range<T>: Iterator<Item = T>,
{
    fn into_index(self) -> Index {
        if T::SIGNED {
            return stepped(&self);
        }
        // The standard library keeps these as a number of steps; their elements say what they were.
        let count = self.size_hint().0 as i64;
        let mut elements = self.map(Integer::to_i64);
        match (elements.next(), elements.next()) {
            (None, _) => slice(Some(0), Some(0), 1),
            (Some(first), None) => slice(Some(first), Some(first.saturating_add(1)), 1),
            (Some(first), Some(second)) => {
                let step = second - first;
                slice(Some(first), Some(first.saturating_add(step.saturating_mul(count - 1)).saturating_add(1)), step)
            }
        }
    }
}

/// A range with steps by the text that `Debug` has for it,
/// `StepBy { iter: 0..-1, step_minus_one: 1, first_take: true }`.
///
/// Nothing else tells the ends: as an iterator, `0..-1` has no elements, no more than `0..0` has.
fn stepped(range: &impl Debug) -> Index {
    let text = format!("{range:?}");
    read_steps(&text).unwrap_or_else(|| {
        Index::Refused(format!(
            "`{text}` is not an index: make the range where it is used, as in `x.i((0..10).step_by(2))`, before any iteration on it"
        ))
    })
}

fn read_steps(text: &str) -> Option<Index> {
    let (range, rest) = text.strip_prefix("StepBy { iter: ")?.split_once(", step_minus_one: ")?;
    let step = rest.strip_suffix(", first_take: true }")?.parse::<i64>().ok()?.checked_add(1)?;
    let (start, end) = range.split_once("..")?;
    let end = match end.strip_prefix('=') {
        Some(last) => behind(last.parse().ok()?),
        None if end.is_empty() => None,
        None => Some(end.parse().ok()?),
    };
    Some(slice(Some(start.parse().ok()?), end, step))
}

impl<A: AxisIndex> IndexExpression for A {
    fn into_indices(self) -> Vec<Index> {
        vec![self.into_index()]
    }
}

/// An index that is put together while the program runs.
impl IndexExpression for Vec<Index> {
    fn into_indices(self) -> Vec<Index> {
        self
    }
}

impl IndexExpression for () {
    fn into_indices(self) -> Vec<Index> {
        Vec::new()
    }
}

macro_rules! tuples {
    ($(($($name:ident)*))*) => {$(
        impl<$($name: AxisIndex),*> IndexExpression for ($($name,)*) {
            #[allow(non_snake_case, reason = "the names of the types name the values")]
            fn into_indices(self) -> Vec<Index> {
                let ($($name,)*) = self;
                vec![$($name.into_index()),*]
            }
        }
    )*};
}

tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }

#[cfg(test)]
mod tests {
    use super::*;

    /// The start, the end and the step of a range.
    fn ends(index: impl AxisIndex) -> (Option<i64>, Option<i64>, i64) {
        match index.into_index() {
            Index::Slice { start, end, step } => (start, end, step),
            other => panic!("{other:?} is no range"),
        }
    }

    #[test]
    fn ranges_keep_their_ends() {
        assert_eq!(ends(..), (None, None, 1));
        assert_eq!(ends(..-1), (None, Some(-1), 1));
        assert_eq!(ends(2usize..), (Some(2), None, 1));
        assert_eq!(ends(..=-1), (None, None, 1));
        assert_eq!(ends(-3..=-2), (Some(-3), Some(-1), 1));
        assert_eq!(ends(1..=i64::MAX), (Some(1), Some(i64::MAX), 1));
    }

    #[test]
    #[allow(clippy::reversed_empty_ranges, reason = "a negative end counts from the back here")]
    fn ranges_with_steps_keep_their_ends() {
        assert_eq!(ends((0..-1).step_by(2)), (Some(0), Some(-1), 2));
        assert_eq!(ends((-4..).step_by(3)), (Some(-4), None, 3));
        assert_eq!(ends((1..=-1i64).step_by(2)), (Some(1), None, 2));
        assert_eq!(ends((1..=7u8).step_by(2)), (Some(1), Some(8), 2));
        assert_eq!(ends((..-1).step_by(2)), (None, Some(-1), 2));
        assert_eq!(ends((..).step_by(4)), (None, None, 4));
        assert_eq!(ends((..=-1).step_by(4)), (None, None, 4));
        assert_eq!(ends((1..8usize).step_by(3)), (Some(1), Some(8), 3));
        assert_eq!(ends((1..7u32).step_by(3)), (Some(1), Some(5), 3));
        assert_eq!(ends((5..7usize).step_by(3)), (Some(5), Some(6), 1));
        assert_eq!(ends((5..5usize).step_by(3)), (Some(0), Some(0), 1));
        assert_eq!(ends((3usize..).step_by(3)), (Some(3), None, 3));
    }

    #[test]
    fn a_range_that_an_iteration_has_begun_on_is_refused() {
        let mut range = (0..9).step_by(2);
        range.next();
        assert!(matches!(range.into_index(), Index::Refused(_)));
        assert!(matches!((..).step_by(0), Index::Refused(_)));
    }
}
