//! One running cell's way to the frontend: what it shows becomes iopub messages, what it asks goes to stdin.

use std::pin::pin;

use jupyter_protocol::{
    ClearOutput, DisplayData, ErrorOutput, ExecuteResult, ExecutionCount, JupyterMessage, JupyterMessageContent, Stdio,
    StreamContent, Transient, UpdateDisplayData,
};
use oxtorch_protocol::{CommRequest, Display, DisplayKind};
use oxtorch_session::formats::media;
use oxtorch_session::{Aside, CellError, CellRequest, Engine, Event, Stream, note_display};
use serde_json::{Map, Value};
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::oneshot;

use crate::channels::iopub::IoPub;
use crate::channels::stdin::Stdin;
use crate::kernel::comms::Comms;
use crate::kernel::interrupts::Interrupts;
use crate::kernel::startup::Running;

/// Events that may wait for the frontend before the cell has to.
const EVENTS: usize = 256;

/// The ways to the frontend.
pub(crate) struct Frontend {
    /// For output.
    pub(crate) iopub: IoPub,
    /// For input.
    pub(crate) stdin: Stdin,
    /// Withdraws a question to the user.
    pub(crate) interrupts: Interrupts,
    /// To the widgets' twins.
    pub(crate) comms: Comms,
}

/// Where a running cell's output goes.
pub(crate) struct CellOutput<'a> {
    /// The request that everything is about.
    pub(crate) request: &'a JupyterMessage,
    /// The number in the cell's prompt.
    pub(crate) execution_count: u32,
    /// Whether the frontend asked not to see the value of the cell.
    pub(crate) silent: bool,
    /// Whether the frontend takes questions to the user.
    pub(crate) allow_stdin: bool,
    /// How it gets there.
    pub(crate) frontend: &'a Frontend,
}

impl CellOutput<'_> {
    /// Runs code and forwards what it shows; it has all been handed to the iopub socket when this returns. Gives the
    /// value of its trailing expression as text. What was shown before it ran is the `earlier` cell's.
    pub(crate) async fn run<E: Engine>(
        &self,
        Running { engine, aside, .. }: &mut Running<E>,
        code: &str,
        earlier: &CellOutput<'_>,
    ) -> Result<Option<String>, CellError> {
        let Self { execution_count, allow_stdin, .. } = *self;
        // As JupyterLab and VS Code send it.
        let cell_id = self.request.metadata.get("cellId").and_then(Value::as_str);
        let request = CellRequest { allow_stdin, cell_id, ..CellRequest::new(code, execution_count) };
        let (events, events_end) = mpsc::channel(EVENTS);
        let (outcome, value) =
            self.until_ended(async { engine.execute(request, &events).await }, events_end, aside, earlier).await;
        outcome.map(|()| value)
    }

    /// Hands on what the frontend says to a widget, and forwards what is shown then.
    pub(crate) async fn hear<E: Engine>(
        &self,
        Running { engine, aside, .. }: &mut Running<E>,
        asked: CommRequest,
        earlier: &CellOutput<'_>,
    ) {
        let (events, events_end) = mpsc::channel(EVENTS);
        let ((outcome, last), _) =
            self.until_ended(async { engine.comm(asked, &events).await }, events_end, aside, earlier).await;
        if let Err(error) = outcome {
            self.error(&error).await;
        }
        for comm in last {
            self.show(Event::Comm(comm)).await;
        }
    }

    /// Forwards what is shown until what the engine does has ended. Gives what came of it, and the value that was
    /// shown.
    async fn until_ended<T>(
        &self,
        done: impl Future<Output = T>,
        events: Receiver<Event>,
        aside: &mut Aside,
        earlier: &CellOutput<'_>,
    ) -> (T, Option<String>) {
        let (ended, ended_end) = oneshot::channel();
        let done = async {
            let outcome = done.await;
            let _ = ended.send(());
            outcome
        };
        // Side by side: a cell that waits for input must still be able to end.
        tokio::join!(done, self.forward(events, ended_end, aside, earlier))
    }

    async fn forward(
        &self,
        mut events: Receiver<Event>,
        ended: oneshot::Receiver<()>,
        aside: &mut Aside,
        earlier: &CellOutput<'_>,
    ) -> Option<String> {
        let mut ended = pin!(ended);
        let mut value = None;
        let mut open = true;
        loop {
            let event = tokio::select! {
                biased;
                event = aside.next() => {
                    earlier.show(event).await;
                    continue;
                }
                event = events.recv() => match event {
                    Some(event) => event,
                    None => return value,
                },
                _ = &mut ended, if open => {
                    // What was sent is still delivered.
                    events.close();
                    open = false;
                    continue;
                }
            };
            if let Event::Display(display) = &event
                && display.kind == DisplayKind::Result
            {
                value = display.data.get("text/plain").and_then(Value::as_str).map(str::to_owned);
            }
            self.show(event).await;
        }
    }

    /// Shows an event.
    pub(crate) async fn show(&self, event: Event) {
        match event {
            Event::Stream { stream, text } => self.stream(stream, text).await,
            Event::Display(display) => self.display(display).await,
            Event::Note(note) => self.display(note_display(&note)).await,
            Event::StillRuns(text) => self.stream(Stream::Stderr, text).await,
            Event::ClearOutput { wait } => self.publish(ClearOutput { wait }).await,
            Event::Comm(comm) => {
                let metadata = comm.metadata.clone();
                let content = self.frontend.comms.tell(comm);
                self.frontend.iopub.publish_with(content, metadata, self.request).await;
            }
            Event::Input { prompt, password, reply } => self.input(prompt, password, reply).await,
            // No cell of a frontend is a test that is graded.
            Event::Mark(_) => {}
        }
    }

    async fn publish(&self, content: impl Into<JupyterMessageContent>) {
        self.frontend.iopub.publish(content, self.request).await;
    }

    /// Shows text.
    async fn stream(&self, stream: Stream, text: String) {
        let name = match stream {
            Stream::Stdout => Stdio::Stdout,
            Stream::Stderr => Stdio::Stderr,
        };
        self.publish(StreamContent { name, text }).await;
    }

    /// Shows an error.
    pub(crate) async fn error(&self, error: &CellError) {
        let CellError { kind, evalue, traceback } = error.clone();
        let ename = kind.name().into();
        self.publish(ErrorOutput { ename, evalue, traceback }).await;
    }

    /// Shows a display, or a display anew.
    pub(crate) async fn display(&self, display: Display) {
        let Display { kind, data, metadata, display_id } = display;
        let data = media(data);
        let transient = Transient { display_id };
        match kind {
            DisplayKind::Data => self.publish(DisplayData { data, metadata, transient: Some(transient) }).await,
            DisplayKind::Update => self.publish(UpdateDisplayData { data, metadata, transient }).await,
            DisplayKind::Result if self.silent => {}
            DisplayKind::Result => {
                let execution_count = ExecutionCount::new(self.execution_count as usize);
                self.publish(ExecuteResult { execution_count, data, metadata, transient: Some(transient) }).await;
            }
        }
    }

    /// Asks the user; an interrupt, or the end of the cell, withdraws the question.
    async fn input(&self, prompt: String, password: bool, mut reply: oneshot::Sender<Option<String>>) {
        if !self.allow_stdin {
            return drop(reply.send(None));
        }
        let answer = self.frontend.stdin.ask(prompt, password, self.request);
        let line = tokio::select! {
            line = answer => line.ok(),
            () = self.frontend.interrupts.next() => None,
            () = reply.closed() => return,
        };
        let _ = reply.send(line);
    }
}

/// Evaluates an expression for its value alone.
pub(crate) async fn evaluate<E: Engine>(
    engine: &mut E,
    code: &str,
    execution_count: u32,
) -> Result<Display, CellError> {
    let (events, mut events_end) = mpsc::channel(EVENTS);
    let request = CellRequest::new(code, execution_count);
    let mut value = Display { kind: DisplayKind::Result, data: Map::new(), metadata: Map::new(), display_id: None };
    let mut keep = |event| {
        if let Event::Display(display) = event
            && display.kind == DisplayKind::Result
        {
            value = display;
        }
    };
    let mut run = pin!(engine.execute(request, &events));
    let outcome = loop {
        tokio::select! {
            Some(event) = events_end.recv() => keep(event),
            outcome = &mut run => break outcome,
        }
    };
    while let Ok(event) = events_end.try_recv() {
        keep(event);
    }
    outcome.map(|()| value)
}
