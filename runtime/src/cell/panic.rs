//! Finds out what a panic of the user's code was about, and on which of the user's lines it happened.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{Location, PanicHookInfo};

use oxtorch_boundary::Place;
use oxtorch_protocol::{Frame, Outcome};

use crate::checkpoint::Interrupt;
use crate::support::support;

/// The shared libraries of cells have this in their file names, and so have their sources.
const CELL: &str = "cell_";

struct Report {
    message: String,
    frames: Vec<Frame>,
}

/// What Rust says where a panic cannot go on: the process aborts.
const NOT_UNWINDING: [&str; 2] = ["panic in a destructor during cleanup", "panic in a function that cannot unwind"];

thread_local! {
    static REPORT: RefCell<Option<Report>> = const { RefCell::new(None) };
    /// Whether the hook has just made the report, and the panic is going to unwind.
    static IS_REPORTED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    /// Where what unwinds began, where no hook of ours has reported it.
    static RAISED: RefCell<Vec<Frame>> = const { RefCell::new(Vec::new()) };
    static IS_CELL_THREAD: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    /// What the panic that unwinds came from, the innermost first.
    static PLACES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Adds to the message of a panic that unwinds what it has left: a line such as `in layer 2 (Linear) of Sequential`.
pub(crate) fn panicked_within(place: String) {
    PLACES.with_borrow_mut(|places| places.push(place));
}

/// What [`panicked_within`] was told since it was asked last.
pub(crate) fn panic_places() -> Vec<String> {
    PLACES.take()
}

/// Makes panics on this thread part of the cell's outcome; those on other threads are printed, in two lines.
pub(crate) fn install_hook() {
    IS_CELL_THREAD.set(true);
    std::panic::set_hook(Box::new(|info| {
        let report = report(info);
        if IS_CELL_THREAD.get() {
            // The process ends behind such a panic, so nobody will read what the one before it was about.
            if NOT_UNWINDING.contains(&report.message.as_str()) {
                REPORT.with_borrow(|before| before.iter().for_each(print));
            }
            REPORT.set(Some(report));
            IS_REPORTED.set(true);
        } else {
            print(&report);
        }
    }));
}

/// To be called where unwinding begins: a panic that the user's own hook was told of, in place of ours, has its place
/// too.
pub fn unwinding_begins() {
    PLACES.take();
    if IS_CELL_THREAD.get() {
        RAISED.set(if IS_REPORTED.take() { Vec::new() } else { user_frames() });
    }
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
    let location = info.location().and_then(user_place);
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

/// A place that lies in a cell.
pub(super) fn user_place(place: &Location<'_>) -> Option<Frame> {
    let (file, line, column) = (place.file().to_owned(), place.line(), place.column());
    is_cell(&file).then_some(Frame { file, line, column })
}

/// The frames of the current backtrace that lie in cells, innermost first; none where they cannot be told.
fn user_frames() -> Vec<Frame> {
    let places = support().map(|support| (support.places)(CELL)).unwrap_or_default();
    places.into_iter().map(|Place { file, line, column }| Frame { file, line, column }).collect()
}

/// What became of a stage that unwound with this payload.
pub(super) fn outcome(payload: Box<dyn Any + Send>) -> Outcome {
    let places = panic_places();
    if payload.is::<Interrupt>() {
        return Outcome::Interrupted;
    }
    let (message, raised) = (payload_text(&*payload), RAISED.take());
    // What was reported may be a panic that the user has caught. `resume_unwind` runs no hook: the report is of where
    // it began.
    let reported = REPORT.take().filter(|report| report.message == message);
    let report = reported.unwrap_or(Report { message, frames: raised });
    let message = [vec![first_sentence(&report.message)], places].concat().join("\n");
    Outcome::Panicked { message, frames: report.frames }
}

/// What a panic says, if it says something.
pub(crate) fn payload_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic with a value that is not text".to_owned())
}

/// Where what helps a user ends in a libtorch error, and the builders of libtorch are addressed.
const REST: [&str; 3] =
    ["\nException raised from", "\nframe #0", " This could be because the operator doesn't exist for this backend"];

/// A libtorch error without its C++ stack; any other message as it is.
///
/// `tch` unwraps with `Torch("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)\nException raised from ...")` in
/// the message, as a debug string.
pub(crate) fn first_sentence(message: &str) -> String {
    const UNWRAP: &str = "called `Result::unwrap()` on an `Err` value: Torch(\"";
    let text = match message.strip_prefix(UNWRAP) {
        Some(rest) => unescape(rest.strip_suffix("\")").unwrap_or(rest)),
        None => message.to_owned(),
    };
    if let Some(text) = no_such_group(&text) {
        return text;
    }
    let text = text.strip_prefix("Internal torch error: ").unwrap_or(&text);
    let end = REST.iter().filter_map(|rest| text.find(rest)).min().unwrap_or(text.len());
    let text = text[..end].trim_end();
    // "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to ..."
    let reason = text.strip_prefix("[enforce fail at ").and_then(|rest| rest.split_once("] ")?.1.split_once(". "));
    reason.map_or(text, |(_, reason)| reason).to_owned()
}

/// What `set_lr_group` and its kin say of a group that an optimiser does not have: the C++ side of tch looks up nothing
/// else this way.
fn no_such_group(text: &str) -> Option<String> {
    let (group, rest) =
        text.strip_prefix("vector::_M_range_check: __n (which is ")?.split_once(") >= this->size() (which is ")?;
    let (count, _) = rest.split_once(')')?;
    Some(format!(
        "there is no group {group} of parameters: the optimiser has {count}, counted from 0. Make groups before it, with \
         `optim::group_by` or by `let path = path.set_group(1);`"
    ))
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
    fn what_libtorch_says_to_its_builders_is_cut_off() {
        let message = "Could not run 'aten::zeros' with arguments from the 'CUDA' backend. This could be because the \
                       operator doesn't exist for this backend, or was omitted. CPU: registered at x.cpp:1";
        assert_eq!(first_sentence(message), "Could not run 'aten::zeros' with arguments from the 'CUDA' backend.");
        let message = "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried \
                       to allocate 70 bytes.\nframe #0: c10::alloc";
        let reason = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 70 bytes.";
        assert_eq!(first_sentence(message), reason);
    }

    #[test]
    fn a_group_that_an_optimiser_does_not_have_is_named() {
        use tch::nn::OptimizerConfig;

        let vs = tch::nn::VarStore::new(tch::Device::Cpu);
        let _ = vs.root().zeros("weight", &[1]);
        let mut optimizer = tch::nn::Sgd::default().build(&vs, 0.1).expect("builds");
        let set = std::panic::AssertUnwindSafe(|| optimizer.set_lr_group(3, 0.1));
        let panic = std::panic::catch_unwind(set).expect_err("there is one group");
        let text = first_sentence(&payload_text(&*panic));
        assert!(text.starts_with("there is no group 3 of parameters: the optimiser has 1, counted from 0"), "{text}");
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
