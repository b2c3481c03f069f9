//! The frontends that listen on iopub, each with a queue and a socket to itself: one that is slow, or has gone, costs
//! nothing but its own messages.
//!
//! The socket library's XPUB socket serves its subscribers one after the other and waits for each. So every connection
//! gets an XPUB socket of its own (see `link`). XPUB, because a subscriber can then be greeted (`iopub_welcome`) and knows from
//! when on it misses nothing.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jupyter_protocol::{Header, IoPubWelcome, JupyterMessage, JupyterMessageContent, StreamContent};
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use zeromq::{SocketRecv, SocketSend, XPubSocket, ZmqMessage};

use super::framing::Limits;
use super::iopub::Pressure;
use super::link::{Link, LinkError, Rooms, link};
use super::listener::Connection;
use super::log::log;
use super::wire::{self, Wire};

/// A frontend sends nothing here but its subscriptions, each of which takes memory as long as it is connected.
const LIMITS: Limits = Limits { message: 4 << 10, total: 256 << 10 };

/// How long a frontend may read nothing at all before messages to it are dropped, where others wait for their place.
const STALL: Duration = Duration::from_secs(2);

/// How many messages that are no output a frontend gets that reads again after that.
const MOST_LATER: usize = 10_000;

/// A message on its way to one frontend. It keeps its place in the backlog until the last of them has it.
struct Outgoing {
    message: ZmqMessage,
    about: About,
    place: Arc<Option<OwnedSemaphorePermit>>,
}

/// What has to be known of a message to leave it out.
#[derive(Debug, Clone)]
pub(super) struct About {
    /// Whether it is output of a cell. Others tell what the kernel does: a frontend that misses that a cell has ended waits
    /// for it for ever.
    is_output: bool,
    /// The request that it is about.
    parent: Option<Arc<Header>>,
}

impl About {
    pub(super) fn of(message: &JupyterMessage) -> Self {
        use JupyterMessageContent::{DisplayData, ExecuteResult, StreamContent, UpdateDisplayData};
        let content = &message.content;
        let is_output = matches!(content, StreamContent(_) | DisplayData(_) | UpdateDisplayData(_) | ExecuteResult(_));
        Self { is_output, parent: message.parent_header.clone().map(Arc::new) }
    }
}

/// What a frontend gets when it reads again.
#[derive(Default)]
struct Later {
    messages: VecDeque<Outgoing>,
    /// How much output of one request was left out since the last of the messages.
    missed: usize,
    of: Option<Arc<Header>>,
}

impl Later {
    /// Keeps a message that tells what the kernel does, and counts one of output. Nothing here has a place in the backlog.
    fn take(&mut self, Outgoing { message, about, .. }: Outgoing, wire: &Wire) {
        let id = |header: &Option<Arc<Header>>| header.as_ref().map(|header| header.msg_id.clone());
        if self.missed > 0 && (!about.is_output || id(&about.parent) != id(&self.of)) {
            self.note(wire);
        }
        if about.is_output || self.messages.len() >= MOST_LATER {
            self.missed += 1;
            self.of = about.parent;
        } else {
            self.messages.push_back(Outgoing { message, about, place: Arc::new(None) });
        }
    }

    /// Says in its place that output was left out.
    fn note(&mut self, wire: &Wire) {
        let missed = std::mem::take(&mut self.missed);
        if missed == 0 {
            return;
        }
        let text = format!(
            "\n[This frontend has read nothing for {} s while the cell went on: {missed} messages of output are missing \
             here.]\n",
            STALL.as_secs()
        );
        let mut message = wire::message(StreamContent::stderr(&text), None);
        message.parent_header = self.of.take().map(Arc::unwrap_or_clone);
        let about = About::of(&message);
        self.messages.push_back(Outgoing { message: wire.encode(message), about, place: Arc::new(None) });
    }
}

/// The queues of those who listen.
type Queues = Arc<Mutex<Vec<mpsc::UnboundedSender<Outgoing>>>>;

/// Everybody who listens.
pub(super) struct Subscribers {
    wire: Arc<Wire>,
    pressure: Pressure,
    rooms: Rooms,
    queues: Queues,
    tasks: JoinSet<()>,
    ends: watch::Sender<bool>,
}

impl Subscribers {
    pub(super) fn new(wire: Arc<Wire>, pressure: Pressure, rooms: Rooms) -> Self {
        let (tasks, ends) = (JoinSet::new(), watch::Sender::new(false));
        Self { wire, pressure, rooms, queues: Queues::default(), tasks, ends }
    }

    /// Serves a new connection. Nothing is kept for it until it has said what it is.
    pub(super) fn add(&mut self, connection: Connection) {
        let (wire, pressure, rooms) = (self.wire.clone(), self.pressure.clone(), self.rooms.clone());
        let (queues, mut ends) = (self.queues.clone(), self.ends.subscribe());
        self.tasks.spawn(async move {
            let linked = tokio::select! {
                linked = link(connection, "iopub", LIMITS, &rooms) => linked,
                _ = ends.wait_for(|ends| *ends) => return,
            };
            match linked {
                Ok(link) => {
                    let (queue, waiting) = mpsc::unbounded_channel();
                    queues.lock().unwrap_or_else(PoisonError::into_inner).push(queue);
                    // It may all be over since.
                    if !*ends.borrow() {
                        serve(link, waiting, &wire, &pressure).await;
                    }
                }
                Err(LinkError::Gone) => {}
                Err(error) => log(format_args!("iopub: a frontend cannot be served: {error}")),
            }
        });
    }

    /// Hands a message to everybody. Nobody is waited for.
    pub(super) fn send(&mut self, message: &ZmqMessage, about: &About, place: Option<OwnedSemaphorePermit>) {
        let place = Arc::new(place);
        let outgoing = || Outgoing { message: message.clone(), about: about.clone(), place: place.clone() };
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.retain(|queue| queue.send(outgoing()).is_ok());
        while self.tasks.try_join_next().is_some() {}
    }

    /// Waits until everybody has what was sent.
    pub(super) async fn finish(mut self) {
        self.ends.send_replace(true);
        self.queues.lock().unwrap_or_else(PoisonError::into_inner).clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Sends one frontend what it is to get, until that ends or the frontend goes.
async fn serve(
    Link { mut socket, taken, mut relay, .. }: Link<XPubSocket>,
    mut waiting: mpsc::UnboundedReceiver<Outgoing>,
    wire: &Wire,
    pressure: &Pressure,
) {
    let mut later = Later::default();
    loop {
        let next = async {
            match later.messages.pop_front() {
                Some(outgoing) => Some(outgoing),
                None => waiting.recv().await,
            }
        };
        tokio::select! {
            biased;
            // The socket learns of subscriptions only while something receives on it.
            event = socket.recv() => match event.map(|event| subscribed_topic(&event)) {
                Ok(Some(topic)) => {
                    let welcome = wire::message(IoPubWelcome::new(topic), None);
                    if socket.send(wire.encode(welcome)).await.is_err() {
                        return;
                    }
                }
                Ok(None) => {}
                Err(_) => return,
            },
            () = relay.ended() => return,
            outgoing = next => match outgoing {
                Some(outgoing) => {
                    deliver(&mut socket, outgoing, &mut waiting, &mut later, &taken, wire, pressure).await;
                }
                None => break,
            },
        }
    }
    relay.finish().await;
}

/// The topic that a message on an XPUB socket subscribes to.
fn subscribed_topic(message: &ZmqMessage) -> Option<String> {
    match message.get(0).map(AsRef::as_ref) {
        Some([1, topic @ ..]) => Some(String::from_utf8_lossy(topic).into_owned()),
        _ => None,
    }
}

/// Sends a message. Where the frontend has stopped reading and what waits for it holds up a cell, throws away the output
/// that comes after until it reads again, and keeps the rest for `later`.
async fn deliver(
    socket: &mut XPubSocket,
    Outgoing { message, place, .. }: Outgoing,
    waiting: &mut mpsc::UnboundedReceiver<Outgoing>,
    later: &mut Later,
    taken: &AtomicU64,
    wire: &Wire,
    pressure: &Pressure,
) {
    let mut sent = pin!(socket.send(message));
    let mut before = taken.load(Ordering::Relaxed);
    while tokio::time::timeout(STALL, &mut sent).await.is_err() {
        let now = taken.load(Ordering::Relaxed);
        if now != before || !pressure.is_on() {
            before = now;
            continue;
        }
        log(format_args!("iopub: a frontend has read nothing for {} s; it misses messages", STALL.as_secs()));
        // Nobody is to wait for this one any more.
        drop(place);
        loop {
            tokio::select! {
                biased;
                // An error is for the next receive to find.
                _ = &mut sent => break,
                outgoing = waiting.recv() => match outgoing {
                    Some(outgoing) => later.take(outgoing, wire),
                    None => return,
                },
            }
        }
        later.note(wire);
        log(format_args!("iopub: a frontend reads again"));
        return;
    }
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ConnectionInfo, ExecuteRequest, Status, Transport};

    use super::*;

    #[test]
    fn a_frontend_that_reads_again_is_told_what_is_missing_and_gets_the_rest() {
        let info = ConnectionInfo {
            ip: String::new(),
            transport: Transport::IPC,
            shell_port: 1,
            iopub_port: 2,
            stdin_port: 3,
            control_port: 4,
            hb_port: 5,
            key: String::new(),
            signature_scheme: String::new(),
            kernel_name: None,
        };
        let wire = Wire::new(&info).expect("needs no scheme");
        let requests = [(); 2].map(|()| JupyterMessage::new(ExecuteRequest::new(String::new()), None));
        let mut later = Later::default();
        let mut take = |content: JupyterMessageContent, request| {
            let message = wire::message(content, Some(request));
            let about = About::of(&message);
            later.take(Outgoing { message: wire.encode(message), about, place: Arc::new(None) }, &wire);
        };
        for request in &requests {
            take(Status::busy().into(), request);
            take(StreamContent::stdout("a").into(), request);
            take(StreamContent::stdout("b").into(), request);
            take(Status::idle().into(), request);
        }
        take(StreamContent::stdout("c").into(), &requests[1]);
        later.note(&wire);
        let told: Vec<_> = later
            .messages
            .iter()
            .map(|sent| {
                let frames: Vec<String> =
                    sent.message.iter().map(|frame| String::from_utf8_lossy(frame).into_owned()).collect();
                let of = requests
                    .iter()
                    .position(|request| frames.iter().any(|frame| frame.contains(&request.header.msg_id)));
                let content = frames.last().expect("a message has frames");
                let what = ["busy", "idle", "2 messages", "1 messages"].into_iter().find(|what| content.contains(what));
                (of, what)
            })
            .collect();
        let of_a_cell =
            |cell| [(Some(cell), Some("busy")), (Some(cell), Some("2 messages")), (Some(cell), Some("idle"))];
        let expected = [&of_a_cell(0)[..], &of_a_cell(1), &[(Some(1), Some("1 messages"))]].concat();
        assert_eq!(told, expected);
    }
}
