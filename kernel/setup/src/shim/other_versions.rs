//! Makes the shim fit a libtorch of another version than the one that `tch` goes with, so that the PyTorch that is
//! there can be used.
//!
//! Of some 2,600 wrappers a handful call what a near version has not, or not in that form. The compiler says which;
//! these report an error when they are called, and the rest is compiled as it is. A self-test then shows whether what
//! notebooks are made of works. Whatever comes of it is kept, so it is found out once for each libtorch.

use std::fs;
use std::path::Path;
use std::process::Command;

use oxtorch_system::child::{Output, command};
use oxtorch_system::home::{Home, HomeError};

use super::wrappers::{read_refusals, reduce};
use crate::contents::Look;
use crate::error::{SetupError, Unusable};
use crate::libtorch::{Libtorch, VERSION};
use crate::progress::{Part, Progress};
use crate::run_tool;
use crate::shim::{self, Attempt};
use crate::tools::toolchain::Compiler;

/// A version that lacks more functions than this is too far away.
const MOST_LACKING: usize = 100;

/// How often the sources are compiled. What is refused shows in the first round, unless it stands behind something
/// else that is.
const ROUNDS: usize = 4;

const SELF_TEST: &str = include_str!("self_test.cpp");

/// How it is done, besides what every shim is compiled by: done in another way, something else may come of it.
pub(super) const METHOD: [&str; 2] = [include_str!("other_versions.rs"), SELF_TEST];

/// Beside a shim: the functions that it lacks.
const LACKING: &str = "lacking.json";
/// In the place of a shim: why there is none.
const UNFIT: &str = "unfit.txt";

/// What is known of a libtorch of another version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The shim fits.
    Fits {
        /// What `tch` calls the functions that this libtorch lacks.
        lacking: Vec<String>,
    },
    /// It does not.
    Unfit {
        /// Why.
        why: String,
    },
}

impl Verdict {
    /// Whether it fits; else why not, for people.
    pub(crate) fn into_result(self, libtorch: &Libtorch) -> Result<(), Unusable> {
        match self {
            Self::Fits { .. } => Ok(()),
            Self::Unfit { why } => Err(format!("is version {}, not {VERSION}, and {why}", libtorch.version).into()),
        }
    }
}

/// What an earlier trial found out.
pub(crate) fn known(place: &Path) -> Option<Verdict> {
    if let Ok(why) = fs::read_to_string(place.join(UNFIT)) {
        return Some(Verdict::Unfit { why });
    }
    let lacking = fs::read(place.join(LACKING)).ok()?;
    let lacking = serde_json::from_slice(&lacking).ok()?;
    shim::is_whole(place, Look::Hashes).then_some(Verdict::Fits { lacking })
}

/// Compiles a shim for a libtorch of another version and tests it.
pub(crate) fn fit(
    home: &Home,
    place: &Path,
    torch_sys: &Path,
    libtorch: &Libtorch,
    compiler: &Compiler,
    progress: &dyn Progress,
) -> Result<Verdict, SetupError> {
    let attempt = Attempt::new(home, torch_sys, libtorch, compiler)?;
    let tried = || {
        progress.part(Part::Shim, None);
        progress.step(&format!("Fitting the C++ shim to torch {} of {}", libtorch.version, libtorch.origin));
        let lacking = compile(&attempt, libtorch)?;
        let finished = attempt.link()?;
        progress.step(&format!("Testing the C++ shim with torch {}", libtorch.version));
        if let Some(why) = fails(&attempt, &shim::library(&finished), libtorch)? {
            return Err(format!("fails the self-test: {why}").into());
        }
        let list = serde_json::to_vec_pretty(&lacking).map_err(|error| SetupError::Sources(error.to_string()))?;
        home.write(&finished.join(LACKING), &list)?;
        home.finish(&finished, place)?;
        Ok(lacking)
    };
    match tried() {
        Ok(lacking) => Ok(Verdict::Fits { lacking }),
        Err(Unusable::Because(why)) => {
            home.write(&place.join(UNFIT), why.as_bytes())?;
            Ok(Verdict::Unfit { why })
        }
        // The tools fail for a reason of their own: that is not kept.
        Err(Unusable::Failed(SetupError::Shim { log })) => {
            Ok(Verdict::Unfit { why: format!("its shim cannot be built here: {}", one_line(&log)) })
        }
        Err(Unusable::Failed(error)) => Err(error),
    }
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join("; ")
}

/// Compiles all sources, without the wrappers that the compiler refuses; gives what `tch` calls these, or why it
/// cannot be done.
fn compile(attempt: &Attempt<'_>, libtorch: &Libtorch) -> Result<Vec<String>, Unusable> {
    let mut lacking = Vec::new();
    let mut sources = attempt.sources()?;
    for _ in 0..ROUNDS {
        let mut again = Vec::new();
        for (source, output) in sources.iter().zip(attempt.compile(&sources)?) {
            if output.status.success() {
                continue;
            }
            if output.is_disk_full() || output.all().contains("Killed signal") {
                // That says nothing of this libtorch.
                attempt.succeeded(&output)?;
            }
            let text = fs::read_to_string(source).map_err(HomeError::at("read", source))?;
            let refusals = read_refusals(&output.stderr, &source.display().to_string());
            let reduced = reduce(&text, &refusals, |name| report(name, &libtorch.version))?;
            lacking.extend(reduced.lacking);
            let rest = attempt.folder().join(source.file_name().unwrap_or_default());
            fs::write(&rest, reduced.source).map_err(HomeError::at("write", &rest))?;
            again.push(rest);
        }
        if again.is_empty() {
            lacking.sort();
            return Ok(lacking);
        }
        if lacking.len() > MOST_LACKING {
            return Err(format!("lacks {} functions of torch {VERSION}", lacking.len()).into());
        }
        sources = again;
    }
    Err(format!("still lacks something after {} functions were left out", lacking.len()).into())
}

/// What the call of a function that is lacking reports.
fn report(name: &str, version: &str) -> String {
    format!("`{name}` is not in torch {version}, or not as `tch` calls it; {}", remedy())
}

/// How to have everything.
pub(crate) fn remedy() -> String {
    format!("to have torch {VERSION} instead, run `oxtorch setup --exact` and restart the kernel")
}

/// Builds and runs the self-test; gives what fails.
fn fails(attempt: &Attempt<'_>, shim: &Path, libtorch: &Libtorch) -> Result<Option<String>, SetupError> {
    let program = attempt.folder().join("self-test");
    attempt.succeeded(&compile_self_test(attempt.tool(), attempt.folder(), &program)?)?;
    run_self_test(&program, shim, libtorch, attempt.folder())
}

/// Compiles the self-test, whose source goes into `work`.
pub(crate) fn compile_self_test(mut compiler: Command, work: &Path, program: &Path) -> Result<Output, SetupError> {
    let source = work.join("self_test.cpp");
    fs::write(&source, SELF_TEST).map_err(HomeError::at("write", &source))?;
    // The shim calls back into what loads it.
    compiler.args(["-std=c++17", "-w", "-rdynamic", "-o"]).arg(program).arg(&source).arg("-ldl");
    run_tool(&mut compiler, |_| ())
}

/// Runs a self-test that was built earlier, with files of its own in `work`; gives what fails.
pub(crate) fn run_self_test(
    program: &Path,
    shim: &Path,
    libtorch: &Libtorch,
    work: &Path,
) -> Result<Option<String>, SetupError> {
    let mut test = command(program);
    test.arg(libtorch.main_library()).arg(shim).arg(work);
    let output = run_tool(&mut test, |_| ())?;
    Ok((!output.status.success()).then(|| {
        let said = one_line(&output.tail(3));
        if said.is_empty() { format!("it ended with {}", output.status) } else { said }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the self-test with a shim that is compiled from a text, above a libtorch in which nothing is.
    fn self_test(shim: &str) -> Option<String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let compiler = crate::tools::toolchain::find_compiler().expect("the tests run with a C++ compiler");
        let libtorch = Libtorch {
            root: folder.path().to_owned(),
            identity: String::new(),
            origin: "a test",
            version: "2.15.0".to_owned(),
        };
        let home = Home::at(folder.path().join("home"));
        let attempt = Attempt::new(&home, folder.path(), &libtorch, &compiler).expect("the home can be written");
        fs::create_dir(libtorch.libraries()).expect("creates");
        let source = folder.path().join("shim.cpp");
        for (library, text) in [(libtorch.main_library(), ""), (shim::library(folder.path()), shim)] {
            fs::write(&source, text).expect("writes");
            let mut compile = attempt.tool();
            compile.args(["-shared", "-fPIC", "-o"]).arg(library).arg(&source);
            attempt.succeeded(&run_tool(&mut compile, |_| ()).expect("the compiler runs")).expect("compiles");
        }
        fails(&attempt, &shim::library(folder.path()), &libtorch).expect("the self-test can be run")
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn the_self_test_names_what_does_not_work() {
        const SEED: &str = "extern \"C\" char *get_and_reset_last_err() { return nullptr; }
            extern \"C\" void at_manual_seed(long) {";
        for (shim, why) in [
            ("", "at_manual_seed is missing"),
            (&format!("{SEED} }}"), "at_tensor_of_data is missing"),
            // The shim would load without it, and the process would end at the call.
            (&format!("void gone(); {SEED} gone(); }}"), "undefined symbol: _Z4gonev"),
            (&format!("{SEED} __builtin_trap(); }}"), "it ended with signal: 4"),
            (
                "extern \"C\" void at_manual_seed(long) {}
              extern \"C\" char *get_and_reset_last_err() { return (char *)\"no seed\"; }",
                "at_manual_seed: no seed",
            ),
        ] {
            let failed = self_test(shim).expect("nothing works");
            assert!(failed.contains(why), "{failed}");
        }
    }
}
