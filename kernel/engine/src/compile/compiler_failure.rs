//! Why nothing came of a cell although rustc says nothing of its text: what the linker, the disk, the memory or a
//! signal has to do with it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use oxtorch_session::{CellError, ErrorKind};

use crate::compile::rustc::CELLS_GONE;
use crate::crate_names::{hashed_name, readable};
use crate::diagnostic::Diagnostic;
use crate::report::errors::internal;
use crate::report::render;

/// Lines of a message that nobody has foreseen; the rest is seldom of use.
const MAX_LINES: usize = 8;

/// The error of a cell that rustc made nothing of, from its errors, the rest of what it wrote, and how it ended.
pub(crate) fn not_compiled(errors: &[&Diagnostic], other: &str, status: ExitStatus) -> CellError {
    let all = errors.iter().flat_map(|error| std::iter::once(*error).chain(&error.children));
    let text: String = all.map(|error| error.message.clone() + "\n").chain([other.to_owned()]).collect();
    if let Some(error) = foreseen(&text, status.signal()) {
        return error;
    }
    let what = match status.signal() {
        Some(signal) => format!("the compiler was killed by signal {signal} ({})", signal_name(signal)),
        None => match errors.first() {
            Some(error) => readable(&error.message),
            None => format!("the compiler ended with {status} and produced no code"),
        },
    };
    internal(format!("{what}{}", telling(&text, errors.first().map_or("", |error| &error.message))))
}

/// Whether an error is one that a damaged crate gives: it is not found, or cannot be read, or another one is in its
/// place.
pub(crate) fn speaks_of_crates(error: &Diagnostic) -> bool {
    ["E0460", "E0461", "E0462", "E0463", "E0464", "E0514", "E0519", "E0786"].contains(&error.code())
        || (error.code().is_empty() && error.message.contains("metadata"))
}

/// Whether an error is that of an earlier cell which is not found.
pub(crate) fn misses_a_cell(error: &Diagnostic) -> bool {
    speaks_of_crates(error)
        && error.message.match_indices("cell_").any(|(at, _)| hashed_name(&error.message[at..]).is_some())
}

/// The error of a cell where what earlier ones were compiled to is gone.
pub(crate) fn cells_gone() -> CellError {
    error(ErrorKind::CellsGone, CELLS_GONE, "restart the kernel, and run the cells again")
}

/// The error of a cell where a file of the runtime is not as it was made.
pub(crate) fn runtime_damaged(damage: &str) -> CellError {
    let message = format!("the runtime is damaged: {damage}");
    error(ErrorKind::RuntimeDamaged, &message, "`oxtorch setup` rebuilds it; then restart the kernel")
}

/// The error of a cell whose library the host could not load.
pub(crate) fn not_loaded(message: &str) -> CellError {
    foreseen(message, None)
        .unwrap_or_else(|| internal(format!("the compiled cell could not be loaded: {}", readable(message))))
}

/// The error of a cell that could not be given to rustc.
pub(crate) fn not_started(message: String) -> CellError {
    foreseen(&message, None).unwrap_or_else(|| internal(message))
}

fn foreseen(text: &str, signal: Option<i32>) -> Option<CellError> {
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    let symbols = || quoted_behind(text, &["undefined symbol: ", "undefined reference to `"]);
    let missing = ["unable to find library -l", "cannot find -l", "could not find native static library `"];
    let was_killed = signal == Some(libc::SIGKILL);
    let (kind, message, note) = if has(&[CELLS_GONE]) {
        return Some(cells_gone());
    } else if has(&["Too many open files", "os error 24"]) {
        let note = "drop variables that hold open files, or allow more before the start: `ulimit -n 4096`";
        (ErrorKind::TooManyFiles, "too many files are open".to_owned(), note)
    } else if has(&["No space left on device", "os error 28", "Disk quota exceeded"]) || signal == Some(libc::SIGBUS) {
        let message = "the disk is full: there is no room for the compiled cell".to_owned();
        let note = "free space on the disk of the folder that `oxtorch doctor` calls home, then run the cell again";
        (ErrorKind::DiskFull, message, note)
    } else if has(&["overflowed its stack"]) || signal == Some(libc::SIGSEGV) {
        let note = "the cell nests too deeply, itself or by a macro that calls itself; split it into functions or smaller expressions";
        (ErrorKind::Compile, "the compiler ran out of stack".to_owned(), note)
    } else if let Some(symbols) = symbols() {
        let note = "a function in an `extern` block needs a library that defines it: a crate that has one, with `:dep`, or \
                    `#[link(name = \"...\")]`";
        (ErrorKind::Compile, format!("no library defines {symbols}"), note)
    } else if let Some(libraries) = quoted_behind(text, &missing) {
        let note = "`#[link(name = \"...\")]` names an installed library, without `lib` and `.so`";
        (ErrorKind::Compile, format!("the linker finds no library {libraries}"), note)
    } else if has(&["memory allocation of ", "out of memory", "Cannot allocate memory"]) || was_killed {
        let how = if was_killed { "was killed (SIGKILL)" } else { "aborted" };
        let note = "free memory, for example by dropping large variables, or split the cell; then run it again";
        (ErrorKind::OutOfMemory, format!("the compiler {how}: probably memory ran out"), note)
    } else {
        return None;
    };
    Some(error(kind, &message, note))
}

fn error(kind: ErrorKind, message: &str, note: &str) -> CellError {
    render::failure("error", message, &[], &[note.to_owned()]).into_error(kind)
}

/// The names that stand behind any of the words, each once and quoted; `None` if there are none.
fn quoted_behind(text: &str, words: &[&str]) -> Option<String> {
    let mut names: Vec<String> = Vec::new();
    for word in words {
        for (at, _) in text.match_indices(word) {
            let rest = &text[at + word.len()..];
            let end = rest.find(|char: char| char.is_whitespace() || "'`:;,".contains(char)).unwrap_or(rest.len());
            let name = format!("`{}`", &rest[..end]);
            if end > 0 && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    (!names.is_empty()).then(|| names.join(", "))
}

/// The lines that say most, below what is said already: those that speak of an error, else the last ones.
fn telling(text: &str, said: &str) -> String {
    let lines: Vec<String> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != said).map(readable).collect();
    // The linker's whole command is one line.
    let short = lines.iter().filter(|line| line.len() < 400 && !line.starts_with("aborting due to"));
    let (errors, others): (Vec<&String>, Vec<&String>) = short.partition(|line| line.contains("error"));
    let chosen = if errors.is_empty() { others } else { errors };
    chosen.into_iter().take(MAX_LINES).fold(String::new(), |told, line| told + "\n" + line)
}

fn signal_name(signal: i32) -> &'static str {
    match signal {
        libc::SIGABRT => "SIGABRT",
        libc::SIGILL => "SIGILL",
        libc::SIGTERM => "SIGTERM",
        libc::SIGINT => "SIGINT",
        libc::SIGXCPU => "SIGXCPU",
        libc::SIGXFSZ => "SIGXFSZ",
        _ => "no details known",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diagnostic(message: &str, children: &[&str]) -> Diagnostic {
        let child = |text: &&str| format!(r#"{{"message": {text:?}, "code": null, "level": "note", "spans": []}}"#);
        let children = children.iter().map(child).collect::<Vec<_>>().join(", ");
        let json = format!(
            r#"{{"message": {message:?}, "code": null, "level": "error", "spans": [], "children": [{children}]}}"#
        );
        serde_json::from_str(&json).expect("is a diagnostic of rustc's")
    }

    fn check(errors: &[Diagnostic], other: &str, status: i32, kind: &str, says: &str) {
        let errors: Vec<&Diagnostic> = errors.iter().collect();
        let error = not_compiled(&errors, other, ExitStatus::from_raw(status));
        assert_eq!(error.kind.name(), kind, "{error:?}");
        let text = error.traceback.join("\n");
        assert!(!error.evalue.is_empty() && text.contains(says), "{says}\n{text}");
    }

    #[test]
    fn nothing_ends_without_a_text() {
        let failed = 1 << 8;
        let link =
            |told: &str| vec![diagnostic("linking with `rust-lld` failed: exit status: 1", &["\"lld\" ...", told])];
        check(
            &link("rust-lld: error: undefined symbol: nope\n>>> referenced by x.o"),
            "",
            failed,
            "CompileError",
            "`nope`",
        );
        check(&link("ld: x.o: undefined reference to `nope'"), "", failed, "CompileError", "`nope`");
        check(&link("rust-lld: error: unable to find library -lnope"), "", failed, "CompileError", "`nope`");
        check(&link("rust-lld: error: unforeseen"), "", failed, "EngineError", "rust-lld: error: unforeseen");
        let full = diagnostic("failed to write x.rmeta: No space left on device (os error 28)", &[]);
        check(&[full], "", failed, "DiskFull", "the disk is full");
        check(&[], "", libc::SIGBUS, "DiskFull", "the disk is full");
        check(&[], "", libc::SIGKILL, "OutOfMemory", "SIGKILL");
        check(&[], "memory allocation of 123 bytes failed\n", libc::SIGABRT, "OutOfMemory", "memory ran out");
        check(&[], "", libc::SIGSEGV, "CompileError", "ran out of stack");
        check(&[], "", libc::SIGABRT, "EngineError", "signal 6 (SIGABRT)");
        check(&[], "", failed, "EngineError", "exit status: 1");
        check(&[], "thread 'rustc' panicked", failed, "EngineError", "thread 'rustc' panicked");
    }

    #[test]
    fn an_error_about_a_crate_has_the_runtime_looked_at() {
        let with_code = |message: &str, code: &str| {
            let json = format!(
                r#"{{"message": {message:?}, "code": {{"code": {code:?}}}, "level": "error", "spans": [], "children": []}}"#
            );
            serde_json::from_str::<Diagnostic>(&json).expect("is a diagnostic of rustc's")
        };
        assert!(speaks_of_crates(&with_code("can't find crate for `oxtorch`", "E0463")));
        assert!(speaks_of_crates(&with_code("found invalid metadata files for crate `tch`", "E0786")));
        assert!(speaks_of_crates(&diagnostic("failed to decode metadata", &[])));
        assert!(!speaks_of_crates(&with_code("mismatched types", "E0308")));
        let error = runtime_damaged("/home/deps/libtch.rmeta has 0 bytes instead of 9");
        let text = error.traceback.join("\n");
        assert!(text.contains("libtch.rmeta has 0 bytes") && text.contains("`oxtorch setup`"), "{text}");
    }

    #[test]
    fn a_library_that_lacks_a_symbol_is_no_fault_of_ours() {
        let error = not_loaded("/scratch/libcell_0123456789abcdef.so: undefined symbol: nope");
        assert_eq!((error.kind, error.evalue.as_str()), (ErrorKind::Compile, "no library defines `nope`"));
        assert_eq!(
            not_started("cannot write: No space left on device (os error 28)".to_owned()).kind,
            ErrorKind::DiskFull
        );
    }
}
