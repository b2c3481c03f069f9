//! An engine for tests of the fronts: a cell is a script, one command a line, that says what the session shows.

use std::sync::Arc;
use std::time::Duration;

use oxtorch_protocol::{Comm, CommAction, CommRequest, Display, DisplayKind};
use oxtorch_session::{CellError, CellRequest, Completeness, Engine, ErrorKind, Event, Interrupter, Stream};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, oneshot};

/// Runs cells whose lines are commands: `print text`, `display id text`, `input prompt`, `forever`, `fail text` and
/// others.
#[derive(Default)]
pub struct Scripted {
    interrupts: Arc<Notify>,
    rested: Arc<Notify>,
}

impl Scripted {
    /// Is notified when the front lets it rest.
    pub fn rested(&self) -> Arc<Notify> {
        self.rested.clone()
    }

    async fn command(
        &mut self,
        line: &str,
        request: CellRequest<'_>,
        events: &mpsc::Sender<Event>,
    ) -> Result<(), CellError> {
        let (command, text) = line.split_once(' ').unwrap_or((line, ""));
        let show = async |event| events.send(event).await.expect("the front takes events while a cell runs");
        let stream = |stream, text| Event::Stream { stream, text };
        let display = |kind, id: Option<&str>, text: &str| {
            let data = json!({"text/plain": text}).as_object().cloned().expect("is an object");
            Event::Display(Display { kind, data, metadata: Default::default(), display_id: id.map(Into::into) })
        };
        let named = || text.split_once(' ').unwrap_or((text, ""));
        match command {
            "print" => show(stream(Stream::Stdout, format!("{text}\n"))).await,
            "rewrite" => show(stream(Stream::Stdout, format!("\r{text}"))).await,
            "warn" => show(stream(Stream::Stderr, format!("{text}\n"))).await,
            "note" => show(Event::Note(text.to_owned())).await,
            "lines" => {
                for line in 0..text.parse::<u64>().expect("a number of lines") {
                    show(stream(Stream::Stdout, format!("{line}\n"))).await;
                }
            }
            "count" => show(stream(Stream::Stdout, format!("[{}]\n", request.execution_count))).await,
            "result" => show(display(DisplayKind::Result, None, text)).await,
            "display" => show(display(DisplayKind::Data, Some(named().0), named().1)).await,
            "update" => show(display(DisplayKind::Update, Some(named().0), named().1)).await,
            "image" => {
                let data = json!({"image/png": "iVBORw0KGgo=", "text/plain": "a\nb"});
                show(Event::Display(Display {
                    kind: DisplayKind::Data,
                    data: data.as_object().cloned().expect("is an object"),
                    metadata: json!({"image/png": {"width": 8}}).as_object().cloned().expect("is an object"),
                    display_id: None,
                }))
                .await;
            }
            "clear" => show(Event::ClearOutput { wait: text == "wait" }).await,
            "comm" => {
                let action = CommAction::Open { target: "jupyter.widget".to_owned() };
                show(Event::Comm(comm(text, action))).await;
            }
            "input" => {
                let (reply, answer) = oneshot::channel();
                show(Event::Input { prompt: text.into(), password: false, reply }).await;
                match answer.await.ok().flatten() {
                    Some(line) => show(stream(Stream::Stdout, format!("got {line}\n"))).await,
                    None => return Err(error(ErrorKind::Error, "nobody answered")),
                }
            }
            "sleep" => tokio::time::sleep(Duration::from_millis(text.parse().expect("milliseconds"))).await,
            "forever" => {
                self.interrupts.notified().await;
                return Err(error(ErrorKind::Interrupted, "interrupted"));
            }
            "fail" => return Err(error(ErrorKind::Panic, text)),
            "" => {}
            _ => return Err(error(ErrorKind::Compile, &format!("no such command: {command}"))),
        }
        Ok(())
    }
}

fn comm(id: &str, action: CommAction) -> Comm {
    Comm { id: id.to_owned(), action, data: Default::default(), metadata: Default::default() }
}

fn error(kind: ErrorKind, evalue: &str) -> CellError {
    CellError { kind, evalue: evalue.into(), traceback: vec![format!("\u{1b}[31m{kind}\u{1b}[0m: {evalue}")] }
}

impl Engine for Scripted {
    async fn execute(&mut self, request: CellRequest<'_>, events: &mpsc::Sender<Event>) -> Result<(), CellError> {
        for line in request.code.lines() {
            self.command(line, request, events).await?;
        }
        Ok(())
    }

    /// What a frontend says over a comm is a command, in `data["run"]`; `close` closes it.
    async fn comm(&mut self, asked: CommRequest, events: &mpsc::Sender<Event>) -> (Result<(), CellError>, Vec<Comm>) {
        let CommRequest { comm: asked, .. } = asked;
        match asked.data.get("run").and_then(Value::as_str).unwrap_or_default() {
            "close" => (Ok(()), vec![comm(&asked.id, CommAction::Close)]),
            line => {
                let request = CellRequest::new(line, 0);
                let outcome = self.command(line, request, events).await;
                (outcome, vec![comm(&asked.id, CommAction::Message)])
            }
        }
    }

    fn is_complete(&self, code: &str) -> Completeness {
        match code {
            "" => Completeness::Invalid,
            code if code.ends_with('{') => Completeness::Incomplete { indent: "    ".into() },
            _ => Completeness::Complete,
        }
    }

    fn rest(&mut self) {
        self.rested.notify_one();
    }

    fn interrupter(&self) -> Interrupter {
        let interrupts = self.interrupts.clone();
        Interrupter::new(move |_| interrupts.notify_waiters())
    }

    async fn shutdown(self) {}
}
