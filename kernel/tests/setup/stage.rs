//! The `oxtorch` program among stand-ins for the tools that it calls.
//!
//! The stand-ins leave what the real tools leave, in a moment, and keep a log of how they were called. One of them can
//! be made to wait in the middle: it then reads from a named pipe, and a writer of that pipe knows that it got there.

use std::fs::{self, File};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use oxtorch_system::home::free_space;

pub const OXTORCH: &str = env!("CARGO_BIN_EXE_oxtorch");

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
    package='{"name": "%s", "id": "%s", "version": "1.0.0", "manifest_path": "'$STAGE'/%s/Cargo.toml", "targets": [],
        "dependencies": [], "features": {}}'
    dependency='{"name": "%s", "pkg": "%s", "dep_kinds": [{"kind": null}]}'
    printf '{"packages": ['"$package, $package, $package, $package" \
        oxtorch oxtorch oxtorch oxtorch-support oxtorch-support oxtorch-support \
        tch tch tch torch-sys torch-sys torch-sys
    printf '], "resolve": {"root": null, "nodes": [{"id": "oxtorch", "features": [], "dependencies": [], "deps": ['
    printf "$dependency"'] }]}, "workspace_members": [], "workspace_root": "/", "target_directory": "/", "version": 1}' \
        tch tch ;;
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
        target='{"name": "x", "kind": ["lib"], "src_path": "/x"}'
        profile='{"opt_level": "3", "debug_assertions": false, "overflow_checks": false, "test": false}'
        printf '{"reason": "compiler-artifact", "package_id": "%s", "target": '"$target"', "profile": '"$profile"',
            "features": [], "executable": null, "fresh": false, "filenames": ["%s", "%s"]}' \
            "$crate" "$release/deps/lib$crate-1.rlib" "$release/deps/lib$crate-1.rmeta" | tr -d '\n'
        echo
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
pub struct Stage {
    /// Unmounted before the folder is removed.
    _room: Option<MemoryDisk>,
    folder: tempfile::TempDir,
}

/// What set-up wants to find free before it downloads, of which the stand-ins take next to nothing.
const WANTED_ROOM: u64 = 2_100_000_000;

impl Stage {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let has_room = free_space(folder.path()).is_none_or(|free| free >= WANTED_ROOM);
        let room = if has_room { None } else { MemoryDisk::mount(folder.path(), "4g") };
        let stage = Self { _room: room, folder };
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

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn home(&self) -> PathBuf {
        self.path("home")
    }

    /// A stand-in that logs its call and then runs `script`.
    pub fn tool(&self, name: &str, script: &str) {
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
    pub fn libtorch(&self, name: &str, version: &str) -> PathBuf {
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

    pub fn command(&self, arguments: &[&str]) -> Command {
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
    pub fn setup(&self, variables: &[(&str, &str)]) -> Command {
        let mut setup = self.command(&["setup"]);
        setup.envs(variables.iter().copied());
        setup
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    /// How often a stand-in was called with arguments that begin in this way.
    pub fn calls(&self, start: &str) -> usize {
        self.log().lines().filter(|line| line.starts_with(start)).count()
    }

    /// Starts a set-up that waits in the stand-in of this name, and returns when it does; it goes on once the file is
    /// dropped.
    pub fn start_and_wait_in(&self, tool: &str) -> (Child, File) {
        let pipe = self.path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs").success());
        let mut setup = self.setup(&[("STAGE_WAIT", tool)]);
        let mut setup = setup.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().expect("oxtorch runs");
        // To open a pipe as usual would be to wait for its reader, for ever where set-up ends before it comes so far.
        let open = || File::options().write(true).custom_flags(libc::O_NONBLOCK).open(&pipe);
        let go_on = loop {
            match open() {
                Ok(go_on) => break go_on,
                Err(error) => assert_eq!(error.raw_os_error(), Some(libc::ENXIO), "{error}"),
            }
            if setup.try_wait().expect("can be asked").is_some() {
                let output = setup.wait_with_output().expect("has ended");
                panic!("set-up ended before it called {tool} ({}): {}", output.status, errors(&output));
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        (setup, go_on)
    }

    /// Whether nothing of work in progress is left in the home.
    pub fn is_tidy(&self) -> bool {
        fs::read_dir(self.home().join("tmp")).map_or(true, |mut entries| entries.next().is_none())
    }
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("is text")
}

pub fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
pub fn succeeds(mut command: Command) {
    let output = command.output().expect("oxtorch runs");
    assert_eq!(output.status.code(), Some(0), "{}", errors(&output));
}

/// Expects exit code 1, an `error:` line and a `help:` line, and gives all that was said.
#[track_caller]
pub fn fails(mut command: Command) -> String {
    let output = command.output().expect("oxtorch runs");
    let errors = errors(&output);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("error: ") && errors.contains("\nhelp: "), "{errors}");
    errors
}

/// Whether this test may act as another user.
pub fn is_root() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}

impl Stage {
    /// A command of a user who cannot write the home and has none of the tools, in a folder of theirs.
    pub fn command_of_another_user(&self, arguments: &[&str]) -> Command {
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
    pub fn make_read_only(&self) {
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
pub const OTHER_USER: u32 = 54_321;

/// A file system in memory, of a size that it need not have: it takes what is written to it.
pub struct MemoryDisk(PathBuf);

impl MemoryDisk {
    /// Mounts one at a new folder, or over one that is there; `None` where this user may not.
    pub fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir_all(at).expect("creates");
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("mode=755,size={size}"), "none"]).arg(at).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(at.to_owned()))
    }
}

impl Drop for MemoryDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
