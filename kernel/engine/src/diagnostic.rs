//! What rustc says, as far as it is read.

use std::ops::Range;

use serde::Deserialize;

/// One of rustc's messages, as far as we read it.
#[derive(Debug, Clone, Deserialize)]
pub struct Diagnostic {
    /// The text.
    pub message: String,
    /// `E0308` and the like.
    pub code: Option<Code>,
    /// `error`, `warning`, `note`, `help`, `failure-note`.
    pub level: String,
    /// The places it is about.
    pub spans: Vec<Span>,
    /// Notes, help and suggestions.
    #[serde(default)]
    pub children: Vec<Diagnostic>,
}

/// A diagnostic's code.
#[derive(Debug, Clone, Deserialize)]
pub struct Code {
    /// `E0308`, or the name of a lint.
    pub code: String,
}

/// A place that a diagnostic is about.
#[derive(Debug, Clone, Deserialize)]
pub struct Span {
    /// The file.
    pub file_name: String,
    /// Byte offset of the start.
    pub byte_start: usize,
    /// Byte offset of the end.
    pub byte_end: usize,
    /// Whether this is what the message is about.
    pub is_primary: bool,
    /// The text at the place.
    pub label: Option<String>,
    /// The text to put there instead.
    pub suggested_replacement: Option<String>,
    /// Where the macro was used that the place is in.
    pub expansion: Option<Box<Expansion>>,
}

/// A macro that a span lies in.
#[derive(Debug, Clone, Deserialize)]
pub struct Expansion {
    /// Where it was used.
    pub span: Span,
}

impl Span {
    /// Where it lies in the emitted source; for a span in a macro of elsewhere, where that macro was used.
    pub fn range_in(&self, file: &str) -> Option<Range<usize>> {
        let mut span = self;
        loop {
            if span.file_name.ends_with(file) {
                return Some(span.byte_start..span.byte_end);
            }
            span = &span.expansion.as_ref()?.span;
        }
    }
}

/// What stands in backquotes in a message.
pub fn quoted(message: &str) -> impl Iterator<Item = &str> {
    message.split('`').skip(1).step_by(2)
}

/// The types that do not match by a label: "expected `Tensor`, found `&Tensor`", "expected `f64`, found integer".
pub fn expected_and_found(label: &str) -> Option<(&str, &str)> {
    let (expected, found) = label.strip_prefix("expected `")?.split_once("`, found ")?;
    Some((expected, found.trim_matches('`')))
}

/// The types of numbers.
pub const NUMBERS: [&str; 13] =
    ["i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64", "usize", "isize", "f32", "f64", "i128"];

/// Whether a type is one of a number, which a literal may not have yet.
pub fn is_number(ty: &str) -> bool {
    NUMBERS.contains(&ty) || matches!(ty, "{integer}" | "{float}")
}

impl Diagnostic {
    /// The place that it is about.
    pub fn primary(&self) -> Option<&Span> {
        self.spans.iter().find(|span| span.is_primary)
    }

    /// Where that lies in the emitted source.
    pub fn range_in(&self, file: &str) -> Option<Range<usize>> {
        self.primary()?.range_in(file)
    }

    /// What it says at its places.
    pub fn labels(&self) -> impl Iterator<Item = &str> {
        self.spans.iter().filter_map(|span| span.label.as_deref())
    }

    /// Whether it is told otherwise to a compiler that takes no unstable flags: it names something by a path, or an
    /// unstable feature.
    pub fn depends_on_flags(&self) -> bool {
        self.code() == "E0725" || self.has_paths()
    }

    /// Whether it names anything by a path.
    fn has_paths(&self) -> bool {
        let mut texts = self.labels().chain([self.message.as_str()]);
        texts.any(|text| text.contains("::")) || self.children.iter().any(Self::has_paths)
    }

    /// Whether it stops the compilation.
    pub fn is_error(&self) -> bool {
        self.level == "error" || self.level == "error: internal compiler error"
    }

    /// Whether it is about the text alone: the parser's errors have no code, some of the lexer's have one.
    pub fn is_syntax(&self) -> bool {
        matches!(self.code(), "" | "E0586" | "E0758" | "E0762" | "E0763" | "E0765" | "E0766" | "E0768")
    }

    /// The code, or nothing.
    pub fn code(&self) -> &str {
        self.code.as_ref().map_or("", |code| &code.code)
    }
}
