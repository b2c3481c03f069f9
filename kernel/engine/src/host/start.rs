//! Starts a host process.

use std::collections::VecDeque;
use std::ffi::OsStr;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use anyhow::Context;
use oxtorch_protocol::{LIBRARY_PATH, Surroundings, USERS_LIBRARY_PATH};
use oxtorch_session::Stream;
use oxtorch_setup::{Recipe, Runtime};
use oxtorch_system::signals;
use rustix::process::Pid;
use tokio::net::UnixStream;
use tokio::process::Command;

use crate::host::between::Reader;
use crate::host::interrupts::Running;
use crate::host::messages::{Messages, Requests};
use crate::host::text::Text;
use crate::host::{Confinement, Host, Streams};

/// How the threads of an operation wait for the next one. By itself GNU's OpenMP lets them spin so long that training
/// slows several times as soon as anything else uses the processors. A sixth of that is still long enough for the next
/// operation of a small network to come: the quickstart trains in 0.7 s either way on two quiet cores, and beside two
/// busy loops in 1.6 s in place of 4.8 s. A user who sets this or `OMP_WAIT_POLICY` decides.
const SPINS: (&str, &str) = ("GOMP_SPINCOUNT", "50000");

/// How the host's allocator deals with the system. What was freed is kept for 1000 milliseconds, for the next step of a
/// training asks for the same again: with mimalloc's own 10 ms, a CNN's takes a tenth more time. And pages are taken as
/// they are needed: by itself mimalloc takes large ones ahead, which makes a host 15 MB larger and no training faster.
/// A user who sets these decides.
const ALLOCATOR: [(&str, &str); 2] = [("MIMALLOC_PURGE_DELAY", "1000"), ("MIMALLOC_ARENA_EAGER_COMMIT", "0")];

impl Host {
    /// Starts a host in these surroundings; it loads libtorch while this returns.
    pub fn start(
        runtime: &Runtime,
        surroundings: &Surroundings,
        confinement: Option<Confinement>,
    ) -> anyhow::Result<Self> {
        Self::start_process(runtime, surroundings, confinement).context("cannot start the process that runs the cells")
    }

    fn start_process(
        runtime: &Runtime,
        surroundings: &Surroundings,
        confinement: Option<Confinement>,
    ) -> anyhow::Result<Self> {
        let (ours, theirs) = StdUnixStream::pair()?;
        ours.set_nonblocking(true)?;
        let mut command = Command::new(&runtime.host);
        // Where the folder is gone, libraries that look for themselves do not load.
        let works_elsewhere = std::env::current_dir().is_err();
        if works_elsewhere {
            command.current_dir("/");
        }
        let is_set = |name: &str| std::env::var_os(name).is_some() || surroundings.env.contains_key(name);
        if !is_set(SPINS.0) && !is_set("OMP_WAIT_POLICY") {
            command.env(SPINS.0, SPINS.1);
        }
        command.envs(ALLOCATOR.into_iter().filter(|(name, _)| !is_set(name)));
        name_own_place(&mut command, &runtime.recipe);
        // Some variables are read as libtorch loads, so they are there from the start.
        set_variables(&mut command, surroundings);
        name_libraries(command.as_std_mut(), runtime).context("cannot name the folders of the libraries")?;
        let (stdout, stdout_writer) = io::pipe()?;
        let (stderr, stderr_writer) = io::pipe()?;
        // An interrupt that comes while it loads libtorch is for the cell, which hears of it over the socket.
        signals::ignore_from_start(command.as_std_mut(), &[libc::SIGINT]);
        if let Some(confinement) = &confinement {
            confinement.confine(&mut command);
        }
        let child = command
            // Rust's runtime would print the frames of the runtime and of the standard library where memory runs out.
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(stdout_writer.try_clone()?)
            .stderr(stderr_writer.try_clone()?)
            // Ctrl-C in a terminal is the kernel's to handle.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| runtime.host.display().to_string())?;
        let requests = Requests::new(ours.try_clone()?);
        let streams = Streams {
            control: Messages::new(UnixStream::from_std(ours)?),
            stdout: Text::new(stdout.into(), Stream::Stdout)?,
            stderr: Text::new(stderr.into(), Stream::Stderr)?,
            pending: VecDeque::new(),
        };
        let leader = child.id().and_then(|pid| Some((pid, Pid::from_raw(pid.cast_signed())?)));
        let host = Self {
            running: leader.map(|(pid, group)| Running::of(pid, group)),
            child,
            reader: Reader::new(streams),
            requests,
            runs: 0,
            test: None,
            interrupts: Arc::default(),
            ready: Arc::default(),
            writers: [stdout_writer, stderr_writer],
            shells: Vec::new(),
            confinement,
            works_elsewhere: works_elsewhere && surroundings.dir.is_none(),
        };
        if surroundings.dir.is_some() {
            host.surround(surroundings);
        }
        Ok(host)
    }
}

/// Tells a process where all that sessions write goes, if that is not the home: its downloads go there as well.
pub fn name_own_place(command: &mut Command, recipe: &Recipe) {
    if let Some(own) = recipe.apart() {
        command.env("OXTORCH_CACHE", own.root());
    }
}

/// Names the folders of the libraries, ahead of those that the user has named.
pub(crate) fn name_libraries(
    command: &mut std::process::Command,
    runtime: &Runtime,
) -> Result<(), std::env::JoinPathsError> {
    let set = command.get_envs().find(|(name, _)| *name == LIBRARY_PATH).map(|(_, value)| value.map(OsStr::to_owned));
    let users = set.unwrap_or_else(|| std::env::var_os(LIBRARY_PATH));
    let beside = runtime.host.parent().map(Path::to_owned);
    let folders = beside.into_iter().chain(runtime.libraries.iter().cloned());
    let folders: Vec<PathBuf> = folders.chain(users.iter().flat_map(std::env::split_paths)).collect();
    command.env(LIBRARY_PATH, std::env::join_paths(folders)?);
    match users {
        Some(users) => command.env(USERS_LIBRARY_PATH, users),
        None => command.env_remove(USERS_LIBRARY_PATH),
    };
    Ok(())
}

/// Gives a process the variables that its user has set.
pub fn set_variables(command: &mut Command, surroundings: &Surroundings) {
    for (name, value) in &surroundings.env {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
}
