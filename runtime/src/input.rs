//! Asking the user for a line of text while a cell runs.

use std::io;

use crate::channel;

/// Shows `prompt` and returns the line that the user types, without its end.
///
/// ```no_run
/// use oxtorch::prelude::*;
/// let epochs: usize = input("epochs? ")?.trim().parse()?;
/// # anyhow::Ok(())
/// ```
///
/// # Errors
///
/// `ErrorKind::Unsupported` where nobody can be asked, such as in a headless run.
pub fn input(prompt: &str) -> io::Result<String> {
    channel::ask(prompt, false)
}

/// Like [`input`], and asks the frontend not to show what is typed.
///
/// # Errors
///
/// As for [`input`].
pub fn password(prompt: &str) -> io::Result<String> {
    channel::ask(prompt, true)
}
