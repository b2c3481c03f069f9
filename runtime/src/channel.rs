//! The host's end of the control socket: structured output to the kernel, input from it.
//!
//! Without a kernel (in tests, or in a program that uses the runtime as a library) a display prints its plain text to
//! stdout and input is read from stdin, so the same code works in both places.

use std::io::{self, BufRead, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::{Mutex, OnceLock};
use std::time::Duration;

use oxtorch_protocol::{Display, DisplayKind, FromHost, write_message};

use crate::{checkpoint, evcxr};

struct Kernel {
    socket: Mutex<UnixStream>,
    answers: Mutex<Receiver<Option<String>>>,
    shown: Mutex<Receiver<()>>,
}

static KERNEL: OnceLock<Kernel> = OnceLock::new();

/// Connects this process to a kernel; answers to input requests arrive on `answers`, one `shown` for each display.
pub(crate) fn connect(socket: UnixStream, answers: Receiver<Option<String>>, shown: Receiver<()>) {
    let kernel = Kernel { socket: Mutex::new(socket), answers: Mutex::new(answers), shown: Mutex::new(shown) };
    assert!(KERNEL.set(kernel).is_ok(), "the host connects once, at its start");
}

/// Whether what is sent is shown by a frontend, and not as lines of text.
pub(crate) fn has_front() -> bool {
    KERNEL.get().is_some() || evcxr::is_channel()
}

/// Sends a message to the kernel, after what the cell has printed so far. Returns once what it prints next can no longer
/// overtake it.
pub(crate) fn send(message: &FromHost) {
    let _ = io::stdout().flush();
    match KERNEL.get() {
        Some(kernel) => {
            let waits = matches!(message, FromHost::Display(_) | FromHost::ClearOutput { .. });
            // Held from the sending to the answer, so that each thread gets its own.
            let shown = waits.then(|| kernel.shown.lock().unwrap_or_else(|poisoned| poisoned.into_inner()));
            let mut socket = kernel.socket.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            // A kernel that is gone takes this process with it (see `host`); there is nobody left to tell.
            let sent = write_message(&mut *socket, message);
            drop(socket);
            if let (Some(shown), Ok(())) = (shown, sent) {
                let _ = shown.recv();
            }
        }
        None if evcxr::is_channel() => evcxr::send(message),
        None => print_plain(message),
    }
}

fn print_plain(message: &FromHost) {
    if let FromHost::Display(Display { data, kind, .. }) = message
        && *kind != DisplayKind::Update
        && let Some(text) = data.get("text/plain").and_then(|text| text.as_str())
    {
        println!("{text}");
    }
}

/// Asks the user for a line. `Err` where no frontend can ask, or the cell was interrupted meanwhile.
pub(crate) fn ask(prompt: &str, password: bool) -> io::Result<String> {
    let Some(kernel) = KERNEL.get() else {
        if evcxr::is_channel() {
            return evcxr::ask(prompt, password)?.ok_or_else(nobody_to_ask);
        }
        print!("{prompt}");
        io::stdout().flush()?;
        let mut line = String::new();
        io::stdin().lock().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    };
    let answers = kernel.answers.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // An answer to a request that was interrupted may still have arrived.
    while answers.try_recv().is_ok() {}
    send(&FromHost::Input { prompt: prompt.to_owned(), password });
    loop {
        match answers.recv_timeout(Duration::from_millis(50)) {
            Ok(Some(line)) => return Ok(line),
            Ok(None) => {
                // A frontend whose user interrupts has no answer either.
                checkpoint::checkpoint();
                return Err(nobody_to_ask());
            }
            Err(RecvTimeoutError::Timeout) => checkpoint::checkpoint(),
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::new(io::ErrorKind::BrokenPipe, "the kernel is gone"));
            }
        }
    }
}

fn nobody_to_ask() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "this frontend cannot ask for input (a headless run has nobody to ask)")
}
