//! Finds the Rust toolchain and the C++ compiler that build the runtime.

use std::path::{Path, PathBuf};

use oxtorch_system::child::{command, first_line_of, stdout_of};
use oxtorch_system::programs::{find_program, is_executable};

use crate::error::SetupError;

/// The toolchain that Oxtorch is made for: the engine reads this compiler's diagnostics.
pub(crate) const CHANNEL: &str = "1.95.0";
const SERIES: &str = "1.95.";

/// A Rust toolchain, named by its own programs and not by rustup's stand-ins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toolchain {
    /// The compiler.
    pub rustc: PathBuf,
    /// The package manager.
    pub cargo: PathBuf,
    /// The folder above both.
    pub sysroot: PathBuf,
    /// The output of `rustc -vV`.
    pub version: String,
}

impl Toolchain {
    /// The platform that it builds for, such as `x86_64-unknown-linux-gnu`.
    pub fn triple(&self) -> &str {
        self.field("host: ").unwrap_or_default()
    }

    /// Its number, such as `1.95.0`.
    pub fn release(&self) -> &str {
        self.field("release: ").unwrap_or_default()
    }

    fn field(&self, name: &str) -> Option<&str> {
        self.version.lines().find_map(|line| line.strip_prefix(name))
    }

    /// The folder of the standard library as a shared library; only some toolchains have a copy in `lib` itself.
    pub(crate) fn libraries(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib").join(self.triple()).join("lib")
    }
}

/// Finds the toolchain: rustup's of exactly this version, else the `rustc` on the search path if it is of the series.
pub fn find() -> Result<Toolchain, SetupError> {
    let rustup = program("rustup");
    if let Some(rustup) = &rustup
        && let Some(rustc) =
            stdout_of(command(rustup).args(["which", "--toolchain", CHANNEL, "rustc"]).env("RUSTUP_AUTO_INSTALL", "0"))
        && let Some(toolchain) = at(Path::new(rustc.trim()))
    {
        return Ok(toolchain);
    }
    let found = program("rustc").and_then(|rustc| at(&rustc));
    match found {
        Some(toolchain) if toolchain.release().starts_with(SERIES) => Ok(toolchain),
        other => Err(SetupError::NoToolchain {
            found: other.map(|toolchain| toolchain.release().to_owned()),
            rustup: rustup.is_some(),
        }),
    }
}

/// The toolchain that a `rustc`, or rustup's stand-in for one, belongs to.
pub(crate) fn at(rustc: &Path) -> Option<Toolchain> {
    let sysroot = PathBuf::from(stdout_of(command(rustc).args(["--print", "sysroot"]))?.trim());
    let own = sysroot.join("bin").join("rustc");
    let rustc = if is_executable(&own) { own } else { rustc.to_owned() };
    let beside = rustc.with_file_name("cargo");
    let cargo = if is_executable(&beside) { beside } else { program("cargo")? };
    let version = stdout_of(command(&rustc).arg("-vV"))?;
    Some(Toolchain { rustc, cargo, sysroot, version })
}

/// A Rust program on the search path, or where rustup puts it: kernels are often started with a short search path.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    find_program([name]).or_else(|| {
        let cargo_home =
            std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(dirs::home_dir()?.join(".cargo")))?;
        Some(cargo_home.join("bin").join(name)).filter(|path| is_executable(path))
    })
}

/// A C++ compiler.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compiler {
    /// The program.
    pub path: PathBuf,
    /// The first line of its `--version`.
    pub version: String,
}

/// Finds the C++ compiler: `CXX`, else the usual names.
pub fn find_compiler() -> Result<Compiler, SetupError> {
    let named = std::env::var("CXX").ok().filter(|name| !name.trim().is_empty());
    let path = match &named {
        Some(name) if name.contains('/') => Some(PathBuf::from(name)).filter(|path| is_executable(path)),
        Some(name) => find_program([name.as_str()]),
        None => find_program(["c++", "g++", "clang++"]),
    };
    let compiler = path.and_then(|path| {
        let version = first_line_of(command(&path).arg("--version")).filter(|version| !version.is_empty())?;
        Some(Compiler { path, version })
    });
    compiler.ok_or(SetupError::NoCompiler { named })
}

/// The linker driver that rustc calls, if there is one.
pub(crate) fn find_linker() -> Option<PathBuf> {
    find_program(["cc"])
}

/// Whether there is what builds a runtime and a shim.
pub(crate) fn can_build() -> bool {
    find().is_ok() && find_compiler().is_ok() && find_linker().is_some()
}
