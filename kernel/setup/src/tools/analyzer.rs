//! Finds rust-analyzer, which completes and explains code while it is typed, and the sources of the standard library
//! that it reads. Nothing needs it: without it the kernel tells what it knows itself.

use std::path::{Path, PathBuf};

use oxtorch_system::child::{command, first_line_of};
use oxtorch_system::programs::is_executable;

/// Names the program to use; empty, it says that none shall be used.
pub const VARIABLE: &str = "OXTORCH_RUST_ANALYZER";

const PROGRAM: &str = "rust-analyzer";

/// Where the sources lie below the folder that a toolchain or a distribution's packages are installed in.
const SOURCES: &str = "lib/rustlib/src/rust/library";

/// How to get it.
pub const HOW_TO_ADD: &str = "rustup component add rust-analyzer rust-src";

/// A rust-analyzer that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analyzer {
    /// The program.
    pub program: PathBuf,
    /// What it says of its version.
    pub version: String,
    /// The sources of the standard library.
    pub sources: Option<PathBuf>,
}

/// Finds the rust-analyzer for a toolchain, named by the folder that it is installed in.
///
/// rustup has a stand-in for it on the search path also where the component is missing, so each candidate has to say
/// its version.
pub fn find(sysroot: Option<&Path>) -> Option<Analyzer> {
    let named = std::env::var_os(VARIABLE).map(PathBuf::from);
    let candidates = match named {
        Some(named) if named.as_os_str().is_empty() => return None,
        Some(named) => vec![named],
        None => candidates(sysroot),
    };
    let (version, program) = candidates.into_iter().find_map(|program| Some((version(&program)?, program)))?;
    let sources = sources(sysroot, &program);
    Some(Analyzer { program, version, sources })
}

/// Beside the compiler, then on the search path.
fn candidates(sysroot: Option<&Path>) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let beside = sysroot.map(|sysroot| sysroot.join("bin"));
    beside.into_iter().chain(std::env::split_paths(&path)).map(|folder| folder.join(PROGRAM)).collect()
}

fn version(program: &Path) -> Option<String> {
    let line = is_executable(program).then(|| first_line_of(command(program).arg("--version")))??;
    Some(line.trim_start_matches(PROGRAM).trim().to_owned())
}

fn sources(sysroot: Option<&Path>, program: &Path) -> Option<PathBuf> {
    let named = std::env::var_os("RUST_SRC_PATH").filter(|named| !named.is_empty()).map(PathBuf::from);
    let beside = program.parent().and_then(Path::parent);
    let roots = [sysroot, beside, Some(Path::new("/usr"))];
    let places = roots.into_iter().flatten().map(|root| root.join(SOURCES));
    named.into_iter().chain(places).find(|place| place.join("core/src/lib.rs").is_file())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_sources_are_those_of_the_toolchain_where_it_has_them() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let core = folder.path().join(SOURCES).join("core/src");
        std::fs::create_dir_all(&core).expect("folders");
        std::fs::write(core.join("lib.rs"), "").expect("writes");
        assert_eq!(
            sources(Some(folder.path()), Path::new("/nowhere/bin/rust-analyzer")),
            Some(folder.path().join(SOURCES))
        );
    }

    #[test]
    fn a_stand_in_that_does_not_run_is_none() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = |name: &str, script: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, script).expect("writes");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("may be run");
            path
        };
        assert_eq!(version(&program("stand-in", "#!/bin/sh\necho 'component is missing' >&2\nexit 1\n")), None);
        let real = program("real", "#!/bin/sh\necho 'rust-analyzer 1.95.0 (5980761 2026-04-14)'\n");
        assert_eq!(version(&real).as_deref(), Some("1.95.0 (5980761 2026-04-14)"));
        assert_eq!(version(&folder.path().join("none")), None);
    }
}
