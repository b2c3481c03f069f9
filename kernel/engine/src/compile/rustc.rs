//! Calls rustc for one crate, and reads what it says.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command as StdCommand, ExitStatus, Stdio};

use anyhow::Context;
use oxtorch_setup::{Linker, Runtime};
use oxtorch_system::child::{end_with_parent, with_path};
use oxtorch_system::home::key;
use ra_ap_rustc_lexer::TokenKind;
use rustix::process::{Pid, setpriority_process};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::compile::deps::{Links, OFFERED};
use crate::crate_names::crate_name;
use crate::diagnostic::Diagnostic;
use crate::source::words::tokens;

/// As `nice` counts, where 0 is usual and 19 the lowest.
const LOW_PRIORITY: i32 = 10;

/// What became of a call.
#[derive(Debug)]
pub struct Compiled {
    /// The library, if there were no errors.
    pub library: Option<PathBuf>,
    /// All messages.
    pub diagnostics: Vec<Diagnostic>,
    /// What rustc wrote that is no message (a crash).
    pub other: String,
    /// How it ended.
    pub status: ExitStatus,
}

impl Compiled {
    /// The errors to draw. "aborting due to 2 previous errors" has no place and says nothing.
    pub fn placed_errors(&self) -> Vec<&Diagnostic> {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.is_error() && !diagnostic.spans.is_empty()).collect()
    }
}

/// What a crate is compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To be run, for a user who waits.
    Run,
    /// To be run later, perhaps: whatever else the machine has to do goes first.
    RunLater,
    /// For the messages alone.
    Check,
}

/// What to compile.
#[derive(Debug, Clone, Copy)]
pub struct Crate<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its source.
    pub source: &'a str,
    /// The crates of earlier cells that it names.
    pub crates: &'a BTreeSet<String>,
    /// How deep its stages stand one in the other.
    pub depth: usize,
    /// How far to optimise, 0 to 3.
    pub opt_level: u8,
    /// Whether it is compiled for code, with flags of ours and types that are named in full, or for a reader of errors.
    pub full_paths: bool,
    /// The unstable features that what is ours in it needs.
    pub features: &'a BTreeSet<&'static str>,
    /// The crates that the session has asked for.
    pub links: &'a Links,
    /// Further crates that it names.
    pub externs: &'a [(String, PathBuf)],
    /// What it is compiled for.
    pub purpose: Purpose,
    /// Whether it may have no unsafe code, whatever it says itself.
    pub only_safe: bool,
}

impl Crate<'_> {
    /// Whether it takes generic functions from the crates below it where they are compiled there, as rustc does by
    /// itself where it does not optimise. Those of earlier cells may be slow ones, and are not inlined, so a cell that
    /// names an earlier one compiles its own. A loop over numbers may get slower by it, so a cell without tensors does
    /// without.
    fn takes_compiled(&self) -> bool {
        let mut tokens = tokens(self.source);
        self.opt_level >= 2
            && self.crates.is_empty()
            && tokens.any(|(kind, at)| kind == TokenKind::Ident && &self.source[at] == "Tensor")
    }
}

/// The compiler of a session's cells.
#[derive(Debug, Clone)]
pub struct Rustc {
    runtime: Runtime,
    dir: PathBuf,
    /// Where the sources are, which cells may have to be kept from.
    sources: PathBuf,
    /// Everything but a crate's own source that decides what it is compiled to.
    identity: String,
}

/// So many stages, one in the other, are read with the stack that rustc has by itself, 8 MB.
const USUAL_DEPTH: usize = 128;

/// How much of rustc's stack each stage may take, in bytes; four times what it was seen to take.
const STACK_PER_LEVEL: usize = 64 << 10;

/// What is the same for all crates.
const FLAGS: [&str; 5] = [
    "-Cprefer-dynamic",
    "-Cdebuginfo=line-tables-only",
    "-Ctarget-cpu=native",
    "-Coverflow-checks=on",
    "-Cembed-bitcode=no",
];

/// What is wrong where the user, or a program that cleans up, has removed what a session has compiled.
pub const CELLS_GONE: &str = "the compiled earlier cells are gone: something has removed them from the disk";

impl Rustc {
    /// Compiles into `dir`.
    pub fn new(runtime: Runtime, dir: PathBuf) -> Self {
        let identity = identity(&runtime);
        Self { runtime, sources: dir.clone(), dir, identity }
    }

    /// The same with the sources in another folder, which has to be there.
    pub fn with_sources_in(self, sources: PathBuf) -> Self {
        Self { sources, ..self }
    }

    /// Where a crate's source lies.
    pub fn source(&self, name: &str) -> PathBuf {
        self.sources.join(format!("{name}.rs"))
    }

    /// Where its library lies.
    pub fn library(&self, name: &str) -> PathBuf {
        self.dir.join(format!("lib{name}.so"))
    }

    /// What cells are compiled against.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// The folder of the toolchain.
    pub fn sysroot(&self) -> Option<&Path> {
        self.runtime.rustc.parent()?.parent()
    }

    /// The folder that holds the compiled crates.
    pub fn folder(&self) -> &Path {
        &self.dir
    }

    /// The name of the crate with this source: the same wherever it is compiled to the same.
    pub fn crate_name(&self, opt_level: u8, source: &str) -> String {
        crate_name(&self.identity, opt_level, source)
    }

    /// Compiles one crate. Dropping the future ends rustc.
    pub async fn compile(&self, krate: Crate<'_>) -> anyhow::Result<Compiled> {
        // Named without its folder, as `file!()` and `dbg!` are to show it.
        let file = format!("{}.rs", krate.name);
        let source = self.source(krate.name);
        let written = tokio::fs::write(&source, krate.source).await;
        if written.is_err() && !self.dir.is_dir() {
            anyhow::bail!(CELLS_GONE);
        }
        written.with_context(|| format!("cannot write the cell's source to {}", source.display()))?;
        let library = self.library(krate.name);
        let mut command = self.command(krate, &file, &library);
        let not_started = || format!("cannot start {}", self.runtime.rustc.display());
        let child = command.spawn().with_context(not_started)?;
        if krate.purpose == Purpose::RunLater
            && let Some(pid) = child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()))
        {
            // It is done all the same where the system does not allow this.
            let _ = setpriority_process(Some(pid), LOW_PRIORITY);
        }
        let output = child.wait_with_output().await.with_context(not_started)?;
        let mut compiled =
            Compiled { library: None, diagnostics: Vec::new(), other: String::new(), status: output.status };
        for line in String::from_utf8_lossy(&output.stderr).lines() {
            match serde_json::from_str::<Diagnostic>(line) {
                Ok(diagnostic) => compiled.diagnostics.push(diagnostic),
                Err(_) => {
                    compiled.other.push_str(line);
                    compiled.other.push('\n');
                }
            }
        }
        compiled.library = output.status.success().then_some(library);
        Ok(compiled)
    }

    /// What stands before an argument for the linker, where a C compiler calls it.
    fn to_linker(&self) -> &'static str {
        if self.runtime.linker.is_some() { "" } else { "-Wl," }
    }

    /// What the macros of a source make of it. Names that the source lacks do not matter, so it is no whole crate and
    /// links nothing; what cannot be expanded is left out.
    pub async fn expand(&self, source: &str, links: &Links) -> anyhow::Result<String> {
        let mut command = self.rustc();
        command
            .args(["-", "--edition", "2024", "--crate-type", "lib", "--crate-name", "expansion"])
            .args(["-Zunpretty=expanded", "--cap-lints=allow"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        self.search(&mut command, links);
        command.env("RUSTC_BOOTSTRAP", "expansion");
        let mut command = ending_when_dropped(command);
        let starts = || format!("cannot start {}", self.runtime.rustc.display());
        let mut child = command.spawn().with_context(starts)?;
        if let Some(mut stdin) = child.stdin.take() {
            // rustc reads all of it before it writes anything; one that has ended says so by what it wrote.
            let _ = stdin.write_all(source.as_bytes()).await;
        }
        let output = child.wait_with_output().await.with_context(starts)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn linking(&self, name: &str) -> Vec<OsString> {
        let mut arguments = self.runtime.linker.as_ref().map(Linker::arguments).unwrap_or_default();
        let to_linker = self.to_linker();
        arguments.push(format!("-Clink-arg={to_linker}-soname=lib{name}.so").into());
        arguments.push(format!("-Clink-arg={to_linker}-rpath=$ORIGIN").into());
        arguments
    }

    /// Says where the crates are that a source may name.
    fn search(&self, command: &mut StdCommand, links: &Links) {
        // `--extern` is for what a cell names itself: the library of a set looks for the runtime in its folder.
        let runtime = self.runtime.library.parent().filter(|_| !links.externs.is_empty()).map(Path::to_owned);
        for dir in self.runtime.dependencies.iter().chain(&runtime).chain(&links.folders) {
            look_in(command, "dependency", dir);
        }
        for (name, file) in &links.externs {
            give_crate(command, name, file);
        }
    }

    /// rustc as it is called for any crate: flags of the user's own builds must not change what that is.
    fn rustc(&self) -> StdCommand {
        let mut command = StdCommand::new(&self.runtime.rustc);
        command.current_dir(&self.sources);
        for variable in ["RUSTFLAGS", "RUSTC_WRAPPER", "RUSTC_LOG", "RUSTC_BOOTSTRAP"] {
            command.env_remove(variable);
        }
        end_with_parent(&mut command);
        command
    }

    fn command(&self, krate: Crate<'_>, file: &str, library: &Path) -> Command {
        let is_checked = krate.purpose == Purpose::Check;
        let mut command = self.rustc();
        command
            .arg(file)
            .args(["--edition", "2024", "--crate-type", "dylib", "--crate-name", krate.name])
            .args(["--error-format", "json"])
            // Tells the types of variables, whatever the cell says of lints.
            .args(["--force-warn", "unused_results"])
            .args(FLAGS)
            // Where a session keeps its crates must not change what they are.
            .arg(remap(&self.sources))
            .args(["-C", &format!("opt-level={}", krate.opt_level)])
            // A later cell finds the library by this name, loaded already or beside itself.
            .args(self.linking(krate.name))
            .arg("-o")
            .arg(if is_checked { library.with_extension("checked") } else { library.to_owned() })
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        give_crate(&mut command, "oxtorch", &self.runtime.library);
        look_in(&mut command, "dependency", &self.dir);
        if is_checked {
            command.args(["--emit", "metadata"]);
        }
        let is_given = |name: &str| krate.externs.iter().chain(&krate.links.externs).any(|(given, _)| given == name);
        for (name, file) in OFFERED.iter().filter_map(|name| self.runtime.crates.get_key_value(*name)) {
            if !is_given(name) {
                give_crate(&mut command, name, file);
            }
        }
        krate.externs.iter().for_each(|(name, file)| give_crate(&mut command, name, file));
        self.search(&mut command, krate.links);
        for dir in &krate.links.folders {
            command.arg(with_path(&format!("-Clink-arg={}-rpath=", self.to_linker()), dir));
        }
        for dir in self.runtime.native.iter().chain(&krate.links.native) {
            look_in(&mut command, "native", dir);
        }
        krate.crates.iter().for_each(|name| give_crate(&mut command, name, &self.library(name)));
        if krate.only_safe {
            command.args(["--forbid", "unsafe_code"]);
        }
        if krate.depth > USUAL_DEPTH {
            command.env("RUST_MIN_STACK", (krate.depth * STACK_PER_LEVEL).to_string());
        }
        if krate.full_paths {
            // A long type would be cut in the middle to fit a terminal.
            command.args(["-Ztrim-diagnostic-paths=no", "--diagnostic-width=100000"]);
            if krate.takes_compiled() {
                // What was put into the cell before code is generated is no longer a function that the runtime has.
                // LLVM inlines later, and what asks for it, as iterators do, is still put there.
                command.args(["-Zshare-generics=yes", "-Zinline-mir-threshold=0"]);
            }
        }
        if krate.full_paths || !krate.features.is_empty() {
            // That is for us: a cell may use what is stable.
            let features: Vec<&str> = krate.features.iter().copied().collect();
            command.env("RUSTC_BOOTSTRAP", krate.name).arg(format!("-Zallow-features={}", features.join(",")));
        }
        ending_when_dropped(command)
    }
}

/// Has rustc know a crate by a name.
pub fn give_crate(command: &mut StdCommand, name: &str, file: &Path) {
    command.arg("--extern").arg(with_path(&format!("{name}="), file));
}

/// Has rustc look into a folder for crates below others, `dependency`, or for libraries of C, `native`.
pub fn look_in(command: &mut StdCommand, kind: &str, folder: &Path) {
    command.arg("-L").arg(with_path(&format!("{kind}="), folder));
}

fn ending_when_dropped(command: StdCommand) -> Command {
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

fn remap(dir: &Path) -> OsString {
    let mut argument = with_path("--remap-path-prefix=", dir);
    argument.push("=cells");
    argument
}

/// The parts of the engine that decide what is learnt of a crate and kept with it. Another version of them must not
/// read what this one has kept.
const LEARNING: [&str; 12] = [
    include_str!("../crate_names.rs"),
    include_str!("../diagnostic.rs"),
    include_str!("mod.rs"),
    include_str!("../emit/emission.rs"),
    include_str!("../emit/handed_on.rs"),
    include_str!("../emit/repair.rs"),
    include_str!("rustc.rs"),
    include_str!("../plan/opaque.rs"),
    include_str!("../plan/variables.rs"),
    include_str!("../report/notes/unused.rs"),
    include_str!("../source/instrument/numbers.rs"),
    include_str!("../source/words.rs"),
];

/// Names the runtime as it was built, the flags, what reads rustc's answers, and the processor, which
/// `target-cpu=native` compiles for: a home may be shared by different machines.
fn identity(runtime: &Runtime) -> String {
    let built = runtime.library.metadata().ok().map(|found| (found.len(), found.modified().ok()));
    let others = format!("{} {built:?} {FLAGS:?} {}", runtime.key, processor());
    key([others.as_bytes()].into_iter().chain(LEARNING.map(str::as_bytes)))
}

/// The processor's model and what it can do, as far as the system tells.
fn processor() -> String {
    let told = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let wanted = ["model name", "flags", "CPU part", "Features"];
    let lines = told.lines().take_while(|line| !line.is_empty());
    let lines = lines.filter(|line| wanted.iter().any(|wanted| line.starts_with(wanted)));
    lines.fold(std::env::consts::ARCH.to_owned(), |told, line| told + "\n" + line)
}
