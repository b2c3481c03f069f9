//! The engine while it starts: cells wait for it and show what it reports.

use std::pin::pin;
use std::time::Duration;

use oxtorch_session::{Aside, CellError, Engine, ErrorKind, Event, ProgressLine};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use crate::kernel::cell::CellOutput;
use crate::kernel::interrupts::Interrupts;

/// How long somebody who types may wait for a start: one without a set-up takes about half of it.
const TYPING: Duration = Duration::from_millis(800);

/// A program that runs one cell after the other does not wait so long between them; a person does.
const QUIET: Duration = Duration::from_millis(300);

/// An engine on its way to its first cell.
pub(crate) enum Startup<E> {
    /// It starts; the first set-up downloads and compiles for minutes.
    Starting(Starting<E>),
    /// Cells can run.
    Ready(Running<E>),
    /// It will not start; every cell says why.
    Failed(CellError),
}

/// An engine that starts, and what is known of that.
pub(crate) struct Starting<E> {
    /// Ends with the engine.
    task: JoinHandle<anyhow::Result<E>>,
    /// How far the set-up is, for the user.
    progress: UnboundedReceiver<String>,
    /// What it has said last; empty where there is nothing to set up.
    told: String,
}

impl<E> Starting<E> {
    /// The newest word on the set-up.
    fn newest(&mut self) -> &str {
        while let Ok(later) = self.progress.try_recv() {
            self.told = later;
        }
        &self.told
    }
}

/// An engine, and what it shows while no cell runs.
pub(crate) struct Running<E> {
    pub(crate) engine: E,
    pub(crate) aside: Aside,
    /// Whether the engine was told that nobody asks for anything.
    has_rested: bool,
}

/// What happens while nobody asks for anything.
pub(crate) enum Meanwhile {
    /// A thread that outlives its cell shows something.
    Shown(Event),
    /// The engine is being set up, for minutes.
    SettingUp,
    /// It was set up, and has started or will not start.
    SetUp,
}

impl<E: Engine> Startup<E> {
    /// Starts an engine in the background, which tells of its progress.
    pub(crate) fn begin(
        start: impl Future<Output = anyhow::Result<E>> + Send + 'static,
        progress: UnboundedReceiver<String>,
    ) -> Self {
        Self::Starting(Starting { task: tokio::spawn(start), progress, told: String::new() })
    }

    /// How far the set-up is, as long as there is one.
    pub(crate) fn set_up(&mut self) -> Option<&str> {
        match self {
            Self::Starting(starting) => Some(starting.newest()).filter(|told| !told.is_empty()),
            Self::Ready(_) | Self::Failed(_) => None,
        }
    }

    /// The engine, once it runs. Meanwhile the cell shows the set-up's progress, and no longer; an interrupt ends the
    /// wait, not the set-up.
    pub(crate) async fn running(&mut self, cell: &CellOutput<'_>) -> Result<&mut Running<E>, CellError> {
        if let Self::Starting(starting) = self {
            // The progress of a start that is over already interests nobody, unless it failed.
            let waits = !starting.task.is_finished();
            let mut shown = ProgressLine::default();
            if waits && !starting.newest().is_empty() {
                cell.display(shown.show(starting.newest())).await;
            }
            let ended = loop {
                tokio::select! {
                    biased;
                    Some(text) = starting.progress.recv(), if waits => {
                        starting.told = text;
                        cell.display(shown.show(starting.newest())).await;
                    }
                    started = &mut starting.task => break Ok(started),
                    () = cell.frontend.interrupts.next() => break Err(interrupted(starting.newest())),
                }
            };
            if shown.is_shown() {
                cell.show(Event::ClearOutput { wait: false }).await;
            }
            *self = Self::started(ended?, &cell.frontend.interrupts);
        }
        match self {
            Self::Ready(running) => Ok(running),
            Self::Failed(error) => Err(error.clone()),
            Self::Starting(_) => unreachable!("the start was waited for above"),
        }
    }

    /// The engine, for a question that is asked while the user types: a start that takes long is not waited for.
    pub(crate) async fn soon(&mut self, interrupts: &Interrupts) -> Option<&mut E> {
        if let Self::Starting(starting) = self {
            let started = timeout(TYPING, &mut starting.task).await.ok()?;
            *self = Self::started(started, interrupts);
        }
        match self {
            Self::Ready(running) => Some(&mut running.engine),
            Self::Starting(_) | Self::Failed(_) => None,
        }
    }

    /// What became of the start.
    fn started(outcome: Result<anyhow::Result<E>, JoinError>, interrupts: &Interrupts) -> Self {
        match outcome {
            Ok(Ok(mut engine)) => {
                interrupts.engine_started(engine.interrupter());
                let aside = Aside::of(&mut engine);
                Self::Ready(Running { engine, aside, has_rested: false })
            }
            Ok(Err(error)) => Self::Failed(setup_error(&format!("{error:#}"))),
            // It panicked, and the kernel's log has the message.
            Err(error) => Self::Failed(setup_error(&format!("the set-up ended early: {error}"))),
        }
    }

    /// Waits for what happens while nobody asks for anything, and lets the engine rest meanwhile.
    pub(crate) async fn meanwhile(&mut self, interrupts: &Interrupts) -> Meanwhile {
        match self {
            Self::Starting(starting) => {
                let was_told = !starting.told.is_empty();
                tokio::select! {
                    biased;
                    started = &mut starting.task => *self = Self::started(started, interrupts),
                    Some(text) = starting.progress.recv(), if !was_told => {
                        starting.told = text;
                        return Meanwhile::SettingUp;
                    }
                }
                if was_told {
                    return Meanwhile::SetUp;
                }
            }
            Self::Ready(_) | Self::Failed(_) => {}
        }
        match self {
            Self::Ready(running) => {
                if !running.has_rested {
                    if let Ok(event) = timeout(QUIET, running.aside.next()).await {
                        return Meanwhile::Shown(event);
                    }
                    running.has_rested = true;
                    running.engine.rest();
                }
                Meanwhile::Shown(running.aside.next().await)
            }
            Self::Starting(_) | Self::Failed(_) => std::future::pending().await,
        }
    }

    /// Ends what was started; what is shown meanwhile is the last cell's.
    pub(crate) async fn shutdown(self, last: Option<CellOutput<'_>>) {
        match self {
            Self::Ready(Running { engine, mut aside, .. }) => {
                let mut ended = Some(pin!(engine.shutdown()));
                while let Some(event) = aside.next_until(&mut ended).await {
                    // Where no cell has run, there is nothing that could show any.
                    if let Some(last) = &last {
                        last.show(event).await;
                    }
                }
            }
            Self::Starting(starting) if starting.task.is_finished() => {
                if let Ok(Ok(engine)) = starting.task.await {
                    engine.shutdown().await;
                }
            }
            Self::Starting(starting) => starting.task.abort(),
            Self::Failed(_) => {}
        }
    }
}

/// Tells those who do not want to wait how long it would have been.
fn interrupted(told: &str) -> CellError {
    let evalue = "interrupted while the set-up was running; it goes on".to_owned();
    let told = told.lines().map(str::to_owned);
    let traceback = std::iter::once("Interrupted while the set-up was running. It goes on:".to_owned()).chain(told);
    CellError { kind: ErrorKind::Interrupted, evalue, traceback: traceback.collect() }
}

fn setup_error(reason: &str) -> CellError {
    let mut traceback: Vec<String> =
        format!("\u{1b}[1mOxtorch is not set up\u{1b}[0m: {reason}").lines().map(str::to_string).collect();
    traceback.push("Run `oxtorch doctor` in a terminal to see what is missing, then restart the kernel.".into());
    CellError { kind: ErrorKind::Setup, evalue: reason.lines().next().unwrap_or_default().to_string(), traceback }
}
