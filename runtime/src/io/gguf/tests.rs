//! A file that the package `gguf` of Python wrote, and files that are damaged.

use std::path::PathBuf;

use tch::Kind;

use super::super::StateDict;
use super::super::npy::tests::file;
use super::*;
use crate::reference::Reference;

fn reference() -> Reference {
    Reference::parse(include_str!("../../../../tests/reference/weights.json"))
}

fn written(folder: &tempfile::TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).expect("writes");
    path
}

#[test]
fn metadata_shapes_and_numbers_are_those_of_python() {
    let (folder, reference) = (tempfile::tempdir().expect("a temporary folder"), reference());
    let file = Gguf::open(written(&folder, &file(&reference, "/gguf"))).expect("opens");
    assert_eq!(file.get("general.architecture"), Some(&"llama".into()));
    assert_eq!(file.get("llama.block_count"), Some(&2.into()));
    assert_eq!(file.get("llama.rope.freq_base"), Some(&10000.0.into()));
    assert_eq!(file.get("tokenizer.ggml.add_bos_token"), Some(&true.into()));
    assert_eq!(file.get("tokenizer.ggml.tokens"), Some(&vec!["<s>", "hé", "你"].into()));
    assert_eq!(file.get("general.name"), None);
    assert_eq!(file.metadata().len(), 6);
    let shapes: Vec<(&str, &[i64])> = file.shapes().collect();
    assert_eq!((shapes.len(), shapes[0], shapes[7]), (8, ("Q4_0", &[3, 64][..]), ("bias", &[64][..])));
    for name in ["Q4_0", "Q4_1", "Q8_0", "F32", "F16", "BF16", "bias"] {
        reference.check(&format!("/gguf_values/{name}"), &file.tensor(name).expect(name), 0.0);
    }
    assert_eq!((file.format("Q8_0"), file.format("bias"), file.format("none")), (Some("Q8_0"), Some("F32"), None));
    assert_eq!(file.tensor("BF16").expect("is there").kind(), Kind::BFloat16);
    assert!(format!("{file:?}").contains("\"bias\": [64]"));
}

#[test]
fn another_format_is_refused_by_its_name() {
    let (folder, reference) = (tempfile::tempdir().expect("a temporary folder"), reference());
    let path = written(&folder, &file(&reference, "/gguf"));
    let error = StateDict::read(&path).expect_err("Q5_0").to_string();
    assert!(error.contains("\"Q5_0\" in the format Q5_0") && error.contains("Q8_0"), "{error}");
    let error = Gguf::open(&path).expect("opens").tensor("none").expect_err("none").to_string();
    assert!(error.contains("has no tensor \"none\""), "{error}");
}

#[test]
fn a_file_that_ends_anywhere_is_an_error() {
    let (folder, reference) = (tempfile::tempdir().expect("a temporary folder"), reference());
    let whole = file(&reference, "/gguf");
    let all = |bytes: &[u8]| {
        let file = Gguf::open(written(&folder, bytes))?;
        file.shapes().filter(|(name, _)| *name != "Q5_0").try_for_each(|(name, _)| file.tensor(name).map(drop))
    };
    all(&whole).expect("is whole");
    // The last tensor is followed by nothing.
    for end in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
        assert!(all(&whole[..end]).is_err(), "{end}");
    }
}

#[test]
fn what_is_no_such_file_is_refused_with_the_reason() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = |version: u32, counts: [u64; 2]| {
        [&b"GGUF"[..], &version.to_le_bytes(), &counts[0].to_le_bytes(), &counts[1].to_le_bytes()].concat()
    };
    let text = |text: &str| [&(text.len() as u64).to_le_bytes()[..], text.as_bytes()].concat();
    let tensor = |extents: &[u64], format: u32, offset: u64| {
        let extents: Vec<u8> = extents.iter().flat_map(|extent| extent.to_le_bytes()).collect();
        let count = (extents.len() as u32 / 8).to_le_bytes();
        [&start(3, [1, 0])[..], &text("w"), &count, &extents, &format.to_le_bytes(), &offset.to_le_bytes()].concat()
    };
    let metadata = |of: u32, rest: &[u8]| [&start(3, [0, 1])[..], &text("k"), &of.to_le_bytes(), rest].concat();
    let list = |of: u32, count: u64| [&of.to_le_bytes()[..], &count.to_le_bytes()].concat();
    let cases = [
        (b"PK\x03\x04".to_vec(), "is not in the format GGUF"),
        (start(1, [0, 0]), "version 1"),
        (start(u32::from_be(3), [0, 0]), "version 50331648"),
        (start(3, [u64::MAX, 0]), "ends too early"),
        (start(3, [0, u64::MAX]), "ends too early"),
        (metadata(8, &u64::MAX.to_le_bytes()), "ends too early"),
        (metadata(99, &[]), "the type 99, which GGUF does not have, in the metadata \"k\""),
        (metadata(9, &list(9, 1)), "lists of lists"),
        (metadata(9, &list(0, u64::MAX)), "ends too early"),
        (tensor(&[64, 1 << 40], 8, 0), "ends behind the file"),
        (tensor(&[64, 1 << 62, 1 << 62], 8, 0), "which Q8_0 cannot have"),
        (tensor(&[63], 8, 0), "of the shape [63], which Q8_0 cannot have"),
        (tensor(&[64], 0, u64::MAX - 8), "begins nowhere"),
        (tensor(&[u64::MAX], 0, 0), "larger than any memory"),
        (tensor(&[1], 77, 0), "in the format unknown"),
    ];
    for (bytes, reason) in cases {
        let error = StateDict::read(written(&folder, &bytes)).expect_err(reason).to_string();
        assert!(error.contains(reason) && error.contains("model.gguf"), "{reason}: {error}");
    }
}
