//! Says what a variable is like in a few words, for `:vars`: shape and device of a tensor, length of a collection,
//! value of a number.
//!
//! The kernel writes `(&&&Show(&x)).oxtorch_describe("x")`; as with the value of a cell (see [`super::show`]) the first
//! of [`DescribedByItself`], [`DescribedByText`] and [`DescribedBySize`] that the type satisfies is called.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, LinkedList, VecDeque};
use std::fmt::{self, Debug, Write};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use oxtorch_protocol::Described;
use tch::nn::VarStore;
use tch::{Device, Tensor};

use super::Show;
use crate::checkpoint::Interrupt;
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
    fn plain(what: impl Into<String>) -> Self {
        Self { what: what.into(), device: None }
    }

    fn counted(count: usize, of: &str) -> Self {
        let plural = if count == 1 { "" } else { "s" };
        Self::plain(format!("{} {of}{plural}", thousands(count)))
    }

    fn record(self, name: &str) {
        let Self { what, device } = self;
        DESCRIBED.with_borrow_mut(|all| all.push(Described { name: name.to_owned(), what, device }));
    }
}

/// A type that says more than its size.
pub trait Describe {
    /// What there is to say of it.
    fn describe(&self) -> Description;
}

impl Describe for Tensor {
    fn describe(&self) -> Description {
        if !self.defined() {
            return Description::plain("undefined");
        }
        let kind = self.f_kind().map_or("", dtype_name);
        let what = format!("{:?} {kind}", self.size());
        Description { what: what.trim_end().to_owned(), device: Some(device_name(self.device())) }
    }
}

impl Describe for VarStore {
    fn describe(&self) -> Description {
        let parameters: usize = self.trainable_variables().iter().map(Tensor::numel).sum();
        let what = Description::counted(parameters, "trainable parameter").what;
        Description { what, device: Some(device_name(self.device())) }
    }
}

impl Describe for crate::nn::VarStore {
    fn describe(&self) -> Description {
        Describe::describe(&**self)
    }
}

impl Describe for Device {
    fn describe(&self) -> Description {
        Description::plain(device_name(*self))
    }
}

impl Describe for str {
    fn describe(&self) -> Description {
        match preview(&self) {
            Some(text) => Description::plain(text),
            None => Description::counted(self.len(), "byte"),
        }
    }
}

impl Describe for String {
    fn describe(&self) -> Description {
        self.as_str().describe()
    }
}

impl Describe for Path {
    fn describe(&self) -> Description {
        Description::plain(self.display().to_string())
    }
}

impl Describe for PathBuf {
    fn describe(&self) -> Description {
        self.as_path().describe()
    }
}

impl<S: ndarray::RawData, D: ndarray::Dimension> Describe for ndarray::ArrayBase<S, D> {
    fn describe(&self) -> Description {
        Description::plain(format!("{:?}", self.shape()))
    }
}

impl<P: image::Pixel, C: std::ops::Deref<Target = [P::Subpixel]>> Describe for image::ImageBuffer<P, C> {
    fn describe(&self) -> Description {
        Description::plain(format!("{} x {} pixels", self.width(), self.height()))
    }
}

impl Describe for image::DynamicImage {
    fn describe(&self) -> Description {
        Description::plain(format!("{} x {} pixels", self.width(), self.height()))
    }
}

macro_rules! described_by_value {
    ($($ty:ty)*) => {
        $(impl Describe for $ty {
            fn describe(&self) -> Description {
                Description::plain(format!("{self:?}"))
            }
        })*
    };
}

described_by_value!(bool char i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize f32 f64 tch::Kind);

macro_rules! described_by_length {
    ($($collection:ident<$($parameter:ident),*> of $what:literal;)*) => {
        $(impl<$($parameter),*> Describe for $collection<$($parameter),*> {
            fn describe(&self) -> Description {
                Description::counted(self.len(), $what)
            }
        })*
    };
}

described_by_length! {
    Vec<T> of "element";
    VecDeque<T> of "element";
    LinkedList<T> of "element";
    BinaryHeap<T> of "element";
    BTreeSet<T> of "element";
    BTreeMap<K, V> of "pair";
    HashMap<K, V, S> of "pair";
    HashSet<T, S> of "element";
}

impl<T> Describe for [T] {
    fn describe(&self) -> Description {
        Description::counted(self.len(), "element")
    }
}

impl<T, const N: usize> Describe for [T; N] {
    fn describe(&self) -> Description {
        Description::counted(N, "element")
    }
}

impl<T: Describe> Describe for Option<T> {
    fn describe(&self) -> Description {
        match self {
            Some(value) => {
                let Description { what, device } = value.describe();
                Description { what: format!("Some: {what}"), device }
            }
            None => Description::plain("None"),
        }
    }
}

macro_rules! described_by_target {
    ($($pointer:ty),*) => {
        $(impl<T: Describe + ?Sized> Describe for $pointer {
            fn describe(&self) -> Description {
                (**self).describe()
            }
        })*
    };
}

described_by_target!(&T, &mut T, Box<T>, Rc<T>, Arc<T>);

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
            Ok(Some(text)) => Description::plain(text),
            Ok(None) => size(self.0),
            // The user wants the whole to end.
            Err(payload) if payload.is::<Interrupt>() => resume_unwind(payload),
            // One variable that cannot be looked at hides no others.
            Err(_) => Description::plain("(its `Debug` panics)"),
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
    Description::counted(size_of_val(value), "byte")
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

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
