//! What the runtime uses and no cell names: see [`oxtorch_boundary`].

use oxtorch_boundary::{Provided, Support};

mod backtrace;
mod certificates;
mod csv;
mod files;
mod http;
mod pdf;
mod pixels;
mod tokenizer;
mod wav;

/// All that this library does.
// The name is that of `oxtorch_boundary::SYMBOL`.
#[unsafe(no_mangle)]
pub static OXTORCH_SUPPORT: Provided = &Support {
    train_bpe: tokenizer::train,
    read_tokenizer: tokenizer::read,
    get: http::get,
    places: backtrace::places,
    pixels: pixels::draw,
    pdf: pdf::write,
    read_csv: csv::read,
    read_wav: wav::read,
    write_wav: wav::write,
    unpack: files::unpack,
    md5: files::md5,
    data_folder: dirs::data_dir,
};
