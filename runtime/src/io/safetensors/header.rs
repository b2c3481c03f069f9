//! The header of a `.safetensors` file: 8 bytes that say its length, and JSON that says of each tensor its type, its
//! shape and its place behind the header.

use std::ops::Range;

use serde_json::{Map, Value};
use tch::Kind;

/// The most that is taken for a header; Hugging Face's readers have the same bound.
const MOST: usize = 100_000_000;

/// A tensor of the file.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) numbers: Numbers,
    pub(super) shape: Vec<i64>,
    /// Where it is in the file.
    pub(super) place: Range<usize>,
}

/// The type of a tensor's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Numbers {
    pub(super) kind: Kind,
    /// They are read as signed ones, and are to be widened.
    pub(super) is_unsigned: bool,
}

/// The types that libtorch has, or that a wider one of its types holds.
const TYPES: [(&str, Kind, bool); 16] = [
    ("F64", Kind::Double, false),
    ("F32", Kind::Float, false),
    ("F16", Kind::Half, false),
    ("BF16", Kind::BFloat16, false),
    ("F8_E4M3", Kind::Float8e4m3fn, false),
    ("F8_E5M2", Kind::Float8e5m2, false),
    ("C64", Kind::ComplexFloat, false),
    ("I64", Kind::Int64, false),
    ("I32", Kind::Int, false),
    ("I16", Kind::Int16, false),
    ("I8", Kind::Int8, false),
    ("U8", Kind::Uint8, false),
    ("U16", Kind::Int16, true),
    ("U32", Kind::Int, true),
    ("U64", Kind::Int64, true),
    ("BOOL", Kind::Bool, false),
];

/// The tensors of a file, in the order in which they lie there: one begins where the one before it ends, and the last
/// one ends with the file.
///
/// # Errors
///
/// What is wrong with the file, to go behind its name.
pub(super) fn entries(file: &[u8]) -> Result<Vec<Entry>, String> {
    let (length, behind) = file.split_first_chunk().ok_or("ends too early for a header")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok().filter(|length| *length <= MOST);
    let length = length.ok_or("is not in the format of safetensors: it begins with no length of a header")?;
    let header = behind.get(..length).ok_or("ends within its header: it was not written or copied in full")?;
    let header: Map<String, Value> = serde_json::from_slice(header)
        .map_err(|error| format!("is not in the format of safetensors: its header is no JSON object: {error}"))?;
    let start = 8 + length;
    let tensors = header.into_iter().filter(|(name, _)| name != "__metadata__");
    let entries = tensors.map(|(name, value)| {
        entry(&value, start)
            .map(|(numbers, shape, place)| Entry { name: name.clone(), numbers, shape, place })
            .map_err(|what| format!("is damaged: the tensor {name:?} {what}"))
    });
    let mut entries = entries.collect::<Result<Vec<_>, _>>()?;
    entries.sort_by_key(|entry| (entry.place.start, entry.place.end));
    let end = entries.iter().try_fold(start, |end, entry| {
        let lies = if entry.place.start < end { "overlaps the one before it" } else { "leaves a gap before it" };
        let follows = entry.place.start == end;
        follows.then_some(entry.place.end).ok_or_else(|| format!("is damaged: the tensor {:?} {lies}", entry.name))
    })?;
    if end > file.len() {
        return Err(format!(
            "ends too early, {} bytes instead of {end}: it was not written or copied in full",
            file.len()
        ));
    }
    if end < file.len() {
        return Err(format!("is damaged: {} bytes follow the last tensor", file.len() - end));
    }
    Ok(entries)
}

/// What the header says of a tensor; or what is wrong with that.
fn entry(value: &Value, start: usize) -> Result<(Numbers, Vec<i64>, Range<usize>), String> {
    let name = value["dtype"].as_str().ok_or("has no dtype")?;
    let numbers = numbers(name).ok_or_else(|| {
        format!("holds numbers of type {name}, which libtorch does not have: convert it in Python, as by `.float()`")
    })?;
    let (shape, ends) = (value["shape"].as_array().ok_or("has no shape")?, &value["data_offsets"]);
    let shape: Option<Vec<i64>> = shape.iter().map(|extent| extent.as_i64().filter(|extent| *extent >= 0)).collect();
    let shape = shape.ok_or_else(|| format!("has the shape {}", value["shape"]))?;
    let offset = |number: usize| {
        let offset = ends.as_array().filter(|ends| ends.len() == 2)?[number].as_u64()?;
        usize::try_from(offset).ok()?.checked_add(start)
    };
    let place = offset(0).zip(offset(1)).map(|(from, to)| from..to).filter(|place| place.start <= place.end);
    let place = place.ok_or_else(|| format!("has the data_offsets {ends}"))?;
    let bytes = shape
        .iter()
        .try_fold(numbers.kind.elt_size_in_bytes(), |bytes, extent| bytes.checked_mul(usize::try_from(*extent).ok()?));
    if bytes != Some(place.len()) {
        return Err(format!("has {} bytes, which are not {shape:?} numbers of type {name}", place.len()));
    }
    Ok((numbers, shape, place))
}

fn numbers(name: &str) -> Option<Numbers> {
    let &(_, kind, is_unsigned) = TYPES.iter().find(|(known, ..)| *known == name)?;
    Some(Numbers { kind, is_unsigned })
}
