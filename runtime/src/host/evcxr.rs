//! The channel to the kernel in a process that the evcxr engine has started: there is no control socket, so messages
//! travel on stdout, each as a marked line between what the cell prints.

use std::io::{self, BufRead, Write};
use std::sync::OnceLock;

use oxtorch_protocol::{FromHost, STDOUT_CHANNEL, STDOUT_MARK};

use crate::display::RichDisplay;

/// What evcxr answers with a line on stdin; the message ahead of it says what is asked.
const ASK: &str = "EVCXR_INPUT_REQUEST:";

/// Shows a value that ends a cell. evcxr calls a method of this name where there is one, and shows the `Debug` form
/// where there is none.
pub trait EvcxrDisplay {
    /// Sends the value as the cell's result.
    fn evcxr_display(&self);
}

impl<T: RichDisplay + ?Sized> EvcxrDisplay for T {
    fn evcxr_display(&self) {
        crate::cell::show_bundle(self.mime_bundle());
    }
}

/// Whether messages go to stdout.
pub(crate) fn is_channel() -> bool {
    static SET: OnceLock<bool> = OnceLock::new();
    *SET.get_or_init(|| std::env::var_os(STDOUT_CHANNEL).is_some())
}

/// Sends a message, after what the cell has printed so far.
pub(crate) fn send(message: &FromHost) {
    let mut stdout = io::stdout().lock();
    // A kernel that is gone takes this process with it; there is nobody left to tell.
    let _ = write_marked(&mut stdout, message);
}

fn write_marked(stdout: &mut impl Write, message: &FromHost) -> io::Result<()> {
    let json = serde_json::to_string(message)?;
    writeln!(stdout, "{STDOUT_MARK}{json}")?;
    stdout.flush()
}

/// Asks the user for a line; `None` where nobody can be asked.
pub(crate) fn ask(prompt: &str, password: bool) -> io::Result<Option<String>> {
    send(&FromHost::Input { prompt: prompt.to_owned(), password });
    println!("{ASK}");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    Ok(serde_json::from_str(&line)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_marked_line() {
        let mut bytes = Vec::new();
        write_marked(&mut bytes, &FromHost::Input { prompt: "a\nb".into(), password: false })
            .expect("writes to memory");
        let text = String::from_utf8(bytes).expect("is text");
        let json = text.strip_prefix(STDOUT_MARK).expect("begins with the mark");
        assert_eq!(json.matches('\n').count(), 1);
        assert!(matches!(serde_json::from_str(json), Ok(FromHost::Input { prompt, .. }) if prompt == "a\nb"));
    }
}
