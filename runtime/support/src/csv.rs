//! Tables of text, by the `csv` crate.

use std::io::Read;

use csv::{Position, ReaderBuilder, Trim};
use oxtorch_boundary::Row;

pub(crate) fn read(text: &mut dyn Read, delimiter: u8, poll: &dyn Fn()) -> Result<Vec<Row>, String> {
    let mut reader = ReaderBuilder::new().has_headers(false).delimiter(delimiter).trim(Trim::All).from_reader(text);
    let rows = reader.records().map(|record| {
        poll();
        let record = record?;
        let fields = (0..record.len()).filter_map(|field| record.range(field)).collect();
        Ok(Row { line: record.position().map_or(0, Position::line), text: record.as_slice().to_owned(), fields })
    });
    rows.collect::<Result<_, csv::Error>>().map_err(|error| error.to_string())
}
