//! The frontends that listen on iopub, each with a queue and a socket to itself: one that is slow, or has gone, costs
//! nothing but its own messages.
//!
//! The socket library's XPUB socket serves its subscribers one after the other and waits for each. So every connection
//! gets an XPUB socket of its own (see `link`). XPUB, because a subscriber can then be greeted (`iopub_welcome`) and
//! knows from when on it misses nothing.

use std::collections::VecDeque;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use jupyter_protocol::{Header, IoPubWelcome, JupyterMessage, JupyterMessageContent, StreamContent};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};
use zeromq::{SocketRecv, SocketSend, XPubSocket, ZmqMessage};

use crate::channels::iopub::Pressure;
use crate::log::log;
use crate::sockets::framing::Limits;
use crate::sockets::link::{Link, Rooms, link};
use crate::sockets::listener::Connection;
use crate::wire::{self, Wire};

/// A frontend sends nothing here but its subscriptions, each of which takes memory as long as it is connected.
const LIMITS: Limits = Limits { message: 4 << 10, total: 256 << 10 };

/// How long a frontend may hold up a cell before messages to it are dropped: one that reads nothing at all, or so
/// little that the others have to wait for it.
const STALL: Duration = Duration::from_secs(2);

/// The bytes that a frontend has to take in that time where others would take more.
const ENOUGH: u64 = 2 << 20;

/// How many messages that are no output a frontend gets that reads again after that.
const MOST_LATER: usize = 10_000;

/// A message on its way to one frontend. It keeps its place in the backlog until the last of them has it.
struct Outgoing {
    message: ZmqMessage,
    about: About,
    place: Arc<Place>,
}

/// The place of a message in the backlog, where it has one.
#[derive(Default)]
struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    /// Whether a frontend has taken the message.
    is_taken: AtomicBool,
}

/// What has to be known of a message to leave it out.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Whether it is output of a cell. Others tell what the kernel does: a frontend that misses that a cell has ended
    /// waits for it for ever.
    is_output: bool,
    /// The request that it is about.
    parent: Option<Arc<Header>>,
}

impl About {
    pub(crate) fn of(message: &JupyterMessage) -> Self {
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
    /// Keeps a message that tells what the kernel does, and counts one of output. Nothing here has a place in the
    /// backlog.
    fn take(&mut self, Outgoing { message, about, .. }: Outgoing, wire: &Wire) {
        let id = |header: &Option<Arc<Header>>| header.as_ref().map(|header| header.msg_id.clone());
        if self.missed > 0 && (!about.is_output || id(&about.parent) != id(&self.of)) {
            self.note(wire);
        }
        if about.is_output || self.messages.len() >= MOST_LATER {
            self.missed += 1;
            self.of = about.parent;
        } else {
            self.messages.push_back(Outgoing { message, about, place: Arc::default() });
        }
    }

    /// Says in its place that output was left out.
    fn note(&mut self, wire: &Wire) {
        let missed = std::mem::take(&mut self.missed);
        if missed == 0 {
            return;
        }
        let text = format!(
            "\n[This frontend has read nothing, or too little, for {} s while the cell went on: {missed} messages of output \
             are missing here.]\n",
            STALL.as_secs()
        );
        let mut message = wire::message(StreamContent::stderr(&text), None);
        message.parent_header = self.of.take().map(Arc::unwrap_or_clone);
        let about = About::of(&message);
        self.messages.push_back(Outgoing { message: wire.encode(message), about, place: Arc::default() });
    }
}

/// The queues of those who listen.
type Queues = Arc<Mutex<Vec<mpsc::UnboundedSender<Outgoing>>>>;

/// Everybody who listens.
pub(crate) struct Subscribers {
    wire: Arc<Wire>,
    pressure: Pressure,
    rooms: Rooms,
    queues: Queues,
    tasks: JoinSet<()>,
    ends: watch::Sender<bool>,
}

impl Subscribers {
    pub(crate) fn new(wire: Arc<Wire>, pressure: Pressure, rooms: Rooms) -> Self {
        let (tasks, ends) = (JoinSet::new(), watch::Sender::new(false));
        Self { wire, pressure, rooms, queues: Queues::default(), tasks, ends }
    }

    /// Serves a new connection. Nothing is kept for it until it has said what it is.
    pub(crate) fn add(&mut self, connection: Connection) {
        let (wire, pressure, rooms) = (self.wire.clone(), self.pressure.clone(), self.rooms.clone());
        let (queues, mut ends) = (self.queues.clone(), self.ends.subscribe());
        self.tasks.spawn(async move {
            let linked = tokio::select! {
                linked = link(connection, "iopub", LIMITS, &rooms) => linked,
                _ = ends.wait_for(|ends| *ends) => return,
            };
            let Some(link) = linked else { return };
            let (queue, waiting) = mpsc::unbounded_channel();
            queues.lock().push(queue);
            // It may all be over since.
            if !*ends.borrow() {
                serve(link, waiting, &wire, &pressure).await;
            }
        });
    }

    /// Hands a message to everybody. Nobody is waited for.
    pub(crate) fn send(&mut self, message: &ZmqMessage, about: &About, place: Option<OwnedSemaphorePermit>) {
        let place = Arc::new(Place { _permit: place, is_taken: AtomicBool::new(false) });
        let outgoing = || Outgoing { message: message.clone(), about: about.clone(), place: place.clone() };
        let mut queues = self.queues.lock();
        queues.retain(|queue| queue.send(outgoing()).is_ok());
        while self.tasks.try_join_next().is_some() {}
    }

    /// Waits until everybody has what was sent.
    pub(crate) async fn finish(mut self) {
        self.ends.send_replace(true);
        self.queues.lock().clear();
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
    let mut uptake = Uptake::new(taken);
    let mut is_greeted = false;
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
                // The first message that it gets, and sent like all others: nobody is waited for.
                Ok(Some(topic)) if !is_greeted => {
                    is_greeted = true;
                    let welcome = wire::message(IoPubWelcome::new(topic), None);
                    let about = About::of(&welcome);
                    let welcome = Outgoing { message: wire.encode(welcome), about, place: Arc::default() };
                    later.messages.push_front(welcome);
                }
                Ok(_) => {}
                Err(_) => return,
            },
            () = relay.ended() => return,
            outgoing = next => match outgoing {
                Some(outgoing) => {
                    deliver(&mut socket, outgoing, &mut waiting, &mut later, &mut uptake, wire, pressure).await;
                }
                None => break,
            },
        }
    }
    relay.finish().await;
}

/// The topic that a message on an XPUB socket subscribes to, if what is sent here has that topic: it is what a message
/// begins with. One of a peer's own making, as long as it likes, subscribes to nothing.
fn subscribed_topic(message: &ZmqMessage) -> Option<String> {
    match message.get(0).map(AsRef::as_ref) {
        Some([1, topic @ ..]) if wire::DELIMITER.starts_with(topic) => {
            Some(String::from_utf8_lossy(topic).into_owned())
        }
        _ => None,
    }
}

/// How fast a frontend takes what is sent to it while it holds up a cell.
struct Uptake {
    /// Counts the bytes that it has taken.
    taken: Arc<AtomicU64>,
    /// When it was looked at, and what it had taken by then.
    last: Option<(Instant, u64)>,
}

impl Uptake {
    fn new(taken: Arc<AtomicU64>) -> Self {
        Self { taken, last: None }
    }

    /// It has all that was sent, so it holds up nobody.
    fn catch_up(&mut self) {
        self.last = None;
    }

    /// When it has to be looked at again.
    fn due(&mut self) -> Instant {
        let taken = self.taken.load(Ordering::Relaxed);
        self.last.get_or_insert_with(|| (Instant::now(), taken)).0 + STALL
    }

    /// Whether it has taken too little since it was last looked at: nothing at all, where somebody waits for it, or
    /// less than enough, where another frontend is ahead of it besides.
    fn is_too_slow(&mut self, somebody_waits: bool, another_is_ahead: bool) -> bool {
        let taken = self.taken.load(Ordering::Relaxed);
        let Some((_, before)) = self.last.replace((Instant::now(), taken)) else { return false };
        somebody_waits && taken - before < if another_is_ahead { ENOUGH } else { 1 }
    }
}

/// Sends a message. Where the frontend has stopped reading, or reads more slowly than others do, and what waits for it
/// holds up a cell, throws away the output that comes after until it has read this one, and keeps the rest for `later`.
async fn deliver(
    socket: &mut XPubSocket,
    Outgoing { message, place, .. }: Outgoing,
    waiting: &mut mpsc::UnboundedReceiver<Outgoing>,
    later: &mut Later,
    uptake: &mut Uptake,
    wire: &Wire,
    pressure: &Pressure,
) {
    if waiting.is_empty() {
        uptake.catch_up();
    }
    let mut sent = pin!(socket.send(message));
    while timeout_at(uptake.due(), &mut sent).await.is_err() {
        if !uptake.is_too_slow(pressure.is_on(), place.is_taken.load(Ordering::Relaxed)) {
            continue;
        }
        log(format_args!("iopub: a frontend has read too little for {} s; it misses messages", STALL.as_secs()));
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
        uptake.catch_up();
        log(format_args!("iopub: a frontend reads again"));
        return;
    }
    place.is_taken.store(true, Ordering::Relaxed);
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, Status};

    use super::*;
    use crate::tests::connection_info;

    #[tokio::test(start_paused = true)]
    async fn a_frontend_is_waited_for_as_long_as_it_reads_and_no_other_has_to_wait_for_it() {
        let taken = Arc::new(AtomicU64::new(0));
        let mut uptake = Uptake::new(taken.clone());
        let mut after = async |bytes: u64, somebody_waits, another_is_ahead| {
            tokio::time::sleep_until(uptake.due()).await;
            taken.fetch_add(bytes, Ordering::Relaxed);
            uptake.is_too_slow(somebody_waits, another_is_ahead)
        };
        assert!(!after(0, false, true).await, "nobody waits");
        assert!(after(0, true, false).await, "it reads nothing");
        assert!(!after(1, true, false).await, "it reads, and nobody reads faster");
        assert!(after(ENOUGH - 1, true, true).await, "others read faster");
        assert!(!after(ENOUGH, true, true).await, "others read faster, and this is fast enough");
        let begun = Instant::now();
        assert!(after(0, true, true).await);
        assert_eq!(begun.elapsed(), STALL);
        uptake.catch_up();
        assert_eq!(uptake.due(), Instant::now() + STALL, "what was before it had caught up does not count");
    }

    #[test]
    fn who_subscribes_to_what_no_message_begins_with_subscribes_to_nothing() {
        let subscribed = |topic: &[u8]| subscribed_topic(&[&[1], topic].concat().into());
        assert_eq!(subscribed(b"").as_deref(), Some(""));
        assert_eq!(subscribed(b"<IDS|").as_deref(), Some("<IDS|"));
        assert_eq!(subscribed(b"stream"), None);
        assert_eq!(subscribed(&[b'<'; 4000]), None);
        assert_eq!(subscribed_topic(&vec![0].into()), None, "it ends a subscription");
    }

    #[test]
    fn a_frontend_that_reads_again_is_told_what_is_missing_and_gets_the_rest() {
        let wire = Wire::new(&connection_info("", "")).expect("needs no scheme");
        let requests = [(); 2].map(|()| JupyterMessage::new(ExecuteRequest::new(String::new()), None));
        let mut later = Later::default();
        let mut take = |content: JupyterMessageContent, request| {
            let message = wire::message(content, Some(request));
            let about = About::of(&message);
            later.take(Outgoing { message: wire.encode(message), about, place: Arc::default() }, &wire);
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
