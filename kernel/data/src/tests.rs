//! Fetches from stand-ins of the registries: a folder that pip looks in, and programs that do what npm and apt do.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use oxtorch_setup::progress::Lines;
use oxtorch_system::home::Home;
use oxtorch_system::programs::find_program;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::*;

/// What the package holds beside things that nobody asks for.
const DATA: [(&str, &str); 2] = [("set/a.txt", "first"), ("set/deep/b.txt", "second")];
/// The SHA-256 of the two lines that `sha256sum a.txt deep/b.txt` prints of these.
const CONTENTS: &str = "a7b5f55f1e41c68753513a9730bbada2b6cf92523b40728ac8ef46976f21fc8b";

/// A folder with the packages and the programs of a test.
struct Stage {
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a temporary folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn places(&self) -> Places {
        Places::new(None, Home::at(self.path("home")))
    }

    /// A program that is a script of the shell.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).expect("writes");
        fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).expect("is ours");
        path
    }

    /// A Python whose pip looks nowhere but in this folder.
    fn python(&self) -> PathBuf {
        let python = oxtorch_setup::find_python().expect("Python is needed to build Oxtorch");
        let script = format!(
            "export PIP_CONFIG_FILE=/dev/null PIP_NO_INDEX=1 PIP_FIND_LINKS='{}'\nexec '{}' \"$@\"",
            self.folder.path().display(),
            python.display()
        );
        self.program("python", &script)
    }

    /// Puts a package there and gives an entry that describes it.
    fn package(&self, source: Source, file: &str, bytes: &[u8]) -> Entry {
        fs::write(self.path(file), bytes).expect("writes");
        entry(source, file, bytes)
    }

    /// What lies where the data go.
    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("home/data")).into_iter().flatten();
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
    }

    #[track_caller]
    fn check_fetched(&self, entry: &Entry, tools: &Tools) {
        let place = self.path("home/data/toy");
        assert_eq!(fetch(entry, &self.places(), tools, &silent()).expect("fetches"), Fetched::Now(place.clone()));
        let read = |name: &str| fs::read_to_string(place.join(name)).expect("is there");
        assert_eq!((read("a.txt"), read("deep/b.txt")), ("first".to_owned(), "second".to_owned()));
        assert_eq!(read("LICENSE"), "do as you like");
        assert!(read("SOURCE.txt").contains(&format!("from: toy 1.0 ({})", entry.source.name())));
        assert_eq!(fs::read_dir(&place).expect("is there").count(), 4, "nothing else was unpacked");
        assert_eq!(self.names(), ["toy"], "nothing else is left");
        let again = fetch(entry, &self.places(), &Tools::default(), &silent());
        assert_eq!(again.expect("is there"), Fetched::WasThere(place));
    }

    #[track_caller]
    fn check_refused(&self, entry: &Entry, tools: &Tools) -> DataError {
        let error = fetch(entry, &self.places(), tools, &silent()).expect_err("must fail");
        assert_eq!(self.names(), Vec::<String>::new(), "nothing is left");
        error
    }
}

fn silent() -> Lines<impl Fn(String)> {
    Lines::new(|_| ())
}

fn entry(source: Source, file: &str, bytes: &[u8]) -> Entry {
    let (folder, license) = match source {
        Source::Pypi if file.ends_with(".whl") => ("set", "toy-1.0.dist-info/LICENSE"),
        Source::Debian => ("usr/share/toy/set", "usr/share/toy/LICENSE"),
        _ => ("package/set", "package/LICENSE"),
    };
    Entry {
        name: "toy".to_owned(),
        title: "a toy".to_owned(),
        kind: Kind::Data,
        source,
        package: "toy".to_owned(),
        version: "1.0".to_owned(),
        file: file.to_owned(),
        sha256: format!("{:x}", Sha256::digest(bytes)),
        bytes: bytes.len() as u64,
        folder: folder.to_owned(),
        take: vec!["*.txt".to_owned()],
        files: 2,
        unpacked: 11,
        license_files: vec![license.to_owned()],
        license: "free".to_owned(),
        credit: Some("somebody".to_owned()),
        redistribution: None,
    }
}

const WHEEL: &str = "toy-1.0-py3-none-any.whl";

fn wheel() -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    let metadata = "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\nRequires-Python: >=3.8\n";
    let others = [
        ("toy-1.0.dist-info/METADATA", metadata),
        ("toy-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"),
        ("toy-1.0.dist-info/RECORD", ""),
        ("toy-1.0.dist-info/LICENSE", "do as you like"),
        ("set/code.py", "x = 1"),
    ];
    for (name, contents) in DATA.into_iter().chain(others) {
        writer.start_file(name, options).expect("writes to memory");
        writer.write_all(contents.as_bytes()).expect("writes to memory");
    }
    writer.finish().expect("writes to memory").into_inner()
}

/// A gzipped tar of the data and more, all in a folder `package`.
fn archive(more: &[(&str, &str)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, contents) in DATA.iter().chain(&[("LICENSE", "do as you like")]).chain(more) {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, format!("package/{name}"), contents.as_bytes()).expect("packs");
    }
    builder.into_inner().and_then(GzEncoder::finish).expect("packs")
}

/// An npm that finds its packages in the stage's folder, and keeps a list of its calls.
fn npm(stage: &Stage) -> Tools {
    let script = "here=$(dirname \"$0\"); echo call >> \"$here/calls\"\n\
                  while [ \"$1\" != --pack-destination ]; do shift; done; cp \"$here/toy-1.0.tgz\" \"$2\"";
    Tools { npm: Some(stage.program("npm", script)), ..Tools::default() }
}

#[test]
fn a_wheel_is_got_by_pip() {
    let stage = Stage::new();
    let entry = stage.package(Source::Pypi, WHEEL, &wheel());
    stage.check_fetched(&entry, &Tools { python: Some(stage.python()), ..Tools::default() });
}

#[test]
fn the_code_in_an_archive_of_sources_is_not_run() {
    let stage = Stage::new();
    let trace = stage.path("trace");
    let setup = format!("open({:?}, 'w').close()", trace.display().to_string());
    let archive = archive(&[("setup.py", &setup), ("PKG-INFO", "Metadata-Version: 2.1\nName: toy\nVersion: 1.0\n")]);
    let entry = stage.package(Source::Pypi, "toy-1.0.tar.gz", &archive);
    stage.check_fetched(&entry, &Tools { python: Some(stage.python()), ..Tools::default() });
    assert!(!trace.exists());
}

#[test]
fn a_package_of_npm_is_got_by_npm() {
    let stage = Stage::new();
    let entry = stage.package(Source::Npm, "toy-1.0.tgz", &archive(&[("index.js", "")]));
    stage.check_fetched(&entry, &npm(&stage));
}

#[test]
fn without_npm_the_registry_of_its_settings_is_asked() {
    let stage = Stage::new();
    let archive = archive(&[]);
    let entry = stage.package(Source::Npm, "toy-1.0.tgz", &archive);
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let registry = format!("http://{}/all/", listener.local_addr().expect("is bound"));
    let server = std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("is asked");
        let mut request = [0; 2000];
        let length = connection.read(&mut request).expect("is asked");
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", archive.len());
        connection.write_all(&[head.as_bytes(), &archive].concat()).expect("answers");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    stage.check_fetched(&entry, &Tools { npm_registry: Some(registry), ..Tools::default() });
    let request = server.join().expect("ends");
    assert!(request.starts_with("GET /all/toy/-/toy-1.0.tgz "), "{request}");
}

/// A package as Debian has them, and an apt-get that brings it.
fn debian(stage: &Stage, version: &str, second: &str) -> Option<Tools> {
    let Some(dpkg_deb) = find_program(["dpkg-deb"]) else {
        eprintln!("skipped: there is no dpkg-deb here");
        return None;
    };
    let tree = stage.path("tree");
    for folder in ["DEBIAN", "usr/share/toy/set/deep"] {
        fs::create_dir_all(tree.join(folder)).expect("creates");
    }
    let control = format!("Package: toy\nVersion: {version}\nArchitecture: all\nMaintainer: x <x@x>\nDescription: x\n");
    for (name, contents) in [
        ("DEBIAN/control", &*control),
        ("usr/share/toy/set/a.txt", "first"),
        ("usr/share/toy/set/deep/b.txt", second),
        ("usr/share/toy/LICENSE", "do as you like"),
    ] {
        fs::write(tree.join(name), contents).expect("writes");
    }
    let file = stage.path(&format!("toy_{version}_all.deb"));
    let built = Command::new(&dpkg_deb).args(["-b", "--root-owner-group"]).arg(&tree).arg(&file).output();
    assert!(built.expect("runs").status.success());
    let apt_get = stage.program("apt-get", &format!("cp '{}' .", file.display()));
    Some(Tools { apt_get: Some(apt_get), dpkg_deb: Some(dpkg_deb), ..Tools::default() })
}

#[test]
fn of_debian_any_version_with_the_same_data_will_do() {
    let stage = Stage::new();
    let Some(tools) = debian(&stage, "1.0-7", "second") else { return };
    let entry = Entry { sha256: CONTENTS.to_owned(), ..entry(Source::Debian, "toy_1.0-1_all.deb", b"") };
    stage.check_fetched(&entry, &tools);
}

#[test]
fn of_debian_other_data_are_refused() {
    for second in ["2econd", "another length"] {
        let stage = Stage::new();
        let Some(tools) = debian(&stage, "2.0-1", second) else { return };
        let entry = Entry { sha256: CONTENTS.to_owned(), ..entry(Source::Debian, "toy_1.0-1_all.deb", b"") };
        let error = stage.check_refused(&entry, &tools).to_string();
        assert!(error.starts_with("toy_2.0-1_all.deb does not hold") && error.contains("version 1.0"), "{error}");
    }
}

#[test]
fn a_file_of_another_sum_is_not_opened() {
    let stage = Stage::new();
    let python = Tools { python: Some(stage.python()), ..Tools::default() };
    let mut changed = archive(&[]);
    changed.extend(b"and more");
    for (source, file, bytes, tools) in [
        (Source::Pypi, WHEEL, wheel(), &python),
        (Source::Pypi, "toy-1.0.tar.gz", changed.clone(), &python),
        (Source::Npm, "toy-1.0.tgz", changed, &npm(&stage)),
    ] {
        let expected = Entry { sha256: "0".repeat(64), ..stage.package(source, file, &bytes) };
        let error = stage.check_refused(&expected, tools);
        let sum = format!("{:x}", Sha256::digest(&bytes));
        assert!(matches!(&error, DataError::Checksum { found, .. } if *found == sum), "{error}");
        fs::remove_file(stage.path(file)).expect("is there");
    }
}

#[test]
fn what_is_missing_is_named_with_what_to_do() {
    let stage = Stage::new();
    let of = |source, file| entry(source, file, b"");
    let no_pip = stage.program("no-pip", "echo \"$0: No module named pip\" >&2; exit 1");
    let offline = stage.program("offline", "echo 'WARNING: Retrying: NewConnectionError' >&2; exit 1");
    let npm = stage.program("npm", "echo 'npm error code ENOTFOUND\nnpm error network request failed' >&2; exit 1");
    let apt_get = stage.program("apt-get", "echo 'E: Unable to locate package toy' >&2; exit 100");
    let dpkg_deb = Some(PathBuf::from("/bin/true"));
    let none = Tools::default();
    for (entry, tools, said, help) in [
        (of(Source::Pypi, WHEEL), none.clone(), "no Python", "python3-pip"),
        (of(Source::Pypi, WHEEL), Tools { python: Some(no_pip), ..none.clone() }, "no pip", "python3-pip"),
        (of(Source::Pypi, WHEEL), Tools { python: Some(offline), ..none.clone() }, "cannot be reached", "network"),
        (of(Source::Npm, "toy-1.0.tgz"), none.clone(), "no npm", "install npm"),
        (of(Source::Npm, "toy-1.0.tgz"), Tools { npm: Some(npm), ..none.clone() }, "network request failed", "network"),
        (of(Source::Debian, "toy.deb"), none.clone(), "no apt-get", "Debian"),
        (
            of(Source::Debian, "toy.deb"),
            Tools { apt_get: Some(apt_get), dpkg_deb, ..none },
            "apt-get update",
            "network",
        ),
    ] {
        let error = stage.check_refused(&entry, &tools);
        assert!(error.to_string().contains(said) && error.help().contains(help), "{error}\n{}", error.help());
    }
}

#[test]
fn of_two_at_once_the_second_finds_what_the_first_brought() {
    let stage = Stage::new();
    let entry = stage.package(Source::Npm, "toy-1.0.tgz", &archive(&[]));
    let (places, tools) = (stage.places(), npm(&stage));
    let outcomes = std::thread::scope(|scope| {
        let call = || fetch(&entry, &places, &tools, &silent()).expect("fetches");
        let calls = [scope.spawn(call), scope.spawn(call)];
        calls.map(|call| call.join().expect("ends"))
    });
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Fetched::Now(_))).count(), 1);
    assert_eq!(fs::read_to_string(stage.path("calls")).expect("is there"), "call\n");
    assert_eq!(stage.names(), ["toy"]);
}

#[test]
fn what_a_killed_fetch_left_is_removed_by_the_next() {
    let stage = Stage::new();
    let left = stage.path("home/data/.fetch-toy-x7/toy");
    fs::create_dir_all(&left).expect("creates");
    fs::write(left.join("a.txt"), "fir").expect("writes");
    let entry = stage.package(Source::Npm, "toy-1.0.tgz", &archive(&[]));
    assert_eq!(stage.places().find(&entry), None);
    stage.check_fetched(&entry, &npm(&stage));
}

#[test]
fn a_folder_of_the_users_is_not_touched() {
    let stage = Stage::new();
    let own = stage.path("home/data/toy");
    fs::create_dir_all(&own).expect("creates");
    fs::write(own.join("thesis.tex"), "").expect("writes");
    let entry = stage.package(Source::Npm, "toy-1.0.tgz", &archive(&[]));
    let error = fetch(&entry, &stage.places(), &npm(&stage), &silent()).expect_err("something is in the way");
    assert!(matches!(&error, DataError::InTheWay(place) if *place == own), "{error}");
    assert_eq!(fs::read_dir(&own).expect("is there").count(), 1);
}

#[test]
fn a_folder_that_is_named_comes_first_if_it_can_be_written() {
    let stage = Stage::new();
    let entry = stage.package(Source::Npm, "toy-1.0.tgz", &archive(&[]));
    let fetch_to = |named: &Path| {
        let places = Places::new(Some(named.to_owned()), Home::at(stage.path("home")));
        (fetch(&entry, &places, &npm(&stage), &silent()).expect("fetches"), places)
    };
    File::create(stage.path("file")).expect("creates");
    let (fetched, _) = fetch_to(&stage.path("file/data"));
    assert_eq!(fetched, Fetched::Now(stage.path("home/data/toy")));
    let (fetched, _) = fetch_to(&stage.path("class"));
    assert_eq!(fetched, Fetched::WasThere(stage.path("home/data/toy")));
    fs::remove_dir_all(stage.path("home/data/toy")).expect("removes");
    let (fetched, places) = fetch_to(&stage.path("class"));
    assert_eq!(fetched, Fetched::Now(stage.path("class/toy")));
    assert_eq!(places.find(&entry), Some(stage.path("class/toy")));
}

#[test]
fn a_disk_that_is_too_full_is_told_before_the_download() {
    let stage = Stage::new();
    let entry = Entry { unpacked: 1 << 60, ..stage.package(Source::Npm, "toy-1.0.tgz", &archive(&[])) };
    let error = stage.check_refused(&entry, &npm(&stage));
    assert!(matches!(error, DataError::DiskFull { .. }), "{error}");
    assert!(!stage.path("calls").exists());
}
