//! Set-up as a user meets it: the `oxtorch` program, with stand-ins for the tools that it calls.

#![cfg(target_os = "linux")]

mod home;
mod libtorch;
mod prebuilt;
mod stage;

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};

use stage::*;

#[test]
fn once_everything_is_there_no_tool_is_called() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    assert_eq!(stage.calls("cargo build"), 1, "{}", stage.log());
    assert!(stage.is_tidy());
    let before = stage.log();
    succeeds(stage.setup(&[]));
    assert_eq!(stage.log(), before);
}

#[test]
fn what_is_gone_is_provided_again_and_nothing_else() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    fs::remove_dir_all(stage.home().join("shim")).expect("removes");
    succeeds(stage.setup(&[]));
    assert_eq!(stage.calls("c++ -shared"), 2, "{}", stage.log());
    assert_eq!(stage.calls("python3 -m pip install"), 1, "{}", stage.log());
}

#[test]
fn of_the_crates_the_metadata_is_kept_of_those_that_the_compiler_reads() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let runtimes = fs::read_dir(stage.home().join("runtime")).expect("is there");
    let folders: Vec<_> = runtimes.map(|entry| entry.expect("is there").path().join("deps")).collect();
    let [folder] = &*folders else { panic!("one runtime: {folders:?}") };
    let names: Vec<_> =
        fs::read_dir(folder).expect("is there").map(|entry| entry.expect("is there").file_name()).collect();
    assert_eq!(names, ["libtch-1.rmeta"]);
}

#[test]
fn a_runtime_of_which_the_compiler_finds_a_part_missing_is_not_kept() {
    let stage = Stage::new();
    let errors = fails(stage.setup(&[("STAGE_LACKING", "half")]));
    assert!(errors.contains("can't find crate for `half`"), "{errors}");
    succeeds(stage.setup(&[]));
}

#[test]
fn another_libtorch_gets_a_runtime_of_its_own() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let other = stage.libtorch("other", "2.13.0+cu130");
    succeeds(stage.setup(&[("LIBTORCH", text(&other))]));
    assert_eq!(fs::read_dir(stage.home().join("runtime")).expect("is there").count(), 2);
}

#[test]
fn a_missing_tool_is_named_with_the_command_that_brings_it() {
    let stage = Stage::new();
    let errors = fails(stage.setup(&[("STAGE_RELEASE", "1.80.1")]));
    assert!(errors.contains("1.80.1") && errors.contains("rustup toolchain install 1.95.0"), "{errors}");
    let errors = fails(stage.setup(&[("CXX", "no-such-compiler")]));
    assert!(errors.contains("no-such-compiler") && errors.contains("set CXX"), "{errors}");
}

#[test]
fn two_at_once_wait_for_each_other_and_share_the_work() {
    let stage = Stage::new();
    let (first, mut go_on) = stage.start_and_wait_in("cargo");
    let mut second = stage.setup(&[]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("oxtorch runs");
    let mut lines = BufReader::new(second.stderr.take().expect("is piped"));
    let mut line = String::new();
    lines.read_line(&mut line).expect("says something");
    let held = line.strip_prefix("Waiting for another oxtorch that is setting up: it holds ");
    assert!(held.is_some_and(|held| held.ends_with("/locks/setup\n")), "{line}");

    go_on.write_all(b"go on").expect("the first one listens");
    drop(go_on);
    let first = first.wait_with_output().expect("ends");
    assert_eq!(first.status.code(), Some(0), "{}", errors(&first));
    lines.read_to_string(&mut line).expect("ends");
    assert_eq!(second.wait().expect("ends").code(), Some(0), "{line}");
    assert_eq!((stage.calls("cargo build"), stage.calls("c++ -shared")), (1, 1), "{}", stage.log());
}

#[test]
fn an_interrupted_set_up_ends_its_tools_and_goes_on_where_it_was() {
    for (tool, signal, code) in [
        ("cargo", "INT", Some(130)),
        ("cargo", "TERM", Some(143)),
        ("cargo", "KILL", None),
        ("c++", "INT", Some(130)),
        ("c++", "KILL", None),
    ] {
        let stage = Stage::new();
        let (setup, go_on) = stage.start_and_wait_in(tool);
        let sent = Command::new("kill").args(["-s", signal, &setup.id().to_string()]).status().expect("kill runs");
        assert!(sent.success());
        let output = setup.wait_with_output().expect("ends");
        assert_eq!(output.status.code(), code, "{}", errors(&output));
        // Killed, it can only take its own children with it, not theirs.
        assert!(signal == "KILL" || loses_its_reader(&go_on), "the tool still runs after {signal}");
        assert!(signal == "KILL" || stage.is_tidy(), "{tool}, {signal}");
        drop(go_on);

        succeeds(stage.setup(&[]));
        let log = stage.log();
        assert_eq!(stage.calls("python3 -m pip install"), 1, "{signal}: {log}");
        assert_eq!(stage.calls("c++ -shared"), 1, "{tool}, {signal}: {log}");
        assert_eq!(stage.calls("cargo build"), if tool == "cargo" { 2 } else { 1 }, "{signal}: {log}");
        assert!(stage.is_tidy());
    }
}

/// Waits until nobody reads from a pipe any more; false where somebody still does after 10 s.
fn loses_its_reader(pipe: &File) -> bool {
    let mut watched = libc::pollfd { fd: pipe.as_raw_fd(), events: 0, revents: 0 };
    // SAFETY: `watched` is one valid entry, and its descriptor stays open as long as `pipe` is borrowed.
    let changed = unsafe { libc::poll(&mut watched, 1, 10_000) };
    changed == 1 && watched.revents & libc::POLLERR != 0
}

#[test]
fn the_doctor_says_what_is_missing_and_is_content_when_nothing_is() {
    let stage = Stage::new();
    let before = stage.command(&["doctor"]).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&before.stdout);
    assert_eq!(before.status.code(), Some(1), "{table}");
    assert!(table.contains("\u{2717} libtorch") && table.contains("to fix it: oxtorch setup"), "{table}");
    assert!(!stage.home().exists(), "looking changes nothing");

    succeeds(stage.setup(&[]));
    let after = stage.command(&["doctor"]).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&after.stdout);
    assert_eq!(after.status.code(), Some(0), "{table}");
    assert!(table.contains("\u{2713} runtime") && !table.contains('\u{2717}'), "{table}");
}

/// The doctor's lines of what is not as it should be.
fn ailments(mut doctor: Command) -> String {
    let output = doctor.output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.success(), !table.contains('\u{2717}'), "{table}");
    table.lines().filter(|line| line.starts_with('\u{2717}')).map(|line| format!("{line}\n")).collect()
}

#[test]
fn what_is_damaged_is_found_by_the_doctor_and_mended_by_set_up() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let only = |kind: &str| {
        let mut entries = fs::read_dir(stage.home().join(kind)).expect("is there").flatten();
        entries.next().expect("holds one").path()
    };
    let (runtime, shim, libtorch) = (only("runtime"), only("shim"), only("libtorch"));
    for (file, contents, what) in [
        (runtime.join("deps/libtch-1.rmeta"), None, "libtch-1.rmeta is gone"),
        (runtime.join("deps/libtch-1.rmeta"), Some(""), "libtch-1.rmeta has 0 bytes instead of 6"),
        (runtime.join("liboxtorch.so"), Some("lib"), "liboxtorch.so has 3 bytes instead of 8"),
        (runtime.join("oxtorch-host"), Some("#!/bin/SH\n"), "oxtorch-host has changed since it was made"),
        (shim.join("libtch.so"), Some(""), "libtch.so has 0 bytes instead of 10"),
        (libtorch.join("torch/lib/libtorch_cpu.so"), Some("LIBRARY"), "libtorch_cpu.so has changed since it was made"),
    ] {
        let time = file.metadata().and_then(|found| found.modified()).expect("is there");
        match contents {
            Some(contents) => {
                // As a disk does it: the file is the same one, with the same time.
                fs::write(&file, contents).expect("writes");
                File::options().append(true).open(&file).and_then(|file| file.set_modified(time)).expect("sets");
            }
            None => fs::remove_file(&file).expect("removes"),
        }
        let found = ailments(stage.command(&["doctor"]));
        assert!(found.contains(what), "{what}: {found}");
        succeeds(stage.setup(&[]));
        assert_eq!(ailments(stage.command(&["doctor"])), "", "{what}");
        assert!(stage.is_tidy());
    }
}

#[test]
fn install_sets_up_and_registers_and_uninstall_removes() {
    let stage = Stage::new();
    let data = stage.path("jupyter");
    let command = |arguments: &[&str]| {
        let mut command = stage.command(arguments);
        command.env("JUPYTER_DATA_DIR", &data);
        command
    };
    succeeds(command(&["install", "--name", "mine", "--display-name", "My Rust"]));
    let json = fs::read(data.join("kernels/mine/kernel.json")).expect("is there");
    let json: serde_json::Value = serde_json::from_slice(&json).expect("is JSON");
    assert_eq!(json["argv"][0], OXTORCH);
    assert_eq!(json["display_name"], "My Rust");
    assert_eq!(json["env"]["OXTORCH_HOME"], text(&stage.home()));
    assert_eq!(stage.calls("cargo build"), 1);

    // What starts Jupyter for others lacks what the user's shell has set.
    fs::remove_dir_all(stage.home().join("ready")).expect("removes");
    let mut bare = stage.command(&["setup"]);
    bare.env("PATH", stage.path("empty")).env_remove("CARGO_HOME").env_remove("OXTORCH_HOME");
    let variables = json["env"].as_object().expect("is an object");
    bare.envs(variables.iter().map(|(name, value)| (name, value.as_str().expect("is text"))));
    succeeds(bare);
    assert_eq!(stage.calls("cargo build"), 1, "{}", stage.log());
    let mut bare = stage.command(&["setup"]);
    bare.env("PATH", stage.path("empty")).env("OXTORCH_HOME", stage.path("another"));
    assert!(fails(bare).contains("no rustc was found"));

    succeeds(command(&["uninstall", "--name", "mine"]));
    assert!(!data.join("kernels/mine").exists());
    let errors = fails(command(&["uninstall", "--name", "mine"]));
    assert!(errors.contains("no kernelspec `mine`"), "{errors}");
}

#[test]
fn input_that_cannot_be_read_is_misuse_and_sets_nothing_up() {
    let stage = Stage::new();
    fs::write(stage.path("bad"), "not JSON").expect("writes");
    let bad = stage.path("bad");
    for arguments in [
        &["run", "/no/such/notebook.ipynb"][..],
        &["run", text(&bad)],
        &["kernel", "--connection-file", "/no/such/file"],
        &["kernel", "--connection-file", text(&bad)],
        &["install", "--name", "a/b"],
        &["run", "x.ipynb", "--timeout", "-1"],
        &["frobnicate"],
        &[],
    ] {
        let output = stage.command(arguments).output().expect("oxtorch runs");
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", errors(&output));
    }
    assert_eq!(stage.log(), "");
    assert!(!stage.home().exists());
}
