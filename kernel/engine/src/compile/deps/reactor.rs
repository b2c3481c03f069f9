//! What drives asynchronous code of crates that were built with another tokio than the one that cells have from the
//! start: a reactor of one copy of tokio is none to another.

use serde::{Deserialize, Serialize};

/// The crate.
pub const TOKIO: &str = "tokio";

/// A runtime of tokio that lasts as long as the host, for the tokio that crates were built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reactor {
    /// A thread that runs its tasks.
    OneThread,
    /// As many threads as it likes.
    Threads,
}

impl Reactor {
    /// What starts it where a cell first needs one, for the tokio of that name.
    pub fn source(self, tokio: &str) -> String {
        let builder = match self {
            Self::OneThread => "new_current_thread",
            Self::Threads => "new_multi_thread",
        };
        format!(
            r##"
fn handle() -> &'static {tokio}::runtime::Handle {{
    static HANDLE: std::sync::OnceLock<{tokio}::runtime::Handle> = std::sync::OnceLock::new();
    HANDLE.get_or_init(|| {{
        let runtime = {tokio}::runtime::Builder::{builder}().enable_all().build();
        let runtime = runtime.unwrap_or_else(|error| panic!("cannot start the threads that run async code: {{error}}"));
        let handle = runtime.handle().clone();
        std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));
        handle
    }})
}}

fn enter() {{
    std::mem::forget(handle().enter());
}}

extern "C" fn register() {{
    oxtorch::cell::enter_as_well(enter);
}}

#[used]
#[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
#[cfg_attr(not(target_vendor = "apple"), unsafe(link_section = ".init_array"))]
static REGISTER: extern "C" fn() = register;
"##
        )
    }
}
