//! The text of lists and tuples that hold tensors: each tensor as it is shown alone.
//!
//! ```text
//! (tensor([[1., 2.],
//!          [3., 4.]])
//!  [2, 2] float32 cpu,
//!  0.5)
//! ```

use std::fmt::Debug;

use tch::Tensor;

use super::RichDisplay;

/// Of a longer list only the two ends are shown.
const MOST_ITEMS: usize = 20;
/// How many items stay at either end; as many as of a tensor's values.
const EDGE_ITEMS: usize = 3;

/// What can be in a list or tuple with tensors: tensors, numbers, text, and lists and tuples of these.
pub trait HoldsTensors: Debug {
    /// Whether a value of the type may hold one.
    const HOLDS_TENSORS: bool = false;

    /// The text that is shown; over several lines where there are tensors.
    #[doc(hidden)]
    fn text(&self) -> String {
        format!("{self:?}")
    }
}

impl HoldsTensors for Tensor {
    const HOLDS_TENSORS: bool = true;

    fn text(&self) -> String {
        self.mime_bundle().plain().to_owned()
    }
}

macro_rules! plain {
    ($($type:ty),*) => { $(impl HoldsTensors for $type {})* };
}
plain!(bool, char, f32, f64, i8, i16, i32, i64, isize, str, String, u8, u16, u32, u64, usize);

macro_rules! lists {
    ($([$($parameters:tt)*] $type:ty),*) => {
        $(impl<T: HoldsTensors, $($parameters)*> HoldsTensors for $type {
            const HOLDS_TENSORS: bool = T::HOLDS_TENSORS;

            fn text(&self) -> String {
                let text = |items: &[T]| items.iter().map(T::text).collect::<Vec<_>>();
                if self.len() <= MOST_ITEMS {
                    return bracketed("[", text(self), "]");
                }
                let left_out = format!("... {} more", self.len() - 2 * EDGE_ITEMS);
                let (head, tail) = (&self[..EDGE_ITEMS], &self[self.len() - EDGE_ITEMS..]);
                bracketed("[", [text(head), vec![left_out], text(tail)].concat(), "]")
            }
        })*
    };
}
lists!([] Vec<T>, [] [T], [const N: usize] [T; N]);

macro_rules! pointers {
    ($($type:ty),*) => {
        $(impl<T: HoldsTensors + ?Sized> HoldsTensors for $type {
            const HOLDS_TENSORS: bool = T::HOLDS_TENSORS;

            fn text(&self) -> String {
                T::text(self)
            }
        })*
    };
}
pointers!(&T, Box<T>);

impl<T: HoldsTensors> HoldsTensors for Option<T> {
    const HOLDS_TENSORS: bool = T::HOLDS_TENSORS;

    fn text(&self) -> String {
        self.as_ref().map_or_else(|| "None".to_owned(), |value| bracketed("Some(", vec![value.text()], ")"))
    }
}

macro_rules! tuples {
    ($(($($item:ident)*)),*) => {
        $(impl<$($item: HoldsTensors),*> HoldsTensors for ($($item,)*) {
            const HOLDS_TENSORS: bool = $($item::HOLDS_TENSORS)||*;

            #[allow(non_snake_case, reason = "a value has the name of its type")]
            fn text(&self) -> String {
                let ($($item,)*) = self;
                bracketed("(", vec![$($item.text()),*], ")")
            }
        })*
    };
}
tuples!((A B), (A B C), (A B C D), (A B C D E), (A B C D E F), (A B C D E F G), (A B C D E F G H));

/// Texts in brackets, each on lines of its own below each other.
fn bracketed(open: &str, items: Vec<String>, close: &str) -> String {
    let indent = format!("\n{}", " ".repeat(open.len()));
    let items: Vec<String> = items.iter().map(|item| item.replace('\n', &indent)).collect();
    format!("{open}{}{close}", items.join(&format!(",{indent}")))
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;

    #[test]
    fn tensors_in_tuples_and_lists_are_shown_as_alone() {
        let x = Tensor::from_slice2(&[[1.0f32, 2.0], [3.0, 4.0]]);
        let pair = (&x, vec![Tensor::from_slice(&[1i64, 2])], Some(0.5));
        let expected = "\
(tensor([[1., 2.],
         [3., 4.]])
 [2, 2] float32 cpu,
 [tensor([1, 2])
  [2] int64 cpu],
 Some(0.5))";
        assert_eq!(pair.text(), expected);
    }

    #[test]
    fn a_long_list_shows_its_ends() {
        let list: Vec<Tensor> = (0..100i64).map(Tensor::from).collect();
        let text = list.text();
        assert!(text.starts_with("[tensor(0)\n [] int64 cpu,\n tensor(1)"), "{text}");
        assert!(
            text.contains(",\n ... 94 more,\n tensor(97)") && text.ends_with("tensor(99)\n [] int64 cpu]"),
            "{text}"
        );
    }

    #[test]
    fn only_types_with_tensors_hold_some() {
        fn holds<T: HoldsTensors>(_: &T) -> bool {
            T::HOLDS_TENSORS
        }
        let x = || Tensor::zeros([1], (Kind::Float, Device::Cpu));
        assert!(holds(&(1, x())) && holds(&[x()]) && holds(&vec![(x(), "a")]) && holds(&Some(Box::new(x()))));
        assert!(!holds(&(1, "a")) && !holds(&vec![Some(1.5)]) && !holds(&[[true]]));
    }
}
