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
    let std = Command::new(&runtime.rustc).args(["--print", "target-libdir"]).output().expect("rustc runs").stdout;
    let std = String::from_utf8(std).expect("a path in UTF-8");

    let mut flags = format!("-C prefer-dynamic -C link-arg=-Wl,-rpath,{}", std.trim());
    let mut search = Vec::new();
    for folder in &runtime.native {
        flags += &format!(" -C link-arg=-Wl,-rpath,{}", folder.display());
        search.push(format!("{:?}", format!("native={}", folder.display())));
    }

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
        .args(["--config", &format!("target.{host}.tch.rustc-link-search=[{}]", search.join(","))])
        .current_dir(kernel.join(".."))
        .env("RUSTFLAGS", &flags)
        .env("RUSTDOCFLAGS", &flags)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_INCREMENTAL", "0")
        .stdin(Stdio::null())
        .output()
        .expect("cargo runs");
    println!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "the runtime's tests failed");
}
