//! Runs the tests of the packages that the runtime consists of.
//!
//! They link libtorch, so they are no default members of the workspace; here they get the libtorch that the set-up
//! provided, the way the set-up links the runtime itself.

mod session;

use std::path::Path;
use std::process::{Command, Stdio};

#[test]
fn the_runtimes_own_tests_pass() {
    let runtime = session::runtime();
    let host =
        runtime.toolchain.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc says what it runs on");
    let search = runtime.native.iter().map(|folder| format!("{:?}", format!("native={}", folder.display())));
    let search = search.collect::<Vec<_>>().join(",");

    // A folder of its own: with other flags every crate is another, and cargo would build each side's anew in turn.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("runtime");
    let kernel = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = std::fs::read_dir(kernel).expect("can be read").map(|entry| entry.expect("can be read"));
    let packages = folders.filter(|folder| folder.path().join("Cargo.toml").exists());
    let excluded = packages.map(|folder| format!("--exclude=oxtorch-{}", folder.file_name().to_string_lossy()));
    let output = Command::new(env!("CARGO"))
        .args(["test", "--workspace", "--exclude=oxtorch-kernel", "--target-dir"])
        .arg(target)
        .args(excluded)
        .args(["--config", &format!("target.{host}.tch.rustc-link-search=[{search}]")])
        .current_dir(kernel.join(".."))
        .env("RUSTFLAGS", "-C prefer-dynamic")
        .env("RUSTDOCFLAGS", "-C prefer-dynamic")
        .env("LD_LIBRARY_PATH", std::env::join_paths(&runtime.libraries).expect("paths have no colons"))
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs");
    println!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "the runtime's tests failed");
}
