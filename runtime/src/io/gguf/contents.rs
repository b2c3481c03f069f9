//! What a file says ahead of the weights: metadata, and where each tensor is.

use serde_json::{Map, Value};

use super::Stored;

/// Where tensors begin at multiples of, unless the metadata says otherwise.
const ALIGNMENT: usize = 32;

pub(super) struct Contents {
    pub(super) metadata: Map<String, Value>,
    pub(super) tensors: Vec<Stored>,
}

impl Contents {
    /// # Errors
    ///
    /// What is wrong with the file, to go behind its name.
    pub(super) fn read(file: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { file, at: 0 };
        if reader.array().ok() != Some(*b"GGUF") {
            return Err("is not in the format GGUF: it does not begin with these letters".to_owned());
        }
        let version = u32::from_le_bytes(reader.array()?);
        if !matches!(version, 2 | 3) {
            return Err(format!("is in version {version} of GGUF; 2 and 3 are read, with the first byte the lowest"));
        }
        let (tensors, entries) = (reader.count()?, reader.count()?);
        let entries = (0..entries).map(|_| {
            let (key, number) = (reader.text()?, reader.number()?);
            let value = reader.value(number).map_err(|what| format!("{what}, in the metadata {key:?}"))?;
            Ok((key, value))
        });
        let metadata: Map<String, Value> = entries.collect::<Result<_, String>>()?;
        let mut tensors = (0..tensors).map(|_| reader.stored()).collect::<Result<Vec<_>, String>>()?;
        let alignment = metadata.get("general.alignment").map_or(Some(ALIGNMENT as u64), Value::as_u64);
        let alignment =
            alignment.and_then(|alignment| usize::try_from(alignment).ok()).filter(|alignment| *alignment > 0);
        let alignment = alignment.ok_or("is damaged: its general.alignment is no size")?;
        let start = reader.at.checked_next_multiple_of(alignment);
        for tensor in &mut tensors {
            let start = start.and_then(|start| start.checked_add(tensor.start));
            tensor.start = start.ok_or_else(|| format!("is damaged: the tensor {:?} begins nowhere", tensor.name))?;
        }
        Ok(Self { metadata, tensors })
    }
}

/// Reads one value after the other.
struct Reader<'a> {
    file: &'a [u8],
    at: usize,
}

/// Of the types of values.
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Result<&[u8], String> {
        let taken = self.file[self.at..].get(..length);
        self.at += taken.map_or(0, <[u8]>::len);
        taken.ok_or_else(|| "ends too early: it was not written or copied in full".to_owned())
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N).map(|taken| taken.try_into().expect("it is as long as was asked"))
    }

    fn number(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn count(&mut self) -> Result<usize, String> {
        let count = u64::from_le_bytes(self.array()?);
        usize::try_from(count).map_err(|_| format!("is damaged: it says that it has {count} of something"))
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.count()?;
        self.take(length).map(|text| String::from_utf8_lossy(text).into_owned())
    }

    /// A value of one of GGUF's types. A number that JSON does not have, such as NaN, is null.
    fn value(&mut self, type_number: u32) -> Result<Value, String> {
        Ok(match type_number {
            0 => u8::from_le_bytes(self.array()?).into(),
            1 => i8::from_le_bytes(self.array()?).into(),
            2 => u16::from_le_bytes(self.array()?).into(),
            3 => i16::from_le_bytes(self.array()?).into(),
            4 => u32::from_le_bytes(self.array()?).into(),
            5 => i32::from_le_bytes(self.array()?).into(),
            6 => f32::from_le_bytes(self.array()?).into(),
            7 => (u8::from_le_bytes(self.array()?) != 0).into(),
            TEXT => self.text()?.into(),
            ARRAY => {
                let (of, count) = (self.number()?, self.count()?);
                // Each level would take some of the stack.
                if of == ARRAY {
                    return Err("has lists of lists".to_owned());
                }
                (0..count).map(|_| self.value(of)).collect::<Result<Vec<_>, _>>()?.into()
            }
            10 => u64::from_le_bytes(self.array()?).into(),
            11 => i64::from_le_bytes(self.array()?).into(),
            12 => f64::from_le_bytes(self.array()?).into(),
            other => return Err(format!("is damaged: it has a value of the type {other}, which GGUF does not have")),
        })
    }

    /// What is said of a tensor, whose beginning is counted from that of all tensors.
    fn stored(&mut self) -> Result<Stored, String> {
        let name = self.text()?;
        let dimensions = self.number()?;
        let mut extents = (0..dimensions).map(|_| self.count()).collect::<Result<Vec<_>, _>>()?;
        extents.reverse();
        let shape: Result<Vec<i64>, _> = extents.into_iter().map(i64::try_from).collect();
        let shape = shape.map_err(|_| format!("is damaged: the tensor {name:?} is larger than any memory"))?;
        Ok(Stored { name, shape, format: self.number()?, start: self.count()? })
    }
}
