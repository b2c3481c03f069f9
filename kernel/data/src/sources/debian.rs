//! Packages of Debian and Ubuntu, by apt, which checks the archive's signature on them.

use std::fs;
use std::path::{Path, PathBuf};

use oxtorch_system::child::{Output, command};

use super::{Tools, failed, no_tool, run_client};
use crate::catalogue::Entry;
use crate::error::DataError;

/// Gets the version that the archive has: of the version in the catalogue it may have none, and the data in another one
/// may be the same.
pub(super) fn download(entry: &Entry, folder: &Path, tools: &Tools) -> Result<PathBuf, DataError> {
    const HELP: &str = "this works on Debian, Ubuntu and what is made of them alone";
    let apt_get = tools.apt_get.as_deref().ok_or_else(|| no_tool(entry, "apt-get", HELP))?;
    tools.dpkg_deb()?;
    let mut apt = command(apt_get);
    apt.args(["-q", "download", &entry.package]).current_dir(folder).env("LC_ALL", "C");
    let output = run_client(entry, folder, &mut apt)?;
    let brought = fs::read_dir(folder).map_err(DataError::at("read", folder))?;
    let mut paths = brought.filter_map(|found| Some(found.ok()?.path()));
    match paths.find(|path| path.extension().is_some_and(|ending| ending == "deb")) {
        Some(file) if output.status.success() => Ok(file),
        _ => Err(failed(entry, "apt-get", errors(&output))),
    }
}

/// What apt says went wrong, and what to do if it knows no packages yet.
fn errors(output: &Output) -> String {
    let all = output.all();
    let said: Vec<&str> = all.lines().filter_map(|line| line.strip_prefix("E: ")).collect();
    let unknown = said.iter().any(|line| line.contains("Unable to locate") || line.contains("no candidate"));
    let advice = if unknown { ". Its lists may be old or empty: sudo apt-get update" } else { "" };
    if said.is_empty() { format!("it ended with {}", output.status) } else { format!("{}{advice}", said.join("; ")) }
}
