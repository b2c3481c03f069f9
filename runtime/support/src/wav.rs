//! WAV files, by the `hound` crate.

use std::io::{self, Cursor, Read};

use hound::{Error, SampleFormat, WavReader, WavSpec, WavWriter};
use oxtorch_boundary::Sound;

const ENCODINGS: &str = "a WAV file has to hold integers of 8, 16, 24 or 32 bits or floats of 32";

pub(crate) fn read(file: &mut dyn Read, poll: &dyn Fn()) -> Result<Sound, String> {
    let read = || {
        let mut reader = WavReader::new(file)?;
        let spec = reader.spec();
        let full = 2f64.powi(i32::from(spec.bits_per_sample) - 1);
        let polled = |_: &_| poll();
        let samples = match spec.sample_format {
            SampleFormat::Float => reader.samples::<f32>().inspect(polled).collect::<Result<_, _>>()?,
            SampleFormat::Int => {
                let samples = reader.samples::<i32>().inspect(|_| poll());
                samples.map(|sample| Ok((f64::from(sample?) / full) as f32)).collect::<Result<_, Error>>()?
            }
        };
        Ok(Sound { samples, channels: spec.channels, rate: spec.sample_rate })
    };
    read().map_err(reason)
}

pub(crate) fn write(samples: &[i16], channels: u16, sample_rate: u32, poll: &dyn Fn()) -> Result<Vec<u8>, String> {
    let spec = WavSpec { channels, sample_rate, bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut bytes = Cursor::new(Vec::new());
    let mut write = || {
        let mut writer = WavWriter::new(&mut bytes, spec)?;
        for sample in samples {
            poll();
            writer.write_sample(*sample)?;
        }
        writer.finalize()
    };
    write().map_err(reason)?;
    Ok(bytes.into_inner())
}

fn reason(error: Error) -> String {
    match error {
        // What hound says where the file ends within a sample or a header has no kind of its own.
        Error::IoError(error) if error.kind() == io::ErrorKind::Other && error.raw_os_error().is_none() => {
            "it ends too early".to_owned()
        }
        Error::IoError(error) => error.to_string(),
        Error::FormatError(reason) => format!("{reason} ({ENCODINGS})"),
        Error::Unsupported => format!("it has another encoding ({ENCODINGS})"),
        other => other.to_string(),
    }
}
