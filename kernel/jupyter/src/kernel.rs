//! Takes the shell's requests one after the other: runs cells, answers questions, aborts what a failed cell held up.

pub(crate) mod cell;
pub(crate) mod comms;
pub(crate) mod control;
pub(crate) mod history;
pub(crate) mod interrupts;
pub(crate) mod replies;
pub(crate) mod startup;
mod usage;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jupyter_protocol::{
    CommClose, ExecuteInput, ExecuteReply, ExecuteRequest, ExecutionCount, ExpressionResult, IsCompleteReply,
    JupyterMessage, JupyterMessageContent as Content, ReplyError, ReplyStatus, Status, UnknownMessage,
};
use oxtorch_session::formats::media;
use oxtorch_session::{AHEAD, CellError, Completion, Documentation, Engine, note_display};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use self::cell::{CellOutput, Frontend};
use self::history::History;
use self::replies::CommonReplies;
use self::startup::{Meanwhile, Startup};
use crate::log::log;
use crate::wire;

/// A frontend that runs all cells sends their requests at once. A first cell that fails within a millisecond must
/// still abort those that are on the wire, so they get this long to arrive before its reply is sent.
const ON_THE_WIRE: Duration = Duration::from_millis(20);

/// What a cell says that waited behind one which was stopped while it waited for the set-up.
const WAITED: &str = "not run, as the cell ahead of it was stopped; run it again, it waits until the set-up is done";

/// What answers the shell's requests.
pub(crate) struct Kernel<E> {
    pub(crate) engine: Startup<E>,
    pub(crate) requests: mpsc::UnboundedReceiver<JupyterMessage>,
    pub(crate) replies: mpsc::UnboundedSender<JupyterMessage>,
    pub(crate) frontend: Frontend,
    pub(crate) shutdown: watch::Sender<bool>,
    /// For what control takes as well.
    pub(crate) common: CommonReplies,
    pub(crate) history: History,
    /// Requests that were read while looking for those to abort, ahead of `requests`.
    pub(crate) queue: VecDeque<JupyterMessage>,
    /// The number that the next cell's prompt gets.
    pub(crate) execution_count: u32,
    /// The cell that ran last, with its number: what is shown while none runs is its.
    pub(crate) last: Option<(JupyterMessage, u32)>,
}

impl<E: Engine> Kernel<E> {
    /// Serves until the kernel shall end, then ends the engine, also in the middle of a cell.
    pub(crate) async fn run(mut self) {
        let mut shutdown = self.shutdown.subscribe();
        tokio::select! {
            biased;
            _ = shutdown.wait_for(|shutdown| *shutdown) => {}
            () = self.serve() => {}
        }
        let Self { engine, frontend, last, .. } = self;
        engine.shutdown(earlier(&last, &frontend)).await;
    }

    async fn serve(&mut self) {
        loop {
            let request = match self.queue.pop_front() {
                Some(request) => request,
                None => tokio::select! {
                    biased;
                    meanwhile = self.engine.meanwhile(&self.frontend.interrupts) => {
                        self.tell(meanwhile).await;
                        continue;
                    }
                    request = self.requests.recv() => match request {
                        Some(request) => request,
                        None => return,
                    },
                },
            };
            self.handle(&request).await;
            if self.engine.set_up().is_some() {
                self.tell(Meanwhile::SettingUp).await;
            }
        }
    }

    /// Tells the frontends what happens while nobody asks for anything. A kernel that is being set up is busy.
    async fn tell(&mut self, meanwhile: Meanwhile) {
        match meanwhile {
            Meanwhile::Shown(event) => {
                if let Some(output) = earlier(&self.last, &self.frontend) {
                    output.show(event).await;
                }
            }
            Meanwhile::SettingUp => self.frontend.iopub.publish(Status::busy(), None).await,
            Meanwhile::SetUp => self.frontend.iopub.publish(Status::idle(), None).await,
        }
    }

    async fn handle(&mut self, request: &JupyterMessage) {
        let reply = match &request.content {
            Content::ExecuteRequest(content) => return self.execute(request, content).await,
            Content::IsCompleteRequest(content) => {
                let found = match self.engine.soon(&self.frontend.interrupts).await {
                    Some(engine) => replies::is_complete(engine.is_complete(&content.code)),
                    // The frontend has rules of its own for a kernel that cannot tell.
                    None => IsCompleteReply::unknown(),
                };
                Some(found.into())
            }
            Content::CompleteRequest(content) => {
                let cursor = replies::byte_offset(&content.code, content.cursor_pos);
                let found = match self.engine.soon(&self.frontend.interrupts).await {
                    Some(engine) => engine.complete(&content.code, cursor).await,
                    None => Completion::none(cursor),
                };
                Some(replies::complete(&content.code, found).into())
            }
            Content::InspectRequest(content) => {
                let cursor = replies::byte_offset(&content.code, content.cursor_pos);
                let with_source = content.detail_level.is_some_and(|level| level > 0);
                let found = match self.engine.soon(&self.frontend.interrupts).await {
                    Some(engine) => engine.inspect(&content.code, cursor, with_source).await,
                    // Who asks for help wants to know why there is none yet.
                    None => {
                        self.engine.set_up().map(|told| Documentation { plain: told.into(), markdown: told.into() })
                    }
                };
                Some(replies::inspect(found).into())
            }
            Content::HistoryRequest(content) => {
                Some(self.history_reply(&serde_json::to_value(content).unwrap_or_default()))
            }
            // Clients leave out fields of this that others send.
            Content::UnknownMessage(UnknownMessage { msg_type, content }) if msg_type == "history_request" => {
                Some(self.history_reply(content))
            }
            Content::CommOpen(_) | Content::CommMsg(_) | Content::CommClose(_) => return self.comm(request).await,
            content => match self.common.to(content) {
                None => return log(format_args!("shell: dropped a {}", request.header.msg_type)),
                reply => reply,
            },
        };
        self.frontend.iopub.publish(Status::busy(), request).await;
        if let Some(reply) = reply {
            let ends = matches!(reply, Content::ShutdownReply(_));
            self.reply(reply.clone(), request);
            if ends {
                self.frontend.iopub.publish_urgent(reply, Some(request));
                self.shutdown.send_replace(true);
            }
        }
        self.frontend.iopub.publish(Status::idle(), request).await;
    }

    /// Has the session hear what a frontend says over a comm. What is shown then answers that message.
    async fn comm(&mut self, request: &JupyterMessage) {
        self.frontend.iopub.publish(Status::busy(), request).await;
        match (&mut self.engine, comms::asked(request)) {
            (Startup::Ready(running), Some(asked)) if !self.frontend.comms.is_empty() => {
                let output = output_of(request, self.execution_count.saturating_sub(1), &self.frontend);
                let earlier = earlier(&self.last, &self.frontend);
                output.hear(running, asked, earlier.as_ref().unwrap_or(&output)).await;
            }
            _ => {
                if let Content::CommOpen(open) = &request.content {
                    // Nothing here takes a comm, and the frontend has to know.
                    let close = CommClose { comm_id: open.comm_id.clone(), data: serde_json::Map::new() };
                    self.frontend.iopub.publish(close, request).await;
                }
            }
        }
        self.frontend.iopub.publish(Status::idle(), request).await;
    }

    fn history_reply(&self, request: &serde_json::Value) -> Content {
        UnknownMessage { msg_type: "history_reply".into(), content: self.history.answer(request) }.into()
    }

    fn reply(&self, content: impl Into<Content>, request: &JupyterMessage) {
        let _ = self.replies.send(wire::message(content, Some(request)));
    }

    async fn execute(&mut self, request: &JupyterMessage, content: &ExecuteRequest) {
        let busy = wire::message(Status::busy(), Some(request));
        // Frontends show from it how long a cell took, also where the status came to nobody.
        let started = serde_json::json!({"started": busy.header.date});
        self.frontend.iopub.publish(busy.content, request).await;
        let count = given_number(request).unwrap_or(self.execution_count);
        let execution_count = ExecutionCount::new(count as usize);
        if !content.silent {
            let code = content.code.clone();
            self.frontend.iopub.publish(ExecuteInput { code, execution_count }, request).await;
            if content.store_history {
                self.execution_count = count.saturating_add(1);
                self.history.record(count, &content.code);
            }
        }
        let (status, expressions, error) = match self.run_cell(request, content, count).await {
            Ok(expressions) => (ReplyStatus::Ok, expressions, None),
            Err(CellError { kind, evalue, traceback }) => {
                let error = ReplyError { ename: kind.name().into(), evalue, traceback };
                (ReplyStatus::Error, HashMap::new(), Some(Box::new(error)))
            }
        };
        let aborts = error.is_some() && content.stop_on_error && !content.silent;
        let user_expressions = Some(expressions);
        let reply = ExecuteReply { status, execution_count, payload: Vec::new(), user_expressions, error };
        // Looked for before the reply: a client that has the reply may go on, and that is not to be aborted.
        let aborted = if aborts { self.take_waiting_cells().await } else { Vec::new() };
        let reply = wire::message(reply, Some(request)).with_metadata(started);
        let _ = self.replies.send(reply);
        self.frontend.iopub.publish(Status::idle(), request).await;
        for request in &aborted {
            self.abort(request).await;
        }
    }

    async fn run_cell(
        &mut self,
        request: &JupyterMessage,
        content: &ExecuteRequest,
        execution_count: u32,
    ) -> Result<HashMap<String, ExpressionResult>, CellError> {
        let expected = self.waiting_cells();
        let output = CellOutput {
            request,
            execution_count,
            silent: content.silent,
            allow_stdin: content.allow_stdin,
            frontend: &self.frontend,
        };
        let outcome = match self.engine.running(&output).await {
            Ok(running) => {
                running.engine.expect(expected);
                let earlier = earlier(&self.last, &self.frontend);
                let value = output.run(running, &content.code, earlier.as_ref().unwrap_or(&output)).await;
                value.map(|value| (&mut running.engine, value))
            }
            Err(error) => Err(error),
        };
        // A frontend's own questions have no place in the notebook.
        if !content.silent {
            self.last = Some((request.clone(), execution_count));
        }
        let engine = match outcome {
            Ok((engine, value)) => {
                if let Some(value) = value.filter(|_| content.store_history && !content.silent) {
                    self.history.resulted(value);
                }
                engine
            }
            Err(error) => {
                output.error(&error).await;
                return Err(error);
            }
        };
        let mut results = HashMap::new();
        for (name, expression) in content.user_expressions.iter().flatten() {
            let result = match cell::evaluate(engine, expression, execution_count).await {
                Ok(value) => ExpressionResult::Ok { data: media(value.data), metadata: value.metadata },
                Err(CellError { kind, evalue, traceback }) => {
                    ExpressionResult::Error { ename: kind.name().into(), evalue, traceback }
                }
            };
            results.insert(name.clone(), result);
        }
        Ok(results)
    }

    /// The cells behind the one that is to run now, as far as they have arrived.
    fn waiting_cells(&mut self) -> Vec<String> {
        while let Ok(request) = self.requests.try_recv() {
            self.queue.push_back(request);
        }
        let cells = self.queue.iter().filter_map(|request| match &request.content {
            Content::ExecuteRequest(content) => Some(content.code.clone()),
            _ => None,
        });
        cells.take(AHEAD).collect()
    }

    /// Takes the cells that wait behind a failed one; other requests stay.
    async fn take_waiting_cells(&mut self) -> Vec<JupyterMessage> {
        let deadline = Instant::now() + ON_THE_WIRE;
        while let Ok(Some(request)) = timeout_at(deadline, self.requests.recv()).await {
            self.queue.push_back(request);
        }
        let (cells, others) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition::<Vec<_>, _>(|request| matches!(request.content, Content::ExecuteRequest(_)));
        self.queue = others.into();
        cells
    }

    async fn abort(&mut self, request: &JupyterMessage) {
        self.frontend.iopub.publish(Status::busy(), request).await;
        let execution_count = self.execution_count.saturating_sub(1);
        if self.engine.set_up().is_some() {
            output_of(request, execution_count, &self.frontend).display(note_display(WAITED)).await;
        }
        let execution_count = ExecutionCount::new(execution_count as usize);
        let reply = ExecuteReply { status: ReplyStatus::Aborted, execution_count, ..ExecuteReply::default() };
        self.reply(ExecuteReply { user_expressions: Some(HashMap::new()), ..reply }, request);
        self.frontend.iopub.publish(Status::idle(), request).await;
    }
}

/// Where what is shown while no cell runs goes: to the cell that ran last, in whose output it has been all the time.
fn earlier<'a>(last: &'a Option<(JupyterMessage, u32)>, frontend: &'a Frontend) -> Option<CellOutput<'a>> {
    let (request, execution_count) = last.as_ref()?;
    Some(output_of(request, *execution_count, frontend))
}

/// The output of a cell that does not run.
fn output_of<'a>(request: &'a JupyterMessage, execution_count: u32, frontend: &'a Frontend) -> CellOutput<'a> {
    CellOutput { request, execution_count, silent: false, allow_stdin: false, frontend }
}

/// The number that a frontend gives a cell itself, in the request's metadata: Rust cells of a Python notebook have the
/// numbers that stand beside them there.
fn given_number(request: &JupyterMessage) -> Option<u32> {
    let number = request.metadata.get("oxtorch")?.get("execution_count")?.as_u64()?;
    u32::try_from(number).ok().filter(|number| *number > 0)
}
