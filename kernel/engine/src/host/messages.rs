//! Both directions of the control socket. A cell can make its process write anything there, and read nothing: neither
//! fills memory or is waited for without end.

use std::io::{self, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxtorch_protocol::{FromHost, LONGEST_MESSAGE, ToHost};
use parking_lot::Mutex;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::UnixStream;

/// How long a host that reads nothing is waited for; it reads at all times, so one that does not was stopped.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a host says, a message a line.
#[derive(Debug)]
pub(super) struct Messages {
    socket: BufReader<UnixStream>,
    /// Of the message that is not whole yet.
    line: Vec<u8>,
}

impl Messages {
    pub(super) fn new(socket: UnixStream) -> Self {
        Self { socket: BufReader::new(socket), line: Vec::new() }
    }

    /// The next message; `None` where the host has closed its end. What was read of one is kept where this is dropped.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidData`] where what came is no message, and again each time where it is longer than any
    /// is.
    pub(super) async fn next(&mut self) -> io::Result<Option<FromHost>> {
        let refused = |told: String| io::Error::new(io::ErrorKind::InvalidData, told);
        loop {
            let read = self.socket.fill_buf().await?;
            if read.is_empty() {
                return Ok(None);
            }
            let end = read.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(read.len(), |end| end + 1);
            if self.line.len() + taken > LONGEST_MESSAGE + 1 {
                let megabytes = LONGEST_MESSAGE >> 20;
                return Err(refused(format!("it sent a message of more than {megabytes} MB to the kernel")));
            }
            self.line.extend_from_slice(&read[..taken]);
            self.socket.consume(taken);
            if end.is_some() {
                let line = std::mem::take(&mut self.line);
                let message = serde_json::from_slice(&line).map(Some);
                return message.map_err(|error| refused(format!("it sent the kernel an invalid message: {error}")));
            }
        }
    }
}

/// The sending side of the control socket.
#[derive(Debug, Clone)]
pub(super) struct Requests(Arc<Mutex<StdUnixStream>>);

impl Requests {
    /// On a socket that does not block.
    pub(super) fn new(socket: StdUnixStream) -> Self {
        Self(Arc::new(Mutex::new(socket)))
    }

    /// Sends a message. A host that does not take it in time gets none any more, and its end is closed: half a message
    /// is none.
    pub(super) fn send(&self, message: &ToHost) -> io::Result<()> {
        let mut line = serde_json::to_vec(message)?;
        line.push(b'\n');
        let mut socket = self.0.lock();
        let began = Instant::now();
        let mut rest = line.as_slice();
        while !rest.is_empty() {
            match socket.write(rest) {
                Ok(written) => rest = &rest[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = PATIENCE.saturating_sub(began.elapsed());
                    if left.is_zero() {
                        let _ = socket.shutdown(Shutdown::Both);
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "it reads nothing"));
                    }
                    let mut sockets = [PollFd::new(&*socket, PollFlags::OUT)];
                    match poll(&mut sockets, Timespec::try_from(left).ok().as_ref()) {
                        Ok(_) | Err(rustix::io::Errno::INTR) => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::BufRead as _;

    use super::*;

    fn pair() -> (Messages, StdUnixStream) {
        let (ours, theirs) = StdUnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("is set");
        (Messages::new(UnixStream::from_std(ours).expect("in a runtime")), theirs)
    }

    #[tokio::test]
    async fn messages_come_one_by_one_however_they_were_cut() {
        let (mut messages, mut host) = pair();
        let writer = std::thread::spawn(move || {
            for piece in ["{\"type\":\"no", "te\",\"text\":\"a\"}\n{\"type\":\"note\",", "\"text\":\"b\"}\n{\"type"] {
                host.write_all(piece.as_bytes()).expect("is read");
            }
        });
        for expected in ["a", "b"] {
            let text = expected.to_owned();
            assert_eq!(messages.next().await.expect("is a message"), Some(FromHost::Note { text }));
        }
        writer.join().expect("does not panic");
        assert_eq!(messages.next().await.expect("the end is no error"), None);
    }

    #[tokio::test]
    async fn a_message_without_end_is_given_up() {
        let (mut messages, mut host) = pair();
        // It ends as the kernel closes its end.
        let writer = std::thread::spawn(move || while host.write_all(&[b'a'; 64 << 10]).is_ok() {});
        for _ in 0..2 {
            let error = messages.next().await.expect_err("has no end");
            assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        }
        assert!(messages.line.len() <= LONGEST_MESSAGE);
        drop(messages);
        writer.join().expect("does not panic");
    }

    #[test]
    fn a_host_that_reads_nothing_is_given_up() {
        let (ours, theirs) = StdUnixStream::pair().expect("a pair");
        ours.set_nonblocking(true).expect("is set");
        let requests = Requests::new(ours);
        let long = ToHost::Forget { names: vec!["a".repeat(16 << 20)] };
        assert_eq!(requests.send(&long).expect_err("nobody reads").kind(), io::ErrorKind::TimedOut);
        assert!(requests.send(&ToHost::Shown).is_err());
        let mut left = Vec::new();
        let mut theirs = io::BufReader::new(theirs);
        assert!(theirs.read_until(b'\n', &mut left).is_ok_and(|read| read < 16 << 20), "it is closed");
    }
}
