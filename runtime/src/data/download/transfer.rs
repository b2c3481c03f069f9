//! One request: the bytes of a file from some point on, written to its part as they come.
//!
//! The network is read by a thread of its own, so that an interrupt need not wait for a server that says nothing.

use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use oxtorch_boundary::Answer;

use crate::progress::ProgressBar;
use crate::support::support;

/// What a server may take to answer, or to send more.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(50);
const CHUNK: usize = 1 << 16;
const CHUNKS_AHEAD: usize = 16;

/// Why a request did not bring the whole file.
#[derive(Debug)]
pub(super) enum Failure {
    /// In words for the user.
    Server(String),
    Disk(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// How the part came to be complete.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// All of it came by this request.
    Whole,
    /// Some of it was there before.
    Rest,
}

enum Event {
    Begins {
        offset: u64,
        total: Option<u64>,
    },
    Bytes(Vec<u8>),
    /// The server has nothing beyond the offset that was asked for.
    NothingMore,
    End,
    Failed(String),
}

/// Writes the file at `url` to `part`, of which `offset` bytes are there. A server that cannot begin there sends it
/// all.
pub(super) fn receive(
    url: &str,
    offset: u64,
    part: &mut File,
    name: &str,
    poll: &dyn Fn(),
) -> Result<Received, Failure> {
    let events = request(url.to_owned(), offset);
    let mut bar: Option<ProgressBar> = None;
    let (mut length, mut expected, mut begun_at) = (offset, None, offset);
    loop {
        match next(&events, poll) {
            Event::Begins { offset, total } => {
                part.set_len(offset)?;
                part.seek(SeekFrom::Start(offset))?;
                (length, expected, begun_at) = (offset, total, offset);
                let short = name.rsplit('/').next().unwrap_or(name);
                let new = ProgressBar::new(total).describe(short).unit("B");
                new.inc(offset);
                bar = Some(new);
            }
            Event::Bytes(bytes) => {
                part.write_all(&bytes)?;
                length += bytes.len() as u64;
                if let Some(bar) = &bar {
                    bar.inc(bytes.len() as u64);
                }
            }
            Event::NothingMore => return Ok(Received::Rest),
            Event::End => match expected {
                Some(total) if length < total => {
                    return Err(Failure::Server(format!("it sent {length} bytes of {total} and ended")));
                }
                _ => {
                    if let Some(bar) = &bar {
                        bar.finish();
                    }
                    return Ok(if begun_at == 0 { Received::Whole } else { Received::Rest });
                }
            },
            Event::Failed(reason) => return Err(Failure::Server(reason)),
        }
    }
}

fn next(events: &Receiver<Event>, poll: &dyn Fn()) -> Event {
    loop {
        poll();
        match events.recv_timeout(POLL) {
            Ok(event) => return event,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Event::Failed("the download ended unexpectedly".to_owned());
            }
        }
    }
}

/// Starts the thread that reads the network. It ends when nobody listens any more.
fn request(url: String, offset: u64) -> Receiver<Event> {
    let (sender, events) = sync_channel(CHUNKS_AHEAD);
    let reader = thread::Builder::new().name("download".to_owned());
    let spawned = reader.spawn({
        let sender = sender.clone();
        move || {
            let last = match read_all(&url, offset, &sender) {
                Ok(last) => last,
                Err(reason) => Event::Failed(reason),
            };
            let _ = sender.send(last);
        }
    });
    if let Err(error) = spawned {
        let _ = sender.send(Event::Failed(format!("no thread to download with: {error}")));
    }
    events
}

/// Sends what the server says, and gives the last event.
fn read_all(url: &str, offset: u64, events: &SyncSender<Event>) -> Result<Event, String> {
    let (offset, total, mut body) = match (support()?.get)(url, offset, PATIENCE)? {
        Answer::Body { offset, length, body } => (offset, length, body),
        Answer::NothingMore => return Ok(Event::NothingMore),
    };
    if events.send(Event::Begins { offset, total }).is_err() {
        return Ok(Event::End);
    }
    let mut buffer = vec![0; CHUNK];
    loop {
        match body.read(&mut buffer).map_err(|error| error.to_string())? {
            0 => return Ok(Event::End),
            count => {
                if events.send(Event::Bytes(buffer[..count].to_vec())).is_err() {
                    return Ok(Event::End);
                }
            }
        }
    }
}
