//! IDX files, the format of MNIST: a tensor of numbers with its shape, often packed with gzip.
//!
//! Two bytes of zero, one for the kind of number, one for the count of dimensions; then each size as four bytes and the
//! numbers in row-major order, all with the highest byte first (<http://yann.lecun.com/exdb/mnist/>).

use std::io::Read;
use std::path::Path;

use tch::{Kind, Tensor};

use super::{DatasetError, packed};

/// The tensor in an IDX file, packed with gzip or not, on the CPU. Its kind is that of the file's numbers: uint8, int8,
/// int16, int32, float32 or float64.
///
/// ```
/// use oxtorch::prelude::*;
/// use oxtorch::data::read_idx;
/// // Unsigned bytes, two dimensions: 2 by 3.
/// std::fs::write("numbers.idx", [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6])?;
/// let numbers = read_idx("numbers.idx")?;
/// assert_eq!(numbers, Tensor::from_slice2(&[[1u8, 2, 3], [4, 5, 6]]));
/// # std::fs::remove_file("numbers.idx")?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// Where the file cannot be read, or is no IDX file, or holds more or fewer numbers than its shape says.
pub fn read_idx(path: impl AsRef<Path>) -> Result<Tensor, DatasetError> {
    let path = path.as_ref();
    let mut bytes = Vec::new();
    let contents = packed::open(path).and_then(|mut file| file.read_to_end(&mut bytes));
    contents.map_err(DatasetError::reading(path))?;
    parse(&bytes).map_err(|what| DatasetError::damaged(path, what))
}

fn parse(bytes: &[u8]) -> Result<Tensor, String> {
    let [0, 0, code, dimensions, rest @ ..] = bytes else {
        return Err("it does not begin like an IDX file, with two zero bytes, a kind and a count of dimensions".into());
    };
    let (kind, width) = match code {
        0x08 => (Kind::Uint8, 1),
        0x09 => (Kind::Int8, 1),
        0x0B => (Kind::Int16, 2),
        0x0C => (Kind::Int, 4),
        0x0D => (Kind::Float, 4),
        0x0E => (Kind::Double, 8),
        other => return Err(format!("no kind of number has the code 0x{other:02X} in an IDX file")),
    };
    let Some((sizes, numbers)) = rest.split_at_checked(4 * usize::from(*dimensions)) else {
        return Err("it ends within its shape".into());
    };
    let sizes: Vec<i64> =
        sizes.chunks_exact(4).map(|size| i64::from(u32::from_be_bytes([size[0], size[1], size[2], size[3]]))).collect();
    let count = sizes.iter().try_fold(width as i64, |product, size| product.checked_mul(*size));
    if count != Some(numbers.len() as i64) {
        return Err(format!(
            "its shape {sizes:?} needs {} bytes, and it has {}",
            count.map_or("more than 2^63".to_owned(), |count| count.to_string()),
            numbers.len()
        ));
    }
    // The file has the highest byte first, the machine has it last.
    let native: Vec<u8> = match width {
        1 => numbers.to_vec(),
        width => numbers.chunks_exact(width).flat_map(|number| number.iter().rev().copied()).collect(),
    };
    Tensor::f_from_data_size(&native, &sizes, kind).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use base64::prelude::{BASE64_STANDARD, Engine};

    use super::*;
    use crate::reference::Reference;

    fn reference() -> Reference {
        Reference::parse(include_str!("../../../../tests/reference/data_files.json"))
    }

    #[test]
    fn files_are_read_as_torchvision_reads_them() {
        let reference = reference();
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["uint8", "int8", "int16", "int32", "float32", "float64", "packed"] {
            let file = reference.value(&format!("/idx/{name}/file")).as_str().expect("base64");
            let path = folder.path().join(name);
            fs::write(&path, BASE64_STANDARD.decode(file).expect("base64")).expect("writes");
            let tensor = read_idx(&path).expect("a good file");
            // Reading a number of JSON may be off by its last bit.
            reference.check(&format!("/idx/{name}/tensor"), &tensor.to_kind(Kind::Double), 1e-15);
        }
    }

    #[test]
    fn a_damaged_file_is_named_with_what_is_wrong() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("images.idx");
        let cases: [(&[u8], &str); 7] = [
            (b"", "does not begin like an IDX file"),
            (b"<!doctype html>", "does not begin like an IDX file"),
            (&[0, 0, 7, 1, 0, 0, 0, 0], "no kind of number has the code 0x07"),
            (&[0, 0, 8, 3, 0, 0, 0, 1], "it ends within its shape"),
            (&[0, 0, 8, 1, 0, 0, 0, 3, 1, 2], "its shape [3] needs 3 bytes, and it has 2"),
            (&[0, 0, 8, 1, 0, 0, 0, 1, 1, 2], "its shape [1] needs 1 bytes, and it has 2"),
            (&[0x1f, 0x8b, 8, 0, 0, 0], "it ends too early"),
        ];
        for (bytes, expected) in cases {
            fs::write(&path, bytes).expect("writes");
            let error = read_idx(&path).expect_err("damaged").to_string();
            assert!(error.contains("images.idx is damaged") && error.contains(expected), "{error}");
        }
        let huge = [&[0u8, 0, 0x0E, 3][..], &[0xff; 12]].concat();
        fs::write(&path, huge).expect("writes");
        assert!(read_idx(&path).expect_err("damaged").to_string().contains("more than 2^63"));
        let error = read_idx(folder.path().join("none")).expect_err("no file").to_string();
        assert!(error.starts_with("cannot read") && error.ends_with("none"), "{error}");
    }
}
