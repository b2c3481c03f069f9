//! The host's end of the control socket: structured output to the kernel, input from it.
//!
//! Without a kernel (in tests, or in a program that uses the runtime as a library) a display prints its plain text to
//! stdout and input is read from stdin, so the same code works in both places.

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::os::fd::{AsRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use oxtorch_protocol::{
    DEEPEST_DATA, Display, DisplayKind, FromHost, LONGEST_MESSAGE, Mark, Outcome, Told, is_too_deep, write_message,
};
use thiserror::Error;

use super::{checkpoint, evcxr, flush};
use crate::lock::lock;

/// What is told of an error, a panic or a question, in bytes.
const LONGEST_TEXT: usize = 1 << 20;

struct Kernel {
    /// The process that is connected. A fork of it is not.
    process: u32,
    socket: Mutex<UnixStream>,
    answers: Mutex<Receiver<Option<String>>>,
    shown: Mutex<Receiver<()>>,
}

static KERNEL: OnceLock<Kernel> = OnceLock::new();

/// The descriptors of the control socket, which a fork of the process lets go of, and one that takes their place.
static SOCKETS: OnceLock<([RawFd; 2], RawFd)> = OnceLock::new();

/// Connects this process to a kernel, which is read from `reading`; answers to input requests arrive on `answers`, one
/// `shown` for each display.
pub(crate) fn connect(
    socket: UnixStream,
    reading: &UnixStream,
    answers: Receiver<Option<String>>,
    shown: Receiver<()>,
) -> io::Result<()> {
    let nothing = File::open("/dev/null")?.into_raw_fd();
    let _ = SOCKETS.set(([socket.as_raw_fd(), reading.as_raw_fd()], nothing));
    // SAFETY: the function calls only what may be called in a fork of a process with several threads.
    unsafe { libc::pthread_atfork(None, None, Some(let_go_of_the_kernel)) };
    let process = std::process::id();
    let (socket, answers, shown) = (Mutex::new(socket), Mutex::new(answers), Mutex::new(shown));
    assert!(KERNEL.set(Kernel { process, socket, answers, shown }).is_ok(), "the host connects once, at its start");
    Ok(())
}

/// In a fork that a cell has made: the kernel hears nothing of it, and finds the socket closed once the host is gone.
/// The stop button ends it, for nobody there looks for interrupts.
unsafe extern "C" fn let_go_of_the_kernel() {
    let Some((sockets, nothing)) = SOCKETS.get() else { return };
    for socket in sockets {
        // SAFETY: these are open, and this process only ever writes there what is for the kernel.
        unsafe { libc::dup2(*nothing, *socket) };
    }
    // SAFETY: the default is a valid disposition of both.
    unsafe {
        libc::signal(libc::SIGINT, libc::SIG_DFL);
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
    }
}

/// Whether this process is a fork of the one that is connected, by whatever call it was made.
pub(crate) fn is_fork() -> bool {
    KERNEL.get().is_some_and(|kernel| kernel.process != std::process::id())
}

/// Whether what is sent is shown by a frontend, and not as lines of text.
pub(crate) fn has_front() -> bool {
    KERNEL.get().is_some() || evcxr::is_channel()
}

/// Sends a message to the kernel, after what the cell has printed so far. Returns once what it prints next can no
/// longer overtake it. A fork has nobody to send to.
pub(crate) fn send(message: &FromHost) {
    flush::flush();
    let replaced = replaced(message);
    let message = replaced.as_ref().unwrap_or(message);
    match KERNEL.get() {
        Some(_) if is_fork() => {}
        Some(kernel) => {
            let waits = matches!(message, FromHost::Display(_) | FromHost::ClearOutput { .. } | FromHost::Comm(_));
            // Held from the sending to the answer, so that each thread gets its own.
            let shown = waits.then(|| lock(&kernel.shown));
            let mut socket = lock(&kernel.socket);
            // A kernel that is gone takes this process with it (see `host`); there is nobody left to tell.
            let sent = write_message(&mut *socket, message);
            if sent.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::FileTooLarge) {
                let megabytes = LONGEST_MESSAGE >> 20;
                let text = format!("a display cannot be shown: it has more than {megabytes} MB");
                let _ = write_message(&mut *socket, &FromHost::Note { text });
            }
            drop(socket);
            if let (Some(shown), Ok(())) = (shown, sent) {
                let _ = shown.recv();
            }
        }
        None if evcxr::is_channel() => evcxr::send(message),
        None => print_plain(message),
    }
}

/// What is sent in place of a message that the kernel would not take; `None` for one that it takes, unless it is too
/// long.
fn replaced(message: &FromHost) -> Option<FromHost> {
    match message {
        FromHost::Display(Display { data, metadata, .. }) => {
            let (mime, _) = data.iter().chain(metadata).find(|(_, value)| is_too_deep(value))?;
            let text = format!("a display cannot be shown: its {mime} nests more than {DEEPEST_DATA} levels deep");
            Some(FromHost::Note { text })
        }
        FromHost::Done(done) => {
            let (Outcome::Panicked { message, .. } | Outcome::Failed { message, .. }) = &done.outcome else {
                return None;
            };
            let message = cut(message)?;
            let mut done = done.clone();
            if let Outcome::Panicked { message: long, .. } | Outcome::Failed { message: long, .. } = &mut done.outcome {
                *long = message;
            }
            Some(FromHost::Done(done))
        }
        FromHost::Input { prompt, password } => Some(FromHost::Input { prompt: cut(prompt)?, password: *password }),
        FromHost::Mark(Mark { key, told: Told::Points { points, message } }) => {
            let told = Told::Points { points: *points, message: cut(message)? };
            Some(FromHost::Mark(Mark { key: key.clone(), told }))
        }
        FromHost::Ready(_)
        | FromHost::ClearOutput { .. }
        | FromHost::Comm(_)
        | FromHost::Mark(_)
        | FromHost::Note { .. } => None,
    }
}

/// The beginning of a text that nobody reads to its end; `None` where the text is not as long as that.
fn cut(text: &str) -> Option<String> {
    let left_out = text.len().checked_sub(LONGEST_TEXT).filter(|left_out| *left_out > 0)?;
    Some(format!("{}... ({left_out} bytes more)", &text[..text.floor_char_boundary(LONGEST_TEXT)]))
}

fn print_plain(message: &FromHost) {
    if let FromHost::Display(Display { data, kind, .. }) = message
        && *kind != DisplayKind::Update
        && let Some(text) = data.get("text/plain").and_then(|text| text.as_str())
    {
        println!("{text}");
    }
}

/// Asks the user for a line. `Err` where no frontend can ask.
pub(crate) fn ask(prompt: &str, password: bool) -> io::Result<String> {
    if KERNEL.get().is_some() {
        let answer = answer(prompt, password);
        if answer == Err(NoAnswer::Interrupted) {
            // A frontend whose user interrupts has no answer either, and the cell ends here.
            checkpoint::checkpoint();
        }
        return answer.map_err(io::Error::from);
    }
    if evcxr::is_channel() {
        return evcxr::ask(prompt, password)?.ok_or_else(|| NoAnswer::NobodyToAsk.into());
    }
    print!("{prompt}");
    io::stdout().flush()?;
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// Why a question has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum NoAnswer {
    /// The user has interrupted the cell meanwhile.
    #[error("the user has interrupted the cell")]
    Interrupted,
    /// No frontend can ask its user.
    #[error("this frontend cannot ask for input (a headless run has nobody to ask)")]
    NobodyToAsk,
    /// No cell runs, or not the one any more that ran when the question was asked: frontends ask for cells alone.
    #[error("nobody can be asked for input while no cell runs")]
    NoCell,
    /// Nor can one any more.
    #[error("the kernel is gone")]
    KernelGone,
}

impl From<NoAnswer> for io::Error {
    fn from(reason: NoAnswer) -> Self {
        match reason {
            NoAnswer::Interrupted => io::ErrorKind::Interrupted.into(),
            NoAnswer::NobodyToAsk | NoAnswer::NoCell => Self::new(io::ErrorKind::Unsupported, reason.to_string()),
            NoAnswer::KernelGone => Self::new(io::ErrorKind::BrokenPipe, reason.to_string()),
        }
    }
}

/// Has the kernel ask the user for a line; returns without unwinding.
pub(crate) fn answer(prompt: &str, password: bool) -> Result<String, NoAnswer> {
    let kernel = KERNEL.get().filter(|_| !is_fork()).ok_or(NoAnswer::NobodyToAsk)?;
    let answers = lock(&kernel.answers);
    // An answer to a request that was interrupted may still have arrived.
    while answers.try_recv().is_ok() {}
    let Some(run) = checkpoint::running() else { return Err(NoAnswer::NoCell) };
    send(&FromHost::Input { prompt: prompt.to_owned(), password });
    loop {
        match answers.recv_timeout(Duration::from_millis(50)) {
            Ok(Some(line)) => return Ok(line),
            Ok(None) if checkpoint::is_interrupted() => return Err(NoAnswer::Interrupted),
            Ok(None) | Err(RecvTimeoutError::Timeout) if checkpoint::running() != Some(run) => {
                return Err(NoAnswer::NoCell);
            }
            Ok(None) => return Err(NoAnswer::NobodyToAsk),
            Err(RecvTimeoutError::Timeout) if checkpoint::is_interrupted() => return Err(NoAnswer::Interrupted),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Err(NoAnswer::KernelGone),
        }
    }
}

#[cfg(test)]
mod tests {
    use oxtorch_protocol::Done;
    use serde_json::{Map, Value};

    use super::*;

    #[test]
    fn what_nests_too_deeply_is_told_in_place_of_a_display() {
        let display = |depth| {
            let deep = (0..depth).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
            let data = Map::from_iter([("text/plain".to_owned(), "a".into())]);
            let metadata = Map::from_iter([("application/json".to_owned(), deep)]);
            FromHost::Display(Display { kind: DisplayKind::Data, data, metadata, display_id: None })
        };
        assert_eq!(replaced(&display(DEEPEST_DATA)), None);
        let Some(FromHost::Note { text }) = replaced(&display(DEEPEST_DATA + 1)) else { panic!("is told") };
        assert!(text.contains("application/json") && text.contains("100 levels"), "{text}");
    }

    #[test]
    fn the_message_of_a_panic_has_a_bound() {
        let done = |message: String| {
            let outcome = Outcome::Panicked { message, frames: Vec::new() };
            FromHost::Done(Box::new(Done { run: 1, outcome, ..Done::default() }))
        };
        assert_eq!(replaced(&done("a".repeat(LONGEST_TEXT))), None);
        let shorter = replaced(&done("数".repeat(LONGEST_TEXT)));
        let cut = format!("{}... ({} bytes more)", "数".repeat(LONGEST_TEXT / 3), 2 * LONGEST_TEXT);
        assert_eq!(shorter, Some(done(cut)));
    }
}
