//! The iopub socket: what every connected frontend sees.
//!
//! An XPUB socket, because a subscriber can then be greeted (`iopub_welcome`) and knows from when on it misses nothing.
//! What the frontend has not taken yet waits in a backlog of bounded size, where text of one stream is joined. Only when
//! that is full does the cell have to wait, so nothing is lost to a slow reader; and not for ever, so a reader that has
//! stopped altogether ends up missing messages instead of holding the cell.

use std::sync::Arc;
use std::time::Duration;

use jupyter_protocol::{IoPubWelcome, JupyterMessage, JupyterMessageContent, Media, MediaType};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::wire::{self, log};

/// Bytes that may wait for the frontend.
const BACKLOG: usize = 32 * 1024 * 1024;

/// What a message takes apart from its content: headers, ids.
const HEADERS: usize = 1024;

/// Waiting pieces of a stream are joined up to this size. One message a piece would cost a frontend a second for every
/// few thousand lines.
const JOINED: usize = 256 * 1024;

/// How long a frontend may keep a message from being sent before it counts as stopped.
const STALL: Duration = Duration::from_secs(30);

/// How long a stopped frontend is then waited for, for each message.
const STALLED_WAIT: Duration = Duration::from_millis(5);

/// See `wire`: an error may come again at once.
const PAUSE_AFTER_SOCKET_ERROR: Duration = Duration::from_millis(100);

/// The way to the iopub socket.
#[derive(Clone)]
pub(super) struct IoPub {
    backlog: Arc<Semaphore>,
    messages: mpsc::UnboundedSender<Waiting>,
    urgent: mpsc::UnboundedSender<JupyterMessage>,
}

/// A message that holds its place in the backlog.
struct Waiting {
    message: JupyterMessage,
    place: OwnedSemaphorePermit,
}

/// The other end of [`IoPub`].
pub(super) struct Outgoing {
    messages: mpsc::UnboundedReceiver<Waiting>,
    urgent: mpsc::UnboundedReceiver<JupyterMessage>,
    /// Taken while looking for text to join.
    ahead: Option<Waiting>,
}

/// A way to the iopub socket and its other end.
pub(super) fn channel() -> (IoPub, Outgoing) {
    let (messages, messages_end) = mpsc::unbounded_channel();
    let (urgent, urgent_end) = mpsc::unbounded_channel();
    let backlog = Arc::new(Semaphore::new(BACKLOG));
    (IoPub { backlog, messages, urgent }, Outgoing { messages: messages_end, urgent: urgent_end, ahead: None })
}

impl IoPub {
    /// Sends what a shell request shows, in order; waits while the frontend is far behind.
    pub(super) async fn publish(&self, content: impl Into<JupyterMessageContent>, parent: &JupyterMessage) {
        let content = content.into();
        let size = size(&content).min(BACKLOG) as u32;
        // Neither is closed before the kernel ends, and then nobody reads.
        if let Ok(place) = self.backlog.clone().acquire_many_owned(size).await {
            let _ = self.messages.send(Waiting { message: broadcast(content, Some(parent)), place });
        }
    }

    /// Sends ahead of what waits. For the few small messages about a control request, which has to be answered also
    /// while a cell prints faster than the frontend reads.
    pub(super) fn publish_urgent(&self, content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) {
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
            _ => 0,
        }
}

/// A message to all: the identities of the parent would route it to one.
fn broadcast(content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) -> JupyterMessage {
    wire::message(content, parent).with_zmq_identities(Vec::new())
}

impl Outgoing {
    /// The next message to send, with its place in the backlog; `None` once every [`IoPub`] is gone.
    async fn next(&mut self) -> Option<(JupyterMessage, Option<OwnedSemaphorePermit>)> {
        if let Ok(message) = self.urgent.try_recv() {
            return Some((message, None));
        }
        let first = match self.ahead.take() {
            Some(first) => first,
            None => tokio::select! {
                Some(message) = self.urgent.recv() => return Some((message, None)),
                Some(first) = self.messages.recv() => first,
                else => return None,
            },
        };
        Some(self.join(first))
    }

    /// Adds the text that waits behind a piece of the same stream.
    fn join(&mut self, first: Waiting) -> (JupyterMessage, Option<OwnedSemaphorePermit>) {
        let Waiting { mut message, mut place } = first;
        while let JupyterMessageContent::StreamContent(stream) = &mut message.content
            && stream.text.len() < JOINED
            && let Ok(next) = self.messages.try_recv()
        {
            match &next.message.content {
                JupyterMessageContent::StreamContent(more)
                    if std::mem::discriminant(&more.name) == std::mem::discriminant(&stream.name)
                        && parent(&next.message) == message.parent_header.as_ref().map(|header| &header.msg_id) =>
                {
                    stream.text.push_str(&more.text);
                    place.merge(next.place);
                }
                _ => {
                    self.ahead = Some(next);
                    break;
                }
            }
        }
        (message, Some(place))
    }
}

fn parent(message: &JupyterMessage) -> Option<&String> {
    message.parent_header.as_ref().map(|header| &header.msg_id)
}

/// Sends until every [`IoPub`] is gone.
pub(super) async fn serve(mut connection: KernelIoPubXPubConnection, mut outgoing: Outgoing) {
    let mut stalled = false;
    loop {
        let (message, _place) = tokio::select! {
            biased;
            // The socket learns of subscribers only while something receives on it.
            event = connection.recv_subscription() => match event {
                Ok(SubscriptionEvent::Subscribe(topic)) => (broadcast(IoPubWelcome::new(topic), None), None),
                Ok(SubscriptionEvent::Unsubscribe(_)) => continue,
                Err(error) => {
                    log(format_args!("iopub: {error}"));
                    tokio::time::sleep(PAUSE_AFTER_SOCKET_ERROR).await;
                    continue;
                }
            },
            message = outgoing.next() => match message {
                Some(message) => message,
                None => return,
            },
        };
        let patience = if stalled { STALLED_WAIT } else { STALL };
        match tokio::time::timeout(patience, connection.send(message)).await {
            Ok(Ok(())) => stalled = false,
            Ok(Err(error)) => log(format_args!("iopub: {error}")),
            Err(_) => {
                if !stalled {
                    log(format_args!("iopub: a frontend has not read for {} s; it misses messages", STALL.as_secs()));
                }
                stalled = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, Status, StreamContent};

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
