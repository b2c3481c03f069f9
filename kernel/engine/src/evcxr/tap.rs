//! The process between evcxr and the one that runs the cells. It brings both streams of that one into the order in
//! which they were written, and tells what evcxr keeps to itself: that a cell panicked, or how the process ended.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};

use oxtorch_protocol::STDOUT_CHANNEL;
use oxtorch_system::terminal::say;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Signal, set_parent_process_death_signal};

use crate::evcxr::lines::{Line, Stdout};
use crate::host::exit_reason::LastWords;
use crate::host::text::incomplete_character;

/// Set by evcxr for the process that it starts.
const IS_RUNTIME: &str = "EVCXR_IS_RUNTIME";
/// Set by this one for the process that runs the cells.
const IS_TAPPED: &str = "OXTORCH_TAPPED";

/// How much is read at once.
const BUFFER_BYTES: usize = 64 << 10;

/// Becomes one of evcxr's helpers where this process was started as one; then it does not return.
///
/// To be called first thing in `main`: evcxr starts the same program again for the process that runs the cells.
pub fn hook() {
    if std::env::var_os(IS_RUNTIME).is_some() {
        // Both processes end with the one that started them, also where that one is killed.
        let _ = set_parent_process_death_signal(Some(Signal::KILL));
        if std::env::var_os(IS_TAPPED).is_none() {
            let code = run().unwrap_or_else(|error| {
                say(format_args!("cannot run the process for the cells: {error}"));
                1
            });
            std::process::exit(code);
        }
    }
    evcxr::runtime_hook();
}

fn run() -> io::Result<i32> {
    let mut cells = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(IS_TAPPED, "1")
        .env(STDOUT_CHANNEL, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let last_words = LastWords::default();
    forward(&mut cells, &mut io::stdout().lock(), &last_words)?;
    let status = cells.wait()?;
    let line = Line::Ended { how: last_words.ended(status) };
    io::stdout().write_all(line.marked().as_bytes())?;
    io::stdout().flush()?;
    Ok(status.code().unwrap_or(1))
}

fn forward(cells: &mut Child, to: &mut impl Write, last_words: &LastWords) -> io::Result<()> {
    let mut stdout = cells.stdout.take();
    let mut stderr = cells.stderr.take();
    let mut lines = Stdout::default();
    let mut errors = Vec::new();
    let mut buffer = vec![0; BUFFER_BYTES];
    while stdout.is_some() || stderr.is_some() {
        wait(stdout.as_ref(), stderr.as_ref())?;
        // A panic is reported on stderr before evcxr's line on stdout tells of it, so stderr is emptied first.
        while readable(stderr.as_ref()) {
            let read = stderr.as_mut().map_or(Ok(0), |stderr| stderr.read(&mut buffer))?;
            if read == 0 {
                stderr = None;
            }
            errors.extend_from_slice(&buffer[..read]);
            let held = if stderr.is_some() { incomplete_character(&errors) } else { 0 };
            let ready: Vec<u8> = errors.drain(..errors.len() - held).collect();
            if !ready.is_empty() {
                let text = String::from_utf8_lossy(&ready).into_owned();
                last_words.take(&text);
                to.write_all(Line::Text { stderr: true, text }.marked().as_bytes())?;
            }
        }
        if readable(stdout.as_ref()) {
            let read = stdout.as_mut().map_or(Ok(0), |stdout| stdout.read(&mut buffer))?;
            let out = if read == 0 { lines.end() } else { lines.take(&buffer[..read]) };
            if read == 0 {
                stdout = None;
            }
            to.write_all(out.as_bytes())?;
        }
        to.flush()?;
    }
    Ok(())
}

/// Waits until one of the streams can be read.
fn wait(stdout: Option<&impl AsFd>, stderr: Option<&impl AsFd>) -> io::Result<()> {
    let stdout = stdout.map(|stream| PollFd::new(stream, PollFlags::IN));
    let stderr = stderr.map(|stream| PollFd::new(stream, PollFlags::IN));
    let mut streams: Vec<PollFd<'_>> = stdout.into_iter().chain(stderr).collect();
    match poll(&mut streams, None) {
        Err(rustix::io::Errno::INTR) => Ok(()),
        result => Ok(result.map(drop)?),
    }
}

/// Whether a read returns at once, with data or at the stream's end.
fn readable(stream: Option<&impl AsFd>) -> bool {
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    stream.is_some_and(|stream| {
        let mut streams = [PollFd::new(stream, PollFlags::IN)];
        poll(&mut streams, Some(&at_once)).is_ok_and(|ready| ready > 0)
    })
}
