//! What every cell has in scope. Its names lose to anything that the user defines.
//!
//! - Tensors and networks: [`Tensor`], [`nn`], [`Kind`], [`Device`], [`IndexOp`] (`x.i((.., 0))`,
//!   `x.set_i((.., 0), 1.0)`; all it takes is in [`index`](tch::index)), [`no_grad`], the traits of layers and
//!   optimisers, and [`device()`] for the best device at hand.
//! - Errors: anyhow's [`Result`], [`Context`], [`anyhow!`], [`bail!`] and [`ensure!`]. `Result<T>` stands for any
//!   error, `Result<T, E>` is the one of the standard library.
//! - Output and input: [`display`] for anything with a [`RichDisplay`], [`image()`] for tensors that are pictures,
//!   [`Figure`], [`Figures`] and [`LivePlot`] for plots, [`Animation`] for films, [`table`] for tables, [`progress()`]
//!   and [`progress_bar`] for loops that take a while, [`json!`] for charts of Vega-Lite and Plotly, [`input`],
//!   [`interact`] with the sliders of [`widgets`].
//! - Data that is there: [`digits()`], [`mnist_10k`], [`iris`], [`karate_club`], [`moby_dick`], [`names`]; that is
//!   downloaded: [`mnist`], [`fashion_mnist`], [`cifar10`], [`cifar100`]; of one's own: [`image_folder`],
//!   [`load_image`], [`read_csv`], [`Dataset`], [`TensorDataset`]; divided: [`random_split`], [`train_test_split`],
//!   [`k_fold`]; and in batches: [`DataLoader`]. More in [`data`].
//! - Networks: [`summary`] for layers, shapes and parameters, [`seed`] for runs that repeat. Images are augmented by
//!   [`data::augment`].
//! - Detection and segmentation: [`vision`] for boxes and masks, [`metrics`] for how good they are.
//! - Reinforcement learning: [`rl`], and its trait [`Env`].
//! - Probability: [`distributions`], such as `distributions::Normal`, with the methods of their trait
//!   [`Distribution`](crate::distributions::Distribution) in scope.
//! - Training: [`optim`] with schedules, parameter groups, gradient clipping and averaged weights. Language models:
//!   [`text`].
//! - The crates `tch` (with the [`IndexOp`] of this prelude), `anyhow`, `rand`, `ndarray`, `image`, `plotters` and
//!   `tokio`, so that a cell can say `use tch::vision;`. `image` is both the crate (`image::open`) and the function
//!   (`image(&x)`): Rust tells them apart.

pub use crate::nn::{Chain, ChainT, Module, ModuleT, OptimizerConfig, RNN as _, RNNState as _, seed};
pub use crate::{anyhow, image, ndarray, plotters, rand, tch, tokio};
pub use crate::{autograd, data, distributions, io, metrics, nn, optim, rl, text, train, vision, widgets};
pub use crate::{bail, ensure};
// For the optimisers of `tch::nn`, which have a trait of their own.
pub use ::tch::index::{Ellipsis, IndexOp, NewAxis, Steps as _};
pub use ::tch::nn::OptimizerConfig as _;
pub use ::tch::{Device, Kind, Reduction, TchError, Tensor};
pub use anyhow::{Context, Result, anyhow};

pub use crate::animation::Animation;
pub use crate::autograd::TensorHooks as _;
pub use crate::cell::points;
pub use crate::checkpoint::checkpoint;
pub use crate::data::{
    DataLoader, Dataset, Standardize, Subset, TensorDataset, WeightedRandomSampler, iris, k_fold, karate_club,
    mnist_10k, moby_dick, names, one_hot, random_split, stratified_k_fold, stratified_split, train_test_split,
};
pub use crate::data::{Digits, LabelledImages, digits};
pub use crate::data::{Split, cifar10, cifar100, fashion_mnist, image_folder, load_image, mnist, read_csv};
pub use crate::device::device;
pub use crate::display::{
    DisplayHandle, Html, Latex, Markdown, MimeBundle, RichDisplay, clear_output, display, display_with_id,
    update_display,
};
pub use crate::distributions::Distribution as _;
pub use crate::input::{input, password};
pub use crate::modes::{no_grad, no_grad_guard};
pub use crate::optim::Schedule;
pub use crate::picture::{Image, image, show_image};
pub use crate::plot::{Figure, Figures, LivePlot};
pub use crate::progress::{Progress, ProgressBar, progress, progress_bar};
pub use crate::rl::{Env, SetState};
pub use crate::summary::summary;
pub use crate::table::{Table, table};
pub use crate::text::Tokenizer as _;
pub use crate::train::Trainer;
pub use crate::widgets::interact;
pub use serde_json::json;
