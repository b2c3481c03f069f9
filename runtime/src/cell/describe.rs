//! Says what a variable is like in a few words, for `:vars`: shape and device of a tensor, length of a collection,
//! value of a number.
//!
//! The kernel writes `(&&&Show(&x)).oxtorch_describe("x")`; as with the value of a cell (see [`super::show`]) the first
//! of [`DescribedByItself`], [`DescribedByText`] and [`DescribedBySize`] that the type satisfies is called.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::fmt::{self, Debug, Write};
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use oxtorch_protocol::Described;
use tch::nn::VarStore;
use tch::{Device, Tensor};

use super::Show;
use crate::checkpoint::Interrupt;
use crate::display::table::writer::thousands;
use crate::optim;
use crate::tensor::{device_name, dtype_name};

/// A value that is longer as text is cut.
const MOST_CHARS: usize = 48;

thread_local! {
    static DESCRIBED: RefCell<Vec<Described>> = const { RefCell::new(Vec::new()) };
}

/// What there is to say of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// Shape, length or value.
    what: String,
    /// For what is on a device.
    device: Option<String>,
}

impl Description {
    fn record(self, name: &str) {
        let Self { what, device } = self;
        DESCRIBED.with_borrow_mut(|all| all.push(Described { name: name.to_owned(), what, device }));
    }
}

fn plain(what: impl Into<String>) -> Description {
    Description { what: what.into(), device: None }
}

fn counted(count: usize, of: &str) -> Description {
    let plural = if count == 1 { "" } else { "s" };
    plain(format!("{} {of}{plural}", thousands(count)))
}

/// A type that says more than its size.
pub trait Describe {
    /// What there is to say of it.
    fn describe(&self) -> Description;
}

/// Implements [`Describe`] by what is said of a value of each type; a type's parameters stand in brackets ahead of it.
macro_rules! described {
    ($([$($parameters:tt)*] $ty:ty => |$value:tt| $description:expr;)*) => {
        $(impl<$($parameters)*> Describe for $ty {
            fn describe(&self) -> Description {
                let $value = self;
                $description
            }
        })*
    };
}

described! {
    [] Tensor => |tensor| tensor_description(tensor);
    [] Device => |device| plain(device_name(*device));
    [] VarStore => |vs| {
        let what = counted(optim::parameters(vs), "trainable parameter").what;
        Description { what, device: Some(device_name(vs.device())) }
    };
    [] crate::nn::VarStore => |vs| Describe::describe(&**vs);
    [] str => |text| preview(&text).map_or_else(|| counted(text.len(), "byte"), plain);
    [] String => |text| text.as_str().describe();
    [] Path => |path| plain(path.display().to_string());
    [] PathBuf => |path| path.as_path().describe();
    [S: ndarray::RawData, D: ndarray::Dimension] ndarray::ArrayBase<S, D> => |array| {
        plain(format!("{:?}", array.shape()))
    };
    [P: image::Pixel, C: Deref<Target = [P::Subpixel]>] image::ImageBuffer<P, C> => |image| pixels(image.dimensions());
    [] image::DynamicImage => |image| pixels((image.width(), image.height()));
    [T] [T] => |list| counted(list.len(), "element");
    [T, const N: usize] [T; N] => |_| counted(N, "element");
    [T] Vec<T> => |list| counted(list.len(), "element");
    [T] VecDeque<T> => |list| counted(list.len(), "element");
    [T] LinkedList<T> => |list| counted(list.len(), "element");
    [T] BinaryHeap<T> => |heap| counted(heap.len(), "element");
    [T] BTreeSet<T> => |set| counted(set.len(), "element");
    [T, S] HashSet<T, S> => |set| counted(set.len(), "element");
    [K, V] BTreeMap<K, V> => |map| counted(map.len(), "pair");
    [K, V, S] HashMap<K, V, S> => |map| counted(map.len(), "pair");
    [T: Describe] Option<T> => |value| match value.as_ref().map(Describe::describe) {
        Some(Description { what, device }) => Description { what: format!("Some: {what}"), device },
        None => plain("None"),
    };
    [T: Describe + ?Sized] &T => |target| (**target).describe();
    [T: Describe + ?Sized] &mut T => |target| (**target).describe();
    [T: Describe + ?Sized] Box<T> => |target| (**target).describe();
    [T: Describe + ?Sized] Rc<T> => |target| (**target).describe();
    [T: Describe + ?Sized] Arc<T> => |target| (**target).describe();
}

macro_rules! described_by_value {
    ($($ty:ty)*) => {
        described! { $([] $ty => |value| plain(format!("{value:?}"));)* }
    };
}

described_by_value!(bool char i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 tch::Kind);

fn tensor_description(tensor: &Tensor) -> Description {
    if !tensor.defined() {
        return plain("undefined");
    }
    let kind = tensor.f_kind().map_or("", dtype_name);
    let what = format!("{:?} {kind}", tensor.size());
    Description { what: what.trim_end().to_owned(), device: Some(device_name(tensor.device())) }
}

fn pixels((width, height): (u32, u32)) -> Description {
    plain(format!("{width} x {height} pixels"))
}

/// Describes a type by what it says of itself.
pub trait DescribedByItself {
    /// Records what the variable of that name is like.
    fn oxtorch_describe(&self, name: &str);
}

impl<T: Describe + ?Sized> DescribedByItself for &&Show<'_, T> {
    fn oxtorch_describe(&self, name: &str) {
        self.0.describe().record(name);
    }
}

/// Describes a type by its `Debug` form where that is short, else by its size.
pub trait DescribedByText {
    /// Records what the variable of that name is like.
    fn oxtorch_describe(&self, name: &str);
}

impl<T: Debug + ?Sized> DescribedByText for &Show<'_, T> {
    fn oxtorch_describe(&self, name: &str) {
        let text = catch_unwind(AssertUnwindSafe(|| preview(&self.0)));
        let description = match text {
            Ok(Some(text)) => plain(text),
            Ok(None) => size(self.0),
            // The user wants the whole to end.
            Err(payload) if payload.is::<Interrupt>() => resume_unwind(payload),
            // One variable that cannot be looked at hides no others.
            Err(_) => plain("(its `Debug` panics)"),
        };
        description.record(name);
    }
}

/// Describes a type by its size.
pub trait DescribedBySize {
    /// Records what the variable of that name is like.
    fn oxtorch_describe(&self, name: &str);
}

impl<T: ?Sized> DescribedBySize for Show<'_, T> {
    fn oxtorch_describe(&self, name: &str) {
        size(self.0).record(name);
    }
}

fn size<T: ?Sized>(value: &T) -> Description {
    counted(size_of_val(value), "byte")
}

/// A value as text, if it fits into a line of a table. Stops early at a long one.
fn preview(value: &dyn Debug) -> Option<String> {
    struct Short(String);
    impl Write for Short {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.push_str(text);
            if self.0.len() > 4 * MOST_CHARS { Err(fmt::Error) } else { Ok(()) }
        }
    }
    let mut short = Short(String::new());
    write!(short, "{value:?}").ok()?;
    (short.0.chars().count() <= MOST_CHARS).then_some(short.0)
}

/// What the cell has described.
pub(super) fn take() -> Vec<Described> {
    DESCRIBED.take()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    fn described(what: &str, device: Option<&str>) -> Vec<Described> {
        vec![Described { name: "x".into(), what: what.into(), device: device.map(str::to_owned) }]
    }

    macro_rules! check {
        ($value:expr, $what:expr, $device:expr) => {
            (&&&Show(&$value)).oxtorch_describe("x");
            assert_eq!(take(), described($what, $device));
        };
    }

    #[test]
    fn tensors_say_their_shape_dtype_and_device() {
        check!(Tensor::zeros([64, 10], (Kind::Float, Device::Cpu)), "[64, 10] float32", Some("cpu"));
        check!(Some(Tensor::from(1i64)), "Some: [] int64", Some("cpu"));
        check!(Rc::new(Tensor::new()), "undefined", None);
    }

    #[test]
    fn collections_say_their_length_and_numbers_their_value() {
        check!(vec![0u8; 12_345], "12,345 elements", None);
        check!([1.5f64], "1 element", None);
        check!(HashMap::from([(1, 2)]), "1 pair", None);
        check!(2.5f32, "2.5", None);
        check!("short", "\"short\"", None);
        check!("long ".repeat(100), "500 bytes", None);
    }

    #[test]
    fn other_types_show_a_short_debug_form_or_their_size() {
        #[derive(Debug)]
        #[allow(dead_code, reason = "read by Debug")]
        struct Config {
            rate: f64,
        }
        struct Opaque([u64; 4]);
        check!(Config { rate: 0.1 }, "Config { rate: 0.1 }", None);
        check!((1, vec!["text"; 1000]), "32 bytes", None);
        check!(Opaque([0; 4]), "32 bytes", None);
        struct Loud;
        impl Debug for Loud {
            fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
                panic!("too loud")
            }
        }
        check!(Loud, "(its `Debug` panics)", None);
        assert_eq!(Opaque([0; 4]).0.len(), 4);
    }
}
