//! The `oxtorch` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(feature = "evcxr")]
    oxtorch_kernel::engine::evcxr::hook();
    oxtorch_kernel::cli::main()
}
