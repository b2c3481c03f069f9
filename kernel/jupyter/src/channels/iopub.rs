//! The iopub socket: what every connected frontend sees.
//!
//! What the frontends have not taken yet waits in a backlog of bounded size. Only when that is full does a cell have to
//! wait, so nothing is lost to a slow reader; and not for one that has stopped reading, or holds up faster ones (see
//! `subscribers`). Text of one stream is joined, so that a cell that prints much costs a frontend few messages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jupyter_protocol::{JupyterMessage, JupyterMessageContent, Media, MediaType};
use serde_json::{Map, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;

use crate::channels::subscribers::{About, Subscribers};
use crate::pace::Pace;
use crate::sockets::link::Rooms;
use crate::sockets::listener::Listener;
use crate::wire::{self, Wire};

/// Bytes that may wait for the frontend.
const BACKLOG: usize = 64 * 1024 * 1024;

/// What a message takes apart from its content: headers, ids.
const HEADERS: usize = 1024;

/// Text is not held back beyond this size, however many messages that makes.
const JOINED: usize = 4 * 1024 * 1024;

/// How many messages of text may go out in a row without a pause.
const BURST: u32 = 10;

/// How often another may follow after that. With the burst, that is at most 20 in any second.
const TEXT_INTERVAL: Duration = Duration::from_millis(100);

/// The way to the iopub socket.
#[derive(Clone)]
pub(crate) struct IoPub {
    backlog: Arc<Semaphore>,
    pressure: Pressure,
    messages: mpsc::UnboundedSender<Waiting>,
    urgent: mpsc::UnboundedSender<JupyterMessage>,
}

/// How many messages wait because the backlog is full.
#[derive(Clone, Default)]
pub(crate) struct Pressure(Arc<AtomicUsize>);

impl Pressure {
    /// Whether one does.
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    /// Counts one until it is dropped.
    fn wait(&self) -> impl Drop {
        struct Waits(Arc<AtomicUsize>);
        impl Drop for Waits {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        self.0.fetch_add(1, Ordering::Relaxed);
        Waits(self.0.clone())
    }
}

/// A message that holds its place in the backlog.
struct Waiting {
    message: JupyterMessage,
    place: OwnedSemaphorePermit,
}

/// The other end of [`IoPub`].
pub(crate) struct Outgoing {
    messages: mpsc::UnboundedReceiver<Waiting>,
    urgent: mpsc::UnboundedReceiver<JupyterMessage>,
    /// Text that may still grow: pieces of one request, in the order in which they came.
    held: Vec<Waiting>,
    /// The first message behind that text which is not a part of it.
    behind: Option<Waiting>,
    /// How fast text may go out.
    pace: Pace,
    pressure: Pressure,
}

/// A way to the iopub socket and its other end.
pub(crate) fn channel() -> (IoPub, Outgoing) {
    let (messages, messages_end) = mpsc::unbounded_channel();
    let (urgent, urgent_end) = mpsc::unbounded_channel();
    let backlog = Arc::new(Semaphore::new(BACKLOG));
    let pressure = Pressure::default();
    let outgoing = Outgoing {
        messages: messages_end,
        urgent: urgent_end,
        held: Vec::new(),
        behind: None,
        pace: Pace::new(BURST, TEXT_INTERVAL),
        pressure: pressure.clone(),
    };
    (IoPub { backlog, pressure, messages, urgent }, outgoing)
}

impl IoPub {
    /// Sends what a shell request shows, or what nobody asked for, in order; waits while the frontend is far behind.
    pub(crate) async fn publish<'a>(
        &self,
        content: impl Into<JupyterMessageContent>,
        parent: impl Into<Option<&'a JupyterMessage>>,
    ) {
        self.publish_with(content, Map::new(), parent).await;
    }

    /// The same with metadata of the message.
    pub(crate) async fn publish_with<'a>(
        &self,
        content: impl Into<JupyterMessageContent>,
        metadata: Map<String, Value>,
        parent: impl Into<Option<&'a JupyterMessage>>,
    ) {
        let (content, parent) = (content.into(), parent.into());
        let size = size(&content).min(BACKLOG) as u32;
        let place = match self.backlog.clone().try_acquire_many_owned(size) {
            Ok(place) => Ok(place),
            Err(_) => {
                let _waits = self.pressure.wait();
                self.backlog.clone().acquire_many_owned(size).await
            }
        };
        // Neither is closed before the kernel ends, and then nobody reads.
        if let Ok(place) = place {
            let message = broadcast(content, parent).with_metadata(metadata.into());
            let _ = self.messages.send(Waiting { message, place });
        }
    }

    /// Sends ahead of what waits. For the few small messages about a control request, which has to be answered also
    /// while a cell prints faster than the frontend reads.
    pub(crate) fn publish_urgent(&self, content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) {
        let _ = self.urgent.send(broadcast(content, parent));
    }
}

/// About the bytes that a message takes in memory.
fn size(content: &JupyterMessageContent) -> usize {
    let bundle = |data: &Media| {
        let values = data.content.iter().filter_map(|media| match media {
            MediaType::Other((_, value)) => Some(value.as_str().map_or(HEADERS, str::len)),
            _ => None,
        });
        values.sum()
    };
    HEADERS
        + match content {
            JupyterMessageContent::StreamContent(stream) => stream.text.len(),
            JupyterMessageContent::DisplayData(display) => bundle(&display.data),
            JupyterMessageContent::UpdateDisplayData(update) => bundle(&update.data),
            JupyterMessageContent::ExecuteResult(result) => bundle(&result.data),
            JupyterMessageContent::ExecuteInput(input) => input.code.len(),
            JupyterMessageContent::ErrorOutput(error) => error.traceback.iter().map(String::len).sum(),
            _ => 0,
        }
}

/// A message to all: the identities of the parent would route it to one.
fn broadcast(content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) -> JupyterMessage {
    wire::message(content, parent).with_zmq_identities(Vec::new())
}

/// The text of a piece of a stream.
fn text(waiting: &mut Waiting) -> Option<&mut String> {
    match &mut waiting.message.content {
        JupyterMessageContent::StreamContent(stream) => Some(&mut stream.text),
        _ => None,
    }
}

/// Whether two messages are text of the same stream.
fn same_stream(one: &Waiting, other: &Waiting) -> bool {
    use JupyterMessageContent::StreamContent;
    match (&one.message.content, &other.message.content) {
        (StreamContent(one), StreamContent(other)) => {
            std::mem::discriminant(&one.name) == std::mem::discriminant(&other.name)
        }
        _ => false,
    }
}

fn parent(waiting: &Waiting) -> Option<&String> {
    waiting.message.parent_header.as_ref().map(|header| &header.msg_id)
}

impl Outgoing {
    /// The next message to send, with its place in the backlog; `None` once every [`IoPub`] is gone.
    ///
    /// May be dropped and called again at any time.
    async fn next(&mut self) -> Option<(JupyterMessage, Option<OwnedSemaphorePermit>)> {
        loop {
            if let Ok(message) = self.urgent.try_recv() {
                return Some((message, None));
            }
            while self.behind.is_none()
                && let Ok(waiting) = self.messages.try_recv()
            {
                self.hold(waiting);
            }
            if self.held.is_empty() {
                if let Some(Waiting { message, place }) = self.behind.take() {
                    return Some((message, Some(place)));
                }
                tokio::select! {
                    Some(message) = self.urgent.recv() => return Some((message, None)),
                    Some(waiting) = self.messages.recv() => self.hold(waiting),
                    else => return None,
                }
            } else if self.behind.is_some() || self.is_full() || self.pace.next() <= Instant::now() {
                self.pace.take();
                let Waiting { message, place } = self.held.remove(0);
                return Some((message, Some(place)));
            } else {
                self.join_streams();
                tokio::select! {
                    Some(message) = self.urgent.recv() => return Some((message, None)),
                    Some(waiting) = self.messages.recv() => self.hold(waiting),
                    () = tokio::time::sleep_until(self.pace.next()) => {}
                }
            }
        }
    }

    /// Takes a message to the text that is held, or behind it.
    fn hold(&mut self, mut waiting: Waiting) {
        let fits = self.held.last().is_none_or(|last| parent(last) == parent(&waiting));
        if text(&mut waiting).is_none() || !fits || self.is_full() {
            self.behind = Some(waiting);
            return;
        }
        match self.held.last_mut() {
            Some(last) if same_stream(last, &waiting) => append(last, waiting),
            _ => self.held.push(waiting),
        }
    }

    /// Whether some text is so long that it has to go.
    fn is_full(&mut self) -> bool {
        self.held.iter_mut().filter_map(text).any(|text| text.len() >= JOINED)
    }

    /// Makes one message of each stream: how its text stood between that of the other stream, at this pace, is given
    /// up.
    fn join_streams(&mut self) {
        for waiting in std::mem::take(&mut self.held) {
            match self.held.iter_mut().find(|held| same_stream(held, &waiting)) {
                Some(held) => append(held, waiting),
                None => self.held.push(waiting),
            }
        }
    }
}

/// Adds the text of a message to that of another.
fn append(to: &mut Waiting, mut more: Waiting) {
    if let (Some(to), Some(more)) = (text(to), text(&mut more)) {
        to.push_str(more);
    }
    // What is left is one message.
    drop(more.place.split(HEADERS));
    to.place.merge(more.place);
}

/// Sends to all who listen until every [`IoPub`] is gone.
pub(crate) async fn serve(listener: Listener, wire: Arc<Wire>, rooms: Rooms, mut outgoing: Outgoing) {
    let mut subscribers = Subscribers::new(wire.clone(), outgoing.pressure.clone(), rooms);
    loop {
        tokio::select! {
            connection = listener.accept() => subscribers.add(connection),
            message = outgoing.next() => match message {
                Some((message, place)) => {
                    let about = About::of(&message);
                    subscribers.send(&wire.encode(message), &about, place);
                }
                None => return subscribers.finish().await,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, Status, Stdio, StreamContent};

    use super::*;

    fn request() -> JupyterMessage {
        JupyterMessage::new(ExecuteRequest::new(String::new()), None)
    }

    async fn sent(mut outgoing: Outgoing) -> Vec<String> {
        let mut sent = Vec::new();
        while let Some((message, _)) = outgoing.next().await {
            sent.push(match message.content {
                JupyterMessageContent::StreamContent(stream) => format!("{:?} {}", stream.name, stream.text),
                other => other.message_type().into(),
            });
        }
        sent
    }

    #[tokio::test]
    async fn waiting_text_is_joined_within_one_stream_of_one_request() {
        let (iopub, outgoing) = channel();
        let (first, second) = (request(), request());
        for (content, parent) in [
            (StreamContent::stdout("a"), &first),
            (StreamContent::stdout("b"), &first),
            (StreamContent::stderr("c"), &first),
            (StreamContent::stdout("d"), &first),
            (StreamContent::stdout("e"), &second),
        ] {
            iopub.publish(content, parent).await;
        }
        iopub.publish(Status::idle(), &second).await;
        iopub.publish(StreamContent::stdout("f"), &second).await;
        iopub.publish_urgent(Status::busy(), None);
        drop(iopub);
        assert_eq!(
            sent(outgoing).await,
            ["status", "Stdout ab", "Stderr c", "Stdout d", "Stdout e", "status", "Stdout f"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn text_in_small_pieces_makes_few_messages_and_none_is_lost() {
        let (iopub, mut outgoing) = channel();
        let request = request();
        let printing = async {
            for piece in 0..3000 {
                iopub.publish(StreamContent::stdout(&format!("{piece} ")), &request).await;
                iopub.publish(StreamContent::stderr(&format!("{piece} ")), &request).await;
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            drop(iopub);
        };
        let reading = async {
            let (mut stdout, mut stderr, mut times) = (String::new(), String::new(), Vec::new());
            while let Some((message, _)) = outgoing.next().await {
                let JupyterMessageContent::StreamContent(stream) = message.content else { panic!("not text") };
                match stream.name {
                    Stdio::Stdout => stdout += &stream.text,
                    Stdio::Stderr => stderr += &stream.text,
                }
                times.push(Instant::now());
            }
            (stdout, stderr, times)
        };
        let ((), (stdout, stderr, times)) = tokio::join!(printing, reading);
        let expected: String = (0..3000).map(|piece| format!("{piece} ")).collect();
        assert!(stdout == expected && stderr == expected, "text was lost or out of order");
        let a_second =
            |from: &Instant| times.iter().filter(|at| (*from..*from + Duration::from_secs(1)).contains(at)).count();
        // The last text goes out at once: one message of each stream.
        let most = times.iter().map(a_second).max().unwrap_or_default();
        assert!(most <= 22, "{most} messages in a second");
        assert!(times.len() >= 20, "3 s of text came in {} messages", times.len());
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_is_never_ahead_of_a_message_of_another_kind() {
        let (iopub, mut outgoing) = channel();
        let request = request();
        let begun = Instant::now();
        for _ in 0..2 * BURST {
            iopub.publish(StreamContent::stdout("text"), &request).await;
            iopub.publish(Status::busy(), &request).await;
        }
        for _ in 0..4 * BURST {
            outgoing.next().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_cell_waits_when_the_backlog_is_full_and_goes_on_when_it_is_read() {
        let (iopub, mut outgoing) = channel();
        let request = request();
        let half = "x".repeat(BACKLOG / 2);
        iopub.publish(StreamContent::stdout(&half), &request).await;
        let mut second = std::pin::pin!(iopub.publish(StreamContent::stdout(&half), &request));
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(second.as_mut().poll(&mut context).is_pending());
        drop(outgoing.next().await);
        second.await;
    }

    #[tokio::test]
    async fn a_message_larger_than_the_backlog_still_goes_out() {
        let (iopub, mut outgoing) = channel();
        iopub.publish(StreamContent::stdout(&"x".repeat(BACKLOG + 1)), &request()).await;
        assert!(outgoing.next().await.is_some());
    }
}
