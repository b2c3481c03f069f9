//! Controls in a notebook: sliders, choices and ticks that call a closure when the user moves them.
//!
//! ```
//! use oxtorch::prelude::*;
//! use oxtorch::widgets::{checkbox, slider};
//!
//! let wave = |(frequency, cosine): (f64, bool)| {
//!     let x = Tensor::linspace(0.0, 6.28, 200, (Kind::Float, Device::Cpu));
//!     let y = if cosine { (&x * frequency).cos() } else { (&x * frequency).sin() };
//!     Figure::new().line_xy("wave", &x, &y)
//! };
//! interact((slider("frequency", 0.5..=4.0), checkbox("cosine", false)), wave);
//! ```
//!
//! The closure is called once with the first values, and again each time the user changes one while no cell runs. What
//! it gives is shown, each time in place of what it gave before; what it prints is shown above that. It keeps what it
//! captures; a variable of the notebook that cannot change it gets for itself, as each closure that is kept.
//!
//! Frontends draw the controls by the widgets of Jupyter (`pip install jupyterlab-widgets` for JupyterLab and Notebook,
//! the extension *Jupyter* for VS Code). Where there are none, such as in a headless run, the cell shows the names and
//! values of the controls as text, and what the closure gives for them.

mod comms;
mod controls;

use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;

use comms::{Panel, Widget};
pub(crate) use comms::{answer, last_words};
use controls::Model;
pub use controls::{Checkbox, Control, Dropdown, LogSlider, Number, Slider, checkbox, dropdown, log_slider, slider};

use crate::display::{DisplayHandle, Displayable, MimeBundle, display};

/// One [`Control`], or several as a tuple.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no control",
    note = "controls are `widgets::slider`, `log_slider`, `dropdown` and `checkbox`, and tuples of 1 to 6 of them"
)]
pub trait Controls: 'static {
    /// What the closure gets: the value of the control, or the values as a tuple.
    type Values;

    /// The values at this moment.
    fn values(&self) -> Self::Values;

    /// Each control, in order.
    #[doc(hidden)]
    fn each(&mut self) -> Vec<&mut dyn Model>;
}

impl<C: Control> Controls for C {
    type Values = C::Value;

    fn values(&self) -> C::Value {
        self.current()
    }

    fn each(&mut self) -> Vec<&mut dyn Model> {
        vec![self]
    }
}

macro_rules! controls_of_tuples {
    ($($name:ident)*) => {
        #[expect(non_snake_case, reason = "each control is called as its type")]
        impl<$($name: Control),*> Controls for ($($name,)*) {
            type Values = ($($name::Value,)*);

            fn values(&self) -> Self::Values {
                let ($($name,)*) = self;
                ($($name.current(),)*)
            }

            fn each(&mut self) -> Vec<&mut dyn Model> {
                let ($($name,)*) = self;
                vec![$($name),*]
            }
        }
    };
}

controls_of_tuples!(A);
controls_of_tuples!(A B);
controls_of_tuples!(A B C);
controls_of_tuples!(A B C D);
controls_of_tuples!(A B C D E);
controls_of_tuples!(A B C D E F);

/// What the closure of [`interact`] can give: what [`display`] takes, a number, or nothing.
#[diagnostic::on_unimplemented(
    message = "`interact` cannot show what its closure gives, a `{Self}`",
    note = "it shows figures, tables, tensors, texts and numbers; `format!(\"{{:?}}\", ..)` makes a text of other values"
)]
pub trait Content {
    /// The value in every format that it has; `None` where there is nothing to show.
    #[doc(hidden)]
    fn content(&self) -> Option<MimeBundle>;
}

impl<T: Displayable> Content for T {
    fn content(&self) -> Option<MimeBundle> {
        Some(self.to_bundle())
    }
}

impl Content for () {
    fn content(&self) -> Option<MimeBundle> {
        None
    }
}

macro_rules! content_of_numbers {
    ($($ty:ty)*) => {
        $(impl Content for $ty {
            fn content(&self) -> Option<MimeBundle> {
                Some(MimeBundle::text(format!("{self:?}")))
            }
        })*
    };
}

content_of_numbers!(bool char f32 f64 i8 i16 i32 i64 isize u8 u16 u32 u64 usize);

/// Shows controls, and what a closure gives for their values. When the user changes one while no cell runs, the
/// closure is called again, and what it gives then takes the place of what it gave before.
///
/// Where the same `interact` is run again, its controls take the place of the earlier ones, which end.
///
/// # Panics
///
/// If it is called by a thread that the cell has started: closures are called by the thread that runs the cells.
#[track_caller]
pub fn interact<C: Controls, R: Content>(mut controls: C, closure: impl FnMut(C::Values) -> R + 'static) {
    let widgets: Vec<Widget> = controls.each().iter().map(|control| control.widget()).collect();
    let text: Vec<String> = controls.each().iter().map(|control| control.text()).collect();
    let view = comms::open(widgets, Location::caller());
    display(&view.bundle(text.join("\n")));
    let interaction = Rc::new(RefCell::new(Interaction { controls, closure, shown: None }));
    // First of all: the user may find values that the closure can do with where it cannot with the first.
    view.serve(Rc::clone(&interaction) as _);
    interaction.borrow_mut().refresh(false);
}

/// Controls, and what is to be done with their values.
struct Interaction<C, F> {
    controls: C,
    closure: F,
    /// Where the closure's values are shown, once it has given one.
    shown: Option<DisplayHandle>,
}

impl<C: Controls, R: Content, F: FnMut(C::Values) -> R> Panel for Interaction<C, F> {
    fn control(&mut self, index: usize) -> Option<&mut dyn Model> {
        self.controls.each().into_iter().nth(index)
    }

    fn refresh(&mut self, on_new_page: bool) {
        let Some(bundle) = (self.closure)(self.controls.values()).content() else { return };
        if on_new_page {
            display(&bundle);
        }
        match &self.shown {
            Some(shown) => shown.update(&bundle),
            None => self.shown = Some(display(&bundle)),
        }
    }
}

impl<C, F> fmt::Debug for Interaction<C, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Interaction").field("shown", &self.shown).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widgets_of_one_place_take_the_place_of_earlier_ones() {
        let show = || interact((slider("k", 1..=9), dropdown("f", ["a", "b"]), checkbox("on", true)), |(k, _, _)| k);
        for _ in 0..3 {
            crate::cell::begin();
            show();
            assert_eq!(comms::count(), 1);
        }
        crate::cell::begin();
        interact(slider("x", 0.0..=1.0), |x| x);
        assert_eq!(comms::count(), 2);
    }
}
