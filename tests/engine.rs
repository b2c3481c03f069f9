//! Runs the scenarios in `tests/cells`: each is a notebook in a text file, with what every cell should show.
//!
//! A scenario is one test with a session of its own. The format, and how to let the harness write down what it saw:
//! `tests/cells/README.md`.

mod scenario;
mod session;

use std::path::Path;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

use scenario::Scenario;
use session::Notebook;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    fix_threads();
    let trials = scenario::files()
        .into_iter()
        .map(|path| {
            let name = path.file_stem().expect("a listed file has a name").to_string_lossy().into_owned();
            let scenario = read(&path);
            let kind = if scenario.as_ref().is_ok_and(|scenario| scenario.portable) { "portable" } else { "" };
            Trial::test(name, move || run(&path, scenario?)).with_kind(kind)
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a busy machine makes of the number of threads is not to show in what `:vars` says, and scenarios run side by
/// side.
fn fix_threads() {
    // SAFETY: this is the only thread yet.
    unsafe { std::env::set_var("OXTORCH_THREADS", "1") };
}

fn read(path: &Path) -> Result<Scenario, Failed> {
    let text = std::fs::read_to_string(path)?;
    Ok(Scenario::parse(&text).map_err(|error| format!("{}:{error}", path.display()))?)
}

fn run(path: &Path, mut scenario: Scenario) -> Result<(), Failed> {
    let update = std::env::var_os("OXTORCH_UPDATE").is_some_and(|value| value == "1");

    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let complaints = tokio.block_on(async {
        let mut notebook = Notebook::start().await;
        let mut complaints = Vec::new();
        for (index, cell) in scenario.cells.iter_mut().enumerate() {
            let shown = notebook.run_with(&cell.code, cell.expected.answers.clone(), |_| {}).await;
            let found = cell.expected.complaints(&shown);
            if found.is_empty() {
                continue;
            }
            if update {
                cell.expected.update(&shown);
            }
            complaints.push(format!(
                "{}:{}: cell [{}] of \"{}\"\n{}",
                path.display(),
                cell.line,
                index + 1,
                scenario.title,
                found.join("\n")
            ));
        }
        notebook.end().await;
        complaints
    });

    if complaints.is_empty() {
        return Ok(());
    }
    if update {
        std::fs::write(path, scenario.to_string())?;
        return Ok(());
    }
    Err(complaints.join("\n\n").into())
}
