//! The libtorch archive from the PyTorch site: the way to libtorch where there is no pip.
//!
//! The site publishes no checksum of it. That it is whole the sums in the archive say; that it is PyTorch's, the site's
//! certificate.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use oxtorch_system::home::{Home, HomeError, create_folder, is_disk_full};
use oxtorch_system::transfer::transfer;

use crate::error::{SetupError, Unusable};
use crate::libtorch::VERSION;
use crate::progress::{Progress, Update, count_bytes};
use crate::run_tool;

/// Where the archives are.
pub(crate) const SITE: &str = "https://download.pytorch.org/libtorch";

/// How often a broken transfer is taken up again.
const TRIES: usize = 4;

/// The part of the address that names the archive for this platform.
fn name(gpu: bool) -> Option<String> {
    match (std::env::consts::OS, std::env::consts::ARCH, gpu) {
        ("linux", "x86_64", false) => Some(format!("cpu/libtorch-shared-with-deps-{VERSION}%2Bcpu.zip")),
        ("linux", "x86_64", true) => Some(format!("cu130/libtorch-shared-with-deps-{VERSION}%2Bcu130.zip")),
        ("macos", "aarch64", _) => Some(format!("cpu/libtorch-macos-arm64-{VERSION}.zip")),
        _ => None,
    }
}

/// What the archive and its contents take on disk.
pub(crate) fn needed_space(gpu: bool) -> u64 {
    if gpu { 9_000_000_000 } else { 1_200_000_000 }
}

/// Gets the archive from `site` and unpacks it into `target`, a new folder, in which `libtorch` appears.
pub(crate) fn install(
    home: &Home,
    site: &str,
    target: &Path,
    gpu: bool,
    progress: &dyn Progress,
) -> Result<(), Unusable> {
    let name = name(gpu).ok_or_else(|| "there is no archive for this platform".to_owned())?;
    // What has arrived stays under this name when a transfer breaks, and the next one goes on there.
    let part = home.place("downloads", &format!("{}.part", name.replace('/', "-")));
    let disk_full = |path| crate::disk_full("the libtorch archive", path, needed_space(gpu));
    if let Some(folder) = part.parent() {
        create_folder(folder).map_err(|error| match is_disk_full(&error) {
            true => disk_full(&part),
            false => HomeError::at("write", &part)(error).into(),
        })?;
    }
    download(&format!("{site}/{name}"), &part, progress, || disk_full(&part))?;
    progress.update(Update::Doing("unpacking"));
    let unpacked = unpack(&part, target);
    // A whole archive has served its end; a damaged one must not be taken up again.
    let _ = fs::remove_file(&part);
    unpacked.map_err(|error| match error {
        zip::result::ZipError::Io(error) if is_disk_full(&error) => disk_full(target).into(),
        error => format!("the download is damaged ({error})").into(),
    })
}

fn unpack(archive: &Path, target: &Path) -> zip::result::ZipResult<()> {
    zip::ZipArchive::new(File::open(archive)?)?.extract(target)
}

/// Transfers what is still missing of `url` to `part`.
fn download(
    url: &str,
    part: &Path,
    progress: &dyn Progress,
    disk_full: impl Fn() -> SetupError,
) -> Result<(), Unusable> {
    let mut why = String::new();
    for _ in 0..TRIES {
        let before = length(part);
        let mut transfer =
            transfer(url, part).ok_or_else(|| "there is neither curl nor wget to download it".to_owned())?;
        let work = || run_tool(&mut transfer, |_| ());
        let output = count_bytes(progress, Duration::from_millis(500), || length(part), work)?;
        if output.status.success() {
            return Ok(());
        }
        if output.is_disk_full() {
            let _ = fs::remove_file(part);
            return Err(disk_full().into());
        }
        why = output.tail(1);
        match length(part) {
            // Nothing came, and there was nothing to go on from: another try would fare no better.
            0 if before == 0 => break,
            // The server would not go on from here: start over.
            after if after == before => drop(fs::remove_file(part)),
            _ => {}
        }
    }
    Err(why.into())
}

fn length(file: &Path) -> u64 {
    file.metadata().map_or(0, |found| found.len())
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::progress::Lines;

    fn archive() -> Vec<u8> {
        let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file("libtorch/build-version", stored).expect("writes to memory");
        writer.write_all(&b"2.13.0+cpu".repeat(20_000)).expect("writes to memory");
        writer.finish().expect("writes to memory").into_inner()
    }

    /// Answers requests until the test ends: `serve` gets the offset that was asked for and the connection. What was
    /// asked for is told to the test.
    fn server(serve: impl Fn(u64, TcpStream) + Send + 'static) -> (String, std::sync::mpsc::Receiver<(String, u64)>) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let site = format!("http://{}/libtorch", listener.local_addr().expect("is bound"));
        let (says, hears) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let connection = connection.expect("connects");
                let lines = BufReader::new(&connection).lines().map_while(Result::ok);
                let request: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
                let range = request.iter().find_map(|line| {
                    let value = line.to_ascii_lowercase();
                    value.strip_prefix("range: bytes=")?.trim_end_matches('-').parse().ok()
                });
                let offset = range.unwrap_or(0);
                if says.send((request[0].clone(), offset)).is_err() {
                    return;
                }
                serve(offset, connection);
            }
        });
        (site, hears)
    }

    fn answer(mut connection: &TcpStream, offset: u64, whole: u64, body: &[u8]) {
        let (status, range) = match offset {
            0 => ("200 OK", String::new()),
            _ => ("206 Partial Content", format!("Content-Range: bytes {offset}-{}/{whole}\r\n", whole - 1)),
        };
        let length = whole - offset;
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{range}Connection: close\r\n\r\n");
        // The program at the other end may hang up early.
        let _ = connection.write_all(head.as_bytes()).and_then(|()| connection.write_all(body));
    }

    /// The folder that was worked in, and what came of it.
    type Tried = (tempfile::TempDir, Result<(), Unusable>);

    fn try_install(site: &str) -> Option<Tried> {
        if transfer(site, Path::new("/")).is_none() || name(false).is_none() {
            eprintln!("skipped: there is no curl or wget here, or no archive for this platform");
            return None;
        }
        let folder = tempfile::tempdir().expect("a temporary folder");
        let home = Home::at(folder.path().join("home"));
        let result = install(&home, site, &folder.path().join("target"), false, &Lines::new(|_| ()));
        Some((folder, result))
    }

    #[test]
    fn a_transfer_that_breaks_goes_on_where_it_was() {
        let whole = archive();
        let length = whole.len() as u64;
        let (site, requests) = server(move |offset, connection| {
            let rest = &whole[offset as usize..];
            // The first answer promises everything and stops half way.
            let sent = if offset == 0 { &rest[..rest.len() / 2] } else { rest };
            answer(&connection, offset, length, sent);
        });
        let Some((folder, result)) = try_install(&site) else { return };
        assert!(result.is_ok(), "{result:?}");
        let unpacked = folder.path().join("target/libtorch/build-version");
        assert_eq!(unpacked.metadata().expect("is there").len(), 200_000);
        let asked: Vec<_> = requests.try_iter().collect();
        assert!(asked[0].0.contains("/libtorch/cpu/libtorch-shared-with-deps-2.13.0%2Bcpu.zip"), "{asked:?}");
        assert_eq!(asked.iter().map(|(_, offset)| *offset).collect::<Vec<_>>(), [0, length / 2]);
        assert_eq!(fs::read_dir(folder.path().join("home/downloads")).expect("is there").count(), 0);
    }

    #[test]
    fn a_truncated_archive_is_an_error_and_is_not_kept() {
        let whole = archive();
        // A proxy cut it and says that this is all.
        let (site, _requests) = server(move |_, connection| answer(&connection, 0, 1000, &whole[..1000]));
        let Some((folder, result)) = try_install(&site) else { return };
        let why = result.expect_err("it is damaged").reason().expect("another source may do");
        assert!(why.starts_with("the download is damaged"), "{why}");
        assert_eq!(fs::read_dir(folder.path().join("home/downloads")).expect("is there").count(), 0);
    }

    #[test]
    fn what_the_server_refuses_is_told() {
        let (site, requests) = server(|_, mut connection| {
            let _ = connection.write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        });
        let Some((_folder, result)) = try_install(&site) else { return };
        let why = result.expect_err("nothing is there").reason().expect("another source may do");
        assert!(why.contains("404"), "{why}");
        assert_eq!(requests.try_iter().count(), 1, "what is not there is not asked for again");
    }
}
