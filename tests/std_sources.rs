//! The sources of the standard library: rust-analyzer, which evcxr asks for the types of variables, reads them.
//!
//! rustup's component `rust-src` is the place for them. Where it is not installed and Debian's archive can be reached,
//! a package of the same version or a later one serves as well.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What rust-analyzer reads to find them.
pub const VARIABLE: &str = "RUST_SRC_PATH";

/// Debian's package of them.
const PACKAGE: &str = "rust-web-src";

/// Where they are, fetched into `cache` if need be. The error is one line: what is missing.
pub fn find(cache: &Path) -> Result<PathBuf, String> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Ok(named.into());
    }
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let installed = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library");
    if installed.is_dir() {
        return Ok(installed);
    }
    let toolchain = minor_version(&output(Command::new("rustc").arg("--version"))?, "rustc 1.")?;
    let folder = cache.join(format!("std-sources-1.{toolchain}"));
    if !folder.is_dir() {
        fetch(cache, &folder, toolchain)
            .map_err(|error| format!("no rust-src (rustup component add rust-src): {error}"))?;
    }
    Ok(folder.join("library"))
}

/// Gets sources that are no older than the toolchain: evcxr's rust-analyzer cannot tell the type of `vec![1]` from
/// those of Rust 1.85. A list of packages that was not updated for long names old ones, or some that are gone.
fn fetch(cache: &Path, folder: &Path, toolchain: u32) -> Result<(), String> {
    eprintln!("fetching the sources of the standard library");
    let work = cache.join(format!("std-sources-{}", std::process::id()));
    let fetched = (|| {
        let download = |update: bool| {
            let _ = fs::remove_dir_all(&work);
            fs::create_dir_all(&work).map_err(|error| format!("cannot create {}: {error}", work.display()))?;
            let update = if update { "apt-get -qq update; " } else { "" };
            let get = format!("{update}apt-get -qq download {PACKAGE} && ls *.deb");
            let name = output(Command::new("sh").args(["-c", &get]).current_dir(&work))?;
            match minor_version(&name, &format!("{PACKAGE}_1."))? {
                old if old < toolchain => Err(format!("{PACKAGE} is of Rust 1.{old}, older than 1.{toolchain}")),
                _ => Ok(()),
            }
        };
        download(false).or_else(|_| download(true))?;
        let unpack = "dpkg-deb --fsys-tarfile *.deb | tar -x --wildcards --strip-components=4 './usr/src/*/library'";
        output(Command::new("sh").args(["-c", unpack]).current_dir(&work))?;
        fs::rename(&work, folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))
    })();
    let _ = fs::remove_dir_all(&work);
    fetched
}

/// The number behind `before`, which ends in `1.`.
fn minor_version(text: &str, before: &str) -> Result<u32, String> {
    let rest = text.split_once(before).map(|(_, rest)| rest);
    let digits = rest.and_then(|rest| rest.split(|c: char| !c.is_ascii_digit()).next());
    digits.and_then(|digits| digits.parse().ok()).ok_or_else(|| format!("{:?} names no version of Rust 1", text.trim()))
}

/// What a command printed, or the last line of its complaint.
fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(complaint.trim().lines().last().map_or_else(|| output.status.to_string(), str::to_owned))
}
