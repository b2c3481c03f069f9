//! NumPy's `.npy`: one array.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use tch::{Device, Kind, Tensor};

use super::FileError;
use crate::io::replace::replace_file;
use crate::modes::no_grad;

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// An array of a `.npy` file as a tensor on the CPU, of its shape and its numbers' type: float16, float32, float64,
/// int8 to int64, uint8, bool. The wider unsigned integers, which libtorch does not compute with, become the next wider
/// signed ones. Arrays in Fortran's order and of big-endian numbers are read as well.
///
/// ```
/// use oxtorch::prelude::*;
/// let x = Tensor::from_slice2(&[[1i64, 2, 3], [4, 5, 6]]);
/// io::save_npy(&x, "x.npy")?;
/// assert_eq!(io::load_npy("x.npy")?, x);
/// # std::fs::remove_file("x.npy")?;
/// ```
///
/// # Errors
///
/// Where the file cannot be read, is none of NumPy's, ends too early, or holds something else than numbers.
pub fn load_npy(path: impl AsRef<Path>) -> Result<Tensor, FileError> {
    let path = path.as_ref();
    let file = File::open(path).map_err(FileError::reading(path))?;
    read(&mut BufReader::new(file)).map_err(FileError::reading(path))
}

/// Writes a tensor as a `.npy` file, which `numpy.load` reads. A file of that name is replaced when the new one is
/// whole.
///
/// # Errors
///
/// Where the file cannot be written, or NumPy has no such numbers: bfloat16, complex and quantised ones.
pub fn save_npy(tensor: &Tensor, path: impl AsRef<Path>) -> Result<(), FileError> {
    let path = path.as_ref();
    let name = type_name(tensor.kind()).ok_or_else(|| no_type(path, tensor.kind()))?;
    replace_file(path, FileError::writing(path), |new| {
        let mut writer = BufWriter::new(File::create(new).map_err(FileError::writing(path))?);
        write(tensor, name, &mut writer).and_then(|()| writer.flush()).map_err(FileError::writing(path))
    })
}

pub(super) fn no_type(path: &Path, kind: Kind) -> FileError {
    FileError::Kind { path: path.to_owned(), what: format!("{kind:?}: convert it by `to_kind(Kind::Float)` first") }
}

/// NumPy's names of types, what numbers of them are read as, and whether those are unsigned, so that libtorch needs a
/// wider type for them. What is written has the first name of its type.
const TYPES: [(&str, Kind, bool); 12] = [
    ("<f2", Kind::Half, false),
    ("<f4", Kind::Float, false),
    ("<f8", Kind::Double, false),
    ("|i1", Kind::Int8, false),
    ("<i2", Kind::Int16, false),
    ("<i4", Kind::Int, false),
    ("<i8", Kind::Int64, false),
    ("|u1", Kind::Uint8, false),
    ("<u2", Kind::Int16, true),
    ("<u4", Kind::Int, true),
    ("<u8", Kind::Int64, true),
    ("|b1", Kind::Bool, false),
];

/// NumPy's name of a type.
pub(super) fn type_name(kind: Kind) -> Option<&'static str> {
    TYPES.iter().find(|(_, other, _)| *other == kind).map(|(name, ..)| *name)
}

fn invalid(what: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.into())
}

pub(super) fn read(reader: &mut impl Read) -> io::Result<Tensor> {
    let mut start = [0; 8];
    reader.read_exact(&mut start)?;
    if start[..6] != MAGIC[..] {
        return Err(invalid("it does not begin like a file of NumPy"));
    }
    let length = match start[6] {
        1 => {
            let mut length = [0; 2];
            reader.read_exact(&mut length)?;
            usize::from(u16::from_le_bytes(length))
        }
        2 | 3 => {
            let mut length = [0; 4];
            reader.read_exact(&mut length)?;
            u32::from_le_bytes(length) as usize
        }
        other => return Err(invalid(format!("version {other} of NumPy's format is not known"))),
    };
    let mut header = Vec::new();
    reader.take(length as u64).read_to_end(&mut header)?;
    if header.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let header = Header::parse(&String::from_utf8_lossy(&header))?;
    let size = header.shape.iter().try_fold(header.bytes as u64, |size, extent| size.checked_mul(*extent as u64));
    let size = size.ok_or_else(|| invalid("its shape is larger than any memory"))?;
    let mut data = Vec::new();
    reader.take(size).read_to_end(&mut data)?;
    if (data.len() as u64) < size {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    header.tensor(data)
}

/// What a file says of its array.
#[derive(Debug, PartialEq)]
struct Header {
    kind: Kind,
    /// Of one number in the file.
    bytes: usize,
    /// The numbers are unsigned, and are to be widened.
    is_unsigned: bool,
    is_big_endian: bool,
    is_fortran: bool,
    shape: Vec<i64>,
}

impl Header {
    /// Reads the literal of a Python dictionary: `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`
    fn parse(text: &str) -> io::Result<Self> {
        let value = |name: &str| {
            let (_, rest) = text.split_once(&format!("'{name}'"))?;
            Some(rest.trim_start().strip_prefix(':')?.trim_start())
        };
        let missing = |name: &str| invalid(format!("its header has no {name}"));
        let descr = value("descr").ok_or_else(|| missing("descr"))?;
        let descr = descr.strip_prefix('\'').and_then(|rest| rest.split('\'').next());
        let descr = descr.ok_or_else(|| invalid("it holds records, not plain numbers"))?;
        let is_fortran = value("fortran_order").ok_or_else(|| missing("fortran_order"))?.starts_with("True");
        let shape = value("shape").ok_or_else(|| missing("shape"))?;
        let shape = shape.strip_prefix('(').and_then(|rest| rest.split(')').next()).ok_or_else(|| missing("shape"))?;
        let extent = |text: &str| text.trim().trim_end_matches('L').parse::<i64>().ok().filter(|extent| *extent >= 0);
        let extents = shape.split(',').filter(|text| !text.trim().is_empty());
        let shape: Option<Vec<i64>> = extents.map(extent).collect();
        let shape = shape.ok_or_else(|| invalid("its shape is not made of numbers"))?;
        let plain = |name: &str| name.trim_start_matches(['<', '>', '|', '=']).to_owned();
        let found = TYPES.iter().find(|(name, ..)| plain(name) == plain(descr));
        let &(_, kind, is_unsigned) =
            found.ok_or_else(|| invalid(format!("numbers of type {:?} have no counterpart here", plain(descr))))?;
        let bytes = kind.elt_size_in_bytes();
        Ok(Self { kind, bytes, is_unsigned, is_big_endian: descr.starts_with('>'), is_fortran, shape })
    }

    fn tensor(&self, mut data: Vec<u8>) -> io::Result<Tensor> {
        if self.is_big_endian {
            data.chunks_exact_mut(self.bytes).for_each(<[u8]>::reverse);
        }
        let mut shape = self.shape.clone();
        if self.is_fortran {
            shape.reverse();
        }
        let failed = |error: tch::TchError| invalid(error.to_string());
        let mut tensor = Tensor::f_from_data_size(&data, &shape, self.kind).map_err(failed)?;
        if self.is_unsigned {
            tensor = widened(&tensor, self.bytes)?;
        }
        if self.is_fortran {
            let reversed: Vec<i64> = (0..shape.len() as i64).rev().collect();
            tensor = tensor.f_permute(reversed).and_then(|tensor| tensor.f_contiguous()).map_err(failed)?;
        }
        Ok(tensor)
    }
}

/// Unsigned numbers that were read as signed ones.
pub(super) fn widened(tensor: &Tensor, bytes: usize) -> io::Result<Tensor> {
    let kind = match bytes {
        2 => Kind::Int,
        4 => Kind::Int64,
        _ if tensor.numel() > 0 && tensor.min().int64_value(&[]) < 0 => {
            return Err(invalid("it holds unsigned numbers that are too large for int64"));
        }
        _ => return Ok(tensor.shallow_clone()),
    };
    let wide = tensor.to_kind(kind);
    Ok(&wide + wide.lt(0).to_kind(kind) * (1i64 << (8 * bytes)))
}

pub(super) fn write(tensor: &Tensor, type_name: &str, writer: &mut impl Write) -> io::Result<()> {
    let extents: Vec<String> = tensor.size().iter().map(i64::to_string).collect();
    // A tuple of one has a comma.
    let comma = if extents.len() == 1 { "," } else { "" };
    let shape = extents.join(", ");
    let mut header = format!("{{'descr': '{type_name}', 'fortran_order': False, 'shape': ({shape}{comma}), }}");
    // The numbers begin at a multiple of 64 bytes, and a line ends ahead of them.
    let before = MAGIC.len() + 4;
    let padding = (64 - (before + header.len() + 1) % 64) % 64;
    header.extend(std::iter::repeat_n(' ', padding));
    header.push('\n');
    writer.write_all(MAGIC)?;
    writer.write_all(&[1, 0])?;
    let length = u16::try_from(header.len()).map_err(|_| invalid("more dimensions than the format has room for"))?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(header.as_bytes())?;
    writer.write_all(&no_grad(|| bytes(tensor))?)
}

/// The numbers in their order, little-endian as on every machine that libtorch is built for.
fn bytes(tensor: &Tensor) -> io::Result<Vec<u8>> {
    let tensor = tensor.detach().to_device(Device::Cpu).contiguous();
    let mut bytes = vec![0; tensor.numel() * tensor.kind().elt_size_in_bytes()];
    tensor.f_copy_data_u8(&mut bytes, tensor.numel()).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::reference::Reference;

    pub(in super::super) fn reference() -> Reference {
        Reference::parse(include_str!("../../../tests/reference/files.json"))
    }

    /// The bytes of a file of NumPy, as the script wrote them in hexadecimal.
    pub(in super::super) fn file(reference: &Reference, pointer: &str) -> Vec<u8> {
        let text = reference.value(pointer).as_str().expect("text").as_bytes();
        let digit = |byte: u8| (byte as char).to_digit(16).expect("hexadecimal") as u8;
        text.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    #[test]
    fn arrays_of_each_type_and_order_are_read() {
        let reference = reference();
        let kinds = std::collections::HashMap::from([
            ("float16", "Half"),
            ("float32", "Float"),
            ("float64", "Double"),
            ("int8", "Int8"),
            ("int16", "Int16"),
            ("int32", "Int"),
            ("int64", "Int64"),
            ("uint8", "Uint8"),
            ("uint16", "Int"),
            ("uint32", "Int64"),
            ("uint64", "Int64"),
            ("bool", "Bool"),
            ("fortran", "Float"),
            ("big_endian", "Int"),
            ("scalar", "Double"),
            ("empty", "Float"),
        ]);
        for name in kinds.keys() {
            let tensor =
                read(&mut &file(&reference, &format!("/npy/{name}"))[..]).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(format!("{:?}", tensor.kind()), kinds[name], "{name}");
            reference.check(&format!("/arrays/{name}"), &tensor, 0.0);
        }
    }

    /// What a file says of its array, and its numbers. NumPy leaves more room in between.
    fn parts(file: &[u8]) -> (String, Vec<u8>) {
        let length = 10 + usize::from(u16::from_le_bytes([file[8], file[9]]));
        assert_eq!((length % 64, file[length - 1]), (0, b'\n'), "where the numbers begin");
        (String::from_utf8_lossy(&file[10..length]).trim().to_owned(), file[length..].to_vec())
    }

    #[test]
    fn what_is_written_is_what_numpy_writes() {
        let reference = reference();
        for name in [
            "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "bool", "scalar", "empty",
            "line",
        ] {
            let expected = file(&reference, &format!("/npy/{name}"));
            let tensor = read(&mut &expected[..]).expect("reads");
            let mut written = Vec::new();
            write(&tensor, type_name(tensor.kind()).expect("a type"), &mut written).expect("writes");
            assert_eq!(parts(&written), parts(&expected), "{name}");
        }
    }

    #[test]
    fn what_cannot_be_written_leaves_the_old_file() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        // Its numbers do not lie one behind the other, which shows only when they are to be written.
        let sparse = Tensor::from_slice2(&[[0f32, 1.0], [0.0, 2.0]]).to_sparse_sparse_dim(2);
        let old = Tensor::from_slice(&[1i64, 2]);
        let path = folder.path().join("x.npy");
        save_npy(&old, &path).expect("writes");
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| save_npy(&sparse, &path)));
        assert!(!matches!(failed, Ok(Ok(()))));
        assert_eq!(load_npy(&path).expect("reads"), old);
        let path = folder.path().join("x.npz");
        super::super::save_npz(&[("old", &old)], &path).expect("writes");
        let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            super::super::save_npz(&[("new", &old), ("sparse", &sparse)], &path)
        }));
        assert!(!matches!(failed, Ok(Ok(()))));
        assert_eq!(super::super::load_npz(&path).expect("reads")[0].0, "old");
        assert_eq!(std::fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[test]
    fn what_is_no_array_is_said_with_the_files_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("x.npy");
        let whole = file(&reference(), "/npy/float32");
        let cases: [(&[u8], &str); 5] = [
            (b"hello world", "does not begin like a file of NumPy"),
            (&whole[..whole.len() - 1], "ends too early"),
            (&whole[..20], "ends too early"),
            (b"\x93NUMPY\x09\x00aaaa", "version 9"),
            (b"\x93NUMPY\x01\x00\x34\x00{'descr': '|O', 'fortran_order': False, 'shape': ()}", "type \"O\""),
        ];
        for (bytes, expected) in cases {
            std::fs::write(&path, bytes).expect("writes");
            let error = load_npy(&path).expect_err("damaged").to_string();
            assert!(error.contains(expected) && error.contains("x.npy"), "{error}");
        }
        let error = load_npy(folder.path().join("none.npy")).expect_err("not there").to_string();
        assert!(error.starts_with("cannot read") && error.contains("none.npy"), "{error}");
        let brain = Tensor::zeros([2], (Kind::BFloat16, Device::Cpu));
        assert!(save_npy(&brain, &path).expect_err("no type").to_string().contains("x.npy cannot hold BFloat16"));
    }
}
