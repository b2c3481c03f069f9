//! How Jupyter's protocol and its notebook files write what a session shows.

use jupyter_protocol::{CodeMirrorMode, LanguageInfo, Media, MediaType};
use serde_json::{Map, Value};

/// The toolchain that this kernel is pinned to and that compiles the cells.
pub const RUST_VERSION: &str = "1.95.0";

/// What a frontend needs to know about the language of the cells.
pub fn language_info() -> LanguageInfo {
    LanguageInfo {
        name: "rust".into(),
        version: RUST_VERSION.into(),
        mimetype: Some("text/rust".into()),
        file_extension: Some(".rs".into()),
        pygments_lexer: Some("rust".into()),
        codemirror_mode: Some(CodeMirrorMode::Simple("rust".into())),
        nbconvert_exporter: None,
    }
}

/// A MIME bundle just as the cell gave it.
pub fn media(data: Map<String, Value>) -> Media {
    Media { content: data.into_iter().map(MediaType::Other).collect() }
}
