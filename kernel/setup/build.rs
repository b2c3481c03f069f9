//! Has cargo notice new files in the runtime's sources, which the kernel embeds (`sources`).

fn main() {
    println!("cargo::rerun-if-changed=../../runtime");
}
