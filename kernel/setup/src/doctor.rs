//! Looks at everything that Oxtorch needs or uses, and says how to mend what is missing. Changes nothing.

use std::fmt::Write as _;
use std::path::Path;

use oxtorch_system::home::{Home, free_space};
use oxtorch_system::programs::find_program;

use crate::build::{self, sources};
use crate::contents::{self, Look};
use crate::error::{INSTALL_COMPILER, SetupError, Unusable};
use crate::libtorch::{self, gpu, python};
use crate::progress::size;
use crate::shim::{self, other_versions};
use crate::tools::analyzer;
use crate::tools::toolchain::{self, Toolchain};
use crate::{Runtime, known_fit, manifest, prebuilt};

/// What the examination of one thing gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub state: State,
    /// What was found, in a line.
    pub detail: String,
}

/// How one thing is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// As it should be.
    Good,
    /// Not there, and nothing needs it here.
    Optional,
    /// Not as it should be; Oxtorch does not work without it.
    Bad {
        /// The command or the step that mends it.
        mend: String,
    },
}

/// Looks at everything but what Jupyter knows of the kernel.
pub fn examine(home: &Home) -> Vec<Finding> {
    let mut findings = vec![examine_home(home)];
    let toolchain = toolchain::find();
    let is_given = !home.is_writable() || prebuilt::folder().is_some();
    match is_given.then(|| manifest::read(home, Look::Hashes)) {
        // What others have set up or built needs no tools here.
        Some(Ok(runtime)) => findings.extend(examine_installed(&runtime)),
        Some(Err(Unusable::Because(why))) if !home.is_writable() => {
            findings.push(failed("runtime", &SetupError::NotSetUp { home: home.root().to_owned(), why }));
        }
        Some(Err(Unusable::Because(_))) => findings.extend(examine_prebuilt(home, &toolchain)),
        None | Some(Err(Unusable::Failed(_))) => findings.extend(examine_own(home, &toolchain)),
    }
    findings.push(examine_analyzer(toolchain.as_ref().ok()));

    let written = home.own();
    findings.push(match free_space(written.root()) {
        Some(free) => good("disk space", format!("{} free in {}", size(free), written.root().display())),
        None => optional("disk space", "unknown"),
    });
    findings.push(match find_program(["jupyter", "jupyter-lab"]) {
        Some(path) => good("Jupyter", path.display().to_string()),
        None => optional("Jupyter", "not on the search path; `oxtorch run` works without it"),
    });
    findings
}

/// What came with the program and was not used yet, or what there is in place of that.
fn examine_prebuilt(home: &Home, toolchain: &Result<Toolchain, SetupError>) -> Vec<Finding> {
    match prebuilt::examine() {
        Ok(found) => vec![good("runtime", format!("{found}; the first start tries it out"))],
        Err(why) => {
            let mut findings = vec![optional("runtime", &format!("what came with the program cannot be used: {why}"))];
            findings.extend(examine_own(home, toolchain));
            findings
        }
    }
}

/// What an installation that others have made holds.
fn examine_installed(runtime: &Runtime) -> Vec<Finding> {
    let mut findings = vec![good("Rust toolchain", runtime.rustc.display().to_string())];
    findings.extend(runtime.libraries.last().map(|folder| good("libtorch", folder.display().to_string())));
    let shim = runtime.native.iter().map(|folder| good("C++ shim", shim::library(folder).display().to_string()));
    findings.extend(shim);
    findings.push(good("runtime", runtime.library.display().to_string()));
    findings
}

/// What a home of this user's own is made with, and what it holds.
fn examine_own(home: &Home, toolchain: &Result<Toolchain, SetupError>) -> Vec<Finding> {
    let compiler = toolchain::find_compiler();
    let mut findings = vec![
        match toolchain {
            Ok(it) => good("Rust toolchain", format!("{} in {}", it.release(), it.sysroot.display())),
            Err(error) => failed("Rust toolchain", error),
        },
        match &compiler {
            Ok(compiler) => good("C++ compiler", format!("{} ({})", compiler.path.display(), compiler.version)),
            Err(error) => failed("C++ compiler", error),
        },
        match toolchain::find_linker() {
            Some(path) => good("linker", path.display().to_string()),
            None => bad("linker", "no `cc`".to_owned(), INSTALL_COMPILER.to_owned()),
        },
    ];
    findings.extend(examine_python());
    findings.push(match gpu::driver() {
        Some(driver) => good("GPU driver", driver),
        None => optional("GPU driver", "none; tensors live on the CPU"),
    });

    let mut tried = Vec::new();
    let compiler_there = compiler.as_ref().ok();
    let found =
        libtorch::find(home, Look::Hashes, &mut tried, &mut |libtorch| known_fit(home, compiler_there, libtorch));
    findings.extend(
        tried
            .iter()
            .filter(|(source, _)| source.starts_with(libtorch::PYTHONS_TORCH))
            .map(|(source, why)| optional("Python's torch", &format!("{source} {why}; another libtorch is used"))),
    );
    findings.push(match &found {
        Ok(Some(libtorch)) => {
            let (root, origin, version) = (libtorch.root.display(), libtorch.origin, &libtorch.version);
            good("libtorch", format!("{version} in {root} from {origin}"))
        }
        Ok(None) => {
            let damaged = tried.iter().find(|(source, _)| source == libtorch::LEFT_BEHIND);
            let why = damaged.map(|(_, why)| format!(": {why}")).unwrap_or_default();
            bad("libtorch", format!("no libtorch {}{why}", libtorch::VERSION), set_up())
        }
        Err(error) => failed("libtorch", error),
    });
    match (toolchain, &compiler, found.ok().flatten()) {
        (Ok(toolchain), Ok(compiler), Some(libtorch)) => {
            findings.extend(examine_built(home, toolchain, compiler, &libtorch));
        }
        _ => findings.push(bad("runtime", "needs what is missing above".to_owned(), set_up())),
    }
    findings
}

/// Whose the home is, and where sessions write.
fn examine_home(home: &Home) -> Finding {
    let name = "home";
    let root = home.root().display();
    match home.check_trust() {
        Err(error) => bad(name, error.to_string(), error.help()),
        Ok(()) if home.is_apart() => {
            let shared = if home.is_writable() { "" } else { " (an installation that you cannot write to)" };
            good(name, format!("{root}{shared}; your sessions write to {}", home.own().root().display()))
        }
        Ok(()) => good(name, root.to_string()),
    }
}

fn examine_python() -> Vec<Finding> {
    let Some(python) = python::find() else {
        return vec![optional("Python", "none; libtorch then comes from the PyTorch site")];
    };
    let pip = match python::pip_version(&python) {
        Some(version) => good("pip", version),
        None => optional("pip", "none; libtorch then comes from the PyTorch site"),
    };
    vec![good("Python", python.display().to_string()), pip]
}

fn examine_analyzer(toolchain: Option<&Toolchain>) -> Finding {
    let name = "rust-analyzer";
    let how = analyzer::HOW_TO_ADD;
    match analyzer::find(toolchain.map(|toolchain| toolchain.sysroot.as_path())) {
        Some(found) if found.sources.is_some() => {
            good(name, format!("{} ({})", found.program.display(), found.version))
        }
        Some(found) => optional(
            name,
            &format!("{} lacks the sources of the standard library; to add them: {how}", found.program.display()),
        ),
        None => optional(name, &format!("none; Tab knows only the session and `tch`. For all of Rust: {how}")),
    }
}

fn examine_built(
    home: &Home,
    toolchain: &Toolchain,
    compiler: &toolchain::Compiler,
    libtorch: &libtorch::Libtorch,
) -> Vec<Finding> {
    let (version, sources) = match (sources::torch_sys_version(), sources::all()) {
        (Ok(version), Ok(sources)) => (version, sources),
        (Err(error), _) | (_, Err(error)) => {
            return vec![bad("runtime", error.to_string(), "install oxtorch again".to_owned())];
        }
    };
    let place = shim::place(home, &version, libtorch, compiler);
    let library = shim::library(&place);
    let shim = match contents::damage(&place, Look::Hashes) {
        Some(damage) => bad("C++ shim", damage, set_up()),
        None if library.is_file() => good("C++ shim", library.display().to_string()),
        None => bad("C++ shim", "not compiled yet".to_owned(), set_up()),
    };
    let inputs = build::Inputs { sources: &sources, toolchain, libtorch, shim: &place };
    let key = inputs.key();
    let damage = contents::damage(&build::place(home, &key), Look::Hashes);
    let runtime = match damage.map_or_else(|| Ok(build::built(home, &key, inputs)), Err) {
        Err(damage) => bad("runtime", damage, set_up()),
        Ok(Some(runtime)) => good("runtime", runtime.library.display().to_string()),
        Ok(None) => bad("runtime", "not built yet".to_owned(), set_up()),
    };
    let mut findings = vec![shim];
    findings.extend(examine_lacking(&place, libtorch));
    findings.push(runtime);
    findings
}

/// What a libtorch of another version lacks.
fn examine_lacking(shim: &Path, libtorch: &libtorch::Libtorch) -> Option<Finding> {
    let (name, version) = ("functions", &libtorch.version);
    match other_versions::known(shim)? {
        other_versions::Verdict::Fits { lacking } if lacking.is_empty() => {
            Some(good(name, format!("torch {version} has all functions of `tch`")))
        }
        other_versions::Verdict::Fits { lacking } => {
            let (count, names) = (lacking.len(), lacking.join(", "));
            let detail = format!(
                "{count} of `tch` are not in torch {version}, or not as `tch` calls them: {names}; {}",
                other_versions::remedy()
            );
            Some(optional(name, &detail))
        }
        other_versions::Verdict::Unfit { .. } => None,
    }
}

/// Whether nothing that is needed is missing.
pub fn is_well(findings: &[Finding]) -> bool {
    !findings.iter().any(|finding| matches!(finding.state, State::Bad { .. }))
}

/// The findings as lines for a terminal.
pub fn table(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for Finding { name, state, detail } in findings {
        let mark = match state {
            State::Good => "\u{2713}",
            State::Optional => "-",
            State::Bad { .. } => "\u{2717}",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {name:width$}  {detail}");
        if let State::Bad { mend } = state {
            let _ = writeln!(text, "  {:width$}  to fix it: {mend}", "");
        }
    }
    text
}

fn set_up() -> String {
    "oxtorch setup".to_owned()
}

/// A finding of something as it should be.
pub fn good(name: &'static str, detail: String) -> Finding {
    Finding { name, state: State::Good, detail }
}

/// A finding of something that is not there, and that nothing needs.
pub fn optional(name: &'static str, detail: &str) -> Finding {
    Finding { name, state: State::Optional, detail: detail.to_owned() }
}

/// A finding of what cannot be had, for an error that says what mends it.
fn failed(name: &'static str, error: &SetupError) -> Finding {
    bad(name, error.to_string(), error.help().unwrap_or_default())
}

/// A finding of something without which Oxtorch does not work; `mend` is the command or the step that mends it.
pub fn bad(name: &'static str, detail: String, mend: String) -> Finding {
    Finding { name, state: State::Bad { mend }, detail }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_shown_with_what_mends_it() {
        let findings = [
            good("linker", "/usr/bin/cc".into()),
            optional("Jupyter", "none"),
            bad("libtorch", "none".into(), set_up()),
        ];
        assert_eq!(
            table(&findings),
            "\u{2713} linker    /usr/bin/cc\n- Jupyter   none\n\u{2717} libtorch  none\n            to fix it: oxtorch setup\n"
        );
        assert!(!is_well(&findings));
        assert!(is_well(&findings[..2]));
    }

    #[test]
    fn an_empty_home_is_not_well() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let findings = examine(&Home::at(folder.path().join("home")));
        assert!(!is_well(&findings));
        assert!(!folder.path().join("home").exists(), "looking changes nothing");
    }
}
