//! WAV files as tensors, and back.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tch::{Device, Kind, Tensor};
use thiserror::Error;

use crate::checkpoint::checkpoint;
use crate::elements::elements;
use crate::io::replace::replace_file;
use crate::modes::no_grad;
use crate::support::support;

/// Why a WAV file could not be read or written.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum AudioError {
    /// The file could not be read, or is no WAV file of a known encoding.
    #[error("cannot read the sound {}: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The file could not be written.
    #[error("cannot save the sound {}: {reason}", path.display())]
    Save {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// The tensor holds no sound.
    #[error("a tensor of {kind:?} of shape {shape:?} is not a sound: it must be floating point, [N] or [channels, N]")]
    Shape {
        /// Its kind.
        kind: Kind,
        /// Its shape.
        shape: Vec<i64>,
    },
}

/// The samples of a WAV file, `[channels, N]` float32 on the CPU, and how many there are in a second.
///
/// Integers of 8, 16, 24 and 32 bits are divided by 2^7, 2^15, 2^23 and 2^31, so they lie in -1 to 1; floats of 32 bits
/// are taken as they are.
///
/// # Errors
///
/// Where the file cannot be read, ends too early, or is encoded otherwise.
pub fn load_wav(path: impl AsRef<Path>) -> Result<(Tensor, u32), AudioError> {
    let path = path.as_ref();
    load(path).map_err(|reason| AudioError::Read { path: path.to_owned(), reason })
}

/// Writes samples as a WAV file of 16 bits: `[N]` or `[channels, N]`, floating point. Values beyond -1 to 1 are
/// clipped.
///
/// # Errors
///
/// Where the tensor is of another shape or kind, or the file cannot be written.
pub fn save_wav(path: impl AsRef<Path>, samples: &Tensor, sample_rate: u32) -> Result<(), AudioError> {
    save(path.as_ref(), samples, sample_rate)
}

fn load(path: &Path) -> Result<(Tensor, u32), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let sound = (support()?.read_wav)(&mut BufReader::new(file), &checkpoint)?;
    let channels = i64::from(sound.channels);
    let frames = sound.samples.len() as i64 / channels;
    let samples = Tensor::from_slice(&sound.samples).view([frames, channels]).transpose(0, 1).contiguous();
    Ok((samples, sound.rate))
}

fn save(path: &Path, samples: &Tensor, sample_rate: u32) -> Result<(), AudioError> {
    let failed = |reason: String| AudioError::Save { path: path.to_owned(), reason };
    let bytes = encode(samples, sample_rate)?;
    let failed = |error: std::io::Error| failed(error.to_string());
    replace_file(path, failed, |new| fs::write(new, &bytes).map_err(failed))
}

/// The bytes of a WAV file of 16 bits.
pub(crate) fn encode(samples: &Tensor, sample_rate: u32) -> Result<Vec<u8>, AudioError> {
    let (shape, kind) = (samples.size(), samples.kind());
    let channels = match shape[..] {
        [_] => 1,
        [channels @ 1..=65_535, _] => channels as u16,
        _ => 0,
    };
    let is_float = matches!(kind, Kind::Half | Kind::BFloat16 | Kind::Float | Kind::Double);
    if channels == 0 || !is_float {
        return Err(AudioError::Shape { kind, shape });
    }
    let numbers = no_grad(|| {
        let levels = (samples.to_device(Device::Cpu).to_kind(Kind::Double) * 32_768.0).round();
        let frames = levels.clamp(-32_768.0, 32_767.0).nan_to_num(0.0, None, None).to_kind(Kind::Int16);
        elements::<i16>(&frames.view([i64::from(channels), -1]).transpose(0, 1))
    });
    let written = support().and_then(|support| (support.write_wav)(&numbers, channels, sample_rate, &checkpoint));
    written.map_err(|reason| AudioError::Save { path: "WAV".into(), reason })
}

#[cfg(test)]
mod tests {
    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;
    use crate::reference::Reference;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/audio.json"))
    }

    fn file(reference: &Reference, name: &str) -> Vec<u8> {
        let text = reference.value(&format!("/wav/{name}/file")).as_str().expect("base64");
        BASE64_STANDARD.decode(text).expect("base64")
    }

    #[test]
    fn every_encoding_is_read_as_libsndfile_reads_it() {
        let reference = reference();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("sound.wav");
        for name in ["PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT"] {
            fs::write(&path, file(&reference, name)).expect("writes");
            let (samples, rate) = load_wav(&path).expect("a good file");
            assert_eq!((samples.kind(), rate), (Kind::Float, 8000));
            reference.check(&format!("/wav/{name}/samples"), &samples, 1e-7);
        }
    }

    #[test]
    fn what_is_saved_is_loaded_again() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("sound.wav");
        let samples = Tensor::from_slice2(&[[0.5f32, -0.25, 0.0], [-1.0, 2.0, f32::NAN]]);
        save_wav(&path, &samples, 44_100).expect("saves");
        let (loaded, rate) = load_wav(&path).expect("loads");
        let expected = Tensor::from_slice2(&[[0.5f32, -0.25, 0.0], [-1.0, 32_767.0 / 32_768.0, 0.0]]);
        assert!(loaded.equal(&expected) && rate == 44_100, "{loaded}");
        save_wav(&path, &Tensor::from_slice(&[0.5f64]), 8000).expect("saves");
        assert_eq!(load_wav(&path).expect("loads").0.size(), [1, 1]);
    }

    #[test]
    fn what_is_no_sound_is_named() {
        let reference = reference();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("sound.wav");
        let whole = file(&reference, "PCM_16");
        for (bytes, expected) in [
            (b"no sound at all".to_vec(), "no RIFF tag"),
            (whole[..whole.len() - 3].to_vec(), "it ends too early"),
            (whole[..20].to_vec(), "it ends too early"),
            (file(&reference, "DOUBLE"), "bits per sample is not 32 (a WAV file has to hold"),
        ] {
            fs::write(&path, bytes).expect("writes");
            let error = load_wav(&path).expect_err("no sound").to_string();
            assert!(error.contains("sound.wav") && error.contains(expected), "{error}");
        }
        let error = load_wav(folder.path().join("none.wav")).expect_err("no file").to_string();
        assert!(error.contains("No such file"), "{error}");
        for tensor in
            [Tensor::zeros([1, 2, 3], (Kind::Float, Device::Cpu)), Tensor::zeros([4], (Kind::Int64, Device::Cpu))]
        {
            let error = save_wav(&path, &tensor, 8000).expect_err("no sound").to_string();
            assert!(error.contains("is not a sound"), "{error}");
        }
        let error = save_wav(folder.path().join("none/a.wav"), &Tensor::zeros([4], (Kind::Float, Device::Cpu)), 8000);
        assert!(error.expect_err("no folder").to_string().contains("none/a.wav"));
    }
}
