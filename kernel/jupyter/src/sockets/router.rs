//! The sockets on which frontends ask, or are asked: shell, control and stdin.
//!
//! Each is one for its users here, however many frontends are connected: what comes in is one queue, and a message
//! finds the frontend that it is for by the identity that the request came with. A frontend that sends nonsense, or
//! reads nothing, costs nobody else anything.

use std::sync::Arc;

use jupyter_protocol::JupyterMessage;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use zeromq::{RouterSocket, SocketRecv, SocketSend};

use crate::log::log;
use crate::sockets::framing::Limits;
use crate::sockets::link::{Link, Rooms, link};
use crate::sockets::listener::Listener;
use crate::sockets::peers::{Gone, Peers};
use crate::wire::Wire;

/// A cell of 64 MB is more than any frontend can show.
const LIMITS: Limits = Limits { message: 64 << 20, total: u64::MAX };

/// One of the three sockets, with everybody who is connected to it.
pub(crate) struct Router {
    wire: Arc<Wire>,
    arrived: mpsc::UnboundedReceiver<JupyterMessage>,
    peers: Peers,
    ends: watch::Sender<bool>,
    /// Ends with the router.
    task: JoinSet<()>,
}

impl Router {
    /// Serves an address.
    pub(crate) fn serve(listener: Listener, wire: Arc<Wire>, rooms: Rooms) -> Self {
        let (arrival, arrived) = mpsc::unbounded_channel();
        let peers = Peers::default();
        let ends = watch::Sender::new(false);
        let channel = listener.channel;
        let entrance = Entrance { channel, wire: wire.clone(), rooms, arrival, peers: peers.clone() };
        let mut task = JoinSet::new();
        task.spawn(accept(listener, entrance, ends.subscribe()));
        Self { wire, arrived, peers, ends, task }
    }

    /// Waits for the next message that is signed and well formed.
    ///
    /// May be dropped and called again at any time.
    pub(crate) async fn receive(&mut self) -> JupyterMessage {
        match self.arrived.recv().await {
            Some(message) => message,
            // Whoever accepts lives as long as this does.
            None => std::future::pending().await,
        }
    }

    /// Signs a message and hands it to the frontend that it is for; that is not waited for.
    pub(crate) fn send(&self, message: JupyterMessage) -> Result<(), Gone> {
        let identity = message.zmq_identities.first().cloned().ok_or(Gone)?;
        self.peers.send(&identity, &self.wire.encode(message))
    }

    /// Sends a message to a frontend that may be about to connect here, as one that has asked on another socket may be.
    pub(crate) async fn send_soon(&self, message: JupyterMessage) -> Result<(), Gone> {
        let identity = message.zmq_identities.first().cloned().ok_or(Gone)?;
        self.peers.send_soon(&identity, self.wire.encode(message)).await
    }

    /// Waits until everybody has what was sent, and closes the connections.
    pub(crate) async fn finish(mut self) {
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
                    if let Some(link) = linked {
                        serve(link, &entrance, ends).await;
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
    let Link { socket, identity, proof, mut relay, .. } = link;
    let (mut sending, mut receiving) = socket.split();
    let (queue, mut waiting) = mpsc::unbounded_channel();
    entrance.peers.connect(&identity, &queue);
    let read = async {
        while let Ok(frames) = receiving.recv().await {
            let Some(message) = entrance.wire.read(frames.into_vec(), entrance.channel) else { continue };
            entrance.peers.prove(&identity, &queue);
            proof.send_replace(true);
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
    entrance.peers.disconnect(&identity, &queue);
    if all_is_over {
        relay.finish().await;
    }
}
