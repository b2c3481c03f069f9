//! Why a `:dep` could not be had, in plain words.

use std::fmt;

use oxtorch_setup::INSTALL_COMPILER;
use oxtorch_system::child::Output;
use oxtorch_system::home::HomeError;

use crate::compile::deps::workspace::PACKAGE;

/// How much of a failed build is told: the last lines name the cause.
const LOG_LINES: usize = 25;

/// What cargo says when it reaches nobody.
const NO_NETWORK: [&str; 6] = [
    "Could not resolve host",
    "Could not connect to server",
    "Couldn't connect to server",
    "failed to resolve address",
    "Timeout was reached",
    "network failure",
];

/// Why a dependency could not be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The user did not want to wait.
    Interrupted,
    /// It cannot be had as it was asked for.
    Refused {
        /// What went wrong.
        message: String,
        /// What the tools said of it, and what the user can do.
        notes: Vec<String>,
    },
}

impl Failure {
    /// A failure with what the user can do about it.
    pub fn new(message: impl Into<String>, note: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), notes: vec![note.into()] }
    }

    /// A failure that says it all.
    pub fn plain(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), notes: vec![] }
    }

    /// A failure of the file system or of starting a tool.
    pub fn io(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| match error.kind() {
            std::io::ErrorKind::Interrupted => Self::Interrupted,
            _ if oxtorch_system::home::is_disk_full(&error) => {
                Self::new(format!("the disk is full: cannot {what}"), "make some space, and run the cell again")
            }
            _ => Self::plain(format!("cannot {what}: {error}")),
        }
    }
}

/// What others can change is neither used nor quietly made anew beside it.
pub fn untrusted(error: HomeError) -> Failure {
    Failure::new(error.to_string(), error.help())
}

/// Whether cargo failed because nothing could be reached.
pub fn no_network(output: &Output) -> bool {
    NO_NETWORK.iter().any(|sign| output.stderr.contains(sign))
}

/// Why cargo found no crates that fit together.
pub fn not_resolved(output: &Output, offline: bool) -> Failure {
    let text = readable(&output.stderr);
    if text.contains("links to the native library `tch`") {
        return Failure::new(
            "this needs another version of `tch` than the one that cells use, and a process can load only one",
            "cells have `tch` without a `:dep`; for a crate that builds on it, use a version that matches this one",
        );
    }
    let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
    let mut notes = vec![last(rest, LOG_LINES)];
    notes.retain(|rest| !rest.is_empty());
    if offline || output.stderr.contains("you're using offline mode") {
        notes.push(
            "there is no network: crates that were used before still work, others have to wait until there is one"
                .to_owned(),
        );
    }
    Failure::Refused { message: first.to_owned(), notes }
}

/// What the crate `cc` says where it finds nothing to call.
const NO_C_COMPILER: [&str; 2] = ["failed to find tool \"cc\"", "failed to find tool \"c++\""];

/// Why a crate did not compile.
pub fn not_built(output: &Output) -> Failure {
    if output.is_disk_full() {
        return Failure::new("the disk is full: cannot build the crates", "make some space, and run the cell again");
    }
    let text = readable(&output.stderr);
    let krate = text
        .lines()
        .rev()
        .find_map(|line| line.split_once("could not compile `").or_else(|| line.split_once("build command for `")));
    let krate = krate.and_then(|(_, rest)| rest.split(['`', ' ']).next());
    if NO_C_COMPILER.iter().any(|sign| output.stderr.contains(sign)) {
        let name = krate.map_or_else(|| "one of the crates".to_owned(), |name| format!("`{name}`"));
        let notes = vec![
            INSTALL_COMPILER.to_owned(),
            "or, without root, for C (not for C++): pip install ziglang   (into the Python that has Oxtorch)"
                .to_owned(),
        ];
        let message = format!("{name} contains C code, and there is no C compiler here");
        return Failure::Refused { message, notes };
    }
    let message =
        krate.map_or_else(|| "the crates could not be built".to_owned(), |name| format!("`{name}` could not be built"));
    Failure::new(message, last(&text, LOG_LINES))
}

fn last(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

/// What cargo says from its first error on, less what only we know of.
fn readable(stderr: &str) -> String {
    const PROGRESS: [&str; 7] = [
        "Compiling ",
        "Updating ",
        "Downloaded ",
        "Downloading ",
        "Locking ",
        "Adding ",
        "As a reminder, you're using ",
    ];
    let ours = format!("required by package `{PACKAGE} ");
    let says = |line: &&str| !PROGRESS.iter().any(|word| line.trim_start().starts_with(word)) && !line.contains(&ours);
    let start = stderr.lines().position(|line| line.starts_with("error")).unwrap_or(0);
    let lines = stderr.lines().skip(start).filter(says).map(|line| {
        let line = without_package(line.strip_prefix("error: ").unwrap_or(line), PACKAGE, "this notebook");
        without_package(&line, "oxtorch", "the runtime of Oxtorch")
    });
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// Writes a name in place of "package `oxtorch v0.1.0 (/some/folder)`", which is how cargo names one of its own
/// workspace.
fn without_package(line: &str, package: &str, name: &str) -> String {
    let line = line.replace(&format!("package `{package}`"), name);
    match line.split_once(&format!("package `{package} v")) {
        Some((before, rest)) => format!("{before}{name}{}", rest.split_once('`').map_or("", |(_, after)| after)),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::ExitStatus;

    use super::*;

    fn output(stderr: &str) -> Output {
        Output { status: ExitStatus::from_raw(101 << 8), stdout: String::new(), stderr: stderr.to_owned() }
    }

    fn refused(failure: Failure) -> (String, String) {
        match failure {
            Failure::Refused { message, notes } => (message, notes.join("\n")),
            Failure::Interrupted => panic!("was not interrupted"),
        }
    }

    #[test]
    fn a_crate_that_needs_a_c_compiler_says_how_to_get_one() {
        let (message, notes) = refused(not_built(&output(
            "error: failed to run custom build command for `zstd-sys v2.0.16`\n\nCaused by:\n  --- stderr\n  \
             error occurred in cc-rs: failed to find tool \"cc\": No such file or directory (os error 2)\n",
        )));
        assert_eq!(message, "`zstd-sys` contains C code, and there is no C compiler here");
        assert!(notes.contains("install"), "{notes}");
    }

    #[test]
    fn cargos_words_stay_and_our_folders_go() {
        let (message, notes) = refused(not_resolved(
            &output(
                "    Updating crates.io index\nerror: no matching package named `sered` found\n\
                 location searched: crates.io index\nhelp: a package with a similar name exists: `serde`\n\
                 required by package `oxtorch-session v0.0.0 (/tmp/x/session)`\n",
            ),
            false,
        ));
        assert_eq!(message, "no matching package named `sered` found");
        assert_eq!(notes, "location searched: crates.io index\nhelp: a package with a similar name exists: `serde`");
        let (message, notes) = refused(not_resolved(
            &output(
                "error: failed to select a version for `x`.\n    ... required by package `oxtorch-session v0.0.0 (/tmp/x)`\n\n\
                 package `oxtorch-session` depends on `x` with feature `nope` but `x` does not have that feature.\n",
            ),
            false,
        ));
        assert_eq!(message, "failed to select a version for `x`.");
        assert!(notes.contains("this notebook depends on `x` with feature `nope`"), "{notes}");
        assert!(!notes.contains("/tmp"), "{notes}");
    }

    #[test]
    fn a_warning_of_an_error_is_not_the_first_error() {
        let stderr =
            "warning: spurious network error (3 tries remaining): [7] x\n   Compiling thiserror v1.0.0\nerror: no\n";
        assert_eq!(readable(stderr), "no");
    }

    #[test]
    fn without_a_network_the_user_is_told_so() {
        let output = output("error: failed to download\n\nCaused by:\n  [6] Could not resolve host: index.crates.io\n");
        assert!(no_network(&output));
        let (_, notes) = refused(not_resolved(&output, true));
        assert!(notes.contains("there is no network"), "{notes}");
    }

    #[test]
    fn another_tch_is_explained() {
        let (message, _) = refused(not_resolved(
            &output("error: failed to select\n\npackage `torch-sys` links to the native library `tch`, but\n"),
            false,
        ));
        assert!(message.contains("another version of `tch`"), "{message}");
    }

    #[test]
    fn a_crate_that_does_not_compile_is_named() {
        let (message, notes) = refused(not_built(&output(
            "   Compiling mine v0.1.0 (/home/me/mine)\nerror[E0425]: cannot find value `y`\n --> src/lib.rs:1:1\n\
             error: could not compile `mine` (lib) due to 1 previous error\n",
        )));
        assert_eq!(message, "`mine` could not be built");
        assert!(notes.starts_with("error[E0425]: cannot find value `y`"), "{notes}");
    }
}
