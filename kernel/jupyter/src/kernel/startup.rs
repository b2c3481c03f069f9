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

/// An engine on its way to its first cell.
pub(crate) enum Startup<E> {
    /// It starts; the first set-up downloads and compiles for minutes.
    Starting {
        /// Ends with the engine.
        task: JoinHandle<anyhow::Result<E>>,
        /// Lines for the user.
        progress: UnboundedReceiver<String>,
    },
    /// Cells can run.
    Ready(Running<E>),
    /// It will not start; every cell says why.
    Failed(CellError),
}

/// An engine, and what it shows while no cell runs.
pub(crate) struct Running<E> {
    pub(crate) engine: E,
    pub(crate) aside: Aside,
}

impl<E: Engine> Startup<E> {
    /// Starts an engine in the background, which tells of its progress.
    pub(crate) fn begin(
        start: impl Future<Output = anyhow::Result<E>> + Send + 'static,
        progress: UnboundedReceiver<String>,
    ) -> Self {
        Self::Starting { task: tokio::spawn(start), progress }
    }

    /// The engine, once it runs. Meanwhile the cell shows the set-up's progress; an interrupt ends the wait, not the
    /// set-up.
    pub(crate) async fn running(&mut self, cell: &CellOutput<'_>) -> Result<&mut Running<E>, CellError> {
        if let Self::Starting { task, progress } = self {
            // The progress of a start that is over already interests nobody, unless it failed.
            let waits = !task.is_finished();
            let mut shown = ProgressLine::default();
            let started = loop {
                tokio::select! {
                    biased;
                    Some(mut line) = progress.recv(), if waits => {
                        while let Ok(later) = progress.try_recv() {
                            line = later;
                        }
                        cell.display(shown.show(line)).await;
                    }
                    started = &mut *task => break started,
                    () = cell.frontend.interrupts.next() => return Err(CellError {
                        kind: ErrorKind::Interrupted,
                        evalue: "interrupted while the set-up was running; it goes on".into(),
                        traceback: vec!["Interrupted while the set-up was running; it goes on.".into()],
                    }),
                }
            };
            *self = Self::started(started, &cell.frontend.interrupts);
        }
        match self {
            Self::Ready(running) => Ok(running),
            Self::Failed(error) => Err(error.clone()),
            Self::Starting { .. } => unreachable!("the start was waited for above"),
        }
    }

    /// The engine, for a question that is asked while the user types: a start that takes long is not waited for.
    pub(crate) async fn soon(&mut self, interrupts: &Interrupts) -> Option<&mut E> {
        if let Self::Starting { task, .. } = self {
            let started = timeout(TYPING, task).await.ok()?;
            *self = Self::started(started, interrupts);
        }
        match self {
            Self::Ready(running) => Some(&mut running.engine),
            Self::Starting { .. } | Self::Failed(_) => None,
        }
    }

    /// What became of the start.
    fn started(outcome: Result<anyhow::Result<E>, JoinError>, interrupts: &Interrupts) -> Self {
        match outcome {
            Ok(Ok(mut engine)) => {
                interrupts.engine_started(engine.interrupter());
                let aside = Aside::of(&mut engine);
                Self::Ready(Running { engine, aside })
            }
            Ok(Err(error)) => Self::Failed(setup_error(&format!("{error:#}"))),
            // It panicked, and the kernel's log has the message.
            Err(error) => Self::Failed(setup_error(&format!("the set-up ended early: {error}"))),
        }
    }

    /// Waits for what is shown while no cell runs.
    pub(crate) async fn aside(&mut self) -> Event {
        match self {
            Self::Ready(running) => running.aside.next().await,
            Self::Starting { .. } | Self::Failed(_) => std::future::pending().await,
        }
    }

    /// Ends what was started; what is shown meanwhile is the last cell's.
    pub(crate) async fn shutdown(self, last: Option<CellOutput<'_>>) {
        match self {
            Self::Ready(Running { engine, mut aside }) => {
                let mut ended = Some(pin!(engine.shutdown()));
                while let Some(event) = aside.next_until(&mut ended).await {
                    // Where no cell has run, there is nothing that could show any.
                    if let Some(last) = &last {
                        last.show(event).await;
                    }
                }
            }
            Self::Starting { task, .. } if task.is_finished() => {
                if let Ok(Ok(engine)) = task.await {
                    engine.shutdown().await;
                }
            }
            Self::Starting { task, .. } => task.abort(),
            Self::Failed(_) => {}
        }
    }
}

fn setup_error(reason: &str) -> CellError {
    let mut traceback: Vec<String> =
        format!("\u{1b}[1mOxtorch is not set up\u{1b}[0m: {reason}").lines().map(str::to_string).collect();
    traceback.push("Run `oxtorch doctor` in a terminal to see what is missing, then restart the kernel.".into());
    CellError { kind: ErrorKind::Setup, evalue: reason.lines().next().unwrap_or_default().to_string(), traceback }
}
