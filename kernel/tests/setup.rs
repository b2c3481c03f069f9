//! Set-up as a user meets it: the `oxtorch` program, with stand-ins for the tools that it calls.
//!
//! The stand-ins leave what the real tools leave, in a moment, and keep a log of how they were called. One of them can
//! be made to wait in the middle: it then reads from a named pipe, and a writer of that pipe knows that it got there.

#![cfg(target_os = "linux")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

const OXTORCH: &str = env!("CARGO_BIN_EXE_oxtorch");

const RUSTC: &str = r#"
case "$*" in
    *-Zbinary-dep-depinfo*)
        if [ -n "$STAGE_LACKING" ]; then echo "error[E0463]: can't find crate for \`$STAGE_LACKING\`" >&2; exit 1; fi
        echo "/any/deps/libtch-1.rmeta:" ;;
    "--print sysroot") echo "$STAGE/sysroot" ;;
    "-vV") printf 'rustc 1.95.0 (stand-in)\nhost: x86_64-unknown-linux-gnu\nrelease: %s\n' "${STAGE_RELEASE:-1.95.0}" ;;
esac
"#;

const CARGO: &str = r#"
case "$1" in
metadata)
    if [ -n "$STAGE_OFFLINE" ]; then
        echo "error: failed to download from the registry" >&2
        exit 101
    fi
    package='{"name": "%s", "id": "%s", "version": "1.0.0", "manifest_path": "'$STAGE'/%s/Cargo.toml", "targets": []}'
    dependency='{"name": "%s", "pkg": "%s", "dep_kinds": [{"kind": null}]}'
    printf '{"packages": ['"$package, $package, $package, $package" \
        oxtorch oxtorch oxtorch oxtorch-support oxtorch-support oxtorch-support \
        tch tch tch torch-sys torch-sys torch-sys
    printf '], "resolve": {"nodes": [{"id": "oxtorch", "features": [], "deps": ['"$dependency"']}]}}' tch tch ;;
build)
    wait_here cargo
    release="$(dirname "$3")/target/x86_64-unknown-linux-gnu/release"
    mkdir -p "$release/deps" && touch "$release/deps/libtch-1.rlib" || exit 1
    touch "$release/deps/libtch-1.rmeta" "$release/deps/libureq-1.rmeta"
    echo library > "$release/liboxtorch.so"
    echo library > "$release/liboxtorch_support.so"
    echo crate > "$release/deps/libtch-1.rmeta"
    printf '#!/bin/sh\n' > "$release/oxtorch-host"
    for crate in tch ureq; do
        printf '{"reason": "compiler-artifact", "package_id": "%s", "target": {"kind": ["lib"]}, "filenames": ["%s", "%s"]}\n' \
            "$crate" "$release/deps/lib$crate-1.rlib" "$release/deps/lib$crate-1.rmeta"
    done ;;
esac
"#;

const CXX: &str = r#"
if [ "$1" = --version ]; then echo "c++ (stand-in) 1.0"; exit; fi
wait_here c++
source="$(expr "$* " : '.*-c \([^ ]*/torch_api_generated\.cpp\) ')"
if [ -n "$source" ]; then
    # A wrapper that was left out copies its report.
    if grep -q strdup "$source"; then
        cp "$source" "$STAGE/reduced.cpp"
    elif [ -n "$STAGE_REFUSED_LINE" ]; then
        printf '%s:%s:29: error: no member named like this\n' "$source" "$STAGE_REFUSED_LINE" >&2
        exit 1
    fi
fi
while [ $# -gt 0 ]; do
    case "$1 $2" in
    "-o "*/self-test)
        printf '#!/bin/sh\necho self-test >> "$STAGE/log"; echo "$STAGE_SELF_TEST" >&2; [ -z "$STAGE_SELF_TEST" ]\n' > "$2"
        chmod +x "$2" ;;
    "-o "*) head -c "${STAGE_OBJECT_SIZE:-10}" /dev/zero > "$2" || exit 1 ;;
    esac
    shift
done
"#;

/// The larger source of the shim, as short as can be.
const WRAPPERS: &str = "#include \"torch_api_generated.h\"

void atg_qr(tensor *out__, tensor self) {
  PROTECT(out__[0] = new torch::Tensor(torch::qr(*self));)
}
";

const PYTHON: &str = r#"
case "$*" in
    *find_spec*) echo "$STAGE_PYTHON_TORCH" ;;
    *"pip install"*)
        no_wheel="ERROR: No matching distribution found for torch==2.13.0"
        case "$STAGE_PIP:$*" in
            none:*) echo "$0: No module named pip" >&2; exit 1 ;;
            offline:*) printf 'WARNING: Retrying after NewConnectionError\n%s\n' "$no_wheel" >&2; exit 1 ;;
            other-python:*--platform*) ;;
            other-python:*) echo "$no_wheel" >&2; exit 1 ;;
        esac
        while [ "$1" != --target ]; do [ "$1" != -r ] || cp "$2" "$STAGE/requirements.txt"; shift; done
        mkdir -p "$2" && cp -r "$STAGE/libtorch" "$2/torch" ;;
esac
"#;

const NO_NETWORK: &str = "echo 'curl: (6) Could not resolve host' >&2; exit 6\n";

/// A folder of stand-ins, and a home.
struct Stage {
    folder: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let stage = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for (name, script) in
            [("rustc", RUSTC), ("cargo", CARGO), ("c++", CXX), ("cc", ""), ("python3", PYTHON), ("curl", NO_NETWORK)]
        {
            stage.tool(name, script);
        }
        stage.libtorch("libtorch", "2.13.0+cpu");
        fs::create_dir_all(stage.path("torch-sys/libtch")).expect("creates");
        fs::write(stage.path("torch-sys/libtch/torch_api.cpp"), "").expect("writes");
        fs::write(stage.path("torch-sys/libtch/torch_api_generated.cpp"), WRAPPERS).expect("writes");
        stage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// A stand-in that logs its call and then runs `script`.
    fn tool(&self, name: &str, script: &str) {
        fs::create_dir_all(self.path("bin")).expect("creates");
        let tool = self.path("bin").join(name);
        let text = format!(
            "#!/bin/sh\necho \"{name} $*\" >> \"$STAGE/log\"\n\
             wait_here() {{ if [ \"$STAGE_WAIT\" = \"$1\" ]; then cat \"$STAGE/pipe\" > \"$STAGE/went-on\"; fi; }}\n{script}"
        );
        fs::write(&tool, text).expect("writes");
        fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).expect("may be run");
    }

    /// A folder that looks like a libtorch.
    fn libtorch(&self, name: &str, version: &str) -> PathBuf {
        let root = self.path(name);
        for (file, contents) in [
            ("lib/libtorch_cpu.so", "library"),
            ("include/torch/csrc/api/include/torch/torch.h", ""),
            ("build-version", version),
        ] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().expect("has one")).expect("creates");
            fs::write(file, contents).expect("writes");
        }
        root
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(OXTORCH);
        command.args(arguments).env_clear().stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/bin:/bin", self.path("bin").display()));
        command
            .env("STAGE", self.folder.path())
            .env("HOME", self.path("user"))
            .env("CARGO_HOME", self.path("no-cargo"));
        command.env("OXTORCH_HOME", self.home()).env("OXTORCH_DEVICE", "cpu");
        command
    }

    /// `oxtorch setup` with some variables set.
    fn setup(&self, variables: &[(&str, &str)]) -> Command {
        let mut setup = self.command(&["setup"]);
        setup.envs(variables.iter().copied());
        setup
    }

    fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// How often a stand-in was called with arguments that begin in this way.
    fn calls(&self, start: &str) -> usize {
        self.log().lines().filter(|line| line.starts_with(start)).count()
    }

    /// Starts a set-up that waits in the stand-in of this name, and returns when it does; it goes on once the file is
    /// dropped.
    fn start_and_wait_in(&self, tool: &str) -> (Child, File) {
        let pipe = self.path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        let mut setup = self.setup(&[("STAGE_WAIT", tool)]);
        let setup = setup.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("oxtorch runs");
        // Opening a pipe to write waits for its reader.
        let go_on = File::options().write(true).open(&pipe).expect("the stand-in reads");
        (setup, go_on)
    }

    /// Whether nothing of work in progress is left in the home.
    fn is_tidy(&self) -> bool {
        fs::read_dir(self.home().join("tmp")).map_or(true, |mut entries| entries.next().is_none())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("is text")
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn succeeds(mut command: Command) {
    let output = command.output().expect("oxtorch runs");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
}

/// Expects exit code 1, an `error:` line and a `help:` line, and gives all that was said.
#[track_caller]
fn fails(mut command: Command) -> String {
    let output = command.output().expect("oxtorch runs");
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("error: ") && errors.contains("\nhelp: "), "{errors}");
    errors
}

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
fn the_active_pythons_torch_is_taken_if_its_version_matches() {
    for (version, downloads) in [("2.13.0+cu130", 0), ("1.13.1", 1)] {
        let stage = Stage::new();
        let torch = stage.libtorch("python-torch", version);
        succeeds(stage.setup(&[("STAGE_PYTHON_TORCH", text(&torch))]));
        assert_eq!(stage.calls("python3 -m pip install"), downloads, "{version}");
        assert_eq!(stage.calls("self-test"), 0, "{version}");
    }
}

#[test]
fn a_torch_of_a_near_version_is_taken_without_what_it_lacks() {
    let stage = Stage::new();
    let torch = stage.libtorch("python-torch", "2.15.0+cu132");
    let variables = [("STAGE_PYTHON_TORCH", text(&torch)), ("STAGE_REFUSED_LINE", "4")];
    succeeds(stage.setup(&variables));
    assert_eq!(stage.calls("python3 -m pip install"), 0, "{}", stage.log());
    assert_eq!((stage.calls("c++ -shared"), stage.calls("self-test")), (1, 1), "{}", stage.log());
    let reduced = fs::read_to_string(stage.path("reduced.cpp")).expect("was compiled");
    assert!(reduced.contains("{ torch_last_err = strdup(\"`qr` is not in torch 2.15.0"), "{reduced}");
    assert!(!reduced.contains("torch::qr") && stage.is_tidy(), "{reduced}");

    let before = stage.log();
    succeeds(stage.setup(&variables));
    assert_eq!(stage.log(), before);
    let mut doctor = stage.command(&["doctor"]);
    let doctor = doctor.envs(variables).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&doctor.stdout);
    assert_eq!(doctor.status.code(), Some(0), "{table}");
    assert!(table.contains("2.15.0 in ") && table.contains("not as `tch` calls them: qr;"), "{table}");
    assert!(table.contains("`oxtorch setup --exact`"), "{table}");
}

#[test]
fn a_near_version_that_does_not_work_is_passed_over_with_the_reason() {
    for (variable, value, why) in [
        ("STAGE_SELF_TEST", "a sum is 3, not 4", "fails the self-test: a sum is 3, not 4"),
        ("STAGE_REFUSED_LINE", "1", "do not go with the shim's line `#include"),
    ] {
        let stage = Stage::new();
        let torch = stage.libtorch("python-torch", "2.15.0");
        let variables = [("STAGE_PYTHON_TORCH", text(&torch)), (variable, value)];
        let output = stage.setup(&variables).output().expect("oxtorch runs");
        let said = errors(&output);
        // A line that the one libtorch refuses the stand-in refuses for the other one too.
        assert_eq!(output.status.success(), variable == "STAGE_SELF_TEST", "{said}");
        assert!(said.contains("Getting libtorch 2.13.0") && said.contains(why), "{said}");
        assert!(stage.is_tidy());
        assert_eq!(stage.calls("python3 -m pip install"), 1, "{said}");

        // What was found out is kept.
        let tests = stage.calls("self-test");
        fs::remove_dir_all(stage.home().join("libtorch")).expect("removes");
        let said = errors(&stage.setup(&variables).output().expect("oxtorch runs"));
        assert!(said.contains(why) && !said.contains("Fitting"), "{said}");
        assert_eq!(stage.calls("self-test"), tests);
        fs::remove_dir_all(stage.home().join("libtorch")).expect("removes");
        let doctor = stage.command(&["doctor"]).envs(variables).output().expect("oxtorch runs");
        let table = String::from_utf8_lossy(&doctor.stdout);
        assert!(table.contains("- Python's torch") && table.contains(why), "{table}");
    }
}

#[test]
fn the_exact_version_is_preferred_where_it_is_there_or_asked_for() {
    let stage = Stage::new();
    let torch = stage.libtorch("python-torch", "2.15.0");
    let variables = [("STAGE_PYTHON_TORCH", text(&torch))];
    succeeds(stage.setup(&variables));
    assert_eq!(stage.calls("python3 -m pip install"), 0, "{}", stage.log());
    let mut exact = stage.command(&["setup", "--exact"]);
    exact.envs(variables);
    succeeds(exact);
    assert_eq!(stage.calls("python3 -m pip install"), 1, "{}", stage.log());

    // From now on without being asked, also where nothing is remembered.
    fs::remove_dir_all(stage.home().join("ready")).expect("removes");
    let (builds, shims) = (stage.calls("cargo build"), stage.calls("c++ -shared"));
    succeeds(stage.setup(&variables));
    assert_eq!((stage.calls("cargo build"), stage.calls("c++ -shared")), (builds, shims), "{}", stage.log());
    let doctor = stage.command(&["doctor"]).envs(variables).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&doctor.stdout);
    assert!(table.contains("libtorch") && table.contains("2.13.0 in "), "{table}");
}

#[test]
fn a_libtorch_of_a_near_version_that_was_asked_for_is_taken_if_it_works() {
    let stage = Stage::new();
    let near = stage.libtorch("near", "2.11.0+cpu");
    let errors = fails(stage.setup(&[("LIBTORCH", text(&near)), ("STAGE_SELF_TEST", "a sum is 3, not 4")]));
    assert!(errors.contains("is version 2.11.0, not 2.13.0, and fails the self-test: a sum"), "{errors}");
    let other = stage.libtorch("other", "2.11.0+cpu");
    succeeds(stage.setup(&[("LIBTORCH", text(&other)), ("STAGE_REFUSED_LINE", "4")]));
    assert_eq!(stage.calls("python3 -m pip install"), 0);
}

#[test]
fn a_python_without_a_wheel_of_its_own_takes_that_of_another() {
    let stage = Stage::new();
    succeeds(stage.setup(&[("STAGE_PIP", "other-python")]));
    let log = stage.log();
    let calls: Vec<_> = log.lines().filter(|line| line.contains("pip install")).collect();
    assert_eq!(calls.len(), 2, "{log}");
    assert!(calls.iter().all(|call| call.contains("--only-binary=:all:") && call.contains("--no-deps")), "{log}");
    assert!(calls.iter().all(|call| call.contains("--require-hashes -r ")), "{log}");
    assert!(calls[1].contains("--python-version 3.12") && calls[1].contains("--platform manylinux_2_28_"), "{log}");
}

#[test]
fn without_a_network_each_source_and_what_to_do_is_named() {
    for (pip, why) in [("offline", "the package index cannot be reached"), ("none", "has no pip")] {
        let stage = Stage::new();
        let errors = fails(stage.setup(&[("STAGE_PIP", pip)]));
        for part in ["the active Python: it has no torch", "PyPI", why, "PyTorch site: curl: (6)", "set LIBTORCH"] {
            assert!(errors.contains(part), "{part} is missing in:\n{errors}");
        }
        assert!(stage.is_tidy());
    }
    let stage = Stage::new();
    let errors = fails(stage.setup(&[("STAGE_OFFLINE", "yes")]));
    assert!(errors.contains("cannot get the crates") && errors.contains("this step needs the network"), "{errors}");
}

#[test]
fn a_libtorch_that_was_asked_for_is_checked_and_never_silently_replaced() {
    let stage = Stage::new();
    let without = |name: &str, file: &str| {
        let root = stage.libtorch(name, "2.13.0");
        fs::remove_file(root.join(file)).expect("removes");
        root
    };
    for (root, why) in [
        (stage.path("nowhere"), "cannot be opened"),
        (stage.libtorch("older", "1.13.1+cpu"), "is version 1.13.1+cpu, too far from 2.13.0"),
        (without("no-library", "lib/libtorch_cpu.so"), "has no lib/libtorch_cpu.so"),
        (without("no-headers", "include/torch/csrc/api/include/torch/torch.h"), "has no C++ headers"),
        (without("no-version", "build-version"), "does not say its version"),
    ] {
        let errors = fails(stage.setup(&[("LIBTORCH", text(&root))]));
        assert!(errors.contains(why) && errors.contains(text(&root)), "{errors}");
    }
    assert_eq!(stage.calls("python3 -m pip install"), 0);
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
fn a_home_that_cannot_be_made_is_named() {
    let stage = Stage::new();
    fs::write(stage.path("file"), "").expect("writes");
    let home = stage.path("file").join("home");
    let errors = fails(stage.setup(&[("OXTORCH_HOME", text(&home))]));
    assert!(errors.contains(text(&home)) && errors.contains("set OXTORCH_HOME"), "{errors}");
}

#[test]
fn a_folder_that_is_in_use_for_something_else_is_no_home_and_stays_as_it_was() {
    let stage = Stage::new();
    let project = stage.path("project");
    let files = ["tmp/experiment1/results.csv", "cells/mine/cell.rs", "thesis.tex"].map(|name| project.join(name));
    for file in &files {
        fs::create_dir_all(file.parent().expect("has one")).expect("creates");
        fs::write(file, "mine").expect("writes");
    }
    let notebook = stage.path("notebook.ipynb");
    fs::write(&notebook, r#"{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}"#).expect("writes");
    for arguments in [&["setup"][..], &["doctor"], &["run", text(&notebook)]] {
        for variable in ["OXTORCH_HOME", "OXTORCH_CACHE"] {
            let mut command = stage.command(arguments);
            command.env(variable, &project);
            let errors = fails(command);
            assert!(errors.contains("is no folder of Oxtorch's") && errors.contains("an empty folder"), "{errors}");
        }
    }
    assert!(files.iter().all(|file| file.is_file()));
    assert_eq!(fs::read_dir(&project).expect("is there").count(), 3);

    // What set-up has made it a home of, it keeps as well.
    succeeds(stage.setup(&[]));
    let mine = stage.home().join("tmp/experiment1");
    fs::create_dir_all(&mine).expect("creates");
    fs::remove_dir_all(stage.home().join("ready")).expect("removes");
    succeeds(stage.setup(&[]));
    assert!(mine.is_dir());
}

#[test]
fn a_full_disk_is_an_error_that_names_the_folder_and_leaves_nothing_half_done() {
    let stage = Stage::new();
    let Some(disk) = TinyDisk::mount(&stage.path("disk")) else {
        eprintln!("skipped: only root may mount the small file system that this needs");
        return;
    };
    let home = disk.0.join("home");
    let libtorch = stage.path("libtorch");
    let errors = fails(stage.setup(&[
        ("OXTORCH_HOME", text(&home)),
        ("LIBTORCH", text(&libtorch)),
        ("STAGE_OBJECT_SIZE", "24000000"),
    ]));
    assert!(errors.contains("compiling the C++ shim needs about") && errors.contains("are free"), "{errors}");
    assert!(errors.contains(text(&home)), "{errors}");
    assert!(!home.join("shim").exists());
    assert_eq!(fs::read_dir(home.join("tmp")).expect("is there").count(), 0);

    // A download that cannot fit is not begun.
    let errors = fails(stage.setup(&[("OXTORCH_HOME", text(&home))]));
    assert!(errors.contains("libtorch needs about 2.0 GB"), "{errors}");
    assert_eq!(stage.calls("python3 -m pip install"), 0, "{}", stage.log());
}

/// A file system of 12 MB: the sources of the runtime fit, and what the staged compiler writes does not.
struct TinyDisk(PathBuf);

impl TinyDisk {
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).expect("creates");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=12m", "none"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for TinyDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn the_doctor_says_what_is_missing_and_is_content_when_nothing_is() {
    let stage = Stage::new();
    let before = stage.command(&["doctor"]).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&before.stdout);
    assert_eq!(before.status.code(), Some(1), "{table}");
    assert!(table.contains("\u{2717} libtorch") && table.contains("to mend it: oxtorch setup"), "{table}");
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
        (runtime.join("oxtorch-host"), Some("#!/bin/SH\n"), "oxtorch-host has other contents"),
        (shim.join("libtch.so"), Some(""), "libtch.so has 0 bytes instead of 10"),
        (libtorch.join("torch/lib/libtorch_cpu.so"), Some("LIBRARY"), "libtorch_cpu.so has other contents"),
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
fn the_home_of_an_earlier_version_goes_on_as_it_is() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let lists =
        [".oxtorch-home", "ready", "runtime/*/contents.json", "shim/*/contents.json", "libtorch/*/*/lib/contents.json"];
    let removed =
        Command::new("sh").args(["-c", &format!("rm -r {}", lists.join(" "))]).current_dir(stage.home()).status();
    assert!(removed.expect("sh runs").success());
    let before = stage.log();
    succeeds(stage.setup(&[]));
    let builds = |log: &str| log.lines().filter(|line| line.contains("build") || line.contains("-shared")).count();
    assert_eq!(builds(&stage.log()), builds(&before), "{}", stage.log());
    assert!(stage.home().join(".oxtorch-home").is_file());
    assert_eq!(ailments(stage.command(&["doctor"])), "");
}

/// Whether this test may act as another user.
fn is_root() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

impl Stage {
    /// A command of a user who cannot write the home and has none of the tools, in a folder of theirs.
    fn command_of_another_user(&self, arguments: &[&str]) -> Command {
        let folder = self.path("another-user");
        fs::create_dir_all(&folder).expect("creates");
        let mut command = self.command(arguments);
        command.env("PATH", "/usr/bin:/bin").env("HOME", &folder).env_remove("CARGO_HOME");
        if is_root() {
            std::os::unix::fs::chown(&folder, Some(OTHER_USER), Some(OTHER_USER)).expect("root may");
            fs::set_permissions(self.folder.path(), fs::Permissions::from_mode(0o755)).expect("is ours");
            command.uid(OTHER_USER).gid(OTHER_USER);
        }
        command
    }

    /// Takes the right to write the home from its owner; root keeps it.
    fn make_read_only(&self) {
        let changed = Command::new("chmod").args(["-R", "a-w"]).arg(self.home()).status();
        assert!(changed.expect("chmod runs").success());
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What cannot be written cannot be removed either.
        let _ = Command::new("chmod").args(["-R", "u+w"]).arg(self.folder.path()).status();
    }
}

/// Some user who owns nothing.
const OTHER_USER: u32 = 54_321;

#[test]
fn an_installation_serves_users_who_cannot_write_it() {
    let stage = Stage::new();
    let errors = fails(stage.setup(&[("STAGE_RELEASE", "1.80.1")]));
    assert!(errors.contains("1.80.1"), "{errors}");
    succeeds(stage.setup(&[]));
    stage.make_read_only();
    let before = stage.log();
    succeeds(stage.command_of_another_user(&["setup"]));
    assert_eq!(stage.log(), before);
    let doctor = stage.command_of_another_user(&["doctor"]).output().expect("oxtorch runs");
    let table = String::from_utf8_lossy(&doctor.stdout).into_owned();
    let own = stage.path("another-user/.cache/oxtorch");
    assert!(table.contains("an installation that you cannot write"), "{table}");
    assert!(table.contains("\u{2713} runtime") && table.contains("\u{2713} Rust toolchain"), "{table}");
    assert!(table.contains(&format!("your sessions write to {}", own.display())), "{table}");

    // Another program than it was set up for.
    let ready = stage.home().join("ready");
    let mode = fs::Permissions::from_mode;
    fs::set_permissions(&ready, mode(0o755)).expect("is ours");
    fs::rename(&ready, stage.path("ready"))
        .or_else(|_| {
            fs::set_permissions(stage.home(), mode(0o755)).and_then(|()| fs::rename(&ready, stage.path("ready")))
        })
        .expect("moves");
    fs::set_permissions(stage.home(), mode(0o555)).expect("is ours");
    let errors = fails(stage.command_of_another_user(&["setup"]));
    assert!(errors.contains("is not set up in") && errors.contains("whoever keeps it can set it up"), "{errors}");
}

#[test]
fn a_home_that_was_moved_works_or_says_what_to_do() {
    for writable in [true, false] {
        let stage = Stage::new();
        succeeds(stage.setup(&[]));
        let copied = Command::new("cp").arg("-a").args([stage.home(), stage.path("elsewhere")]).status();
        assert!(copied.expect("cp runs").success());
        // What was copied must not use what it was copied from.
        let elsewhere = stage.path("elsewhere");
        if writable {
            let output = stage.setup(&[("OXTORCH_HOME", text(&elsewhere))]).output().expect("oxtorch runs");
            let said = errors(&output);
            assert!(output.status.success() && said.contains("moved or copied"), "{said}");
            assert_eq!(stage.calls("cargo build"), 2);
            assert_eq!(stage.calls("python3 -m pip install"), 1, "what need not be made anew is not");
        } else {
            let changed = Command::new("chmod").args(["-R", "a-w"]).arg(&elsewhere).status();
            assert!(changed.expect("chmod runs").success());
            let mut setup = stage.command_of_another_user(&["setup"]);
            setup.env("OXTORCH_HOME", &elsewhere);
            let errors = fails(setup);
            assert!(errors.contains("moved or copied") && errors.contains("OXTORCH_HOME="), "{errors}");
        }
    }
}

#[test]
fn nothing_is_loaded_from_a_home_that_others_can_change() {
    let stage = Stage::new();
    succeeds(stage.setup(&[]));
    let mode = fs::Permissions::from_mode;
    let mut library = fs::read_dir(stage.home().join("runtime")).expect("is there").flatten();
    let library = library.next().expect("holds one").path().join("liboxtorch.so");
    for path in [stage.home(), stage.home().join("ready"), stage.home().join("runtime"), library.clone()] {
        let before = path.metadata().expect("is there").permissions();
        fs::set_permissions(&path, mode(before.mode() | 0o002)).expect("is ours");
        let errors = fails(stage.setup(&[]));
        let expected = format!("{} can be written by everybody", path.display());
        assert!(errors.contains(&expected) && errors.contains("chmod -R go-w"), "{errors}");
        // Where modes mean nothing.
        succeeds(stage.setup(&[("OXTORCH_TRUST_HOME", "1")]));
        fs::set_permissions(&path, before).expect("is ours");
    }
    succeeds(stage.setup(&[]));
    if !is_root() {
        eprintln!("the rest is skipped: only root may give a file to another user");
        return;
    }
    std::os::unix::fs::chown(&library, Some(OTHER_USER), None).expect("root may");
    let errors = fails(stage.setup(&[]));
    assert!(errors.contains("liboxtorch.so belongs to another user"), "{errors}");
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
