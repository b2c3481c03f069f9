//! How much of each frequency a sound has over time, and the decibels of it.

use tch::nn::Module;
use tch::{Kind, Tensor};

/// What a sound is continued with at its two ends, so that frames can be centred there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Padding {
    /// The sound mirrored, without its last sample: what torchaudio does.
    Reflect,
    /// Silence: what librosa does.
    Zeros,
}

/// The spectrogram of sounds: `X[k, t] = |sum over n of w[n] x[n + t hop] exp(-2πi k n / n_fft)| ^ power`, with a
/// periodic Hann window `w`.
///
/// Samples `[..., N]` become `[..., n_fft / 2 + 1, frames]`; frame `t` is centred on sample `t hop`, so there are
/// `1 + N / hop` of them. Defaults and names are those of torchaudio's `Spectrogram`.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::audio::Spectrogram;
/// let samples = Tensor::randn([2, 16_000], (Kind::Float, Device::Cpu));
/// assert_eq!(Spectrogram::new().n_fft(512).hop_length(128).forward(&samples).size(), [2, 257, 126]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spectrogram {
    n_fft: i64,
    win_length: Option<i64>,
    hop_length: Option<i64>,
    power: f64,
    padding: Option<Padding>,
}

impl Default for Spectrogram {
    fn default() -> Self {
        Self { n_fft: 400, win_length: None, hop_length: None, power: 2.0, padding: Some(Padding::Reflect) }
    }
}

impl Spectrogram {
    /// Frames of 400 samples, 200 apart; squared magnitudes.
    pub fn new() -> Self {
        Self::default()
    }

    /// The samples in a frame.
    ///
    /// # Panics
    ///
    /// Where it is below 2.
    pub fn n_fft(mut self, samples: i64) -> Self {
        assert!(samples >= 2, "n_fft = {samples}: a frame of a spectrogram has at least 2 samples");
        self.n_fft = samples;
        self
    }

    /// The samples under the window, in the middle of the frame; as many as the frame has otherwise.
    ///
    /// # Panics
    ///
    /// Where it is below 1.
    pub fn win_length(mut self, samples: i64) -> Self {
        assert!(samples >= 1, "win_length = {samples}: a window has at least 1 sample");
        self.win_length = Some(samples);
        self
    }

    /// The samples from one frame to the next; half of the window otherwise.
    ///
    /// # Panics
    ///
    /// Where it is below 1.
    pub fn hop_length(mut self, samples: i64) -> Self {
        assert!(samples >= 1, "hop_length = {samples}: frames are at least 1 sample apart");
        self.hop_length = Some(samples);
        self
    }

    /// The exponent of the magnitude: 2 for power, 1 for the magnitude itself.
    pub fn power(mut self, power: f64) -> Self {
        self.power = power;
        self
    }

    /// What the sound is continued with. With `None` it is not: the first frame begins with the first sample.
    pub fn padding(mut self, padding: impl Into<Option<Padding>>) -> Self {
        self.padding = padding.into();
        self
    }

    /// The samples in a frame.
    pub(super) fn frame(&self) -> i64 {
        self.n_fft
    }

    fn window(&self, like: &Tensor) -> Tensor {
        let length = self.win_length.unwrap_or(self.n_fft);
        assert!(
            length <= self.n_fft,
            "a window of {length} samples is longer than its frame of {} samples",
            self.n_fft
        );
        let left = (self.n_fft - length) / 2;
        let window = Tensor::hann_window(length, (like.kind(), like.device()));
        window.constant_pad_nd([left, self.n_fft - length - left])
    }
}

/// # Panics
///
/// Where the sound is shorter than a frame, or half a frame with [`Padding::Reflect`], or the window longer than the
/// frame.
impl Module for Spectrogram {
    fn forward(&self, samples: &Tensor) -> Tensor {
        let shape = samples.size();
        let length = shape.last().copied().unwrap_or(0);
        let half = self.n_fft / 2;
        let least = match self.padding {
            Some(Padding::Reflect) => half + 1,
            Some(Padding::Zeros) => 1,
            None => self.n_fft,
        };
        assert!(
            length >= least,
            "samples of shape {shape:?} are too short for a spectrogram with n_fft = {}: it takes at least {least} samples",
            self.n_fft
        );
        let flat = samples.reshape([-1, length]);
        let padded = match self.padding {
            Some(Padding::Reflect) => flat.reflection_pad1d([half, half]),
            Some(Padding::Zeros) => flat.constant_pad_nd([half, half]),
            None => flat,
        };
        let hop = self.hop_length.unwrap_or_else(|| (self.win_length.unwrap_or(self.n_fft) / 2).max(1));
        let frames = padded.unfold(-1, self.n_fft, hop) * self.window(samples);
        let magnitudes = frames.fft_rfft(None::<i64>, -1, "backward").abs().transpose(-1, -2);
        let spectrogram = if self.power == 1.0 { magnitudes } else { magnitudes.pow_tensor_scalar(self.power) };
        let mut result = shape;
        result.pop();
        result.extend(&spectrogram.size()[1..]);
        spectrogram.reshape(result)
    }
}

/// Power in decibels: `10 log10(max(x, 1e-10))`, as librosa's `power_to_db`. With `top_db`, what is more than so much
/// below the loudest of the whole tensor is raised to that.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::audio::power_to_db;
/// let power = Tensor::from_slice(&[1.0f32, 100.0, 0.0]);
/// assert_eq!(power_to_db(&power, Some(80.0)), Tensor::from_slice(&[0.0f32, 20.0, -60.0]));
/// ```
pub fn power_to_db(power: &Tensor, top_db: impl Into<Option<f64>>) -> Tensor {
    let decibels = power.clamp_min(1e-10).log10() * 10.0;
    match top_db.into() {
        Some(top) if decibels.numel() > 0 => decibels.maximum(&(decibels.max() - top)),
        _ => decibels,
    }
}

/// Amplitude in decibels: `20 log10(max(|x|, 1e-5))`, as librosa's `amplitude_to_db`; `top_db` as for [`power_to_db`].
pub fn amplitude_to_db(amplitude: &Tensor, top_db: impl Into<Option<f64>>) -> Tensor {
    power_to_db(&amplitude.to_kind(at_least_float(amplitude.kind())).square(), top_db)
}

fn at_least_float(kind: Kind) -> Kind {
    if kind == Kind::Double { Kind::Double } else { Kind::Float }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;
    use crate::reference::Reference;

    #[test]
    fn spectrograms_and_decibels_are_those_of_librosa() {
        let reference = Reference::parse(include_str!("../../../tests/reference/audio.json"));
        let samples = reference.tensor("/samples");
        for (name, spectrogram) in [
            ("reflect", Spectrogram::new().n_fft(64)),
            ("zeros", Spectrogram::new().n_fft(64).hop_length(20).power(1.0).padding(Padding::Zeros)),
            ("window", Spectrogram::new().n_fft(64).win_length(50).hop_length(25).padding(None)),
        ] {
            reference.check(&format!("/spectrogram/{name}"), &spectrogram.forward(&samples), 2e-6);
        }
        let power = reference.tensor("/spectrogram/reflect");
        reference.check("/power_to_db", &power_to_db(&power, Some(40.0)), 1e-5);
        reference.check("/amplitude_to_db", &amplitude_to_db(&reference.tensor("/spectrogram/zeros"), None), 1e-5);
    }

    #[test]
    fn each_sound_of_a_batch_is_on_its_own() {
        let samples = Tensor::randn([2, 3, 500], (Kind::Double, Device::Cpu));
        let spectrogram = Spectrogram::new().n_fft(128);
        let all = spectrogram.forward(&samples);
        assert_eq!((all.size(), all.kind()), (vec![2, 3, 65, 8], Kind::Double));
        let one = spectrogram.forward(&samples.get(1).get(2));
        assert!(all.get(1).get(2).allclose(&one, 1e-12, 1e-12, false));
    }

    #[test]
    #[should_panic(
        expected = "samples of shape [1, 32] are too short for a spectrogram with n_fft = 64: it takes at least 33 samples"
    )]
    fn a_sound_that_is_too_short_is_named() {
        let _ = Spectrogram::new().n_fft(64).forward(&Tensor::zeros([1, 32], (Kind::Float, Device::Cpu)));
    }
}
