//! What is drawn, as a file.

use std::fs;
use std::io::{self, Cursor};
use std::path::Path;

use image::DynamicImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};

use super::PlotError;
use crate::display::MimeBundle;
use crate::io::replace::replace_file;

pub(crate) mod scene;
mod svg;

use scene::Scene;
pub(super) use svg::svg;

pub(super) fn png(scene: &Scene) -> Result<Vec<u8>, PlotError> {
    let opaque = DynamicImage::from(scene::pixels(scene)?).into_rgb8();
    let mut bytes = Cursor::new(Vec::new());
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    opaque.write_with_encoder(encoder).map_err(|error| PlotError::Draw(error.to_string()))?;
    Ok(bytes.into_inner())
}

/// Writes a scene in the format that the file's ending names.
pub(super) fn save(path: &Path, scene: impl FnOnce() -> Result<Scene, PlotError>) -> Result<(), PlotError> {
    let bytes = match path.extension().and_then(|ending| ending.to_str()) {
        Some("svg") => svg(&scene()?).into_bytes(),
        Some("png") => png(&scene()?)?,
        Some("pdf") => scene::pdf(&scene()?)?,
        _ => return Err(PlotError::Format(path.display().to_string())),
    };
    let failed = |source: io::Error| PlotError::Save { path: path.display().to_string(), source: source.into() };
    replace_file(path, failed, |new| fs::write(new, &bytes).map_err(failed))
}

/// A drawing as it is shown, with what stands for it where only text is; or why there is none.
pub(super) fn shown(png: Result<Vec<u8>, PlotError>, text: impl FnOnce() -> String) -> MimeBundle {
    match png {
        Ok(png) => MimeBundle::png(&png).with("text/plain", text()),
        Err(error) => MimeBundle::text(error.to_string()),
    }
}
