//! The sources of the standard library: rust-analyzer, which evcxr asks for the types of variables, reads them.
//!
//! rustup's component `rust-src` is the place for them. Where it is not installed and Debian's archive can be reached, a
//! package of nearly the same version serves as well.

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
    let folder = cache.join("std-sources");
    if !folder.is_dir() {
        fetch(cache, &folder).map_err(|error| format!("no rust-src (rustup component add rust-src): {error}"))?;
    }
    Ok(folder.join("library"))
}

fn fetch(cache: &Path, folder: &Path) -> Result<(), String> {
    eprintln!("fetching the sources of the standard library");
    let work = cache.join(format!("std-sources-{}", std::process::id()));
    let fetched = (|| {
        fs::create_dir_all(&work).map_err(|error| format!("cannot create {}: {error}", work.display()))?;
        let download = |update: bool| {
            let update = if update { "apt-get -qq update && " } else { "" };
            output(
                Command::new("sh").args(["-c", &format!("{update}apt-get -qq download {PACKAGE}")]).current_dir(&work),
            )
        };
        download(false).or_else(|_| download(true))?;
        let unpack = "dpkg-deb --fsys-tarfile *.deb | tar -x --wildcards --strip-components=4 './usr/src/*/library'";
        output(Command::new("sh").args(["-c", unpack]).current_dir(&work))?;
        fs::rename(&work, folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))
    })();
    let _ = fs::remove_dir_all(&work);
    fetched
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
