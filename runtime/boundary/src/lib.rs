//! What the runtime's library asks of the library beside it, `oxtorch-support`.
//!
//! For each cell, rustc reads all crates below the runtime's library, whether the cell can name them or not. Those that
//! it cannot name are therefore linked into a library of their own, which the runtime opens when it first needs one of
//! them.
//!
//! Both libraries are built by the same compiler and share one standard library, so its types and those of this crate
//! cross the boundary as they are. No others may: each library has its own copy of every other crate.

use std::collections::HashMap;
use std::io::{self, Read};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

pub mod drawing;

use drawing::{Pixels, Scene};

/// The one symbol of the library: a [`Provided`].
pub const SYMBOL: &str = "OXTORCH_SUPPORT";

/// What the symbol is.
pub type Provided = &'static Support;

/// What the library does.
#[expect(clippy::type_complexity, reason = "they are the signatures of functions")]
pub struct Support {
    /// Finds pieces that are frequent in a text, from bytes on.
    ///
    /// # Errors
    ///
    /// Why the text cannot be trained on.
    pub train_bpe: fn(text: &str, training: &BpeTraining<'_>) -> Result<Box<dyn TrainedTokenizer>, String>,

    /// Reads the contents of a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub read_tokenizer: fn(json: &[u8]) -> Result<Box<dyn TrainedTokenizer>, String>,

    /// Asks a server for a file from a byte on, and waits for the beginning of its answer. `patience` is how long it
    /// may take to answer, and to send more.
    ///
    /// # Errors
    ///
    /// In words for the user.
    pub get: fn(url: &str, offset: u64, patience: Duration) -> Result<Answer, String>,

    /// The places of the current backtrace, innermost first, in shared libraries whose names begin with `lib` and the
    /// prefix, and in source files whose names begin with the prefix.
    pub places: fn(prefix: &str) -> Vec<Place>,

    /// The pixels of a drawing, all of them opaque; `None` if it has none, or too many.
    pub pixels: fn(scene: &Scene) -> Option<Pixels>,

    /// A drawing as the bytes of a PDF file of one page.
    ///
    /// # Errors
    ///
    /// In words for the user.
    pub pdf: fn(scene: &Scene) -> Result<Vec<u8>, String>,

    /// Reads a table of text that a delimiter divides. `poll` is called often, and may end it all by unwinding. So may
    /// it, and what is read from, in the functions below.
    ///
    /// # Errors
    ///
    /// Why it cannot be read, with the line.
    pub read_csv: fn(text: &mut dyn Read, delimiter: u8, poll: &dyn Fn()) -> Result<Vec<Row>, String>,

    /// Reads the samples of a WAV file.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub read_wav: fn(file: &mut dyn Read, poll: &dyn Fn()) -> Result<Sound, String>,

    /// Writes a WAV file of 16 bits, the samples of all channels at a time after each other.
    ///
    /// # Errors
    ///
    /// Why there is no such file.
    pub write_wav: fn(samples: &[i16], channels: u16, sample_rate: u32, poll: &dyn Fn()) -> Result<Vec<u8>, String>,

    /// The contents of those files of a tar archive that have one of these names, whatever folder they are in.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, or is no archive.
    pub unpack: fn(archive: &mut dyn Read, names: &[&str]) -> io::Result<HashMap<String, Vec<u8>>>,

    /// An MD5 sum in hexadecimal.
    ///
    /// # Errors
    ///
    /// Where the data cannot be read.
    pub md5: fn(data: &mut dyn Read, poll: &dyn Fn()) -> io::Result<String>,

    /// Where the user's programs keep their data.
    pub data_folder: fn() -> Option<PathBuf>,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The line that it begins on, counted from 1.
    pub line: u64,
    /// All fields, one after the other.
    pub text: String,
    /// Where each of them lies there.
    pub fields: Vec<Range<usize>>,
}

/// Samples of sound.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// The samples of all channels at a time after each other.
    pub samples: Vec<f32>,
    /// How many there are at a time.
    pub channels: u16,
    /// How many times a second.
    pub rate: u32,
}

/// How byte pair encoding is trained.
#[derive(Debug, Clone, Copy)]
pub struct BpeTraining<'a> {
    /// How many tokens there are in the end.
    pub vocab_size: usize,
    /// Pairs that occur less often are not joined.
    pub min_frequency: u64,
    /// The first tokens.
    pub special: &'a [String],
}

/// A trained tokenizer. Errors are in words.
#[expect(missing_docs, reason = "each does what its name says")]
pub trait TrainedTokenizer: Send + Sync {
    /// The tokens of a text alone: no special ones around it, none left out, no padding.
    fn encode(&self, text: &str) -> Result<Vec<u32>, String>;
    /// Texts, or pairs of them, as a model takes them.
    fn encode_batch(&self, texts: &[Input<'_>], rules: &EncodingRules<'_>) -> Result<Vec<Encoding>, String>;
    /// The tokens of a text as they are written.
    fn pieces(&self, text: &str) -> Result<Vec<String>, String>;
    fn decode(&self, ids: &[u32], skip_special: bool) -> Result<String, String>;
    fn vocab_size(&self) -> usize;
    fn token(&self, id: u32) -> Option<String>;
    fn id(&self, token: &str) -> Option<u32>;
    /// In the order of the tokens.
    fn special_tokens(&self) -> Vec<(String, u32)>;
    fn to_json(&self) -> Result<String, String>;
}

/// What one sequence of tokens is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input<'a> {
    /// A text.
    One(&'a str),
    /// Two texts that belong together, such as a question and a passage.
    Pair(&'a str, &'a str),
}

/// How texts become sequences of tokens.
#[derive(Debug, Clone, Copy)]
pub struct EncodingRules<'a> {
    /// Whether the special tokens of the model stand around and between the texts.
    pub special: bool,
    /// What short sequences are filled up to.
    pub padding: Padding,
    /// The token that they are filled up with, where it is not the usual one.
    pub pad_token: Option<&'a str>,
    /// Sequences have this many tokens at most; longer texts are cut.
    pub max_length: Option<usize>,
}

/// What short sequences are filled up to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Padding {
    /// Each is as long as its text.
    #[default]
    None,
    /// The longest of those that are encoded together.
    Longest,
    /// That many tokens.
    To(usize),
}

/// A sequence of tokens, as long as each other part.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Encoding {
    /// The tokens.
    pub ids: Vec<u32>,
    /// 0 for padding, 1 for all else.
    pub mask: Vec<u32>,
    /// Which text each token is of, as the model numbers them.
    pub types: Vec<u32>,
}

/// How a server answers.
pub enum Answer {
    /// It sends the file.
    Body {
        /// From this byte on: the one that was asked for, or the first.
        offset: u64,
        /// How long the whole file is, as far as the server says.
        length: Option<u64>,
        /// What it sends.
        body: Box<dyn Read + Send>,
    },
    /// It has nothing from that byte on.
    NothingMore,
}

/// A line of source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file as the compiler named it.
    pub file: String,
    /// 1-based.
    pub line: u32,
    /// 1-based; 0 where unknown.
    pub column: u32,
}
