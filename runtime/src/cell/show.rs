//! Shows the value of a cell's trailing expression, in the richest form that its type has.
//!
//! The kernel writes `(&&&&&Show(value)).oxtorch_show(|| value.evcxr_display())`. Method lookup tries `&&&&&Show`
//! first, then strips one reference after the other, so the first of these that the type satisfies is called:
//! [`ViaRich`], [`ViaTensors`], [`ViaModule`], [`ViaDebug`], [`ViaName`]. This decides in one compile, without
//! specialisation.
//!
//! Where `display` is given a value whose type has no [`RichDisplay`], the kernel writes
//! `(&&&&&Show(value)).oxtorch_bundle()` in its place, which is decided in the same way.
//!
//! Notebooks written for evcxr give types a method `evcxr_display`, which prints what to show. Where a type has one it
//! wins over a trait's that the kernel declares around the value, and the closure's type tells which of both was
//! called.

use std::fmt::{self, Debug};

use oxtorch_protocol::{Display, DisplayKind, FromHost};

use tch::nn::ModuleT;

use super::long_text::shortened;
use crate::checkpoint::checkpoint;
use crate::display::{HoldsTensors, MimeBundle, RichDisplay, network};
use crate::host::channel;

/// A reference to the value to show.
#[expect(missing_debug_implementations, reason = "the code around a cell has it, and no cell shows it")]
pub struct Show<'a, T: ?Sized>(pub &'a T);

/// What stands for the method `evcxr_display` gives, where a type has none of that name.
#[derive(Debug)]
pub struct NoMethod;

/// What `evcxr_display` has given.
pub trait Shown {
    /// Whether the value was shown by it.
    fn is_shown(&self) -> bool;
}

impl Shown for NoMethod {
    fn is_shown(&self) -> bool {
        false
    }
}

impl Shown for () {
    fn is_shown(&self) -> bool {
        true
    }
}

impl<T, E> Shown for Result<T, E> {
    fn is_shown(&self) -> bool {
        self.is_ok()
    }
}

/// Shows a type by its own rich display.
pub trait ViaRich {
    /// Sends the value as the cell's result.
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S);

    /// The value for `display`.
    fn oxtorch_bundle(&self) -> MimeBundle;
}

impl<T: RichDisplay + ?Sized> ViaRich for &&&&Show<'_, T> {
    fn oxtorch_show<S: Shown>(&self, _: impl FnOnce() -> S) {
        show_bundle(self.0.mime_bundle());
    }

    fn oxtorch_bundle(&self) -> MimeBundle {
        self.0.mime_bundle()
    }
}

/// Shows lists and tuples with each tensor as it is shown alone.
pub trait ViaTensors {
    /// Sends the value as the cell's result.
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S);

    /// The value for `display`.
    fn oxtorch_bundle(&self) -> MimeBundle;
}

impl<T: HoldsTensors + ?Sized> ViaTensors for &&&Show<'_, T> {
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S) {
        if by_evcxr().is_shown() {
            return;
        }
        if T::HOLDS_TENSORS { show_string(self.0.text()) } else { show_text(format_args!("{:?}", self.0)) }
    }

    fn oxtorch_bundle(&self) -> MimeBundle {
        if T::HOLDS_TENSORS { MimeBundle::text(self.0.text()) } else { bundle(format_args!("{:?}", self.0)) }
    }
}

/// Shows a layer or a network by the layers that it consists of.
pub trait ViaModule {
    /// Sends the value as the cell's result.
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S);

    /// The value for `display`.
    fn oxtorch_bundle(&self) -> MimeBundle;
}

impl<T: ModuleT + ?Sized> ViaModule for &&Show<'_, T> {
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S) {
        if !by_evcxr().is_shown() {
            show_bundle(self.oxtorch_bundle());
        }
    }

    fn oxtorch_bundle(&self) -> MimeBundle {
        network::of_module(&self.0).unwrap_or_else(|| bundle(format_args!("{:?}", self.0)))
    }
}

/// Shows a type by its `Debug` form.
pub trait ViaDebug {
    /// Sends the value as the cell's result; nothing for `()`.
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S);

    /// The value for `display`.
    fn oxtorch_bundle(&self) -> MimeBundle;
}

impl<T: Debug + ?Sized> ViaDebug for &Show<'_, T> {
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S) {
        // `TypeId` would ask for `'static`, and the value of a cell may borrow.
        if std::any::type_name::<T>() != "()" && !by_evcxr().is_shown() {
            show_debug(&self.0);
        }
    }

    fn oxtorch_bundle(&self) -> MimeBundle {
        debug_bundle(&self.0)
    }
}

/// Shows the name of a type that has nothing else to show.
pub trait ViaName {
    /// Sends the type's name as the cell's result.
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S);

    /// The type's name for `display`.
    fn oxtorch_bundle(&self) -> MimeBundle;
}

impl<T: ?Sized> ViaName for Show<'_, T> {
    fn oxtorch_show<S: Shown>(&self, by_evcxr: impl FnOnce() -> S) {
        if !by_evcxr().is_shown() {
            show_text(format_args!("a value of type {}", without_our_names(std::any::type_name::<T>())));
        }
    }

    fn oxtorch_bundle(&self) -> MimeBundle {
        bundle(format_args!("a value of type {}", without_our_names(std::any::type_name::<T>())))
    }
}

/// The name of a type as the user has written it: the crates of cells, and the function around their statements, are
/// ours.
fn without_our_names(name: &str) -> String {
    let is_ours = |segment: &str| {
        let hash = segment.strip_prefix("cell_").unwrap_or_default();
        segment == "__oxtorch_run" || (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let mut readable = String::with_capacity(name.len());
    let mut parts = name.split("::").peekable();
    while let Some(part) = parts.next() {
        let begins = part.rfind(|char: char| char != '_' && !char.is_alphanumeric()).map_or(0, |at| at + 1);
        if parts.peek().is_none() {
            readable.push_str(part);
        } else if is_ours(&part[begins..]) {
            readable.push_str(&part[..begins]);
        } else {
            readable.push_str(part);
            readable.push_str("::");
        }
    }
    readable
}

/// Not generic, and so compiled once and not into every cell.
fn show_text(text: fmt::Arguments<'_>) {
    show_bundle(bundle(text));
}

// A bundle stays within functions that are compiled once: a cell that only passed one on would have code to drop it,
// which takes rustc a quarter of the time of a trivial cell.

fn show_string(text: String) {
    show_bundle(MimeBundle::text(text));
}

fn show_debug(value: &dyn Debug) {
    show_bundle(debug_bundle(value));
}

/// The `Debug` form, or the layers of what is a network by it: one that is not called as a `Module`.
fn debug_bundle(value: &dyn Debug) -> MimeBundle {
    let text = shortened(format_args!("{value:?}"));
    let network = if network::may_be_in(&text) { network::of_value(value) } else { None };
    network.unwrap_or_else(|| MimeBundle::text(text))
}

/// Text that may be far too long.
fn bundle(text: fmt::Arguments<'_>) -> MimeBundle {
    MimeBundle::text(shortened(text))
}

/// Sends a bundle as the cell's result. A cell that is interrupted has none.
pub(crate) fn show_bundle(bundle: MimeBundle) {
    checkpoint();
    // A display handle, for one: `display(&x)` at a cell's end has shown its value already.
    if bundle.is_empty() {
        return;
    }
    let (data, metadata) = bundle.into_parts();
    channel::send(&FromHost::Display(Display { kind: DisplayKind::Result, data, metadata, display_id: None }));
}

#[cfg(test)]
mod tests {
    use super::without_our_names;

    #[test]
    fn a_type_is_called_as_its_user_calls_it() {
        assert_eq!(without_our_names("cell_b001831889cb6798::Unit"), "Unit");
        assert_eq!(
            without_our_names("alloc::vec::Vec<cell_b001831889cb6798::nets::Net<cell_1234567890abcdef::A>>"),
            "alloc::vec::Vec<nets::Net<A>>"
        );
        assert_eq!(without_our_names("cell_b001831889cb6798::__oxtorch_run::{{closure}}"), "{{closure}}");
        assert_eq!(without_our_names("mine::cell_1::Net"), "mine::cell_1::Net");
        assert_eq!(without_our_names("i64"), "i64");
    }
}
