//! What the code that the kernel writes around a cell calls: variables, stages, and the value to show.
//!
//! A cell's statements run in *stages*: each `let` that may fail is one, and what lies between two of them; no stage
//! begins after an interrupt. Around them the generated function takes the variables of earlier cells from the store
//! and puts back what is alive, however the stages ended. Until then each variable stays where its `let` has put it:
//!
//! ```text
//! let mut net: ::cell_3::Net = take("net");
//! if let Some((mut opt,)) = stage(|| { let mut opt = ...; Ok((opt,)) }) {
//!     if let Some(()) = stage(|| { for ... { ... } Ok(()) }) {}
//!     put("opt", 1, opt);
//! }
//! put_back("net", 0, net);
//! ```

mod asynchronous;
mod broadcasts;
mod describe;
mod graded;
mod long_text;
mod notes;
mod number;
mod panic;
mod share;
mod show;
mod stage;
mod store;
mod timeit;

pub use asynchronous::{enter_as_well, enter_tokio, stage_async};
pub(crate) use broadcasts::note_broadcasts;
pub use describe::{DescribedByItself, DescribedBySize, DescribedByText};
pub(crate) use graded::lay_key;
pub use graded::{GradedTest, points};
pub(crate) use notes::{note, note_each, take_back_each};
pub use number::{AsItIs, Number, Written};
#[cfg(test)]
pub(crate) use panic::panic_places;
pub use panic::unwinding_begins;
pub(crate) use panic::{first_sentence, install_hook, panicked_within, payload_text};
pub use share::{Share, Shared, ViaCopy, ViaShare};
pub(crate) use show::show_bundle;
pub use show::{NoMethod, Show, Shown, ViaDebug, ViaModule, ViaName, ViaRich, ViaTensors};
pub use stage::{Ending, Error, end_cell, of_any_error, stage};
pub(crate) use stage::{begin, end, record_panic, run};
pub use store::{Never, Returns, TypeOf, carry, forget, probe, put, put_back, take, type_of};
pub(crate) use store::{drop_all, forget_all, keeps_stdout, not_dropped};
pub use timeit::timeit;
