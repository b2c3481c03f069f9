//! Mel spectrograms: frequencies spaced as people hear pitch; and the cepstral coefficients of them.

use std::f64::consts::PI;

use tch::nn::Module;
use tch::{Device, Kind, Tensor};

use super::spectrogram::{Padding, Spectrogram, power_to_db};

/// How frequency becomes pitch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MelScale {
    /// `2595 log10(1 + f / 700)` (D. O'Shaughnessy, Speech communication, 1987; the HTK toolkit): torchaudio's default.
    Htk,
    /// Linear up to 1000 Hz and logarithmic above (M. Slaney, Auditory toolbox, 1998), each filter divided by half of
    /// its width in Hz, so that all have the same area: librosa's default.
    Slaney,
}

impl MelScale {
    fn mel(self, hertz: f64) -> f64 {
        match self {
            Self::Htk => 2595.0 * (1.0 + hertz / 700.0).log10(),
            Self::Slaney if hertz < 1000.0 => 3.0 * hertz / 200.0,
            Self::Slaney => 15.0 + (hertz / 1000.0).ln() * 27.0 / 6.4f64.ln(),
        }
    }

    fn hertz(self, mel: f64) -> f64 {
        match self {
            Self::Htk => 700.0 * (10f64.powf(mel / 2595.0) - 1.0),
            Self::Slaney if mel < 15.0 => 200.0 * mel / 3.0,
            Self::Slaney => 1000.0 * ((mel - 15.0) * 6.4f64.ln() / 27.0).exp(),
        }
    }
}

/// The weights of each frequency in each mel band: `[n_mels, n_fft / 2 + 1]` float32 on the CPU. Band `m` is a triangle
/// over the frequencies from `f[m]` to `f[m + 2]` with its tip at `f[m + 1]`, where `f` are `n_mels + 2` points from
/// `f_min` to `f_max` at equal distances in mel.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::audio::{MelScale, mel_filter_bank};
/// let filters = mel_filter_bank(16_000, 512, 40, 0.0, 8000.0, MelScale::Htk);
/// assert_eq!(filters.size(), [40, 257]);
/// ```
///
/// # Panics
///
/// Where there is no band, a frame has fewer than 2 samples, or `f_min` is negative or not below `f_max`.
pub fn mel_filter_bank(sample_rate: u32, n_fft: i64, n_mels: i64, f_min: f64, f_max: f64, scale: MelScale) -> Tensor {
    assert!(n_mels > 0 && n_fft >= 2, "no mel filters: n_mels = {n_mels}, n_fft = {n_fft}");
    assert!(0.0 <= f_min && f_min < f_max, "mel bands cannot go from {f_min} Hz to {f_max} Hz");
    let (low, high) = (scale.mel(f_min), scale.mel(f_max));
    let step = (high - low) / (n_mels + 1) as f64;
    let points: Vec<f64> = (0..n_mels + 2).map(|point| scale.hertz(low + step * point as f64)).collect();
    let bins = n_fft / 2 + 1;
    let mut weights = Vec::with_capacity((n_mels * bins) as usize);
    for band in points.windows(3) {
        let &[left, tip, right] = band else { continue };
        let height = match scale {
            MelScale::Htk => 1.0,
            MelScale::Slaney => 2.0 / (right - left),
        };
        weights.extend((0..bins).map(|bin| {
            let hertz = bin as f64 * f64::from(sample_rate) / n_fft as f64;
            let inside = ((hertz - left) / (tip - left)).min((right - hertz) / (right - tip)).max(0.0);
            (inside * height) as f32
        }));
    }
    Tensor::from_slice(&weights).view([n_mels, bins])
}

/// The mel spectrogram of sounds: a [`Spectrogram`] whose frequencies are summed in the bands of [`mel_filter_bank`].
///
/// Samples `[..., N]` become `[..., n_mels, frames]`. Defaults and names are those of torchaudio's `MelSpectrogram`:
/// frames of 400 samples, 200 apart, 128 bands from 0 to half of the sample rate, the HTK scale;
/// [`MelSpectrogram::librosa`] has those of librosa's `melspectrogram`.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::audio::MelSpectrogram;
/// let samples = Tensor::randn([1, 16_000], (Kind::Float, Device::Cpu));
/// assert_eq!(MelSpectrogram::new(16_000).n_mels(40).forward(&samples).size(), [1, 40, 81]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MelSpectrogram {
    sample_rate: u32,
    spectrogram: Spectrogram,
    n_mels: i64,
    f_min: f64,
    f_max: f64,
    scale: MelScale,
}

impl MelSpectrogram {
    /// With torchaudio's defaults.
    pub fn new(sample_rate: u32) -> Self {
        Self {
            sample_rate,
            spectrogram: Spectrogram::new(),
            n_mels: 128,
            f_min: 0.0,
            f_max: f64::from(sample_rate) / 2.0,
            scale: MelScale::Htk,
        }
    }

    /// With librosa's defaults: frames of 2048 samples, 512 apart, silence at the ends, the scale of Slaney.
    pub fn librosa(sample_rate: u32) -> Self {
        let spectrogram = Spectrogram::new().n_fft(2048).hop_length(512).padding(Padding::Zeros);
        Self { spectrogram, scale: MelScale::Slaney, ..Self::new(sample_rate) }
    }

    /// See [`Spectrogram::n_fft`].
    pub fn n_fft(mut self, samples: i64) -> Self {
        self.spectrogram = self.spectrogram.n_fft(samples);
        self
    }

    /// See [`Spectrogram::win_length`].
    pub fn win_length(mut self, samples: i64) -> Self {
        self.spectrogram = self.spectrogram.win_length(samples);
        self
    }

    /// See [`Spectrogram::hop_length`].
    pub fn hop_length(mut self, samples: i64) -> Self {
        self.spectrogram = self.spectrogram.hop_length(samples);
        self
    }

    /// See [`Spectrogram::power`].
    pub fn power(mut self, power: f64) -> Self {
        self.spectrogram = self.spectrogram.power(power);
        self
    }

    /// See [`Spectrogram::padding`].
    pub fn padding(mut self, padding: impl Into<Option<Padding>>) -> Self {
        self.spectrogram = self.spectrogram.padding(padding);
        self
    }

    /// The number of bands.
    pub fn n_mels(mut self, bands: i64) -> Self {
        self.n_mels = bands;
        self
    }

    /// The lowest and the highest frequency, in Hz.
    pub fn frequencies(mut self, f_min: f64, f_max: f64) -> Self {
        (self.f_min, self.f_max) = (f_min, f_max);
        self
    }

    /// How frequency becomes pitch.
    pub fn mel_scale(mut self, scale: MelScale) -> Self {
        self.scale = scale;
        self
    }
}

/// # Panics
///
/// As for [`Spectrogram`] and [`mel_filter_bank`].
impl Module for MelSpectrogram {
    fn forward(&self, samples: &Tensor) -> Tensor {
        let (n_fft, scale) = (self.spectrogram.frame(), self.scale);
        let filters = mel_filter_bank(self.sample_rate, n_fft, self.n_mels, self.f_min, self.f_max, scale);
        let filters = filters.to_device(samples.device()).to_kind(samples.kind());
        filters.matmul(&self.spectrogram.forward(samples))
    }
}

/// Mel-frequency cepstral coefficients of sounds: the first coefficients of the orthonormal discrete cosine transform
/// (DCT-II) of a mel spectrogram in decibels, of which 80 are kept.
///
/// Samples `[..., N]` become `[..., n_mfcc, frames]`. S. Davis and P. Mermelstein, Comparison of parametric
/// representations for monosyllabic word recognition, 1980.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::audio::{MelSpectrogram, Mfcc};
/// let samples = Tensor::randn([1, 16_000], (Kind::Float, Device::Cpu));
/// let mfcc = Mfcc::new(MelSpectrogram::new(16_000).n_mels(40)).n_mfcc(13);
/// assert_eq!(mfcc.forward(&samples).size(), [1, 13, 81]);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mfcc {
    mel: MelSpectrogram,
    n_mfcc: i64,
}

impl Mfcc {
    /// 20 coefficients of a mel spectrogram.
    pub fn new(mel: MelSpectrogram) -> Self {
        Self { mel, n_mfcc: 20 }
    }

    /// The number of coefficients.
    pub fn n_mfcc(mut self, coefficients: i64) -> Self {
        self.n_mfcc = coefficients;
        self
    }
}

/// # Panics
///
/// As for [`MelSpectrogram`], and where there are more coefficients than bands.
impl Module for Mfcc {
    fn forward(&self, samples: &Tensor) -> Tensor {
        let bands = self.mel.n_mels;
        assert!(
            (1..=bands).contains(&self.n_mfcc),
            "{} coefficients of {bands} mel bands: take 1 to {bands}",
            self.n_mfcc
        );
        let decibels = power_to_db(&self.mel.forward(samples), 80.0);
        cosine_transform(self.n_mfcc, bands).to_device(samples.device()).to_kind(decibels.kind()).matmul(&decibels)
    }
}

/// The first rows of the orthonormal DCT-II: `c[k, n] = s[k] cos(π k (2n + 1) / 2N)`, `[rows, size]` float64.
fn cosine_transform(rows: i64, size: i64) -> Tensor {
    let count = size as f64;
    let mut values = Vec::with_capacity((rows * size) as usize);
    for row in 0..rows {
        let scale = if row == 0 { (1.0 / count).sqrt() } else { (2.0 / count).sqrt() };
        values.extend((0..size).map(|n| scale * (PI * row as f64 * (2 * n + 1) as f64 / (2.0 * count)).cos()));
    }
    Tensor::from_slice(&values).view([rows, size]).to_kind(Kind::Double).to_device(Device::Cpu)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reference::Reference;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/audio.json"))
    }

    #[test]
    fn filter_banks_are_those_of_librosa() {
        for (name, scale) in [("htk", MelScale::Htk), ("slaney", MelScale::Slaney)] {
            let filters = mel_filter_bank(8000, 64, 8, 50.0, 3800.0, scale);
            reference().check(&format!("/filters/{name}"), &filters, 1e-6);
        }
    }

    #[test]
    fn mel_spectrograms_and_coefficients_are_those_of_librosa() {
        let reference = reference();
        let samples = reference.tensor("/samples");
        let htk = MelSpectrogram::new(8000).n_fft(64).n_mels(8);
        reference.check("/mel/htk", &htk.forward(&samples), 2e-6);
        let slaney = MelSpectrogram::librosa(8000).n_fft(64).hop_length(20).n_mels(8);
        reference.check("/mel/slaney", &slaney.forward(&samples), 2e-6);
        reference.check("/mfcc", &Mfcc::new(slaney).n_mfcc(5).forward(&samples), 1e-5);
    }

    #[test]
    fn a_scale_and_its_inverse_agree() {
        for scale in [MelScale::Htk, MelScale::Slaney] {
            for hertz in [0.0, 440.0, 999.0, 1000.0, 7000.0] {
                assert!((scale.hertz(scale.mel(hertz)) - hertz).abs() < 1e-9, "{scale:?} at {hertz} Hz");
            }
        }
    }

    #[test]
    #[should_panic(expected = "mel bands cannot go from 4000 Hz to 1000 Hz")]
    fn bands_that_lead_nowhere_are_named() {
        let _ = mel_filter_bank(8000, 64, 8, 4000.0, 1000.0, MelScale::Htk);
    }
}
