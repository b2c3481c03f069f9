//! Finds the linker that comes with the toolchain, so that it can be called for cells without a C compiler in between.
//!
//! `cc` takes 10 to 15 ms to find out, for each cell anew, what this finds out once.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::child::{ask, command, with_path};
use super::toolchain::Toolchain;

/// A linker to call directly, and what the C compiler would have told it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Linker {
    /// LLVM's linker, which understands what GNU's does.
    pub program: PathBuf,
    /// What every shared library starts with: it holds what a destructor at exit is registered with.
    pub start: PathBuf,
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
    let start = asked(compiler, "-print-file-name=crtbeginS.o")?.trim().to_owned();
    let told = asked(compiler, "-print-search-dirs")?;
    let libraries = told.lines().find_map(|line| line.strip_prefix("libraries: ="))?;
    let mut folders: Vec<PathBuf> = Vec::new();
    for folder in libraries.split(':').filter_map(|folder| Path::new(folder).canonicalize().ok()) {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    let linker = Linker { program, start: start.into(), libraries: folders };
    let usable = linker.program.is_file() && linker.start.is_file() && links(toolchain, &linker);
    usable.then_some(linker)
}

fn asked(compiler: &Path, question: &str) -> Option<String> {
    let answer = ask(command(compiler).arg(question)).ok()?;
    answer.status.success().then_some(answer.stdout)
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
    ask(&mut rustc).is_ok_and(|answer| answer.status.success())
}

impl Linker {
    /// The arguments that make rustc call it.
    pub fn arguments(&self) -> Vec<std::ffi::OsString> {
        let mut arguments = vec![with_path("-Clinker=", &self.program), "-Clinker-flavor=ld.lld".into()];
        // A cell is small: threads cost more than they save.
        arguments.extend(["-Clink-arg=--threads=1".into(), with_path("-Clink-arg=", &self.start)]);
        for folder in &self.libraries {
            arguments.extend(["-L".into(), with_path("native=", folder)]);
        }
        arguments
    }
}
