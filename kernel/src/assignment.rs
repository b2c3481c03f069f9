//! `oxtorch assignment`: checks a master notebook, and makes the students' version of it. `oxtorch check`: says what a
//! student should know of a notebook before it is handed in.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use oxtorch_engine::IS_CHECKED;
use oxtorch_grading::{Homework, Master, Problem, Role, Trial, WrongSolution, release};
use oxtorch_system::terminal::{answer, say};
use serde_json::{Map, Value};
use tokio::process::Command;

/// How often the solution runs: what is shown once may differ the next time.
const RUNS: usize = 3;

/// A notebook that cannot be a master, or is none that can be handed out.
#[derive(Debug, thiserror::Error)]
#[error("{} cannot be used as a master notebook", path.display())]
pub struct NoMaster {
    path: PathBuf,
}

/// Reads a master notebook. What is wrong with it is told.
pub fn read(path: &Path) -> anyhow::Result<Master> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Master::read(&text).map_err(|problems| {
        tell(&problems);
        NoMaster { path: path.to_owned() }.into()
    })
}

fn tell(problems: &[Problem]) {
    for problem in problems {
        say(format_args!("{problem}"));
    }
}

/// Writes the students' version.
pub fn write_release(master: &Path, to: &Path) -> anyhow::Result<()> {
    let found = read(master)?;
    anyhow::ensure!(
        !is_same(master, to),
        "the students' version would take the place of the master; name another file"
    );
    write(&release(&found), to)?;
    let count = |wanted: fn(Role) -> bool| found.cells.iter().filter(|cell| wanted(cell.role)).count();
    answer(format_args!(
        "wrote {}: {} cells to write, {} tests, {} points in all",
        to.display(),
        count(Role::is_written_by_students),
        count(|role| matches!(role, Role::Test { .. })),
        found.points()
    ));
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    one.canonicalize().ok().is_some_and(|path| other.canonicalize().ok() == Some(path))
}

fn write(document: &Value, to: &Path) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(document)?;
    text.push('\n');
    std::fs::write(to, text).with_context(|| format!("cannot write {}", to.display()))
}

/// Runs the solution several times, the students' version once, and each wrong solution that lies in the folder `wrong`
/// beside the master. Says what does not hold: every test passes on the solution and fails on the stubs, stubs compile,
/// the solution shows the same each time, and a wrong solution loses the points that it should lose, and no others. It
/// is an error where something does not hold.
pub async fn check(path: &Path, timeout: Option<Duration>) -> anyhow::Result<()> {
    let master = read(path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (wrong, mut problems) = wrong_solutions(&folder.join("wrong"), &master)?;
    let work = tempfile::tempdir().context("cannot create a temporary folder")?;
    let mut runs = Vec::new();
    for number in 1..=RUNS {
        let begin = Instant::now();
        runs.push(execute(path, &work.path().join(format!("solution-{number}.ipynb")), timeout).await?);
        let took = begin.elapsed().as_secs_f64();
        say(format_args!("run {number} of {RUNS} of the solution: {took:.1} s"));
    }
    let stubs = execute_made(folder, &release(&master), work.path(), timeout).await?;
    let trial = Trial::new(&master, runs, stubs);
    problems.extend(trial.problems());
    for (number, mistake) in wrong.iter().enumerate() {
        say(format_args!("wrong solution {} of {}: {}", number + 1, wrong.len(), mistake.name));
        let run = execute_made(folder, &mistake.notebook(&master), work.path(), timeout).await?;
        problems.extend(mistake.problems(&master, &run));
    }
    answer(format_args!("{}{} points in all", trial.table(), master.points()));
    tell(&problems);
    anyhow::ensure!(problems.is_empty(), "{} of the cells are not as they have to be", problems.len());
    Ok(())
}

/// The wrong solutions in a folder, which need not be there, and what is wrong with those that cannot be used.
fn wrong_solutions(folder: &Path, master: &Master) -> anyhow::Result<(Vec<WrongSolution>, Vec<Problem>)> {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    if !folder.is_dir() {
        return Ok((found, problems));
    }
    let cannot = || format!("cannot read {}", folder.display());
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        paths.push(entry.with_context(cannot)?.path());
    }
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    for path in paths {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        match WrongSolution::read(&name, &text, master) {
            Ok(wrong) => found.push(wrong),
            Err(problem) => problems.push(problem),
        }
    }
    Ok((found, problems))
}

/// Runs a notebook that was made of a master in the master's folder: cells read files from there.
async fn execute_made(
    folder: &Path,
    notebook: &Value,
    work: &Path,
    timeout: Option<Duration>,
) -> anyhow::Result<Map<String, Value>> {
    let made = work.join("made.ipynb");
    write(notebook, &made)?;
    execute_in(folder, &made, &work.join("executed.ipynb"), timeout).await
}

/// Runs a notebook from its first cell to its last and says what its author should know before it is handed in. It is
/// an error where something costs points.
pub async fn check_homework(path: &Path, timeout: Option<Duration>) -> anyhow::Result<()> {
    let work = tempfile::tempdir().context("cannot create a temporary folder")?;
    // Who runs it says what is wrong with the file.
    let executed = execute(path, &work.path().join("executed.ipynb"), timeout).await?;
    let text = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let saved: Map<String, Value> = serde_json::from_slice(&text)?;
    let homework = Homework::new(saved, executed);
    let findings = homework.findings();
    for finding in &findings {
        answer(format_args!("{finding}"));
    }
    let (points, of) = homework.points();
    if of > 0.0 {
        answer(format_args!("the tests that you see: {points} of {of} points"));
    }
    let wrong = findings.iter().filter(|finding| finding.is_wrong).count();
    anyhow::ensure!(wrong == 0, "{wrong} of these cost points; mend them before you hand it in");
    let rest = if findings.is_empty() { "" } else { "; look at the lines above" };
    answer(format_args!("it can be handed in{rest}"));
    Ok(())
}

/// Runs a notebook in its folder, from which cells read files as in Jupyter.
async fn execute(notebook: &Path, to: &Path, timeout: Option<Duration>) -> anyhow::Result<Map<String, Value>> {
    // What is not there is named as it was written.
    let whole = notebook.canonicalize();
    let folder = whole.as_ref().ok().and_then(|whole| whole.parent()).unwrap_or(Path::new("."));
    execute_in(folder, whole.as_deref().unwrap_or(notebook), to, timeout).await
}

/// Runs a notebook to its end, in a process of its own that works in a folder, and reads what came of it.
async fn execute_in(
    folder: &Path,
    notebook: &Path,
    to: &Path,
    timeout: Option<Duration>,
) -> anyhow::Result<Map<String, Value>> {
    let program = std::env::current_exe().context("cannot find the path of this program")?;
    let mut command = Command::new(program);
    command.current_dir(folder);
    command.arg("run").arg(notebook).arg("-o").arg(to).arg("--allow-errors").stdin(Stdio::null());
    command.env(IS_CHECKED, "1");
    if let Some(timeout) = timeout {
        command.arg("--timeout").arg(timeout.as_secs_f64().to_string());
    }
    let output = command.output().await.context("cannot start this program again")?;
    let executed = output.status.code().is_some_and(|code| code < 2) && to.is_file();
    // As this program says it, which puts the word ahead of it once more.
    let said = String::from_utf8_lossy(&output.stderr);
    anyhow::ensure!(executed, "{}", said.trim().trim_start_matches("error: "));
    Ok(serde_json::from_slice(&std::fs::read(to)?)?)
}
