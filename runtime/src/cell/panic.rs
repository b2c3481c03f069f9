//! Finds out what a panic of the user's code was about, and on which of the user's lines it happened.

use std::any::Any;
use std::cell::RefCell;
use std::ffi::{CStr, c_void};
use std::panic::PanicHookInfo;

use oxtorch_protocol::{Frame, Outcome};

use crate::checkpoint::Interrupt;

/// The shared libraries of cells have this in their file names, and so have their sources.
const CELL: &str = "cell_";

struct Report {
    message: String,
    frames: Vec<Frame>,
}

thread_local! {
    static REPORT: RefCell<Option<Report>> = const { RefCell::new(None) };
    static IS_CELL_THREAD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Makes panics on this thread part of the cell's outcome; those on other threads are printed, in two lines.
pub(crate) fn install_hook() {
    IS_CELL_THREAD.set(true);
    std::panic::set_hook(Box::new(|info| {
        let report = report(info);
        if IS_CELL_THREAD.get() {
            REPORT.set(Some(report));
        } else {
            print(&report);
        }
    }));
}

/// The frames of the standard library would say nothing to the user; the kernel maps the file to a cell.
fn print(report: &Report) {
    let thread = std::thread::current();
    let name = thread.name().unwrap_or("<unnamed>");
    let message = first_sentence(&report.message);
    match report.frames.first() {
        Some(Frame { file, line, column }) => {
            let file = file.rsplit('/').next().unwrap_or(file);
            eprintln!("thread '{name}' panicked at {file}:{line}:{column}:\n{message}");
        }
        None => eprintln!("thread '{name}' panicked:\n{message}"),
    }
}

fn report(info: &PanicHookInfo<'_>) -> Report {
    let message = info.payload_as_str().unwrap_or("a panic with a value that is not text").to_owned();
    let location = info.location().filter(|location| is_cell(location.file())).map(|location| Frame {
        file: location.file().to_owned(),
        line: location.line(),
        column: location.column(),
    });
    let mut frames = user_frames();
    if let Some(location) = location {
        // `#[track_caller]` knows the exact place; the backtrace has the same frame, less exactly.
        frames.retain(|frame| (&frame.file, frame.line) != (&location.file, location.line));
        frames.insert(0, location);
    }
    Report { message, frames }
}

fn is_cell(path: &str) -> bool {
    path.rsplit('/').next().is_some_and(|name| name.starts_with(CELL))
}

/// The frames of the current backtrace that lie in cells, innermost first.
///
/// Only those are resolved: reading the symbols of libtorch would take seconds.
fn user_frames() -> Vec<Frame> {
    let mut frames = Vec::new();
    backtrace::trace(|frame| {
        if in_cell_library(frame.ip()) {
            backtrace::resolve_frame(frame, |symbol| {
                if let (Some(file), Some(line)) = (symbol.filename().and_then(|file| file.to_str()), symbol.lineno())
                    && is_cell(file)
                {
                    frames.push(Frame { file: file.to_owned(), line, column: symbol.colno().unwrap_or(0) });
                }
            });
        }
        true
    });
    frames.dedup();
    frames
}

fn in_cell_library(address: *mut c_void) -> bool {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    // SAFETY: `info` is writable and large enough; `dladdr` accepts any address.
    if unsafe { libc::dladdr(address, info.as_mut_ptr()) } == 0 {
        return false;
    }
    // SAFETY: `dladdr` has filled it, and zeroes are valid for what it has not.
    let name = unsafe { info.assume_init() }.dli_fname;
    if name.is_null() {
        return false;
    }
    // SAFETY: not null, so a C string that lives as long as its library, and cells are never unloaded.
    let name = unsafe { CStr::from_ptr(name) }.to_string_lossy();
    name.rsplit('/').next().is_some_and(|name| name.starts_with("libcell_"))
}

/// What became of a stage that unwound with this payload.
pub(super) fn outcome(payload: Box<dyn Any + Send>) -> Outcome {
    if payload.is::<Interrupt>() {
        return Outcome::Interrupted;
    }
    let report = REPORT.take().unwrap_or_else(|| Report {
        // `resume_unwind` of the user's own runs no hook.
        message: payload_text(&*payload),
        frames: Vec::new(),
    });
    Outcome::Panicked { message: first_sentence(&report.message), frames: report.frames }
}

fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic with a value that is not text".to_owned())
}

/// A libtorch error without its C++ stack; any other message as it is.
///
/// `tch` unwraps with `Torch("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)\nException raised from ...")` in
/// the message, as a debug string.
pub(super) fn first_sentence(message: &str) -> String {
    const UNWRAP: &str = "called `Result::unwrap()` on an `Err` value: Torch(\"";
    let text = match message.strip_prefix(UNWRAP) {
        Some(rest) => unescape(rest.strip_suffix("\")").unwrap_or(rest)),
        None => message.to_owned(),
    };
    let text = text.strip_prefix("Internal torch error: ").unwrap_or(&text);
    let end = text.find("\nException raised from").unwrap_or(text.len());
    text[..end].trim_end().to_owned()
}

/// Undoes `str::escape_debug` as far as libtorch's messages need it.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        let unescaped = match char {
            '\\' => match chars.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                Some(escaped) => escaped,
                None => '\\',
            },
            char => char,
        };
        plain.push(unescaped);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_libtorch_error_is_cut_to_its_first_sentence() {
        let message = "called `Result::unwrap()` on an `Err` value: Torch(\"mat1 and mat2 shapes cannot be multiplied \
                       (2x3 and 4x5)\\nException raised from meta at /torch/x.cpp:1 (most recent call first):\\nframe #0\")";
        assert_eq!(first_sentence(message), "mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)");
    }

    #[test]
    fn other_messages_stay_as_they_are() {
        assert_eq!(first_sentence("index out of bounds"), "index out of bounds");
        assert_eq!(
            first_sentence("called `Result::unwrap()` on an `Err` value: ParseIntError"),
            "called `Result::unwrap()` on an `Err` value: ParseIntError"
        );
    }
}
