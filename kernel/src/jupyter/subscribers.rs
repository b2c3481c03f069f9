//! The frontends that listen on iopub, each with a queue and a socket to itself: one that is slow, or has gone, costs
//! nothing but its own messages.
//!
//! The socket library's XPUB socket serves its subscribers one after the other and waits for each. So every connection
//! gets an XPUB socket of its own, and its bytes are relayed there over a Unix socket. XPUB, because a subscriber can then
//! be greeted (`iopub_welcome`) and knows from when on it misses nothing.

use std::collections::VecDeque;
use std::fs::Permissions;
use std::io::{self, Read as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jupyter_protocol::{
    ConnectionInfo, Header, IoPubWelcome, JupyterMessage, JupyterMessageContent, StreamContent, Transport,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::task::JoinSet;
use zeromq::{Socket, SocketRecv, SocketSend, XPubSocket, ZmqMessage};

use super::iopub::Pressure;
use super::wire::{self, Wire, log};

/// How long a frontend may read nothing at all before messages to it are dropped, where others wait for their place.
const STALL: Duration = Duration::from_secs(2);

/// How many messages that are no output a frontend gets that reads again after that.
const MOST_LATER: usize = 10_000;

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
    pub(super) fn send(&mut self, message: &ZmqMessage, about: &About, place: Option<OwnedSemaphorePermit>) {
        let place = Arc::new(place);
        let outgoing = || Outgoing { message: message.clone(), about: about.clone(), place: place.clone() };
        self.queues.retain(|queue| queue.send(outgoing()).is_ok());
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
    let (finish, finished) = oneshot::channel();
    let mut relay = relay(stream, &mut socket, taken.clone(), finished).await?;
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
                    socket.send(wire.encode(welcome)).await?;
                }
                Ok(None) => {}
                Err(_) => return Ok(()),
            },
            _ = relay.join_next() => return Ok(()),
            outgoing = next => match outgoing {
                Some(outgoing) => {
                    deliver(&mut socket, outgoing, &mut waiting, &mut later, &taken, wire, pressure).await;
                }
                None => break,
            },
        }
    }
    // What the socket has written is still on its way through the relay. The socket does not close the connection when it is
    // dropped: what reads from it lives on.
    let _ = finish.send(());
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

/// Starts to move bytes between a frontend and the XPUB socket that serves it, until either side closes the connection
/// and what it sent was passed on, or until nothing more will come from the socket; `taken` counts what the frontend has
/// taken.
async fn relay(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    socket: &mut XPubSocket,
    taken: Arc<AtomicU64>,
    finished: oneshot::Receiver<()>,
) -> anyhow::Result<JoinSet<()>> {
    // Only its user can enter it, and it is gone as soon as both ends have met.
    let folder =
        tempfile::Builder::new().prefix("oxtorch-iopub-").permissions(Permissions::from_mode(0o700)).tempdir()?;
    let path = folder.path().join("socket");
    socket.bind(&format!("ipc://{}", path.display())).await?;
    let inner = UnixStream::connect(&path).await?.into_std()?;
    drop(folder);
    let now = inner.try_clone()?;
    let inner = UnixStream::from_std(inner)?;
    let mut task = JoinSet::new();
    task.spawn(async move {
        let (mut from_frontend, mut to_frontend) = tokio::io::split(stream);
        let (mut from_socket, mut to_socket) = inner.into_split();
        // When either side has gone the other has nothing to wait for.
        tokio::select! {
            _ = tokio::io::copy(&mut from_frontend, &mut to_socket) => {}
            _ = counted_copy(&mut from_socket, &now, &mut to_frontend, &taken, finished) => {}
        }
    });
    Ok(task)
}

/// Copies to the end, and counts the bytes as they are taken. Once nothing more is sent, copies what has been sent: that is
/// read by `now`, without asking tokio, which learns of it later.
async fn counted_copy(
    from: &mut (impl AsyncRead + Unpin),
    mut now: &StdUnixStream,
    to: &mut (impl AsyncWrite + Unpin),
    taken: &AtomicU64,
    mut finished: oneshot::Receiver<()>,
) -> io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    let mut goes_on = true;
    loop {
        let read = if goes_on {
            tokio::select! {
                biased;
                read = from.read(&mut chunk) => read?,
                _ = &mut finished => {
                    goes_on = false;
                    continue;
                }
            }
        } else {
            match now.read(&mut chunk) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
                read => read?,
            }
        };
        if read == 0 {
            return to.shutdown().await;
        }
        let mut rest = &chunk[..read];
        while !rest.is_empty() {
            let written = to.write(rest).await?;
            taken.fetch_add(written as u64, Ordering::Relaxed);
            rest = &rest[written..];
        }
    }
}

#[cfg(test)]
mod tests {
    use jupyter_protocol::{ExecuteRequest, Status};

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
