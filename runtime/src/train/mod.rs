//! Training without writing the loop: [`Trainer`] runs the epochs, shows how far it is, and keeps the history. It stays
//! optional; a plain loop over a [`DataLoader`](crate::data::DataLoader) does the same, and the checks here serve it
//! too.
//!
//! ```
//! use oxtorch::prelude::*;
//! let (train, test) = digits().split(0.2, 42)?;
//! let (train, test) = (DataLoader::new(train, 64).shuffle(42), DataLoader::new(test, 256));
//! let vs = nn::VarStore::new(device());
//! let net = nn::seq_t()
//!     .flatten()
//!     .add(nn::linear(&vs.root() / "hidden", 64, 64, Default::default()))
//!     .relu()
//!     .dropout(0.1)
//!     .add(nn::linear(&vs.root() / "out", 64, 10, Default::default()));
//! let mut trainer = Trainer::new(&vs, nn::Adam::default(), 3e-3)?.epochs(3);
//! trainer.fit(&net, &train, Some(&test))?;
//! assert!(trainer.history().last("validation accuracy").is_some_and(|accuracy| accuracy > 0.8));
//! trainer.history().figures()
//! # ;
//! ```

mod anomaly;
mod checkpoint;
mod error;
mod history;
mod loader;
mod precision;
mod report;
mod stopping;
mod trainer;
mod work;

pub use anomaly::{Anomaly, check_finite, detect_anomaly};
pub use error::TrainError;
pub(crate) use history::VALIDATION;
pub use history::{Epoch, History};
pub use loader::{BATCH_SIZE, Loader};
pub use precision::{LossScaler, autocast};
pub use trainer::Trainer;
pub use work::{Evaluation, Outcome};
