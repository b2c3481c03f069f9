//! Where frontends connect: one address of the connection file, and how many may be connected there at a time.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jupyter_protocol::{ConnectionInfo, Transport};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::log::log;

/// An error may come again at once, as where there are no file descriptors left; this keeps such a loop from taking a
/// whole core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// How many connections one address takes, at the least and at the most.
const CONNECTIONS: (u64, u64) = (1, 256);

/// Of how many file descriptors one connection of one address may be. Each takes five until the peer has said what it
/// is: its own, both ends of the relay to the socket library, one of them once more, and the place where these meet. So
/// those of five addresses take five eighths, and the rest is for cells, compilers and files.
const DESCRIPTORS: u64 = 40;

/// The fewest with which a frontend is served and cells run: one connection to each address, the process that runs the
/// cells, a compiler, and the files that each has open.
const LEAST: u64 = 64;

/// The file descriptors that the process shall be able to have: many systems give 1,024, or 256, and let it have more.
const WANTED: u64 = 4096;

/// A connection with a frontend, or with whoever has found the port.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, and its place among those of its address.
pub(crate) struct Connection {
    pub(crate) stream: Box<dyn Stream>,
    pub(crate) place: OwnedSemaphorePermit,
}

/// An address that frontends connect to.
pub(crate) struct Listener {
    socket: Socket,
    /// Of the five, as a log names it.
    pub(crate) channel: &'static str,
    places: Arc<Semaphore>,
}

enum Socket {
    Tcp(TcpListener),
    Ipc(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on a port of a connection file.
    pub(crate) async fn bind(info: &ConnectionInfo, channel: &'static str, port: u16) -> io::Result<Self> {
        let socket = match info.transport {
            Transport::TCP => {
                let ip = info.ip.trim_matches(['[', ']']);
                let any = Ipv4Addr::UNSPECIFIED.to_string();
                let ip = if ip == "*" { &any } else { ip };
                Socket::Tcp(TcpListener::bind((ip, port)).await?)
            }
            Transport::IPC => {
                let path = PathBuf::from(format!("{}-{port}", info.ip));
                Socket::Ipc(UnixListener::bind(&path)?, path)
            }
        };
        let places = Arc::new(Semaphore::new(places(descriptors())));
        Ok(Self { socket, channel, places })
    }

    /// Waits for somebody to connect. Where too many are connected, those that come are turned away.
    pub(crate) async fn accept(&self) -> Connection {
        loop {
            let accepted: io::Result<Box<dyn Stream>> = match &self.socket {
                Socket::Tcp(listener) => listener.accept().await.map(|(stream, _)| {
                    // Small messages are to go at once; without it they still go.
                    let _ = stream.set_nodelay(true);
                    Box::new(stream) as Box<dyn Stream>
                }),
                Socket::Ipc(listener, _) => listener.accept().await.map(|(stream, _)| Box::new(stream) as _),
            };
            match (accepted, self.places.clone().try_acquire_owned()) {
                (Ok(stream), Ok(place)) => return Connection { stream, place },
                (Ok(_), Err(_)) => log(format_args!("{}: too many connections; one was turned away", self.channel)),
                (Err(error), _) => {
                    log(format_args!("{}: {error}", self.channel));
                    tokio::time::sleep(PAUSE_AFTER_ERROR).await;
                }
            }
        }
    }
}

/// # Errors
///
/// Where the process can have too few files open for a frontend to be answered.
pub(crate) fn check_descriptors() -> anyhow::Result<()> {
    match descriptors() {
        enough if enough >= LEAST => Ok(()),
        few => Err(io::Error::from_raw_os_error(libc::EMFILE))
            .with_context(|| format!("the kernel needs {LEAST} open files, but may have only {few}")),
    }
}

/// The file descriptors that the process can have, more if the system lets it.
fn descriptors() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let current = current.unwrap_or(u64::MAX);
    let wanted = WANTED.min(maximum.unwrap_or(u64::MAX));
    if current >= wanted {
        return current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum }) {
        Ok(()) => wanted,
        Err(_) => current,
    }
}

/// How many connections each address takes where the process can have so many file descriptors.
fn places(descriptors: u64) -> usize {
    let (least, most) = CONNECTIONS;
    (descriptors / DESCRIPTORS).clamp(least, most) as usize
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Ipc(_, path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_connections_together_leave_descriptors_for_all_else() {
        for limit in [64, 256, 1024, 4096, 1 << 20, u64::MAX] {
            let taken = 5 * 5 * places(limit) as u64;
            assert!(taken <= limit / 8 * 5, "{taken} of {limit}");
        }
    }
}
