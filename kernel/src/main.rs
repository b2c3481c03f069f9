//! The `oxtorch` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    oxtorch_kernel::cli::main()
}
