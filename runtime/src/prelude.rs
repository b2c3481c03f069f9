//! What every cell has in scope. Its names lose to anything that the user defines.
//!
//! - Tensors and networks: [`Tensor`], [`nn`], [`Kind`], [`Device`], [`IndexOp`] (`x.i((.., 0))`), [`no_grad`], the traits
//!   of layers and optimisers, and [`device()`] for the best device at hand.
//! - Errors: anyhow's [`Result`], [`Context`], [`anyhow!`], [`bail!`] and [`ensure!`]. `Result<T>` stands for any error,
//!   `Result<T, E>` is the one of the standard library.
//! - Output and input: [`display`] for anything with a [`RichDisplay`], [`image()`] for tensors that are pictures,
//!   [`Figure`] and [`LivePlot`] for plots, [`table`] for tables, [`progress()`] and [`progress_bar`] for loops that take a
//!   while, [`json!`] for charts of Vega-Lite and Plotly, [`input`].
//! - Data: [`digits`].
//! - The crates `tch`, `anyhow`, `rand`, `ndarray`, `image`, `plotters` and `tokio`, so that a cell can say `use tch::vision;`.
//!   `image` is both the crate (`image::open`) and the function (`image(&x)`): Rust tells them apart.

pub use crate::{anyhow, image, ndarray, plotters, rand, tch, tokio};
pub use crate::{bail, ensure};
pub use anyhow::{Context, Result, anyhow};
pub use tch::nn::{Module, ModuleT, OptimizerConfig};
pub use tch::{Device, IndexOp, Kind, Reduction, TchError, Tensor, nn, no_grad, no_grad_guard};

pub use crate::checkpoint::checkpoint;
pub use crate::device::device;
pub use crate::digits::{Digits, digits};
pub use crate::display::{
    DisplayHandle, Html, Latex, Markdown, MimeBundle, RichDisplay, clear_output, display, display_with_id,
    update_display,
};
pub use crate::input::{input, password};
pub use crate::picture::{Image, image, show_image};
pub use crate::plot::{Figure, LivePlot};
pub use crate::progress::{Progress, ProgressBar, progress, progress_bar};
pub use crate::table::{Table, table};
pub use serde_json::json;
