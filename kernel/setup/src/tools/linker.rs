//! Finds the linker that comes with the toolchain, so that it can be called for cells without a C compiler in between.
//!
//! `cc` takes about 9 of a cell's 120 ms to find out, for each cell anew, what this finds out once.

use std::path::{Path, PathBuf};

use oxtorch_system::child::{command, stdout_of, with_path};
use serde::{Deserialize, Serialize};

use crate::tools::toolchain::Toolchain;

/// A linker to call directly, and what the C compiler would have told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linker {
    /// LLVM's linker, which understands what GNU's does.
    pub program: PathBuf,
    /// What every shared library holds: what a destructor at exit is registered with, and the ends of tables.
    pub objects: Vec<PathBuf>,
    /// Where the C library and those beside it lie.
    pub libraries: Vec<PathBuf>,
}

/// Uses what a cell may need of the C library: a thread local with a destructor, and the mathematics.
const PROBE: &str = "thread_local! { pub static CELL: std::cell::RefCell<Vec<f64>> = Default::default(); }
pub fn run(x: f64) -> f64 { CELL.with(|cell| cell.borrow_mut().push(x)); x.sin().powf(x) }
";

/// The toolchain's linker, if it has one that links a library here.
pub(crate) fn find(toolchain: &Toolchain, compiler: &Path) -> Option<Linker> {
    if !cfg!(target_os = "linux") {
        return None;
    }
    let program = toolchain.libraries().with_file_name("bin").join("rust-lld");
    let start = asked(compiler, "-print-file-name=crtbeginS.o")?;
    let end = asked(compiler, "-print-file-name=crtendS.o")?;
    let told = asked(compiler, "-print-search-dirs")?;
    let libraries = told.lines().find_map(|line| line.strip_prefix("libraries: ="))?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in libraries.split(':').filter_map(|folder| Path::new(folder).canonicalize().ok()) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    Linker { program, objects: vec![start.into(), end.into()], libraries: folders }.tried_out(toolchain)
}

/// The toolchain's linker with a folder that has what it needs of a C toolchain: libraries that are nothing but lists
/// of what the C library has, and an object.
pub(crate) fn alone(toolchain: &Toolchain, folder: &Path) -> Option<Linker> {
    let program = toolchain.libraries().with_file_name("bin").join("rust-lld");
    Linker { program, objects: vec![folder.join("start.o")], libraries: vec![folder.to_owned()] }.tried_out(toolchain)
}

fn asked(compiler: &Path, question: &str) -> Option<String> {
    Some(stdout_of(command(compiler).arg(question))?.trim().to_owned())
}

/// Whether it links a library, tried out.
fn links(toolchain: &Toolchain, linker: &Linker) -> bool {
    let Ok(folder) = tempfile::tempdir() else { return false };
    let source = folder.path().join("probe.rs");
    if std::fs::write(&source, PROBE).is_err() {
        return false;
    }
    let mut rustc = command(&toolchain.rustc);
    rustc.current_dir(folder.path()).arg(source).args(["--crate-type", "dylib", "-C", "prefer-dynamic"]);
    rustc.args(linker.arguments());
    stdout_of(&mut rustc).is_some()
}

impl Linker {
    fn tried_out(self, toolchain: &Toolchain) -> Option<Self> {
        let usable = self.files().all(Path::is_file) && links(toolchain, &self);
        usable.then_some(self)
    }

    /// What must be there for it to work.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&self.program).chain(&self.objects).map(PathBuf::as_path)
    }

    /// The arguments that make rustc call it.
    pub fn arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = vec![with_path("-Clinker=", &self.program), "-Clinker-flavor=ld.lld".into()];
        // A cell is small: threads cost more than they save.
        arguments.push("-Clink-arg=--threads=1".into());
        arguments.extend(self.objects.iter().map(|object| with_path("-Clink-arg=", object)));
        for folder in &self.libraries {
            arguments.extend(["-L".into(), with_path("native=", folder)]);
        }
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tools::toolchain;

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn the_toolchains_own_linker_links() {
        let toolchain = toolchain::find().expect("the tests run with a toolchain");
        let compiler = toolchain::find_compiler().expect("the tests run with a C++ compiler");
        let linker = find(&toolchain, &compiler.path).expect("rust-lld comes with the toolchain");
        assert!(linker.program.starts_with(toolchain.libraries().parent().expect("lies in a folder")));
    }
}
