//! Files of Python, and files that are not what they say.

use tch::{Device, Kind};

use super::super::npy::tests::file;
use super::super::{FileError, StateDict};
use super::*;
use crate::reference::Reference;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../../tests/reference/weights.json"))
}

/// A file with a header and bytes behind it.
fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("w.safetensors");
    std::fs::write(&path, bytes).expect("writes");
    (folder, path)
}

fn read_bytes(bytes: &[u8]) -> Result<StateDict, FileError> {
    StateDict::read(written(bytes).1)
}

#[test]
fn all_types_of_numbers_are_read() {
    let reference = reference();
    let (_folder, path) = written(&file(&reference, "/kinds"));
    let dict = StateDict::read(&path).expect("reads");
    let kinds = [("bfloat16", Kind::BFloat16), ("float8_e4m3fn", Kind::Float8e4m3fn), ("uint32", Kind::Int64)];
    assert!(kinds.iter().all(|(name, kind)| dict.get(name).is_some_and(|tensor| tensor.kind() == *kind)));
    assert_eq!(dict.len(), reference.value("/values").as_object().expect("values by name").len());
    for (name, tensor) in &dict {
        let tensor = if tensor.is_complex() { tensor.view_as_real() } else { tensor.shallow_clone() };
        reference.check(&format!("/values/{name}"), &tensor, 0.0);
    }
}

#[test]
fn a_tensor_outlives_the_dictionary_and_the_file_and_changes_neither() {
    let dict: StateDict = [("a", Tensor::arange(6, (Kind::Float, Device::Cpu)))].into_iter().collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("w.safetensors");
    dict.save(&path).expect("writes");
    let before = std::fs::read(&path).expect("reads");
    let read = StateDict::read(&path).expect("reads");
    let mut row = read.get("a").expect("is there").view([2, 3]).select(0, 1);
    drop(read);
    let _ = row.fill_(7.0);
    assert_eq!(std::fs::read(&path).expect("reads"), before);
    // Saved over itself, as a dictionary that was edited is.
    let again = StateDict::read(&path).expect("reads");
    again.save(&path).expect("writes");
    assert_eq!(again.get("a").map(|a| a.double_value(&[4])), Some(4.0));
    std::fs::remove_file(&path).expect("is there");
    assert_eq!(row, Tensor::from_slice(&[7.0f32, 7.0, 7.0]));
    assert_eq!(again.get("a").map(|a| a.double_value(&[5])), Some(5.0));
}

#[cfg(target_os = "linux")]
#[test]
fn a_mapping_ends_with_its_last_tensor() {
    let dict: StateDict = [("a", Tensor::ones([4], (Kind::Float, Device::Cpu)))].into_iter().collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("mapping-that-ends.safetensors");
    dict.save(&path).expect("writes");
    let is_mapped = || {
        let maps = std::fs::read_to_string("/proc/self/maps").expect("is there");
        maps.contains("mapping-that-ends.safetensors")
    };
    let tensor = StateDict::read(&path).expect("reads").get("a").expect("is there").shallow_clone();
    assert!(is_mapped());
    drop(tensor);
    assert!(!is_mapped());
}

#[test]
fn numbers_at_odd_addresses_are_read() {
    let header = r#"{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},
        "b":{"dtype":"F64","shape":[2],"data_offsets":[1,17]}}"#;
    let numbers = [1.5f64, -2.0];
    let data: Vec<u8> = [9].into_iter().chain(numbers.iter().flat_map(|number| number.to_le_bytes())).collect();
    let dict = read_bytes(&with_header(header, &data)).expect("reads");
    assert_eq!(dict.get("b"), Some(&Tensor::from_slice(&numbers)));
}

#[test]
fn a_file_that_is_not_what_it_says_is_refused_with_the_reason() {
    let one = |what: &str| format!(r#"{{"w":{{{what}}}}}"#);
    let cases = [
        (vec![], "is empty"),
        (vec![1; 5], "too early for a header"),
        (vec![255; 64], "no length of a header"),
        ([&200u64.to_le_bytes()[..], b"{}"].concat(), "within its header"),
        (with_header("[]", b""), "no JSON object"),
        (with_header(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), &[0; 4]), "ends too early, "),
        (with_header(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), &[0; 9]), "1 bytes follow"),
        (
            with_header(&one(r#""dtype":"F32","shape":[3],"data_offsets":[0,8]"#), &[0; 8]),
            "has 8 bytes, which are not [3]",
        ),
        (with_header(&one(r#""dtype":"F32","shape":[2],"data_offsets":[8,0]"#), &[0; 8]), "has the data_offsets [8,0]"),
        (with_header(&one(r#""dtype":"F32","shape":[2],"data_offsets":[0]"#), &[0; 8]), "has the data_offsets [0]"),
        (with_header(&one(r#""dtype":"F32","shape":[2],"data_offsets":[4,12]"#), &[0; 12]), "leaves a gap"),
        (with_header(&one(r#""dtype":"F32","shape":[-2],"data_offsets":[0,8]"#), &[0; 8]), "has the shape [-2]"),
        (
            with_header(&one(r#""dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]"#), b""),
            "has 0 bytes, which are not",
        ),
        (
            with_header(
                &one(r#""dtype":"F32","shape":[1],"data_offsets":[18446744073709551612,18446744073709551615]"#),
                b"",
            ),
            "has the data_offsets",
        ),
        (with_header(&one(r#""dtype":"F8_E8M0","shape":[1],"data_offsets":[0,1]"#), &[0]), "type F8_E8M0"),
        (with_header(&one(r#""shape":[1],"data_offsets":[0,1]"#), &[0]), "has no dtype"),
        (with_header(&one(r#""dtype":"U64","shape":[1],"data_offsets":[0,8]"#), &[255; 8]), "too large for int64"),
        (
            with_header(
                r#"{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},
                    "b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}"#,
                &[0; 3],
            ),
            "the tensor \"b\" overlaps",
        ),
    ];
    for (bytes, reason) in cases {
        let error = read_bytes(&bytes).expect_err(reason).to_string();
        assert!(error.contains(reason) && error.contains("w.safetensors"), "{reason}: {error}");
    }
}
