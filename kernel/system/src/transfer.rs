//! Programs that transfer a file from an address: curl, else wget.

use std::path::Path;
use std::process::Command;

use crate::child::command;
use crate::programs::find_program;

/// A command that transfers to `part` what is still missing of the file at `url`. `None` where there is no such
/// program.
pub fn transfer(url: &str, part: &Path) -> Option<Command> {
    if let Some(program) = find_program(["curl"]) {
        return Some(curl(&program, url, part));
    }
    Some(wget(&find_program(["wget"])?, url, part))
}

fn curl(program: &Path, url: &str, part: &Path) -> Command {
    let mut curl = command(program);
    curl.args(["--fail", "--location", "--silent", "--show-error", "--connect-timeout", "30", "--speed-time", "60"]);
    if url.starts_with("https:") {
        // Nor where it is sent on to.
        curl.args(["--proto", "=https"]);
    }
    curl.args(["--speed-limit", "1000", "--continue-at", "-", "--output"]).arg(part).arg(url);
    curl
}

fn wget(program: &Path, url: &str, part: &Path) -> Command {
    let mut wget = command(program);
    if url.starts_with("https:") {
        // wget would follow to an address that is not encrypted.
        wget.arg("--max-redirect=0");
    }
    wget.args(["--no-verbose", "--continue", "--tries=1", "--timeout=60", "-O"]).arg(part).arg(url);
    wget
}
