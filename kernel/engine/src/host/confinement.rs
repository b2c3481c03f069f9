//! What confines the processes that run a user's code, where somebody wants that: the host, and shells.

use std::fmt;
use std::io;
use std::sync::Arc;

use tokio::process::Command;

type PutOn = dyn Fn() -> io::Result<()> + Send + Sync;

/// Confines a process between fork and exec, so it may call only functions that may be called there.
#[derive(Clone)]
pub struct Confinement(Arc<PutOn>);

impl Confinement {
    /// By a function, which fails where the process must not start.
    ///
    /// # Safety
    ///
    /// The function is called in a fork of a process with several threads: it may only make system calls, and neither
    /// take locks nor allocate.
    pub unsafe fn new(put_on: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(put_on))
    }

    /// Has a command start a process that is confined.
    pub(super) fn confine(&self, command: &mut Command) {
        let put_on = Arc::clone(&self.0);
        // SAFETY: whoever has made this vouches for the function.
        unsafe { command.pre_exec(move || put_on()) };
    }
}

impl fmt::Debug for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Confinement")
    }
}
