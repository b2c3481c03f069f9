//! Files that may be packed with gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::checkpoint::checkpoint;

const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The contents of a file, unpacked where it is packed. Reading them can be interrupted.
pub(crate) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    let mut file = BufReader::with_capacity(1 << 16, File::open(path)?);
    let is_packed = file.fill_buf()?.starts_with(&GZIP);
    let file = Interruptible(file);
    Ok(if is_packed { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

struct Interruptible<R>(R);

impl<R: Read> Read for Interruptible<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        checkpoint();
        self.0.read(buffer)
    }
}
