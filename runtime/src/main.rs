//! The host process: loads the runtime, then loads and runs cells as the kernel asks.

fn main() {
    oxtorch::host::main()
}
