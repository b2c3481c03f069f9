//! The sockets on which frontends ask, or are asked: shell, control and stdin.
//!
//! Each is one for its users here, however many frontends are connected: what comes in is one queue, and a message finds the
//! frontend that it is for by the identity that the request came with. A frontend that sends nonsense, or reads nothing, costs
//! nobody else anything.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use jupyter_protocol::JupyterMessage;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeromq::{RouterSocket, SocketRecv, SocketSend, ZmqMessage};

use super::framing::Limits;
use super::link::{Link, LinkError, Rooms, link};
use super::listener::Listener;
use super::log::log;
use super::wire::Wire;

/// A cell of 64 MB is more than any frontend can show.
const LIMITS: Limits = Limits { message: 64 << 20, total: u64::MAX };

/// How long a frontend that is connected to one socket may take to connect to another.
const SOON: Duration = Duration::from_secs(1);

/// The queues of the frontends that are connected, by their identities.
type Peers = Arc<Mutex<HashMap<Bytes, mpsc::UnboundedSender<ZmqMessage>>>>;

/// One of the three sockets, with everybody who is connected to it.
pub(super) struct Router {
    wire: Arc<Wire>,
    arrived: mpsc::UnboundedReceiver<JupyterMessage>,
    peers: Peers,
    /// Tells that somebody has connected.
    changes: watch::Sender<()>,
    ends: watch::Sender<bool>,
    /// Ends with the router.
    task: JoinSet<()>,
}

/// The frontend that a message is for is not connected any more.
#[derive(Debug, thiserror::Error)]
#[error("the frontend has gone")]
pub(super) struct Gone;

impl Router {
    /// Serves an address.
    pub(super) fn serve(listener: Listener, wire: Arc<Wire>, rooms: Rooms) -> Self {
        let (arrival, arrived) = mpsc::unbounded_channel();
        let peers = Peers::default();
        let ends = watch::Sender::new(false);
        let changes = watch::Sender::new(());
        let (channel, connected) = (listener.channel, changes.clone());
        let entrance = Entrance { channel, wire: wire.clone(), rooms, arrival, peers: peers.clone(), connected };
        let mut task = JoinSet::new();
        task.spawn(accept(listener, entrance, ends.subscribe()));
        Self { wire, arrived, peers, changes, ends, task }
    }

    /// Waits for the next message that is signed and well formed.
    ///
    /// May be dropped and called again at any time.
    pub(super) async fn receive(&mut self) -> JupyterMessage {
        match self.arrived.recv().await {
            Some(message) => message,
            // Whoever accepts lives as long as this does.
            None => std::future::pending().await,
        }
    }

    /// Signs a message and hands it to the frontend that it is for; that is not waited for.
    pub(super) fn send(&self, message: JupyterMessage) -> Result<(), Gone> {
        let Some(identity) = message.zmq_identities.first().cloned() else { return Err(Gone) };
        let message = self.wire.encode(message);
        let peers = self.peers.lock().unwrap_or_else(PoisonError::into_inner);
        peers.get(&identity).and_then(|queue| queue.send(message).ok()).ok_or(Gone)
    }

    /// Sends a message to a frontend that may be about to connect here: one that has asked on another socket does so, and the two
    /// connections are not known in the same moment.
    pub(super) async fn send_soon(&self, message: JupyterMessage) -> Result<(), Gone> {
        let identity = message.zmq_identities.first().cloned().ok_or(Gone)?;
        let mut changes = self.changes.subscribe();
        let is_there = |peers: &Peers| peers.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&identity);
        let _ = timeout(SOON, changes.wait_for(|()| is_there(&self.peers))).await;
        self.send(message)
    }

    /// Waits until everybody has what was sent, and closes the connections.
    pub(super) async fn finish(mut self) {
        self.ends.send_replace(true);
        while self.task.join_next().await.is_some() {}
    }
}

/// What each connection needs.
#[derive(Clone)]
struct Entrance {
    channel: &'static str,
    wire: Arc<Wire>,
    rooms: Rooms,
    arrival: mpsc::UnboundedSender<JupyterMessage>,
    peers: Peers,
    connected: watch::Sender<()>,
}

async fn accept(listener: Listener, entrance: Entrance, mut ends: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    let for_each = ends.clone();
    loop {
        tokio::select! {
            connection = listener.accept() => {
                let (entrance, mut ends) = (entrance.clone(), for_each.clone());
                connections.spawn(async move {
                    let linked = tokio::select! {
                        linked = link(connection, entrance.channel, LIMITS, &entrance.rooms) => linked,
                        _ = ends.wait_for(|ends| *ends) => return,
                    };
                    match linked {
                        Ok(link) => serve(link, &entrance, ends).await,
                        Err(LinkError::Gone) => {}
                        Err(error) => log(format_args!("{}: a connection was closed: {error}", entrance.channel)),
                    }
                });
            }
            Some(_) = connections.join_next() => {}
            _ = ends.wait_for(|ends| *ends) => break,
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Moves the messages of one frontend both ways, until it goes or all is over.
async fn serve(link: Link<RouterSocket>, entrance: &Entrance, mut ends: watch::Receiver<bool>) {
    let Link { socket, identity, mut relay, .. } = link;
    let (mut sending, mut receiving) = socket.split();
    let (queue, mut waiting) = mpsc::unbounded_channel();
    let peers = || entrance.peers.lock().unwrap_or_else(PoisonError::into_inner);
    // A frontend that connects again has the identity that it had, and its former connection may not be known to be gone yet.
    peers().insert(identity.clone(), queue.clone());
    entrance.connected.send_replace(());
    let read = async {
        while let Ok(frames) = receiving.recv().await {
            let Some(message) = entrance.wire.read(frames.into_vec(), entrance.channel) else { continue };
            // Who has the key is who the identity belongs to.
            peers().insert(identity.clone(), queue.clone());
            if entrance.arrival.send(message).is_err() {
                return;
            }
        }
    };
    let write = async {
        loop {
            let message = tokio::select! {
                biased;
                message = waiting.recv() => message,
                _ = ends.wait_for(|ends| *ends) => return,
            };
            let Some(message) = message else { return };
            if let Err(error) = sending.send(message).await {
                log(format_args!("{}: cannot reply: {error}", entrance.channel));
            }
        }
    };
    let all_is_over = tokio::select! {
        () = read => false,
        () = write => true,
        () = relay.ended() => false,
    };
    forget(&entrance.peers, &identity, &queue);
    if all_is_over {
        relay.finish().await;
    }
}

/// Takes a frontend's queue away, unless the frontend has another one by now.
fn forget(peers: &Peers, identity: &Bytes, queue: &mpsc::UnboundedSender<ZmqMessage>) {
    let mut peers = peers.lock().unwrap_or_else(PoisonError::into_inner);
    if peers.get(identity).is_some_and(|known| known.same_channel(queue)) {
        peers.remove(identity);
    }
}
