//! The iopub socket: what every connected frontend sees.
//!
//! An XPUB socket, because a subscriber can then be greeted (`iopub_welcome`) and knows from when on it misses nothing.
//! Sending waits until the frontend's connection takes the bytes, so a slow reader slows the cell down and nothing
//! piles up; a reader that has stopped altogether must not hold the cell for ever, so a message that it does not take
//! in time is dropped.

use std::time::Duration;

use jupyter_protocol::{IoPubWelcome, JupyterMessage, JupyterMessageContent};
use jupyter_zmq_client::{KernelIoPubXPubConnection, SubscriptionEvent};
use tokio::sync::mpsc;

use super::wire::{self, log};

/// Messages on their way to the socket. Few, because the text of a stream waits joined ahead of them.
const CAPACITY: usize = 16;

/// How long a frontend may keep a message from being sent before it counts as stopped.
const STALL: Duration = Duration::from_secs(5);

/// How long a stopped frontend is then waited for, for each message.
const STALLED_WAIT: Duration = Duration::from_millis(5);

/// See `wire`: an error may come again at once.
const PAUSE_AFTER_SOCKET_ERROR: Duration = Duration::from_millis(100);

/// The way to the iopub socket.
#[derive(Clone)]
pub(super) struct IoPub {
    messages: mpsc::Sender<JupyterMessage>,
    urgent: mpsc::UnboundedSender<JupyterMessage>,
}

/// The other end of [`IoPub`].
pub(super) struct Outgoing {
    messages: mpsc::Receiver<JupyterMessage>,
    urgent: mpsc::UnboundedReceiver<JupyterMessage>,
}

/// A way to the iopub socket and its other end.
pub(super) fn channel() -> (IoPub, Outgoing) {
    let (messages, messages_end) = mpsc::channel(CAPACITY);
    let (urgent, urgent_end) = mpsc::unbounded_channel();
    (IoPub { messages, urgent }, Outgoing { messages: messages_end, urgent: urgent_end })
}

impl IoPub {
    /// Sends what a shell request shows, in order; waits while the frontend is behind.
    pub(super) async fn publish(&self, content: impl Into<JupyterMessageContent>, parent: &JupyterMessage) {
        // The receiver is gone only while the kernel ends.
        let _ = self.messages.send(broadcast(content, Some(parent))).await;
    }

    /// Sends ahead of what waits. For the few small messages about a control request, which has to be answered also
    /// while a cell prints faster than the frontend reads.
    pub(super) fn publish_urgent(&self, content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) {
        let _ = self.urgent.send(broadcast(content, parent));
    }
}

/// A message to all: the identities of the parent would route it to one.
fn broadcast(content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) -> JupyterMessage {
    wire::message(content, parent).with_zmq_identities(Vec::new())
}

impl Outgoing {
    /// The next message to send; `None` once every [`IoPub`] is gone.
    pub(super) async fn next(&mut self) -> Option<JupyterMessage> {
        tokio::select! {
            biased;
            Some(message) = self.urgent.recv() => Some(message),
            Some(message) = self.messages.recv() => Some(message),
            else => None,
        }
    }
}

/// Sends until every [`IoPub`] is gone.
pub(super) async fn serve(mut connection: KernelIoPubXPubConnection, mut outgoing: Outgoing) {
    let mut stalled = false;
    loop {
        let message = tokio::select! {
            biased;
            // The socket learns of subscribers only while something receives on it.
            event = connection.recv_subscription() => match event {
                Ok(SubscriptionEvent::Subscribe(topic)) => broadcast(IoPubWelcome::new(topic), None),
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
