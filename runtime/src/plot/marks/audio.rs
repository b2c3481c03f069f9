//! Sound as figures: the wave, and which frequencies it has when.

use tch::nn::Module;
use tch::{Kind, Tensor};

use super::super::layout::colors::ColorMap;
use super::super::numbers::{Matrix, Numbers};
use super::heat::Heat;
use super::lines::{Series, Style};
use super::{Figure, PlotError, Span};
use crate::audio::{Spectrogram, power_to_db};
use crate::modes::no_grad;

/// Quieter than the loudest by that is black.
const DECIBELS: f64 = 80.0;

impl Figure {
    /// Shows the samples of a sound, `[N]` or `[channels, N]`, over time.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let time = Tensor::arange(8000, (Kind::Float, Device::Cpu)) / 8000.0;
    /// let tone = (&time * 2764.6).sin() * (time * -4.0).exp();
    /// assert!(Figure::new().waveform(&tone, 8000).png().is_ok());
    /// ```
    pub fn waveform(self, samples: &Tensor, sample_rate: u32) -> Self {
        self.attempt(|figure| {
            let channels = sound(samples)?;
            if figure.x_label.is_empty() {
                figure.x_label = "time [s]".to_owned();
            }
            let count = channels.size()[0];
            for channel in 0..count {
                let ys = channels.get(channel).numbers();
                let xs = (0..ys.len()).map(|sample| sample as f64 / f64::from(sample_rate.max(1))).collect();
                let label = if count > 1 { format!("channel {channel}") } else { String::new() };
                figure.add(label, Series::new(Style::Line, xs, ys));
            }
            Ok(())
        })
    }

    /// Shows how loud each frequency of a sound is over time, in decibels below the loudest. Of several channels, their
    /// mean. Frames have 512 samples, 128 apart.
    ///
    /// ```
    /// use oxtorch::prelude::*;
    /// let time = Tensor::arange(8000, (Kind::Float, Device::Cpu)) / 8000.0;
    /// let rising = (time.square() * 6283.0).sin();
    /// assert!(Figure::new().spectrogram(&rising, 8000).png().is_ok());
    /// ```
    pub fn spectrogram(self, samples: &Tensor, sample_rate: u32) -> Self {
        self.attempt(|figure| {
            let mono = sound(samples)?.mean_dim([0i64].as_slice(), false, Kind::Float);
            let count = mono.size()[0];
            if count < 512 {
                return Err(PlotError::counts(format!(
                    "{count} samples are too few for a spectrogram: it takes frames of 512"
                )));
            }
            let power = no_grad(|| Spectrogram::new().n_fft(512).hop_length(128).forward(&mono));
            let decibels = power_to_db(&power, DECIBELS);
            let grid = (&decibels - decibels.max()).matrix()?;
            figure.label_axes("time [s]", "frequency [kHz]");
            if figure.heat.bar_label.is_empty() {
                figure.heat.bar_label = "dB".to_owned();
            }
            figure.heat.usual = ColorMap::Inferno;
            let rate = f64::from(sample_rate.max(1));
            let over = Span { x: (0.0, count as f64 / rate), y: (0.0, rate / 2000.0) };
            figure.add("", Heat { grid, over: Some(over) });
            Ok(())
        })
    }
}

/// The samples as `[channels, N]`.
fn sound(samples: &Tensor) -> Result<Tensor, PlotError> {
    match samples.size()[..] {
        [_] => Ok(samples.unsqueeze(0).to_kind(Kind::Float)),
        [channels, _] if channels > 0 => Ok(samples.to_kind(Kind::Float)),
        ref shape => Err(PlotError::counts(format!(
            "a tensor of shape {shape:?} is not a sound: it must be [N] or [channels, N]"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use tch::Device;

    use super::*;

    #[test]
    fn a_tone_is_a_line_at_its_frequency() {
        let time = Tensor::arange(8000, (Kind::Float, Device::Cpu)) / 8000.0;
        let tone = (time * (2.0 * std::f64::consts::PI * 2000.0)).sin();
        let figure = Figure::new().spectrogram(&tone, 8000);
        let Some(Heat { grid, over: Some(over) }) = figure.marks::<Heat>().next() else {
            panic!("no spectrogram: {figure:?}")
        };
        assert_eq!(over, &Span { x: (0.0, 1.0), y: (0.0, 4.0) });
        // 257 rows for 0 to 4 kHz: 2 kHz is the middle.
        let loudest = (0..grid.rows).max_by(|a, b| grid.at(*a, 30).total_cmp(&grid.at(*b, 30)));
        assert_eq!((grid.rows, loudest), (257, Some(128)));
        assert!(grid.values.iter().all(|value| (-DECIBELS - 1e-3..=1e-3).contains(value)));
        assert!(figure.svg().expect("draws").contains(">frequency [kHz]</text>"));
    }

    #[test]
    fn channels_are_lines_over_seconds() {
        let figure = Figure::new().waveform(&Tensor::zeros([2, 100], (Kind::Float, Device::Cpu)), 50);
        let svg = figure.svg().expect("draws");
        assert!(svg.contains(">channel 1</text>") && svg.contains(">time [s]</text>"), "{svg}");
        assert_eq!(figure.marks::<Series>().next().and_then(|line| line.xs.last()), Some(&1.98));
    }

    #[test]
    fn what_is_no_sound_is_said() {
        let zeros = |shape: &[i64]| Tensor::zeros(shape, (Kind::Float, Device::Cpu));
        for (figure, expected) in [
            (Figure::new().waveform(&zeros(&[1, 2, 3]), 8000), "[1, 2, 3] is not a sound"),
            (Figure::new().spectrogram(&zeros(&[100]), 8000), "100 samples are too few"),
        ] {
            let error = figure.svg().expect_err("no figure").to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
