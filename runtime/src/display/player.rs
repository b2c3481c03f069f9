//! Sounds that can be heard in the notebook.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use tch::Tensor;

use super::{MimeBundle, RichDisplay};
use crate::audio::{AudioError, encode};

/// A sound with its player. Shown as HTML, which holds the sound itself, so it stays with the notebook.
#[derive(Clone)]
pub struct Player {
    wav: Vec<u8>,
    seconds: f64,
}

/// A player for samples, `[N]` or `[channels, N]`, floating point; values beyond -1 to 1 are clipped.
///
/// ```
/// use oxtorch::prelude::*;
/// // A second of the note A.
/// let time = Tensor::arange(16_000, (Kind::Float, Device::Cpu)) / 16_000.0;
/// let tone = (time * (2.0 * std::f64::consts::PI * 440.0)).sin() * 0.3;
/// oxtorch::audio::player(&tone, 16_000)?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the tensor is of another shape or kind.
pub fn player(samples: &Tensor, sample_rate: u32) -> Result<Player, AudioError> {
    let wav = encode(samples, sample_rate)?;
    let count = samples.size().last().copied().unwrap_or(0);
    Ok(Player { wav, seconds: count as f64 / f64::from(sample_rate.max(1)) })
}

impl fmt::Debug for Player {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<sound, {:.1} s>", self.seconds)
    }
}

impl RichDisplay for Player {
    fn mime_bundle(&self) -> MimeBundle {
        let data = BASE64.encode(&self.wav);
        let html = format!("<audio controls src=\"data:audio/wav;base64,{data}\"></audio>");
        MimeBundle::html(html).with("text/plain", format!("{self:?}"))
    }
}

#[cfg(test)]
mod tests {
    use tch::{Device, Kind};

    use super::*;
    use crate::audio::load_wav;

    #[test]
    fn a_player_holds_the_sound_as_a_wav_file() {
        let samples = Tensor::from_slice(&[0.5f32, -0.25, 0.0, 0.125]);
        let shown = player(&samples, 8).expect("a sound").mime_bundle();
        assert_eq!(shown.plain(), "<sound, 0.5 s>");
        let html = shown.get("text/html").and_then(|html| html.as_str()).expect("HTML");
        let data = html.split("base64,").nth(1).and_then(|rest| rest.split('"').next()).expect("data");
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.wav");
        std::fs::write(&path, BASE64.decode(data).expect("base64")).expect("writes");
        let (loaded, rate) = load_wav(&path).expect("loads");
        assert!(rate == 8 && loaded.squeeze().equal(&samples), "{loaded}");
    }

    #[test]
    fn what_is_no_sound_is_an_error() {
        let error = player(&Tensor::zeros([2], (Kind::Int64, Device::Cpu)), 8000).expect_err("no sound").to_string();
        assert!(error.contains("is not a sound"), "{error}");
    }
}
