//! Reads what a host says while no cell runs: a thread that outlives its cell prints as it likes, and stands still for
//! nobody.

use std::io;
use std::sync::{Arc, OnceLock};

use oxtorch_protocol::{FromHost, Ready, ToHost};
use oxtorch_session::{Event, Stream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::host::rewrite::{Rewrite, Rewritten, plain, rewritten};
use crate::host::{BLOCK_PATIENCE, Requests, Streams};

/// Events that may wait to be taken before the host has to.
const EVENTS: usize = 256;

/// Where what a host says goes while no cell runs.
#[derive(Clone)]
pub struct BetweenCells {
    events: mpsc::Sender<Event>,
    rewrite: Arc<Rewrite<'static>>,
}

impl BetweenCells {
    /// A way for events, with its other end. `rewrite` sees text before the user does.
    pub fn new(rewrite: impl Fn(Stream, &str) -> Rewritten + Send + Sync + 'static) -> (Self, mpsc::Receiver<Event>) {
        let (events, events_end) = mpsc::channel(EVENTS);
        (Self { events, rewrite: Arc::new(rewrite) }, events_end)
    }

    /// The same for a while in which a cell runs that takes its events.
    pub fn to(&self, events: mpsc::Sender<Event>) -> Self {
        Self { events, rewrite: Arc::clone(&self.rewrite) }
    }
}

impl Default for BetweenCells {
    /// A way to nobody.
    fn default() -> Self {
        Self::new(plain).0
    }
}

/// Who reads the streams of a host.
#[derive(Debug)]
pub(super) enum Reader {
    /// The run of a cell, or nobody.
    Run(Box<Streams>),
    /// A task, until it is told to stop or the host closes its end.
    Task { stop: oneshot::Sender<()>, task: JoinHandle<Streams> },
    /// The streams are gone with a task that panicked.
    Lost,
}

impl Reader {
    pub(super) fn new(streams: Streams) -> Self {
        Self::Run(Box::new(streams))
    }

    /// Has a task read, where none does.
    pub(super) fn begin(&mut self, aside: BetweenCells, requests: Requests, ready: Arc<OnceLock<Ready>>) {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Run(streams) => {
                let (stop, stopped) = oneshot::channel();
                let task = Between { streams: *streams, aside, requests, ready };
                Self::Task { stop, task: tokio::spawn(task.read(stopped)) }
            }
            other => other,
        };
    }

    /// Has the task end, and gives the streams, with what it has read and nobody has taken.
    pub(super) async fn end(&mut self) -> io::Result<&mut Streams> {
        *self = match std::mem::replace(self, Self::Lost) {
            Self::Task { stop, task } => {
                // One that has ended by itself hears nothing.
                let _ = stop.send(());
                Self::Run(Box::new(task.await.map_err(io::Error::other)?))
            }
            other => other,
        };
        match self {
            Self::Run(streams) => Ok(streams),
            Self::Task { .. } | Self::Lost => Err(io::Error::other("its output is no longer read")),
        }
    }

    /// Waits until the host has closed its end and the task has passed on all that it said.
    pub(super) async fn until_closed(&mut self) {
        if let Self::Task { task, .. } = self
            && let Ok(streams) = task.await
        {
            *self = Self::Run(Box::new(streams));
        }
    }
}

/// What has come.
enum Heard {
    /// It waits to be passed on.
    Text,
    /// On the control socket.
    Message(Box<FromHost>),
    /// The host has closed the control socket.
    End,
}

struct Between {
    streams: Streams,
    aside: BetweenCells,
    requests: Requests,
    ready: Arc<OnceLock<Ready>>,
}

impl Between {
    async fn read(mut self, mut stopped: oneshot::Receiver<()>) -> Streams {
        let mut is_open = true;
        while is_open || !self.streams.pending.is_empty() {
            let Streams { control, stdout, stderr, pending } = &mut self.streams;
            let rewrite = &*self.aside.rewrite;
            // Nothing is sent from within a branch, so nothing is lost where the task is stopped.
            let reads = is_open && pending.len() < EVENTS;
            let heard = tokio::select! {
                biased;
                _ = &mut stopped => break,
                place = self.aside.events.reserve(), if !pending.is_empty() => {
                    match (place, pending.pop_front()) {
                        (Ok(place), Some(event)) => place.send(event),
                        // Nobody listens any more.
                        _ => pending.clear(),
                    }
                    Ok(Heard::Text)
                }
                shown = stdout.next(rewrite), if reads && !stdout.closed => {
                    shown.map(|events| pending.extend(events)).map(|()| Heard::Text)
                }
                shown = stderr.next(rewrite), if reads && !stderr.closed => {
                    shown.map(|events| pending.extend(events)).map(|()| Heard::Text)
                }
                message = control.next(), if reads => {
                    message.map(|message| message.map_or(Heard::End, |message| Heard::Message(Box::new(message))))
                }
                () = tokio::time::sleep(BLOCK_PATIENCE), if stdout.waits() => {
                    pending.extend(stdout.take_begun());
                    Ok(Heard::Text)
                }
            };
            let went_well = heard.and_then(|heard| match heard {
                Heard::Text => Ok(true),
                Heard::Message(message) => self.hear(*message).map(|()| true),
                Heard::End => self.take_all().map(|()| false),
            });
            // The run that comes next meets an error again, and tells.
            is_open &= went_well.unwrap_or(false);
        }
        self.streams
    }

    /// Acts on a message, behind what was printed ahead of it.
    fn hear(&mut self, message: FromHost) -> io::Result<()> {
        let shown = match message {
            FromHost::Ready(ready) => {
                // It says so once.
                let _ = self.ready.set(ready);
                return Ok(());
            }
            // The user has nothing to do with a cell that has ended.
            FromHost::Input { .. } => return self.requests.send(&ToHost::Input { value: None }),
            // A run that nobody waits for any more, because the kernel ends; a mark has no test to be of.
            FromHost::Done(_) | FromHost::Mark(_) => return Ok(()),
            FromHost::Note { text } => Event::Note(text),
            FromHost::Display(display) => Event::Display(rewritten(display, &*self.aside.rewrite)),
            FromHost::ClearOutput { wait } => Event::ClearOutput { wait },
            FromHost::Comm(comm) => Event::Comm(comm),
        };
        let is_waited_for = !matches!(shown, Event::Note(_));
        self.take_all()?;
        self.streams.pending.push_back(shown);
        if is_waited_for { self.requests.send(&ToHost::Shown) } else { Ok(()) }
    }

    /// Takes what was printed before now.
    fn take_all(&mut self) -> io::Result<()> {
        let read = self.streams.take_all(&*self.aside.rewrite)?;
        self.streams.pending.extend(read);
        Ok(())
    }
}
