//! What a process prints, as events.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use oxtorch_session::{Event, Stream};
use tokio::net::unix::pipe;

use crate::host::PIPE_BYTES;
use crate::host::rewrite::{Rewrite, Rewritten};
use crate::host::rich_output::RichOutput;

/// The output pipe of a process.
#[derive(Debug)]
pub struct Text {
    /// Readable when there is something to show.
    pipe: pipe::Receiver,
    /// The same pipe, read without asking tokio: it learns that something was written only when it next waits, and by
    /// then the message that was sent after that text may have been acted on.
    now: File,
    stream: Stream,
    /// The start of a character, or of something that a rewrite waits for.
    held: VecDeque<u8>,
    /// Whether all that will ever come has been read.
    pub closed: bool,
    /// Where text may hold blocks of rich output.
    rich: Option<RichOutput>,
}

impl Text {
    /// What comes out of a pipe, as text of that stream; that of stdout may hold blocks of rich output.
    pub fn new(fd: OwnedFd, stream: Stream) -> io::Result<Self> {
        let now = File::from(fd.try_clone()?);
        let pipe = pipe::Receiver::from_owned_fd(fd)?;
        let rich = (stream == Stream::Stdout).then(RichOutput::default);
        Ok(Self { pipe, now, stream, held: VecDeque::new(), closed: false, rich })
    }

    /// A cell begins: what it prints has nothing to do with what was printed so far.
    pub fn begin_cell(&mut self) {
        self.rich.iter_mut().for_each(RichOutput::begin_cell);
    }

    /// Waits for text, and gives what it shows. Nothing is lost where this is dropped.
    pub async fn next(&mut self, rewrite: &Rewrite<'_>) -> io::Result<Vec<Event>> {
        self.pipe.readable().await?;
        Ok(self.read(rewrite)?.1)
    }

    /// What can be read at once: how many bytes that was, and what it shows.
    fn read(&mut self, rewrite: &Rewrite<'_>) -> io::Result<(usize, Vec<Event>)> {
        let mut buffer = vec![0; PIPE_BYTES];
        let read = match self.pipe.try_read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => (&self.now).read(&mut buffer),
            result => result,
        };
        let read = match read {
            Ok(0) => {
                self.closed = true;
                return Ok((0, Vec::new()));
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok((0, Vec::new())),
            Err(error) => return Err(error),
        };
        let mut bytes: Vec<u8> = self.held.drain(..).collect();
        bytes.extend_from_slice(&buffer[..read]);
        let whole = bytes.len() - incomplete_character(&bytes);
        let text = String::from_utf8_lossy(&bytes[..whole]).into_owned();
        let Rewritten { ready, held } = rewrite(self.stream, &text);
        self.held.extend(&text.as_bytes()[text.len() - held..]);
        self.held.extend(&bytes[whole..]);
        Ok((read, self.events(ready)))
    }

    /// All that was written before now.
    pub fn read_all(&mut self, rewrite: &Rewrite<'_>) -> io::Result<Vec<Event>> {
        let mut events = Vec::new();
        let mut drained = 0;
        while drained < PIPE_BYTES {
            let (read, found) = self.read(rewrite)?;
            if read == 0 {
                break;
            }
            drained += read;
            events.extend(found);
        }
        Ok(events)
    }

    /// What was held back: nothing will complete it.
    pub fn take_held(&mut self) -> Vec<Event> {
        let bytes: Vec<u8> = self.held.drain(..).collect();
        let mut events = self.events(String::from_utf8_lossy(&bytes).into_owned());
        events.extend(self.take_begun());
        events
    }

    /// What text shows.
    fn events(&mut self, text: String) -> Vec<Event> {
        match &mut self.rich {
            _ if text.is_empty() => Vec::new(),
            Some(rich) => rich.take(&text),
            None => vec![Event::Stream { stream: self.stream, text }],
        }
    }

    /// Whether text is held that may be the beginning of a block.
    pub fn waits(&self) -> bool {
        self.rich.as_ref().is_some_and(RichOutput::waits)
    }

    /// What has begun as a block, as text.
    pub fn take_begun(&mut self) -> Vec<Event> {
        self.rich.as_mut().map(RichOutput::flush).unwrap_or_default()
    }
}

/// How many bytes at the end begin a UTF-8 character that is not whole yet.
pub(crate) fn incomplete_character(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let needed = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if needed > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_that_is_cut_waits_for_its_rest() {
        let text = "损失".as_bytes();
        assert_eq!(incomplete_character(text), 0);
        assert_eq!(incomplete_character(&text[..5]), 2);
        assert_eq!(incomplete_character(&text[..4]), 1);
        assert_eq!(incomplete_character(b"abc"), 0);
        assert_eq!(incomplete_character(&[0xFF]), 0);
    }
}
