//! The frontends that listen on iopub, each with a queue and a socket to itself: one that is slow, or has gone, costs
//! nothing but its own messages.
//!
//! The socket library's XPUB socket serves its subscribers one after the other and waits for each. So every connection
//! gets an XPUB socket of its own, and its bytes are relayed there over a Unix socket. XPUB, because a subscriber can then
//! be greeted (`iopub_welcome`) and knows from when on it misses nothing.

use std::fs::Permissions;
use std::io;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jupyter_protocol::{ConnectionInfo, IoPubWelcome, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::task::JoinSet;
use zeromq::{Socket, SocketRecv, SocketSend, XPubSocket, ZmqMessage};

use super::iopub::Pressure;
use super::wire::{self, Wire, log};

/// How long a frontend may read nothing at all before messages to it are dropped, where others wait for their place.
const STALL: Duration = Duration::from_secs(2);

/// Bytes that the relay moves at once.
const CHUNK: usize = 64 * 1024;

/// See `wire`: an error may come again at once.
const PAUSE_AFTER_SOCKET_ERROR: Duration = Duration::from_millis(100);

/// A connection with a frontend.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// The address that frontends connect to.
pub(super) enum Listener {
    Tcp(TcpListener),
    Ipc(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on the iopub address of a connection file.
    pub(super) async fn bind(info: &ConnectionInfo) -> io::Result<Self> {
        match info.transport {
            Transport::TCP => {
                let ip = info.ip.trim_matches(['[', ']']);
                let any = Ipv4Addr::UNSPECIFIED.to_string();
                let ip = if ip == "*" { &any } else { ip };
                Ok(Self::Tcp(TcpListener::bind((ip, info.iopub_port)).await?))
            }
            Transport::IPC => {
                let path = PathBuf::from(format!("{}-{}", info.ip, info.iopub_port));
                Ok(Self::Ipc(UnixListener::bind(&path)?, path))
            }
        }
    }

    /// Waits for a frontend to connect.
    pub(super) async fn accept(&self) -> impl AsyncRead + AsyncWrite + Send + Unpin + 'static {
        loop {
            let accepted: io::Result<Box<dyn Stream>> = match self {
                Self::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    // Small messages are to go at once; without it they still go.
                    let _ = stream.set_nodelay(true);
                    Box::new(stream) as Box<dyn Stream>
                }),
                Self::Ipc(listener, _) => listener.accept().await.map(|(stream, _)| Box::new(stream) as _),
            };
            match accepted {
                Ok(stream) => return stream,
                Err(error) => {
                    log(format_args!("iopub: {error}"));
                    tokio::time::sleep(PAUSE_AFTER_SOCKET_ERROR).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Ipc(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A message on its way to one frontend. It keeps its place in the backlog until the last of them has it.
struct Outgoing {
    message: ZmqMessage,
    place: Arc<Option<OwnedSemaphorePermit>>,
}

/// Everybody who listens.
pub(super) struct Subscribers {
    wire: Arc<Wire>,
    pressure: Pressure,
    queues: Vec<mpsc::UnboundedSender<Outgoing>>,
    tasks: JoinSet<()>,
}

impl Subscribers {
    pub(super) fn new(wire: Arc<Wire>, pressure: Pressure) -> Self {
        Self { wire, pressure, queues: Vec::new(), tasks: JoinSet::new() }
    }

    /// Serves a new connection.
    pub(super) fn add(&mut self, stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) {
        let (queue, waiting) = mpsc::unbounded_channel();
        let (wire, pressure) = (self.wire.clone(), self.pressure.clone());
        self.queues.push(queue);
        self.tasks.spawn(async move {
            if let Err(error) = serve(stream, waiting, &wire, &pressure).await {
                log(format_args!("iopub: a frontend cannot be served: {error}"));
            }
        });
    }

    /// Hands a message to everybody. Nobody is waited for.
    pub(super) fn send(&mut self, message: &ZmqMessage, place: Option<OwnedSemaphorePermit>) {
        let place = Arc::new(place);
        self.queues.retain(|queue| queue.send(Outgoing { message: message.clone(), place: place.clone() }).is_ok());
        while self.tasks.try_join_next().is_some() {}
    }

    /// Waits until everybody has what was sent.
    pub(super) async fn finish(mut self) {
        self.queues.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Sends one frontend what it is to get, until that ends or the frontend goes.
async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    mut waiting: mpsc::UnboundedReceiver<Outgoing>,
    wire: &Wire,
    pressure: &Pressure,
) -> anyhow::Result<()> {
    let mut socket = XPubSocket::new();
    let taken = Arc::new(AtomicU64::new(0));
    let mut relay = relay(stream, &mut socket, taken.clone()).await?;
    loop {
        tokio::select! {
            biased;
            // The socket learns of subscriptions only while something receives on it.
            event = socket.recv() => match event.map(|event| subscribed_topic(&event)) {
                Ok(Some(topic)) => {
                    let welcome = wire::message(IoPubWelcome::new(topic), None);
                    socket.send(wire.encode(welcome)).await?;
                }
                Ok(None) => {}
                Err(_) => return Ok(()),
            },
            _ = relay.join_next() => return Ok(()),
            outgoing = waiting.recv() => match outgoing {
                Some(outgoing) => deliver(&mut socket, outgoing, &mut waiting, &taken, pressure).await,
                None => break,
            },
        }
    }
    // What the socket has written is still on its way through the relay.
    drop(socket);
    relay.join_next().await;
    Ok(())
}

/// The topic that a message on an XPUB socket subscribes to.
fn subscribed_topic(message: &ZmqMessage) -> Option<String> {
    match message.get(0).map(AsRef::as_ref) {
        Some([1, topic @ ..]) => Some(String::from_utf8_lossy(topic).into_owned()),
        _ => None,
    }
}

/// Sends a message. Where the frontend has stopped reading and what waits for it holds up a cell, throws away what comes
/// after until it reads again.
async fn deliver(
    socket: &mut XPubSocket,
    Outgoing { message, place }: Outgoing,
    waiting: &mut mpsc::UnboundedReceiver<Outgoing>,
    taken: &AtomicU64,
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
        let mut missed = 0;
        loop {
            tokio::select! {
                biased;
                // An error is for the next receive to find.
                _ = &mut sent => break,
                outgoing = waiting.recv() => match outgoing {
                    Some(_) => missed += 1,
                    None => return,
                },
            }
        }
        log(format_args!("iopub: a frontend reads again; it has missed {missed} messages"));
        return;
    }
}

/// Starts to move bytes between a frontend and the XPUB socket that serves it, until either side closes the connection
/// and what it sent was passed on; `taken` counts what the frontend has taken.
async fn relay(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    socket: &mut XPubSocket,
    taken: Arc<AtomicU64>,
) -> anyhow::Result<JoinSet<()>> {
    // Only its user can enter it, and it is gone as soon as both ends have met.
    let folder =
        tempfile::Builder::new().prefix("oxtorch-iopub-").permissions(Permissions::from_mode(0o700)).tempdir()?;
    let path = folder.path().join("socket");
    socket.bind(&format!("ipc://{}", path.display())).await?;
    let inner = UnixStream::connect(&path).await?;
    drop(folder);
    let mut task = JoinSet::new();
    task.spawn(async move {
        let (mut from_frontend, mut to_frontend) = tokio::io::split(stream);
        let (mut from_socket, mut to_socket) = inner.into_split();
        // When either side has gone the other has nothing to wait for.
        tokio::select! {
            _ = tokio::io::copy(&mut from_frontend, &mut to_socket) => {}
            _ = counted_copy(&mut from_socket, &mut to_frontend, &taken) => {}
        }
    });
    Ok(task)
}

/// Copies to the end, and counts the bytes as they are taken.
async fn counted_copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    taken: &AtomicU64,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = from.read(&mut chunk).await?;
        if length == 0 {
            return to.shutdown().await;
        }
        let mut rest = &chunk[..length];
        while !rest.is_empty() {
            let written = to.write(rest).await?;
            taken.fetch_add(written as u64, Ordering::Relaxed);
            rest = &rest[written..];
        }
    }
}
