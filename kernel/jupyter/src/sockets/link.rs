//! One connection with a frontend, and the ZeroMQ socket that serves it and no other.
//!
//! The socket library accepts connections itself and takes whatever comes in on them. So the address is listened on
//! here, each connection gets a socket of its own, and its bytes are relayed there over a Unix socket, checked by
//! [`Framing`] on the way: a peer without the key can neither make the process allocate more than a bounded amount, nor
//! keep others waiting.

use std::fs::Permissions;
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener as StdUnixListener, UnixStream as StdUnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use oxtorch_system::home::trust;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};
use zeromq::{Socket, SocketEvent};

use crate::log::log;
use crate::sockets::framing::{Framing, Limits, Refusal, Step};
use crate::sockets::listener::{Connection, Stream};

/// Bytes that a relay moves at once.
const CHUNK: usize = 64 * 1024;

/// How long a peer may take to say what it is; as long as ZeroMQ gives it.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Up to this size a message needs no room in [`Rooms`].
const SMALL: u64 = 128 << 10;

/// Bytes that may have come in of longer messages that are not whole yet, in all connections together of peers that
/// have proven that they have the key, and of those that have not. Each has room for the longest message.
const ROOM: usize = 128 << 20;
const ROOM_UNPROVEN: usize = 64 << 20;

/// How long a message may take to come in, and a second more for each of so many bytes.
const WHOLE: Duration = Duration::from_secs(30);
const BYTES_A_SECOND: u64 = 64 << 10;

/// The longest path of a Unix socket, on every system.
const LONGEST_PATH: usize = 100;

/// Room for long messages while they come in, shared by all connections of a kernel. Peers that may be anybody have a
/// room of their own: they can keep each other waiting, and nobody else.
#[derive(Clone)]
pub(crate) struct Rooms {
    proven: Arc<Semaphore>,
    unproven: Arc<Semaphore>,
}

impl Default for Rooms {
    fn default() -> Self {
        Self::of(ROOM, ROOM_UNPROVEN)
    }
}

impl Rooms {
    fn of(proven: usize, unproven: usize) -> Self {
        Self { proven: Arc::new(Semaphore::new(proven)), unproven: Arc::new(Semaphore::new(unproven)) }
    }
}

/// The room that the message which comes in on a connection has.
#[derive(Default)]
struct Room {
    proven: Option<OwnedSemaphorePermit>,
    unproven: Option<OwnedSemaphorePermit>,
}

impl Room {
    fn size(&self) -> u64 {
        let permits =
            |permit: &Option<OwnedSemaphorePermit>| permit.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        (permits(&self.proven) + permits(&self.unproven)) as u64
    }

    /// Waits for room up to a size. Who proves meanwhile that they have the key waits among those no more who have not.
    async fn grow(&mut self, size: u64, rooms: &Rooms, proof: &mut watch::Receiver<bool>) {
        let missing = u32::try_from(size.saturating_sub(self.size())).unwrap_or(u32::MAX);
        let proven = async { proof.wait_for(|is_proven| *is_proven).await.is_ok() };
        let more = tokio::select! {
            biased;
            true = proven => None,
            more = rooms.unproven.clone().acquire_many_owned(missing) => Some(more),
        };
        let (place, more) = match more {
            Some(more) => (&mut self.unproven, more),
            None => (&mut self.proven, rooms.proven.clone().acquire_many_owned(missing).await),
        };
        let more = more.expect("nobody closes the semaphores");
        match place {
            Some(room) => room.merge(more),
            None => *place = Some(more),
        }
    }
}

/// A frontend that has said what it is.
pub(crate) struct Link<S> {
    /// The socket, with this one peer.
    pub(crate) socket: S,
    /// What a router calls the peer.
    pub(crate) identity: Bytes,
    /// Counts the bytes that the frontend has taken.
    pub(crate) taken: Arc<AtomicU64>,
    /// To be told once a message has come that was signed with the key.
    pub(crate) proof: watch::Sender<bool>,
    pub(crate) relay: Relay,
}

/// Moves bytes between a frontend and a socket, until either side closes the connection and what it sent was passed on.
pub(crate) struct Relay {
    task: JoinSet<()>,
    finish: oneshot::Sender<()>,
    _place: OwnedSemaphorePermit,
}

impl Relay {
    /// Waits until the connection is over.
    pub(crate) async fn ended(&mut self) {
        self.task.join_next().await;
    }

    /// Passes on what the socket has written, which sends nothing more, and closes the connection. The socket does not
    /// when it is dropped: what reads from it lives on.
    pub(crate) async fn finish(mut self) {
        let _ = self.finish.send(());
        self.task.join_next().await;
    }
}

/// Makes a socket for a connection and waits until the peer has said what it is. For one that does not, the log gets a
/// line, unless it has just gone.
pub(crate) async fn link<S: Socket>(
    connection: Connection,
    channel: &'static str,
    limits: Limits,
    rooms: &Rooms,
) -> Option<Link<S>> {
    let linked: anyhow::Result<Option<Link<S>>> = async {
        let mut socket = S::new();
        let mut events = socket.monitor();
        let (folder, listener) = meeting_place()?;
        let path = listener.local_addr()?.as_pathname().map(PathBuf::from).unwrap_or_default();
        let endpoint = socket.bind_listener(listener).await?;
        let inner = UnixStream::connect(&path).await?.into_std()?;
        // Both ends have met. Nobody else can come in now.
        drop(folder);
        let now = inner.try_clone()?;
        let inner = UnixStream::from_std(inner)?;

        let taken = Arc::new(AtomicU64::new(0));
        let (finish, finished) = oneshot::channel();
        let proof = watch::Sender::new(false);
        let gate = Gate { framing: Framing::new(limits), rooms: rooms.clone(), proof: proof.subscribe() };
        let Connection { stream, place } = connection;
        let mut task = JoinSet::new();
        task.spawn(relay(stream, inner, now, channel, gate, taken.clone(), finished));
        let mut relay = Relay { task, finish, _place: place };

        let greeted = async {
            loop {
                match events.recv().await {
                    Ok(SocketEvent::Accepted(_, identity)) => return Ok(Some(identity)),
                    Ok(SocketEvent::AcceptFailed(error)) => return Err(error),
                    Ok(_) => {}
                    Err(_) => return Ok(None),
                }
            }
        };
        let identity = tokio::select! {
            biased;
            greeted = timeout(HANDSHAKE, greeted) => {
                greeted.with_context(|| format!("it did not say what it is within {} s", HANDSHAKE.as_secs()))??
            }
            // It closed the connection, or was refused.
            () = relay.ended() => None,
        };
        let Some(identity) = identity else { return Ok(None) };
        // Nobody else will come.
        let _ = socket.unbind(endpoint).await;
        Ok(Some(Link { socket, identity: identity.into(), taken, proof, relay }))
    }
    .await;
    linked.unwrap_or_else(|error| {
        log(format_args!("{channel}: a connection was closed: {error}"));
        None
    })
}

/// A Unix socket in a folder that only its user can enter, to be deleted as soon as both ends have met.
///
/// The first place is where temporary files belong. A connection must not depend on that, as the variable that names it
/// may name nothing, or a path too long for a socket.
fn meeting_place() -> io::Result<(TempDir, StdUnixListener)> {
    let user = rustix::process::getuid().as_raw();
    let places = [std::env::temp_dir(), "/tmp".into(), "/dev/shm".into(), "/var/tmp".into()];
    meeting_place_in(places.into_iter().chain([PathBuf::from(format!("/run/user/{user}"))]).chain(dirs::cache_dir()))
}

/// A socket in the first place that will do.
fn meeting_place_in(places: impl IntoIterator<Item = PathBuf>) -> io::Result<(TempDir, StdUnixListener)> {
    let mut failed = io::Error::from(io::ErrorKind::NotFound);
    for place in places {
        let made = || {
            // Who can put another folder there meets us in the frontend's place.
            trust::check_way(&place).map_err(io::Error::other)?;
            let private = Permissions::from_mode(0o700);
            let folder = tempfile::Builder::new().prefix("oxtorch-").permissions(private).tempdir_in(&place)?;
            let path = folder.path().join("socket");
            if path.as_os_str().len() > LONGEST_PATH {
                return Err(io::Error::new(io::ErrorKind::InvalidFilename, "its path is too long for a socket"));
            }
            Ok((folder, StdUnixListener::bind(path)?))
        };
        match made() {
            Ok(made) => return Ok(made),
            Err(error) => failed = io::Error::new(error.kind(), format!("no socket in {}: {error}", place.display())),
        }
    }
    Err(failed)
}

/// Why nothing more is passed on from a peer.
#[derive(Debug, thiserror::Error)]
enum Stopped {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error("a message takes too long to come in")]
    Slow,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What stands between a peer and the socket.
struct Gate {
    framing: Framing,
    rooms: Rooms,
    /// Tells whether the peer has proven that it has the key.
    proof: watch::Receiver<bool>,
}

async fn relay(
    stream: Box<dyn Stream>,
    inner: UnixStream,
    now: StdUnixStream,
    channel: &'static str,
    gate: Gate,
    taken: Arc<AtomicU64>,
    finished: oneshot::Receiver<()>,
) {
    let (mut from_frontend, mut to_frontend) = tokio::io::split(stream);
    let (mut from_socket, mut to_socket) = inner.into_split();
    // When either side has gone the other has nothing to wait for.
    tokio::select! {
        stopped = checked_copy(&mut from_frontend, &mut to_socket, gate) => {
            if let Err(stopped @ (Stopped::Refused(_) | Stopped::Slow)) = stopped {
                log(format_args!("{channel}: closed a connection: {stopped}"));
            }
        }
        _ = counted_copy(&mut from_socket, &now, &mut to_frontend, &taken, finished) => {}
    }
}

/// Copies what a peer sends to the end, as long as it is what a frontend could send.
async fn checked_copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    gate: Gate,
) -> Result<(), Stopped> {
    let Gate { mut framing, rooms, mut proof } = gate;
    let mut chunk = vec![0; CHUNK];
    // Since when a message comes in, and until when it has to be there.
    let mut message: Option<(Instant, Instant)> = None;
    let mut room = Room::default();
    loop {
        let read = match message {
            Some((_, until)) => timeout_at(until, from.read(&mut chunk)).await.map_err(|_| Stopped::Slow)??,
            None => from.read(&mut chunk).await?,
        };
        if read == 0 {
            return Ok(());
        }
        let bytes = &chunk[..read];
        let mut checked = 0;
        loop {
            let (taken, step) = framing.step(&bytes[checked..])?;
            checked += taken;
            match step {
                Step::Frame(size) => {
                    let now = Instant::now();
                    let (mut since, _) = message.unwrap_or((now, now));
                    let until = |since| since + WHOLE + Duration::from_secs(size / BYTES_A_SECOND);
                    if size > room.size().max(SMALL) {
                        let grown = room.size() > 0;
                        let growing = room.grow(size, &rooms, &mut proof);
                        if grown {
                            // Two that have some room and wait for more may wait for each other.
                            timeout_at(until(since), growing).await.map_err(|_| Stopped::Slow)?;
                        } else {
                            growing.await;
                            // The peer could do nothing about it.
                            since += now.elapsed();
                        }
                    }
                    message = Some((since, until(since)));
                }
                Step::Message => (message, room) = (None, Room::default()),
                Step::On if taken == 0 => break,
                Step::On => {}
            }
        }
        to.write_all(bytes).await?;
    }
}

/// Copies to the end, and counts the bytes as they are taken. Once nothing more is sent, copies what has been sent:
/// that is read by `now`, without asking tokio, which learns of it later.
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
    use super::*;
    use crate::sockets::framing::tests::{frame, handshake};

    const MORE: u8 = 1;

    #[test]
    fn where_temporary_files_have_no_place_both_ends_meet_all_the_same() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let absent = folder.path().join("absent");
        let long = folder.path().join("long".repeat(30));
        std::fs::create_dir(&long).expect("a folder with a long name");
        let open = folder.path().join("open");
        std::fs::create_dir(&open).expect("a folder");
        std::fs::set_permissions(&open, Permissions::from_mode(0o777)).expect("is ours");
        let good = folder.path().join("good");
        std::fs::create_dir(&good).expect("a folder");
        let places = [absent.clone(), long, open, good.clone()];
        let (place, _listener) = meeting_place_in(places).expect("the last one will do");
        assert!(place.path().starts_with(&good), "{}", place.path().display());
        let mode = std::fs::metadata(place.path()).expect("is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "nobody else can come in");
        let error = meeting_place_in([absent]).expect_err("there is no place");
        assert!(error.to_string().contains("absent"), "{error}");
    }

    /// Copies what a peer sends, who closes the connection then, or does not; what passed, and how it ended.
    async fn passed(bytes: &[u8], closes: bool, is_proven: bool, rooms: &Rooms) -> (Vec<u8>, Result<(), Stopped>) {
        let limits = Limits { message: 4 << 20, total: u64::MAX };
        let proof = watch::Sender::new(is_proven);
        let gate = Gate { framing: Framing::new(limits), rooms: rooms.clone(), proof: proof.subscribe() };
        let (mut peer, mut from) = tokio::io::duplex(1 << 16);
        let (mut to, mut socket) = tokio::io::duplex(1 << 16);
        let sending = async move {
            // Nobody reads the rest of what is not waited for.
            let _ = peer.write_all(bytes).await;
            (!closes).then_some(peer)
        };
        let copying = async {
            let ended = checked_copy(&mut from, &mut to, gate).await;
            drop((from, to));
            ended
        };
        let mut passed = Vec::new();
        let (_peer, ended, read) = tokio::join!(sending, copying, socket.read_to_end(&mut passed));
        read.expect("reads");
        (passed, ended)
    }

    /// A long message in two frames, of which the first is a short one.
    fn long() -> Vec<u8> {
        [handshake("DEALER"), frame(MORE, &[1; 100_000]), frame(0, &[1; 100_000])].concat()
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_that_does_not_come_is_not_waited_for_and_gives_its_room_back() {
        let rooms = Rooms::of(4 << 20, 4 << 20);
        // It says 3 MB and sends 10 bytes.
        let announced = [&[2][..], &(3u64 << 20).to_be_bytes(), &[0; 10]].concat();
        let bytes = [handshake("DEALER"), announced].concat();
        for is_proven in [false, true] {
            let (sent, ended) = passed(&bytes, false, is_proven, &rooms).await;
            assert!(sent == bytes && matches!(ended, Err(Stopped::Slow)), "{ended:?}");
            assert_eq!([&rooms.proven, &rooms.unproven].map(|room| room.available_permits()), [4 << 20; 2]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_be_anybody_takes_no_room_and_no_time_from_who_has_the_key() {
        let rooms = Rooms::of(1 << 20, 1 << 20);
        let taken = rooms.unproven.clone().acquire_many_owned(1 << 20).await.expect("is open");
        let short = [handshake("DEALER"), frame(0, &[1; 100_000])].concat();
        let begun = Instant::now();
        for (bytes, is_proven) in [(short, false), (long(), true)] {
            let (sent, ended) = passed(&bytes, true, is_proven, &rooms).await;
            assert!(sent == bytes && ended.is_ok(), "{} bytes passed: {ended:?}", sent.len());
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        // Who has to wait is not cut for that, however long it takes.
        let hour = Duration::from_secs(3600);
        let frees = async {
            tokio::time::sleep(hour).await;
            drop(taken);
        };
        let bytes = long();
        let ((sent, ended), ()) = tokio::join!(passed(&bytes, true, false, &rooms), frees);
        assert!(sent == bytes && ended.is_ok(), "{} bytes passed: {ended:?}", sent.len());
        assert_eq!(begun.elapsed(), hour, "it has waited for room");
        assert_eq!([&rooms.proven, &rooms.unproven].map(|room| room.available_permits()), [1 << 20; 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_among_all_and_proves_to_have_the_key_waits_no_more() {
        let rooms = Rooms::of(1 << 20, 1 << 20);
        let _taken = rooms.unproven.clone().acquire_many_owned(1 << 20).await.expect("is open");
        let proves = watch::Sender::new(false);
        let mut proof = proves.subscribe();
        let mut room = Room::default();
        let proving = async { proves.send_replace(true) };
        tokio::join!(room.grow(1 << 20, &rooms, &mut proof), proving);
        assert_eq!(room.size(), 1 << 20);
        assert_eq!(rooms.proven.available_permits(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn two_that_wait_for_each_others_room_do_not_wait_for_ever() {
        let rooms = Rooms::of(300_000, 300_000);
        let bytes = [handshake("DEALER"), frame(MORE, &[1; 200_000]), frame(0, &[1; 200_000])].concat();
        let (sent, ended) = passed(&bytes, true, true, &rooms).await;
        assert!(matches!(ended, Err(Stopped::Slow)), "{} bytes passed: {ended:?}", sent.len());
        assert_eq!(rooms.proven.available_permits(), 300_000);
    }
}
