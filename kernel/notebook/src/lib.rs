//! The front for `oxtorch run`: executes a notebook file from its first cell to its last, without a frontend.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod notebook;
mod outputs;
mod progress;
mod report;
mod stepwise;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::pin::pin;
use std::time::{Duration, Instant};

use anyhow::Context;
pub use notebook::NotebookError;
use notebook::{CodeCell, Notebook, Target};
use outputs::Outputs;
use oxtorch_session::{AHEAD, Aside, CellError, CellRequest, Engine, ErrorKind, Event, Interrupt};
use oxtorch_system::signals::Endings;
use oxtorch_system::terminal::say;
use progress::Progress;
pub use report::CellReport;
pub use stepwise::{Limits, Step, Stepwise};
use tokio::sync::mpsc;

/// Events that may wait to be taken before the cell has to.
const EVENTS: usize = 256;

/// How long an interrupted cell has to end by itself, before its process is ended.
const AFTER_INTERRUPT: Duration = Duration::from_secs(1);

/// How long an engine has to tell that the process has ended.
const AFTER_END: Duration = Duration::from_secs(5);

/// To write a notebook that takes no longer is nothing beside a cell.
const QUICK: Duration = Duration::from_millis(20);

/// A cell with one of these tags may fail.
const MAY_FAIL: &str = "raises-exception";

/// A cell with this tag is not executed.
const SKIP: &str = "skip-execution";

/// What to run, and how.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The notebook.
    pub notebook: PathBuf,
    /// Where the executed notebook goes; in place of the notebook where not given.
    pub output: Option<PathBuf>,
    /// The longest that a cell may run.
    pub timeout: Option<Duration>,
    /// Go on after a cell that failed.
    pub allow_errors: bool,
    /// The most that is kept of the outputs of one cell, in bytes, if not as much as usual.
    pub output_limit: Option<usize>,
}

/// What became of a run.
#[derive(Debug)]
pub struct RunReport {
    /// A cell failed that may not, or the user interrupted the run.
    pub failed: bool,
    /// SIGINT, SIGTERM or SIGHUP ended the run.
    pub interrupted: bool,
    /// The cells that were executed.
    pub executed: usize,
    /// The cells that failed and may not, in order: one, unless the run goes on after errors.
    pub failures: Vec<Failure>,
    /// Where the executed notebook is.
    pub output: PathBuf,
    /// Each cell that was executed, in order.
    pub cells: Vec<CellReport>,
    /// How many would have been.
    pub total: usize,
    /// How long it took, without the start, in seconds.
    pub seconds: f64,
}

/// A cell that failed.
#[derive(Debug)]
pub struct Failure {
    /// Its place among the cells that are executed, from 1: the number in its prompt.
    pub number: usize,
    /// How many those are.
    pub total: usize,
    /// Its text.
    pub source: String,
    /// What went wrong.
    pub error: CellError,
}

/// How a cell ended, seen from outside it.
struct Ended {
    outcome: Result<(), CellError>,
    interrupted: bool,
    /// It did not react to interrupts; nothing more can be run.
    lost: bool,
}

/// Executes a notebook and writes it with its outputs, also where a cell failed or the user pressed Ctrl-C (then the
/// cells so far). A line a cell goes to stderr, and at the end what failed.
///
/// `start` makes the engine. It begins once the notebook was read and can be written, ahead of the first cell.
///
/// # Errors
///
/// A [`NotebookError`] where the notebook cannot be read or written; else whatever kept the engine from starting. A
/// cell that fails is not an error but in the report.
pub async fn run<E: Engine>(
    options: RunOptions,
    start: impl Future<Output = anyhow::Result<E>>,
) -> anyhow::Result<RunReport> {
    let output = options.output.as_ref().unwrap_or(&options.notebook).clone();
    let mut notebook = Notebook::read(&options.notebook)?;
    let target = Target::find(&output)?;
    let (skipped, cells): (Vec<CodeCell>, Vec<CodeCell>) = notebook
        .code_cells()
        .into_iter()
        .filter(|cell| !cell.source.trim().is_empty())
        .partition(|cell| cell.tags.iter().any(|tag| tag == SKIP));
    let mut signals = Endings::listen().context("cannot listen for signals")?;
    let mut progress = Progress::new(cells.len());
    let mut engine = tokio::select! {
        biased;
        engine = start => engine?,
        _ = signals.next() => anyhow::bail!("interrupted before the first cell; nothing was written"),
    };
    let mut aside = Aside::of(&mut engine);

    let (mut outputs, mut sketch) = (Outputs::with_room(options.output_limit), Sketch::default());
    let mut report = RunReport { total: cells.len(), ..RunReport::of(output) };
    let limits = Limits { timeout: options.timeout, ..Limits::default() };
    let first = Instant::now();
    for (number, cell) in (1..).zip(&cells) {
        let execution_count = number as u32;
        sketch.save(&mut notebook, &cells, &outputs, &target)?;
        progress.begin(number, &cell.source);
        let began = Instant::now();
        while let Some(event) = aside.try_next() {
            outputs.take(event);
        }
        outputs.next_cell(execution_count);
        engine.expect(cells[number..].iter().take(AHEAD).map(|cell| cell.source.clone()).collect());
        let request = CellRequest::new(&cell.source, execution_count);
        let ended = run_cell(&mut engine, request, limits, &mut aside, &mut outputs, &mut signals).await;
        let error = ended.outcome.err();
        let failure = error.as_ref().map(|error| error.kind);
        progress.end(number, &cell.source, began.elapsed(), failure);
        report.cells.push(CellReport::new(cell.index, execution_count, began.elapsed(), error.as_ref()));
        report.executed = number;
        report.interrupted = ended.interrupted;
        let may_fail = cell.tags.iter().any(|tag| tag == MAY_FAIL);
        if let Some(error) = error {
            outputs.error(&error);
            if !may_fail || ended.interrupted || ended.lost {
                report.failures.push(Failure { number, total: cells.len(), source: cell.source.clone(), error });
            }
        }
        if ended.interrupted || ended.lost || (!options.allow_errors && !report.failures.is_empty()) {
            break;
        }
    }
    report.failed = !report.failures.is_empty() || report.interrupted;
    report.seconds = first.elapsed().as_secs_f64();
    // The variables are dropped now, and threads print their last lines.
    let mut ended = Some(pin!(engine.shutdown()));
    while let Some(event) = aside.next_until(&mut ended).await {
        // That something is lost then is no cell's error, so the terminal has it too.
        if let Event::Note(note) = &event {
            say(format_args!("{note}"));
        }
        outputs.take(event);
    }

    outputs.tell_what_is_missed();
    set_outputs(&mut notebook, &cells, &outputs)?;
    write(notebook, target, signals.next()).await?;
    progress::report(&report.failures);
    let told = |count: usize, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let (failed, skipped) = (told(report.failures.len(), "failed"), told(skipped.len(), &format!("skipped ({SKIP})")));
    let (executed, all) = (report.executed, cells.len());
    say(format_args!("{executed} of {all} cells executed{failed}{skipped}; wrote {}", report.output.display()));
    Ok(report)
}

/// Writes the notebook as far as it has run, so that a run which is killed leaves what it had.
struct Sketch {
    last: Instant,
    /// What the last one took.
    took: Duration,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { last: Instant::now(), took: Duration::ZERO }
    }
}

impl Sketch {
    /// Writes it ahead of a cell. What takes long, as the notebook is large, takes a tenth of the run at most.
    fn save(
        &mut self,
        notebook: &mut Notebook,
        cells: &[CodeCell],
        outputs: &Outputs,
        target: &Target,
    ) -> anyhow::Result<()> {
        if self.took > QUICK && self.last.elapsed() < 10 * self.took {
            return Ok(());
        }
        let begin = Instant::now();
        set_outputs(notebook, cells, outputs)?;
        // What cannot be written now may be in the end, and is an error then.
        let _ = notebook.sketch(target, &cells[outputs.cells().count()]);
        *self = Self { last: Instant::now(), took: begin.elapsed() };
        Ok(())
    }
}

/// Gives the notebook's cells what they have shown so far.
fn set_outputs(notebook: &mut Notebook, cells: &[CodeCell], outputs: &Outputs) -> anyhow::Result<()> {
    for ((number, cell), outputs) in (1..).zip(cells).zip(outputs.cells()) {
        notebook.set_outputs(cell, number, outputs).context("cannot write the outputs as JSON")?;
    }
    Ok(())
}

/// Writes the executed notebook. Where that waits for somebody who reads, a signal ends it.
async fn write(notebook: Notebook, target: Target, interrupted: impl Future) -> anyhow::Result<()> {
    if !target.is_stream() {
        return Ok(notebook.write(&target)?);
    }
    let named = target.named().display().to_string();
    tokio::select! {
        written = tokio::task::spawn_blocking(move || notebook.write(&target)) => {
            Ok(written.context("the notebook cannot be written")??)
        }
        _ = interrupted => anyhow::bail!("interrupted while writing {named}; perhaps nothing reads it"),
    }
}

async fn run_cell<E: Engine>(
    engine: &mut E,
    request: CellRequest<'_>,
    limits: Limits,
    aside: &mut Aside,
    outputs: &mut Outputs,
    signals: &mut Endings,
) -> Ended {
    let (events, mut events_end) = mpsc::channel(EVENTS);
    let interrupter = engine.interrupter();
    let mut running = pin!(engine.execute(request, &events));
    let mut patience = pin!(tokio::time::sleep(limits.timeout.unwrap_or(Duration::MAX)));
    let mut interrupted = false;
    let mut too_long = false;
    let mut too_much = false;
    let mut asked = None;
    let outcome = loop {
        tokio::select! {
            biased;
            // What came before the cell ran is shown before what it shows.
            event = aside.next() => {
                outputs.take_earlier(event);
                continue;
            }
            Some(event) = events_end.recv() => {
                outputs.take(event);
                if too_much || !limits.ends_at_output_limit || !outputs.is_over() {
                    continue;
                }
                too_much = true;
            }
            outcome = &mut running => break Some(outcome),
            _ = signals.next() => interrupted = true,
            () = &mut patience => {
                too_long |= asked.is_none();
                if asked == Some(Interrupt::End) {
                    break None;
                }
            }
        }
        let (ask, time) = match asked {
            None => (Interrupt::Ask, AFTER_INTERRUPT),
            Some(Interrupt::Ask) => (Interrupt::End, AFTER_END),
            // It ends.
            Some(Interrupt::End) => continue,
        };
        match ask {
            Interrupt::Ask => interrupter.interrupt(),
            Interrupt::End => interrupter.end(),
        }
        asked = Some(ask);
        patience.as_mut().reset(tokio::time::Instant::now() + time);
    };
    while let Ok(event) = events_end.try_recv() {
        outputs.take(event);
    }
    let lost = outcome.is_none();
    let outcome = match outcome {
        // It ended by itself in the very moment; that counts.
        Some(Ok(())) => Ok(()),
        Some(Err(_)) if too_much => {
            let told = "the cell printed or showed more than may be kept, and was ended";
            Err(plain_error(ErrorKind::OutputLimit, told))
        }
        Some(Err(error)) if too_long => Err(timed_out(limits.timeout.unwrap_or_default(), &error)),
        Some(Err(error)) => Err(error),
        None => Err(plain_error(ErrorKind::Interrupted, "interrupted, but the cell did not end")),
    };
    Ended { outcome, interrupted, lost }
}

/// The error of a cell that was interrupted for its time, made from the one that it ended with.
fn timed_out(timeout: Duration, error: &CellError) -> CellError {
    let time = timeout.as_secs_f64();
    if error.kind != ErrorKind::HostDied {
        return plain_error(ErrorKind::Timeout, &format!("the cell ran longer than {time} s and was interrupted"));
    }
    let told = format!(
        "the cell ran longer than {time} s and did not end when it was interrupted, so its process was ended: all variables \
         are lost"
    );
    let CellError { kind, evalue, mut traceback } = plain_error(ErrorKind::Timeout, &told);
    traceback.extend(error.traceback.iter().cloned());
    CellError { kind, evalue, traceback }
}

fn plain_error(kind: ErrorKind, evalue: &str) -> CellError {
    CellError { kind, evalue: evalue.into(), traceback: vec![format!("\u{1b}[1m{kind}\u{1b}[0m: {evalue}")] }
}
