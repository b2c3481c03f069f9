//! What the runtime uses and no cell names: see [`oxtorch_boundary`].

use std::time::Duration;

use oxtorch_boundary::{Answer, BpeTraining, Place, Product, Provided, Support, TrainedTokenizer};

mod backtrace;
mod certificates;
mod http;
mod product;
mod tokenizer;

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
}
