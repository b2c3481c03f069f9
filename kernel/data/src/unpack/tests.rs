//! Archives that try to write where they should not, or more than they should.

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{EntryType, Header};

use super::*;
use crate::catalogue::{Kind, Source};

/// A member by its name as it stands in the archive, its type and what it holds, or leads to.
type Raw<'a> = (&'a str, EntryType, &'a [u8]);

/// An archive whose names are written as they are; the crate's own writer would refuse some.
fn archive(members: &[Raw<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::best()));
    for (name, kind, contents) in members {
        let mut header = Header::new_gnu();
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(*kind);
        header.set_mode(0o644);
        let is_link = matches!(kind, EntryType::Symlink | EntryType::Link);
        if is_link {
            header.as_old_mut().linkname[..contents.len()].copy_from_slice(contents);
        }
        header.set_size(if is_link { 0 } else { contents.len() as u64 });
        header.set_cksum();
        builder.append(&header, if is_link { &[][..] } else { contents }).expect("packs");
    }
    builder.into_inner().and_then(GzEncoder::finish).expect("packs")
}

/// An entry that takes all below `package` and expects two files of eight bytes together.
fn entry(file: &str) -> Entry {
    let patterns = |text: &str| vec![text.to_owned()];
    Entry {
        name: "toy".to_owned(),
        title: String::new(),
        kind: Kind::Data,
        source: Source::Npm,
        package: "toy".to_owned(),
        version: "1".to_owned(),
        file: file.to_owned(),
        sha256: String::new(),
        bytes: 1,
        folder: "package".to_owned(),
        take: patterns("*"),
        files: 2,
        unpacked: 8,
        license_files: patterns("LICENSE*"),
        license: String::new(),
        credit: None,
        redistribution: None,
    }
}

/// Unpacks, and gives the error with the names of all files that were written anywhere in the folder above.
fn unpacked(file: &str, bytes: &[u8]) -> (Result<(), DataError>, Vec<PathBuf>) {
    let above = tempfile::tempdir().expect("a temporary folder");
    let (path, into) = (above.path().join(file), above.path().join("into"));
    fs::write(&path, bytes).expect("writes");
    fs::create_dir(&into).expect("creates");
    let result = unpack(&entry(file), &path, &into, &Tools::default());
    fs::remove_file(path).expect("is there");
    let mut written = Vec::new();
    list(above.path(), Path::new(""), &mut written).expect("can be read");
    written.sort();
    (result, written)
}

#[track_caller]
fn check_refused(file: &str, bytes: &[u8], why: &str) {
    let (result, written) = unpacked(file, bytes);
    let error = result.expect_err("is refused").to_string();
    assert!(error.contains(why), "{error}");
    assert!(written.iter().all(|path| path.starts_with("into")), "{written:?}");
}

const FILE: EntryType = EntryType::Regular;

#[test]
fn what_is_wanted_is_unpacked_and_nothing_else() {
    let members: [Raw<'_>; 6] = [
        ("./package/a", FILE, b"1234"),
        ("package/deep/b", FILE, b"5678"),
        ("package/deep", EntryType::Directory, b""),
        ("packaged/c", FILE, b"no"),
        ("LICENSE.md", FILE, b"free"),
        ("elsewhere/../../x", EntryType::Symlink, b"/etc/passwd"),
    ];
    let (result, written) = unpacked("toy.tgz", &archive(&members));
    result.expect("unpacks");
    assert_eq!(written, ["into/LICENSE.md", "into/a", "into/deep/b"].map(PathBuf::from));
}

#[test]
fn nothing_is_written_outside_the_folder() {
    for name in ["package/../../x", "package//x", "package/./../../x", "package/..", "package/a\\..\\x"] {
        check_refused("toy.tgz", &archive(&[(name, FILE, b"1234")]), "leads out of its folder");
    }
}

#[test]
fn links_and_devices_are_refused() {
    for (kind, to) in [
        (EntryType::Symlink, "/etc/passwd"),
        (EntryType::Link, "LICENSE"),
        (EntryType::Fifo, ""),
        (EntryType::Char, ""),
    ] {
        check_refused("toy.tgz", &archive(&[("package/a", kind, to.as_bytes())]), "is a link or a device");
    }
}

#[test]
fn no_more_is_written_than_the_entry_says() {
    let zeros = vec![0; 50 << 20];
    let bomb = archive(&[("package/a", FILE, b"1234"), ("package/b", FILE, &zeros)]);
    assert!(bomb.len() < 100_000, "it is small as it arrives");
    check_refused("toy.tgz", &bomb, "larger than it should be");
    let license = archive(&[("LICENSE", FILE, &zeros)]);
    check_refused("toy.tgz", &license, "larger than it should be");
}

#[test]
fn an_archive_that_lacks_something_is_refused() {
    check_refused("toy.tgz", &archive(&[("package/a", FILE, b"12345678")]), "1 files and 8 bytes of toy, not 2 and 8");
    check_refused("toy.tgz", &archive(&[("package/a", FILE, b"1"), ("package/a", FILE, b"2")]), "twice");
    let whole = archive(&[("package/a", FILE, b"1234"), ("package/b", FILE, b"5678")]);
    check_refused("toy.tgz", &whole[..whole.len() / 2], "cannot be unpacked");
    check_refused("toy.whl", b"<html>no such file</html>", "cannot be unpacked");
}

#[test]
fn zip_files_are_held_to_the_same() {
    let zip = |link: bool, name: &str| {
        let mut writer = zip::ZipWriter::new(io::Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        if link {
            writer.add_symlink(name, "/etc/passwd", options).expect("packs");
        } else {
            writer.start_file(name, options).expect("packs");
            io::Write::write_all(&mut writer, &[0; 100_000]).expect("packs");
        }
        writer.finish().expect("packs").into_inner()
    };
    check_refused("toy.whl", &zip(false, "package/../../x"), "leads out of its folder");
    check_refused("toy.whl", &zip(true, "package/x"), "is a link or a device");
    check_refused("toy.whl", &zip(false, "package/x"), "larger than it should be");
}
