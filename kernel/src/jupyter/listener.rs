//! Where frontends connect: one address of the connection file, and how many may be connected there at a time.

use std::io;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jupyter_protocol::{ConnectionInfo, Transport};
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::log::log;

/// An error may come again at once, as where there are no file descriptors left; this keeps such a loop from taking a whole core.
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);

/// How many connections one address takes, at the least and at the most.
const CONNECTIONS: (u64, u64) = (8, 256);

/// Of how many file descriptors one connection of one address may be: each of five addresses needs four for a connection, and
/// the rest is for cells, compilers and files.
const DESCRIPTORS: u64 = 24;

/// A connection with a frontend, or with whoever has found the port.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection, and its place among those of its address.
pub(super) struct Connection {
    pub(super) stream: Box<dyn Stream>,
    pub(super) place: OwnedSemaphorePermit,
}

/// An address that frontends connect to.
pub(super) struct Listener {
    socket: Socket,
    /// Of the five, as a log names it.
    pub(super) channel: &'static str,
    places: Arc<Semaphore>,
}

enum Socket {
    Tcp(TcpListener),
    Ipc(UnixListener, PathBuf),
}

impl Listener {
    /// Listens on a port of a connection file.
    pub(super) async fn bind(info: &ConnectionInfo, channel: &'static str, port: u16) -> io::Result<Self> {
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
        let descriptors = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let (least, most) = CONNECTIONS;
        let places = (descriptors / DESCRIPTORS).clamp(least, most);
        Ok(Self { socket, channel, places: Arc::new(Semaphore::new(places as usize)) })
    }

    /// Waits for somebody to connect. Where too many are connected, those that come are turned away.
    pub(super) async fn accept(&self) -> Connection {
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

impl Drop for Listener {
    fn drop(&mut self) {
        if let Socket::Ipc(_, path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
    }
}
