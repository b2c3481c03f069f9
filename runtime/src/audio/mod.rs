//! Sound: WAV files as tensors, and the features that models of sound take.
//!
//! ```
//! use oxtorch::prelude::*;
//! use oxtorch::audio::{MelSpectrogram, load_wav, power_to_db, save_wav};
//! // A second of the note A.
//! let time = Tensor::arange(16_000, (Kind::Float, Device::Cpu)) / 16_000.0;
//! save_wav("a.wav", &(time * (2.0 * std::f64::consts::PI * 440.0)).sin(), 16_000)?;
//! let (samples, sample_rate) = load_wav("a.wav")?;
//! let mel = MelSpectrogram::new(sample_rate).n_fft(512).hop_length(160).n_mels(64);
//! let features = power_to_db(&mel.forward(&samples), Some(80.0));
//! assert_eq!(features.size(), [1, 64, 101]);
//! # std::fs::remove_file("a.wav")?;
//! # anyhow::Ok(())
//! ```

mod mel;
mod spectrogram;
mod wav;

pub use crate::display::player::{Player, player};
pub use mel::{MelScale, MelSpectrogram, Mfcc, mel_filter_bank};
pub use spectrogram::{Padding, Spectrogram, amplitude_to_db, power_to_db};
pub(crate) use wav::encode;
pub use wav::{AudioError, load_wav, save_wav};
