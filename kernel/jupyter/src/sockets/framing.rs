//! Checks what a peer sends, as far as ZMTP frames it, before the socket library sees it.
//!
//! Anybody on the machine can connect to a port, and who has the key is known only when a whole message is there. The
//! library makes room for a frame of whatever length a peer claims: 2^62 bytes end the process. So a length passes only
//! once it was checked here and there is room for it. The format is that of [ZMTP
//! 3.0](https://rfc.zeromq.org/spec/23/).

/// The first bytes of a connection: signature, version, mechanism, filler.
const GREETING: usize = 64;

/// The longest command. There is one in a connection, `READY`, with the type and the identity of the peer's socket.
const LONGEST_COMMAND: u64 = 4096;

/// What a frame takes beside its bytes, at the least.
const FRAME: u64 = 64;

/// In a frame's flags: another frame of the message follows.
const MORE: u8 = 1;
/// In a frame's flags: the length has eight bytes.
const LONG: u8 = 2;
/// In a frame's flags: it is a command.
const COMMAND: u8 = 4;

/// How much one peer may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Bytes of one message, with all its frames.
    pub(crate) message: u64,
    /// Bytes of all messages together, where a peer has no reason to send many.
    pub(crate) total: u64,
}

/// Why nothing more is taken from a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("what it sends is not ZMTP 3")]
    Foreign,
    #[error("it sends a frame that ZMTP does not have")]
    Malformed,
    #[error("it sends a command that is not known here")]
    Command,
    #[error("it announces a message of {announced} bytes; the limit is {most}")]
    TooLong { announced: u64, most: u64 },
    #[error("it sends more than a frontend should here")]
    TooMuch,
}

/// What the bytes that were read mean for those that come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    On,
    /// A frame begins; with it the message takes this many bytes.
    Frame(u64),
    /// A message is whole.
    Message,
}

/// Follows what one peer sends.
#[derive(Debug)]
pub(crate) struct Framing {
    limits: Limits,
    at: At,
    /// The `READY` command has come.
    ready: bool,
    /// What the message so far takes.
    message: u64,
    /// What all messages so far take.
    total: u64,
}

/// Where in the stream the next byte stands.
#[derive(Debug, Clone, Copy)]
enum At {
    Greeting(usize),
    Flags,
    Length { flags: u8, read: u64, missing: usize },
    Body { flags: u8, missing: u64 },
}

impl Framing {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, at: At::Greeting(0), ready: false, message: 0, total: 0 }
    }

    /// Reads on, and says how many of the bytes belong to what it found. Those may be passed on once what the step asks
    /// for is done. All bytes are read when it takes none and finds nothing.
    pub(crate) fn step(&mut self, bytes: &[u8]) -> Result<(usize, Step), Refusal> {
        match self.at {
            At::Greeting(seen) => {
                let taken = bytes.len().min(GREETING - seen);
                let fits = |(at, byte): (usize, &u8)| match at {
                    0 => *byte == 0xff,
                    9 => byte & 1 == 1,
                    // The major version. Older ones frame messages in another way.
                    10 => *byte >= 3,
                    _ => true,
                };
                if !(seen..).zip(&bytes[..taken]).all(fits) {
                    return Err(Refusal::Foreign);
                }
                self.at = if seen + taken == GREETING { At::Flags } else { At::Greeting(seen + taken) };
                Ok((taken, Step::On))
            }
            At::Flags => {
                let Some(&flags) = bytes.first() else { return Ok((0, Step::On)) };
                if flags & !(MORE | LONG | COMMAND) != 0 || flags & (MORE | COMMAND) == MORE | COMMAND {
                    return Err(Refusal::Malformed);
                }
                if (flags & COMMAND == 0) != self.ready {
                    return Err(if self.ready { Refusal::Command } else { Refusal::Malformed });
                }
                self.at = At::Length { flags, read: 0, missing: if flags & LONG == 0 { 1 } else { 8 } };
                Ok((1, Step::On))
            }
            At::Length { flags, mut read, mut missing } => {
                let taken = bytes.len().min(missing);
                for byte in &bytes[..taken] {
                    read = read << 8 | u64::from(*byte);
                }
                missing -= taken;
                if missing > 0 {
                    self.at = At::Length { flags, read, missing };
                    return Ok((taken, Step::On));
                }
                // A step that takes nothing and finds nothing means that all is read.
                let is_over = read == 0 && flags & MORE != 0;
                self.at = if is_over { At::Flags } else { At::Body { flags, missing: read } };
                Ok((taken, Step::Frame(self.charge(flags, read)?)))
            }
            At::Body { flags, missing } => {
                let taken = bytes.len().min(usize::try_from(missing).unwrap_or(usize::MAX));
                let missing = missing - taken as u64;
                if missing > 0 {
                    self.at = At::Body { flags, missing };
                    return Ok((taken, Step::On));
                }
                self.at = At::Flags;
                self.ready = true;
                if flags & MORE != 0 {
                    return Ok((taken, Step::On));
                }
                self.message = 0;
                Ok((taken, Step::Message))
            }
        }
    }

    /// What the message takes with one more frame of this length.
    fn charge(&mut self, flags: u8, length: u64) -> Result<u64, Refusal> {
        let most = if flags & COMMAND == 0 { self.limits.message } else { LONGEST_COMMAND };
        let frame = length.saturating_add(FRAME);
        self.message = self.message.saturating_add(frame);
        if self.message > most {
            return Err(Refusal::TooLong { announced: self.message, most });
        }
        self.total = self.total.saturating_add(frame);
        if self.total > self.limits.total { Err(Refusal::TooMuch) } else { Ok(self.message) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use oxtorch_testing::fuzz;

    const LIMITS: Limits = Limits { message: 1 << 20, total: 1 << 22 };

    /// What a peer with a socket of a type says first.
    pub(crate) fn handshake(socket_type: &str) -> Vec<u8> {
        let mut greeting = vec![0; GREETING];
        (greeting[0], greeting[9], greeting[10]) = (0xff, 0x7f, 3);
        greeting[12..16].copy_from_slice(b"NULL");
        let mut ready = b"\x05READY\x0bSocket-Type".to_vec();
        ready.extend((socket_type.len() as u32).to_be_bytes());
        ready.extend(socket_type.as_bytes());
        [greeting, frame(COMMAND, &ready)].concat()
    }

    /// A frame with a body.
    pub(crate) fn frame(flags: u8, body: &[u8]) -> Vec<u8> {
        let mut frame = vec![flags | LONG];
        frame.extend((body.len() as u64).to_be_bytes());
        frame.extend(body);
        frame
    }

    /// All steps but [`Step::On`], where the bytes come in pieces of a size.
    fn steps(bytes: &[u8], piece: usize) -> (Vec<Step>, Option<Refusal>) {
        let mut framing = Framing::new(LIMITS);
        let mut steps = Vec::new();
        for mut rest in bytes.chunks(piece) {
            loop {
                match framing.step(rest) {
                    Ok((0, Step::On)) => break,
                    Ok((taken, step)) => {
                        rest = &rest[taken..];
                        steps.extend((step != Step::On).then_some(step));
                    }
                    Err(refusal) => return (steps, Some(refusal)),
                }
            }
        }
        (steps, None)
    }

    #[test]
    fn messages_pass_whatever_pieces_they_come_in() {
        let ready = handshake("DEALER");
        let command = ready.len() as u64 - 64 - 9 + FRAME;
        let first = [frame(MORE, b"one"), frame(MORE, b""), frame(0, b"")].concat();
        let bytes = [ready, first, vec![0, 2, 1, 2], frame(0, &[7; 1000])].concat();
        for piece in [1, 2, 7, 64, 100_000] {
            let (steps, refusal) = steps(&bytes, piece);
            assert_eq!(refusal, None);
            let expected = [
                Step::Frame(command),
                Step::Message,
                Step::Frame(3 + FRAME),
                Step::Frame(3 + 2 * FRAME),
                Step::Frame(3 + 3 * FRAME),
                Step::Message,
                Step::Frame(2 + FRAME),
                Step::Message,
                Step::Frame(1000 + FRAME),
                Step::Message,
            ];
            assert_eq!(steps, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn what_no_frontend_sends_is_refused_where_it_begins() {
        let ready = handshake("DEALER");
        let long = |flags: u8, length: u64| [&[flags | LONG][..], &length.to_be_bytes()].concat();
        let too_long = |length: u64| Refusal::TooLong { announced: length.saturating_add(FRAME), most: LIMITS.message };
        for (bytes, expected) in [
            (b"GET / HTTP/1.1".to_vec(), Refusal::Foreign),
            ([&ready[..10], &[2]].concat(), Refusal::Foreign),
            ([&ready[..64], &frame(0, b"before READY")].concat(), Refusal::Malformed),
            (
                [&ready[..64], &long(COMMAND, 1 << 62)].concat(),
                Refusal::TooLong { announced: (1 << 62) + FRAME, most: 4096 },
            ),
            ([&ready[..], &long(0, 1 << 62)].concat(), too_long(1 << 62)),
            ([&ready[..], &long(MORE, u64::MAX)].concat(), too_long(u64::MAX)),
            ([&ready[..], &long(0, LIMITS.message)].concat(), too_long(LIMITS.message)),
            ([&ready[..], &[8]].concat(), Refusal::Malformed),
            ([&ready[..], &[COMMAND | MORE]].concat(), Refusal::Malformed),
            ([&ready[..], &frame(COMMAND, b"\x04PING")].concat(), Refusal::Command),
            ([&ready[..], &frame(MORE, b"").repeat(1 << 15)].concat(), too_long(LIMITS.message)),
            ([&ready[..], &frame(0, &[0; 1 << 18]).repeat(20)].concat(), Refusal::TooMuch),
        ] {
            assert_eq!(steps(&bytes, 1000).1, Some(expected));
        }
    }

    /// Whatever comes, no more is asked for than the limits say, and all bytes are taken or refused.
    #[test]
    fn any_bytes_are_followed_or_refused() {
        let good = [handshake("DEALER"), frame(MORE, b"identity"), frame(0, &[1; 300]), vec![0, 3, 1, 2, 3]].concat();
        let mut refused = 0u64;
        fuzz(|random| {
            let mut bytes = good.clone();
            for _ in 0..random.int_in_range(0..=4)? {
                let at = random.int_in_range(0..=bytes.len())?;
                match random.int_in_range(0..=3)? {
                    0 => drop(bytes.splice(at..at, random.bytes(random.len().min(12))?.iter().copied())),
                    1 => bytes.truncate(at),
                    2 if at < bytes.len() => bytes[at] = random.arbitrary()?,
                    _ => bytes.extend_from_within(at..),
                }
            }
            let piece = random.int_in_range(1..=bytes.len().max(1))?;
            let (steps, refusal) = steps(&bytes, piece);
            refused += u64::from(refusal.is_some());
            assert!(steps.iter().all(|step| !matches!(step, Step::Frame(taken) if *taken > LIMITS.message)));
            Ok(())
        })
        .run();
        assert!(refused > 0, "nothing was wrong with any of them");
    }
}
