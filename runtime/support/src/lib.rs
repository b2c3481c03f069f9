//! What the runtime uses and no cell names: see [`oxtorch_boundary`].

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use oxtorch_boundary::drawing::{Pixels, Scene};
use oxtorch_boundary::{Answer, BpeTraining, Place, Product, Provided, Row, Sound, Support, TrainedTokenizer};

mod backtrace;
mod certificates;
mod csv;
mod files;
mod http;
mod pdf;
mod pixels;
mod product;
mod tokenizer;
mod wav;

/// All that this library does.
// The name is that of `oxtorch_boundary::SYMBOL`.
#[unsafe(no_mangle)]
pub static OXTORCH_SUPPORT: Provided = &All;

struct All;

impl Support for All {
    fn train_bpe(&self, text: &str, training: &BpeTraining<'_>) -> Result<Box<dyn TrainedTokenizer>, String> {
        tokenizer::train(text, training)
    }

    fn read_tokenizer(&self, json: &[u8]) -> Result<Box<dyn TrainedTokenizer>, String> {
        tokenizer::read(json)
    }

    fn get(&self, url: &str, offset: u64, patience: Duration) -> Result<Answer, String> {
        http::get(url, offset, patience)
    }

    unsafe fn multiply(&self, product: &Product) {
        // SAFETY: the caller's promise is the same.
        unsafe { product::multiply(product) };
    }

    fn places(&self, prefix: &str) -> Vec<Place> {
        backtrace::places(prefix)
    }

    fn pixels(&self, scene: &Scene) -> Option<Pixels> {
        pixels::draw(scene)
    }

    fn pdf(&self, scene: &Scene) -> Result<Vec<u8>, String> {
        pdf::write(scene)
    }

    fn read_csv(&self, text: &mut dyn Read, delimiter: u8, poll: &dyn Fn()) -> Result<Vec<Row>, String> {
        csv::read(text, delimiter, poll)
    }

    fn read_wav(&self, file: &mut dyn Read, poll: &dyn Fn()) -> Result<Sound, String> {
        wav::read(file, poll)
    }

    fn write_wav(&self, samples: &[i16], channels: u16, sample_rate: u32, poll: &dyn Fn()) -> Result<Vec<u8>, String> {
        wav::write(samples, channels, sample_rate, poll)
    }

    fn unpack(&self, archive: &mut dyn Read, names: &[&str]) -> io::Result<HashMap<String, Vec<u8>>> {
        files::unpack(archive, names)
    }

    fn md5(&self, data: &mut dyn Read, poll: &dyn Fn()) -> io::Result<String> {
        files::md5(data, poll)
    }

    fn data_folder(&self) -> Option<PathBuf> {
        dirs::data_dir()
    }
}
