//! The host process: loads the runtime, then loads and runs cells as the kernel asks.

#[cfg(target_os = "linux")]
mod allocator;
#[cfg(target_os = "linux")]
mod stdin;
#[cfg(target_os = "linux")]
mod unwinding;

fn main() {
    #[cfg(target_os = "linux")]
    allocator::refuse_more_than(oxtorch::device::memory_limit());
    oxtorch::host::main()
}
