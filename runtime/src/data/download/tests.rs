//! Downloads from servers that behave well and badly.

use std::fs;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use md5::{Digest, Md5};
use tempfile::TempDir;

use super::*;
use crate::tests::server::{Server, head, refused, send};

const NAME: &str = "set/file.bin";

fn contents() -> Vec<u8> {
    (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn sum(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn cache() -> (TempDir, Cache) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = Cache { shared: Vec::new(), own: folder.path().join("data") };
    (folder, cache)
}

fn source(urls: &[String]) -> Source {
    Source::new(NAME, urls.iter().cloned()).md5(sum(&contents()))
}

fn fetch(cache: &Cache, source: &Source) -> Result<PathBuf, DownloadError> {
    cache.fetch(source, &|| ())
}

/// Puts the beginning of a download where an earlier call would have left it.
fn leave_part(cache: &Cache, bytes: &[u8]) {
    fs::create_dir_all(cache.own.join("set")).expect("creates");
    fs::write(cache.own.join("set/file.bin.part"), bytes).expect("writes");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("is there");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("text")).collect()
}

#[track_caller]
fn check_whole(cache: &Cache, path: &Path) {
    assert_eq!(path, cache.own.join(NAME));
    assert!(fs::read(path).expect("is there") == contents());
    assert_eq!(names(&cache.own.join("set")), ["file.bin"], "nothing else is left");
}

#[test]
fn a_file_is_downloaded_once() {
    let server = Server::of_files(vec![("file", contents())]);
    let (_folder, cache) = cache();
    let source = source(&[server.url("file")]);
    for _ in 0..2 {
        check_whole(&cache, &fetch(&cache, &source).expect("downloads"));
    }
    assert_eq!(server.offsets(), [None]);
}

#[test]
fn a_download_goes_on_where_it_was() {
    let server = Server::of_files(vec![("file", contents())]);
    let (_folder, cache) = cache();
    leave_part(&cache, &contents()[..150_000]);
    check_whole(&cache, &fetch(&cache, &source(&[server.url("file")])).expect("downloads"));
    assert_eq!(server.offsets(), [Some(150_000)]);
}

#[test]
fn a_server_without_ranges_sends_it_all_again() {
    let server = Server::start(|_, _, stream| send(stream, &contents(), None));
    let (_folder, cache) = cache();
    leave_part(&cache, &[7; 500_000]);
    check_whole(&cache, &fetch(&cache, &source(&[server.url("file")])).expect("downloads"));
    assert_eq!(server.offsets(), [Some(500_000)]);
}

#[test]
fn a_part_that_does_not_belong_to_the_file_is_given_up() {
    for part in [vec![7; 1000], vec![7; 400_000], vec![7; 500_000]] {
        let server = Server::of_files(vec![("file", contents())]);
        let (_folder, cache) = cache();
        leave_part(&cache, &part);
        check_whole(&cache, &fetch(&cache, &source(&[server.url("file")])).expect("downloads"));
        assert_eq!(server.offsets(), [Some(part.len()), None]);
    }
}

#[test]
fn a_part_that_is_complete_needs_no_byte_more() {
    let server = Server::of_files(vec![("file", contents())]);
    let (_folder, cache) = cache();
    leave_part(&cache, &contents());
    check_whole(&cache, &fetch(&cache, &source(&[server.url("file")])).expect("downloads"));
    assert_eq!(server.offsets(), [Some(400_000)]);
}

#[test]
fn a_server_that_stops_in_the_middle_is_asked_for_the_rest() {
    let server = Server::start(|number, request, stream| {
        let contents = contents();
        if number == 0 {
            head(stream, "200 OK", contents.len(), "");
            let _ = stream.write_all(&contents[..100_000]);
        } else {
            send(stream, &contents, request.offset);
        }
    });
    let (_folder, cache) = cache();
    check_whole(&cache, &fetch(&cache, &source(&[server.url("file")])).expect("downloads"));
    assert_eq!(server.offsets(), [None, Some(100_000)]);
}

#[test]
fn a_server_that_stops_for_good_leaves_a_part_that_a_mirror_completes() {
    let broken = Server::start(|number, _, stream| {
        if number == 0 {
            head(stream, "200 OK", contents().len(), "");
            let _ = stream.write_all(&contents()[..100_000]);
        }
    });
    let mirror = Server::of_files(vec![("file", contents())]);
    let (_folder, cache) = cache();
    let error = fetch(&cache, &source(&[broken.url("file")])).expect_err("half a file");
    assert!(matches!(&error, DownloadError::Unreachable { tries, .. } if tries.len() == 1), "{error}");
    assert_eq!(names(&cache.own.join("set")), ["file.bin.part"]);
    check_whole(&cache, &fetch(&cache, &source(&[broken.url("file"), mirror.url("file")])).expect("downloads"));
    assert_eq!(mirror.offsets(), [Some(100_000)]);
}

#[test]
fn an_address_without_the_file_leads_to_the_next_one() {
    let (missing, mirror) = (Server::of_files(vec![]), Server::of_files(vec![("file", contents())]));
    let (_folder, cache) = cache();
    let source = source(&[refused(), missing.url("file"), mirror.url("file")]);
    check_whole(&cache, &fetch(&cache, &source).expect("downloads"));
    assert_eq!((missing.requests().len(), mirror.requests().len()), (1, 1));
}

#[test]
fn a_file_of_another_checksum_is_not_kept() {
    let server = Server::of_files(vec![("file", b"another file".to_vec())]);
    let (_folder, cache) = cache();
    let error = fetch(&cache, &source(&[server.url("file")])).expect_err("another file").to_string();
    let found = sum(b"another file");
    assert!(error.contains(&format!("has the MD5 sum {found} instead of {}", sum(&contents()))), "{error}");
    assert!(!cache.own.join(NAME).exists());
}

#[test]
fn without_a_network_the_message_says_what_to_put_where() {
    let (_folder, cache) = cache();
    let (one, two) = (refused(), refused());
    let error = fetch(&cache, &source(&[one.clone(), two.clone()])).expect_err("nobody listens").to_string();
    let place = cache.own.join(NAME).display().to_string();
    for part in [NAME, &one, &two, "refused", &place, "OXTORCH_DATA"] {
        assert!(error.contains(part), "{part} in {error}");
    }
}

#[test]
fn a_file_that_was_put_there_by_hand_needs_no_network() {
    let (folder, mut cache) = cache();
    let shared = folder.path().join("shared");
    fs::create_dir_all(shared.join("set")).expect("creates");
    fs::write(shared.join(NAME), contents()).expect("writes");
    cache.shared = vec![shared.clone()];
    assert_eq!(fetch(&cache, &source(&[refused()])).expect("is there"), shared.join(NAME));
    assert!(!cache.own.exists(), "nothing is written");
}

#[test]
fn a_damaged_file_on_disk_is_named() {
    let (_folder, cache) = cache();
    fs::create_dir_all(cache.own.join("set")).expect("creates");
    fs::write(cache.own.join(NAME), "damaged").expect("writes");
    let error = fetch(&cache, &source(&[refused()])).expect_err("damaged").to_string();
    assert!(error.contains("set/file.bin is damaged") && error.contains("Delete it"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let (folder, mut cache) = cache();
    let file = folder.path().join("file");
    fs::write(&file, "").expect("writes");
    cache.own = file.join("data");
    let error = fetch(&cache, &source(&[refused()])).expect_err("a file is not a folder").to_string();
    assert!(
        error.contains("cannot create") && error.contains("file/data/set") && error.contains("OXTORCH_HOME"),
        "{error}"
    );
}

#[test]
fn two_at_once_download_it_once() {
    let (arrives, arrived) = mpsc::channel();
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let server = Server::start(move |_, request, stream| {
        arrives.send(()).expect("the test listens");
        wait.lock().expect("one request at a time").recv().expect("the test says when");
        send(stream, &contents(), request.offset);
    });
    let (_folder, cache) = cache();
    let source = source(&[server.url("file")]);
    std::thread::scope(|scope| {
        let first = scope.spawn(|| fetch(&cache, &source));
        arrived.recv().expect("the first one asks");
        let (waits, waiting) = mpsc::channel();
        let second = scope.spawn({
            let (cache, source) = (&cache, &source);
            move || cache.fetch(source, &|| waits.send(()).unwrap_or_default())
        });
        waiting.recv().expect("the second one waits");
        go.send(()).expect("the server listens");
        for call in [first, second] {
            check_whole(&cache, &call.join().expect("ends").expect("downloads"));
        }
    });
    assert_eq!(server.offsets(), [None]);
}

#[test]
fn an_interrupt_reaches_a_silent_server_and_the_next_call_goes_on() {
    let (silent, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let server = Server::start(move |number, request, stream| {
        if number == 0 {
            head(stream, "200 OK", contents().len(), "");
            let _ = stream.write_all(&contents()[..100_000]);
            // The test ends this when it is over.
            let _ = hold.lock().expect("one such request").recv();
        } else {
            send(stream, &contents(), request.offset);
        }
    });
    let (_folder, cache) = cache();
    let cache = Arc::new(cache);
    let source = source(&[server.url("file")]);
    let part = cache.own.join("set/file.bin.part");
    let interrupt = || {
        if fs::metadata(&part).is_ok_and(|part| part.len() == 100_000) {
            resume_unwind(Box::new("interrupt"));
        }
    };
    let ended = catch_unwind(AssertUnwindSafe(|| cache.fetch(&source, &interrupt)));
    assert!(ended.is_err() && !cache.own.join(NAME).exists());
    check_whole(&cache, &fetch(&cache, &source).expect("downloads"));
    assert_eq!(server.offsets(), [None, Some(100_000)]);
    drop(silent);
}

#[test]
fn a_file_without_a_checksum_is_never_put_together_of_two_halves() {
    let server = Server::of_files(vec![("file", contents())]);
    let (_folder, cache) = cache();
    leave_part(&cache, &[7; 1000]);
    let source = Source::new(NAME, [server.url("file")]);
    check_whole(&cache, &fetch(&cache, &source).expect("downloads"));
    assert_eq!(server.offsets(), [None]);
}

#[test]
fn names_stay_below_the_data_folder() {
    let (_folder, cache) = cache();
    for name in ["", "../escape", "/etc/passwd", "a/../../b"] {
        let error = fetch(&cache, &Source::new(name, [refused()])).expect_err("leads out");
        assert!(matches!(error, DownloadError::Name(_)), "{name}: {error}");
    }
    for (url, name) in [
        ("https://example.org/data/penguins.csv", "web/example.org/data/penguins.csv"),
        ("http://localhost:80/../x?id=3&y", "web/localhost_80/x_id=3_y"),
    ] {
        assert_eq!(name_of(url), name);
    }
}
