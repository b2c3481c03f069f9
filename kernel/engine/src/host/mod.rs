//! The host process as the kernel sees it: starts it, has it run cells, and turns what it says into events.
//!
//! Text comes over two pipes and everything else over the control socket. The host flushes before it sends a message,
//! and this side empties the pipes before it acts on one, so events keep the order in which the user's code made them.
//!
//! Both are read at all times: by the run of a cell, and between two cells by a task of its own (`between`).
//!
//! The host leads a process group, in which what its cells start is as well. An interrupt reaches all of it, and none
//! of it outlives the host. Nor does what the user's shells start, beside it (`shells`): it writes to the same pipes.

pub(crate) mod between;
pub(crate) mod exit_reason;
pub(crate) mod interrupts;
pub(crate) mod messages;
pub(crate) mod rewrite;
pub(crate) mod rich_output;
pub(crate) mod shells;
pub(crate) mod standby;
pub(crate) mod text;

use std::collections::VecDeque;
use std::io::{self, PipeWriter};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use anyhow::Context;
use oxtorch_protocol::{Done, FromHost, Outcome, Ready, Run, Surroundings, ToHost};
use oxtorch_session::{Event, Stream};
use oxtorch_setup::Runtime;
use oxtorch_system::processes::{self, Processes};
use oxtorch_system::signals;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, oneshot};

pub use crate::host::between::BetweenCells;
use crate::host::between::Reader;
pub use crate::host::interrupts::RunInterrupter;
use crate::host::interrupts::{Interrupts, Running};
use crate::host::messages::{Messages, Requests};
pub use crate::host::rewrite::Rewritten;
use crate::host::rewrite::{Rewrite, rewritten};
use crate::host::shells::Group;
use crate::host::text::Text;

/// How much a pipe can hold: what was written ahead of a message is at most this.
const PIPE_BYTES: usize = 64 << 10;

/// How long text waits that may be the beginning of a block of rich output.
const BLOCK_PATIENCE: Duration = Duration::from_millis(50);

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

/// How long the system may take to end a process that it was told to end: one that waits for a disk or a network ends
/// later.
const AFTER_KILL: Duration = Duration::from_secs(5);

/// How long a host may take to drop its variables and end; it has 1.5 s for that itself.
const LAST_DROPS: Duration = Duration::from_secs(2);

/// A running host process.
#[derive(Debug)]
pub struct Host {
    child: Child,
    /// What an interrupt reaches.
    running: Option<Running>,
    reader: Reader,
    requests: Requests,
    runs: u64,
    /// Of the last run.
    interrupts: Arc<Interrupts>,
    ready: Arc<OnceLock<Ready>>,
    /// The ends of its pipes that it writes to, for the shells beside it.
    writers: [PipeWriter; 2],
    /// What shells have left behind.
    shells: Vec<Group>,
    /// Whether it was started in another folder, as that of the kernel is gone, and nobody was told.
    works_elsewhere: bool,
}

/// What a host says.
#[derive(Debug)]
pub(super) struct Streams {
    control: Messages,
    stdout: Text,
    stderr: Text,
    /// What was read while no cell ran and nobody has taken yet.
    pending: VecDeque<Event>,
}

/// A shell that runs beside a host; one that is dropped ends.
#[derive(Debug)]
pub struct Shell {
    child: Child,
    group: Group,
}

/// What is waited for while the streams are read.
enum Until<'a> {
    /// The end of this run.
    Done(u64),
    /// The end of a shell.
    Exit(&'a mut Child),
}

/// What has come of it.
enum Came {
    Done(Box<Done>),
    Exit(ExitStatus),
    /// The host is gone.
    Closed,
}

/// What a host is to run; see [`Run`].
#[derive(Debug, Default)]
pub struct ToRun {
    /// The cell's shared library, if there is a cell.
    pub library: Option<std::path::PathBuf>,
    /// The function in it, if it has one.
    pub symbol: Option<String>,
    /// Whether the frontend may be asked.
    pub allow_stdin: bool,
    /// Variables to drop first.
    pub forget: Vec<String>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The cell ended by itself.
    Done(Box<Done>),
    /// The process ended with the cell.
    Died(ExitStatus),
}

impl Host {
    /// Starts a host in these surroundings; it loads libtorch while this returns.
    pub fn start(runtime: &Runtime, surroundings: &Surroundings) -> anyhow::Result<Self> {
        Self::start_process(runtime, surroundings).context("cannot start the process that runs the cells")
    }

    fn start_process(runtime: &Runtime, surroundings: &Surroundings) -> anyhow::Result<Self> {
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
        if let Some(own) = runtime.recipe.apart() {
            // Downloads of cells go where all that sessions write goes.
            command.env("OXTORCH_CACHE", own.root());
        }
        // Some variables are read as libtorch loads, so they are there from the start.
        set_variables(&mut command, surroundings);
        let (stdout, stdout_writer) = io::pipe()?;
        let (stderr, stderr_writer) = io::pipe()?;
        // An interrupt that comes while it loads libtorch is for the cell, which hears of it over the socket.
        signals::ignore_from_start(command.as_std_mut(), &[libc::SIGINT]);
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
            stdout: Text::with_rich_output(stdout.into(), Stream::Stdout)?,
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
            interrupts: Arc::default(),
            ready: Arc::default(),
            writers: [stdout_writer, stderr_writer],
            shells: Vec::new(),
            works_elsewhere: works_elsewhere && surroundings.dir.is_none(),
        };
        if surroundings.dir.is_some() {
            host.surround(surroundings);
        }
        Ok(host)
    }

    /// Has the next cells run in these surroundings.
    pub fn surround(&self, surroundings: &Surroundings) {
        // A host that is gone is noticed where its messages are read.
        let _ = self.requests.send(&ToHost::Surroundings(surroundings.clone()));
    }

    /// Whether its folder is not the kernel's, as that one is gone; says so once.
    pub fn works_elsewhere(&mut self) -> bool {
        std::mem::take(&mut self.works_elsewhere)
    }

    /// Its process id, while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_alive(&mut self) -> bool {
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        let is_alive = self.leader().is_some_and(|pid| matches!(waitid(WaitId::Pid(pid), ended), Ok(None)));
        if !is_alive {
            self.end_group();
        }
        is_alive
    }

    /// The process that leads the group; `None` once it has been waited for, and its number may be another's.
    fn leader(&self) -> Option<Pid> {
        self.child.id().and_then(|pid| Pid::from_raw(pid.cast_signed()))
    }

    /// Ends the host and the processes of its group.
    fn end_group(&self) {
        if let Some(leader) = self.leader() {
            // A group that is gone needs no signal.
            let _ = kill_process_group(leader, Signal::KILL);
            // A cell can make the host leave it.
            let _ = kill_process(leader, Signal::KILL);
        }
    }

    /// Waits for the end of a host that was ended.
    async fn ended(&mut self) -> io::Result<ExitStatus> {
        let ended = tokio::time::timeout(AFTER_KILL, self.child.wait()).await;
        ended.unwrap_or_else(|_| Err(io::Error::new(io::ErrorKind::TimedOut, "it does not end")))
    }

    /// What the host found at its start, once it has said so.
    pub fn ready(&self) -> Option<&Ready> {
        self.ready.get()
    }

    /// A handle that interrupts the next run.
    pub fn next_run_interrupter(&mut self) -> RunInterrupter {
        self.interrupts = Arc::default();
        RunInterrupter {
            running: self.running.clone(),
            request: Some((self.requests.clone(), self.runs + 1)),
            interrupts: Arc::clone(&self.interrupts),
        }
    }

    /// Whether the last run was interrupted, be it that its cell had ended by then.
    pub fn was_interrupted(&self) -> bool {
        self.interrupts.any()
    }

    /// Whether an interrupt has ended the processes of the last run.
    pub fn was_ended(&self) -> bool {
        self.interrupts.ended()
    }

    /// Drops variables from the store.
    pub fn forget(&self, names: Vec<String>) {
        // A host that is gone has dropped them already.
        let _ = self.requests.send(&ToHost::Forget { names });
    }

    /// Reads what the host says while no cell runs. Where nobody takes that, it waits for the next cell.
    pub fn read_between(&mut self, aside: Option<&BetweenCells>) {
        if let Some(aside) = aside {
            self.reader.begin(aside.clone(), self.requests.clone(), Arc::clone(&self.ready));
        }
    }

    /// Runs a cell to its end, or does no more than to forget variables. `rewrite` sees text before the user does.
    pub async fn run(
        &mut self,
        ToRun { library, symbol, allow_stdin, forget }: ToRun,
        events: &mpsc::Sender<Event>,
        rewrite: &Rewrite<'_>,
    ) -> io::Result<Ended> {
        self.runs += 1;
        let run = Run { id: self.runs, library, symbol, allow_stdin, forget };
        self.begin_reading(events).await?;
        let mut sent = self.requests.send(&ToHost::Run(run));
        if self.was_interrupted() {
            // The host has no use for an interrupt that comes ahead of its run.
            sent = sent.and_then(|()| self.requests.send(&ToHost::Interrupt { id: self.runs }));
        }
        if sent.is_err() {
            return self.died(events, rewrite).await;
        }
        match self.read(Until::Done(self.runs), allow_stdin, events, rewrite).await {
            Ok(Came::Done(mut done)) => {
                // A process that the cell waited for may be ended sooner than the host hears of it: that is no failure
                // of the cell's.
                if self.was_interrupted() && matches!(done.outcome, Outcome::Failed { .. } | Outcome::Panicked { .. }) {
                    done.outcome = Outcome::Interrupted;
                }
                Ok(Ended::Done(done))
            }
            Ok(Came::Closed | Came::Exit(_)) => self.died(events, rewrite).await,
            Err(error) => {
                // What it has printed is the cell's, whatever came behind it.
                let _ = self.died(events, rewrite).await;
                Err(error)
            }
        }
    }

    /// Starts a shell beside the host. What it prints, and what it leaves running prints later, is read as what the
    /// host prints.
    pub async fn start_shell(&mut self, mut command: Command, events: &mpsc::Sender<Event>) -> io::Result<Shell> {
        self.shells.retain(Group::is_in_use);
        let group = Group::start()?;
        let [stdout, stderr] = &self.writers;
        command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        command.process_group(group.id().as_raw_nonzero().get()).kill_on_drop(true);
        self.begin_reading(events).await?;
        self.interrupts = Arc::default();
        Ok(Shell { child: command.spawn()?, group })
    }

    /// A handle that interrupts a shell, with what it has started.
    pub fn shell_interrupter(&self, shell: &Shell) -> RunInterrupter {
        let running = shell.child.id().map(|pid| Running::of(pid, shell.group.id()));
        RunInterrupter { running, request: None, interrupts: Arc::clone(&self.interrupts) }
    }

    /// Waits for the end of a shell. What it leaves running ends with the host.
    pub async fn finish_shell(
        &mut self,
        Shell { mut child, group }: Shell,
        events: &mpsc::Sender<Event>,
        rewrite: &Rewrite<'_>,
    ) -> io::Result<ExitStatus> {
        let came = self.read(Until::Exit(&mut child), false, events, rewrite).await?;
        if group.is_in_use() {
            self.shells.push(group);
        }
        match came {
            Came::Exit(status) => Ok(status),
            Came::Done(_) | Came::Closed => Err(io::Error::other("its end was not waited for")),
        }
    }

    /// Takes the streams back, with what they have shown since the last run.
    async fn begin_reading(&mut self, events: &mpsc::Sender<Event>) -> io::Result<()> {
        let streams = self.reader.end().await?;
        for event in streams.pending.drain(..) {
            send(events, event).await;
        }
        streams.stdout.begin_cell();
        Ok(())
    }

    /// Turns what the streams say into events until something has ended, and all that was said before then.
    async fn read(
        &mut self,
        mut until: Until<'_>,
        allow_stdin: bool,
        events: &mpsc::Sender<Event>,
        rewrite: &Rewrite<'_>,
    ) -> io::Result<Came> {
        let streams = self.reader.end().await?;
        let mut answer: Option<oneshot::Receiver<Option<String>>> = None;
        let mut is_open = true;
        loop {
            // What prints without end keeps none of the others waiting: they take what was printed before them.
            let came = tokio::select! {
                biased;
                () = self.interrupts.to_tell() => {
                    send(events, Event::StillRuns(until.warning().to_owned())).await;
                    continue;
                }
                message = streams.control.next(), if is_open => {
                    let message = match (message, &until) {
                        (Ok(Some(message)), _) => message,
                        (Err(error), Until::Done(_)) if error.kind() == io::ErrorKind::InvalidData => return Err(error),
                        (Ok(None) | Err(_), Until::Done(_)) => return Ok(Came::Closed),
                        // The cell that comes next hears of it.
                        (Ok(None) | Err(_), Until::Exit(_)) => {
                            is_open = false;
                            continue;
                        }
                    };
                    streams.stdout.drain(events, rewrite).await?;
                    streams.stderr.drain(events, rewrite).await?;
                    match message {
                        FromHost::Ready(ready) => drop(self.ready.set(ready)),
                        FromHost::Display(display) => {
                            streams.flush(events).await;
                            send(events, Event::Display(rewritten(display, rewrite))).await;
                            let _ = self.requests.send(&ToHost::Shown);
                        }
                        FromHost::ClearOutput { wait } => {
                            streams.flush(events).await;
                            send(events, Event::ClearOutput { wait }).await;
                            let _ = self.requests.send(&ToHost::Shown);
                        }
                        FromHost::Note { text } => {
                            streams.flush(events).await;
                            send(events, Event::Note(text)).await;
                        }
                        FromHost::Input { .. } if !allow_stdin => {
                            let _ = self.requests.send(&ToHost::Input { value: None });
                        }
                        FromHost::Input { prompt, password } => {
                            streams.stdout.let_go(events).await;
                            let (reply, receiver) = oneshot::channel();
                            answer = Some(receiver);
                            send(events, Event::Input { prompt, password, reply }).await;
                        }
                        FromHost::Done(done) => {
                            // That of another run would be taken for this one's, and all that follow for the one
                            // before.
                            if matches!(until, Until::Done(run) if run == done.run) {
                                streams.flush(events).await;
                                return Ok(Came::Done(done));
                            }
                        }
                    }
                    continue;
                }
                value = async { answer.as_mut().expect("guarded by the condition").await }, if answer.is_some() => {
                    answer = None;
                    let _ = self.requests.send(&ToHost::Input { value: value.ok().flatten() });
                    continue;
                }
                status = until.exit() => Came::Exit(status?),
                result = streams.stdout.pipe.readable(), if !streams.stdout.closed => {
                    result?;
                    streams.stdout.forward(events, rewrite).await?;
                    continue;
                }
                result = streams.stderr.pipe.readable(), if !streams.stderr.closed => {
                    result?;
                    streams.stderr.forward(events, rewrite).await?;
                    continue;
                }
                () = tokio::time::sleep(BLOCK_PATIENCE), if streams.stdout.waits() => {
                    streams.stdout.let_go(events).await;
                    continue;
                }
            };
            // What a shell has left running may print for ever; what is there now is the command's.
            streams.stdout.drain(events, rewrite).await?;
            streams.stderr.drain(events, rewrite).await?;
            streams.flush(events).await;
            return Ok(came);
        }
    }

    async fn died(&mut self, events: &mpsc::Sender<Event>, rewrite: &Rewrite<'_>) -> io::Result<Ended> {
        self.end_group();
        let status = self.ended().await?;
        let streams = self.reader.end().await?;
        streams.stdout.drain(events, rewrite).await?;
        streams.stderr.drain(events, rewrite).await?;
        streams.flush(events).await;
        Ok(Ended::Died(status))
    }

    /// Ends the process, with what it has started. One that has run cells drops its variables first, so that what they
    /// write at their end is written; by force when that takes long. What it shows meanwhile goes `aside`.
    pub async fn shutdown(mut self, aside: Option<&BetweenCells>) {
        let mut others = Processes::default();
        if self.runs > 0 {
            others = self.child.id().map(processes::descendants).unwrap_or_default();
            // A task that reads already shows what it reads elsewhere.
            let _ = self.reader.end().await;
            self.reader.begin(aside.cloned().unwrap_or_default(), self.requests.clone(), Arc::clone(&self.ready));
            let _ = self.requests.send(&ToHost::Shutdown);
            let _ = tokio::time::timeout(LAST_DROPS, self.reader.until_closed()).await;
        }
        // The leader is not waited for yet, so the group is ours.
        self.end_group();
        self.shells.clear();
        others.end();
        let _ = self.ended().await;
    }
}

impl Drop for Host {
    /// Where nobody has ended it, such as in a task that was aborted.
    fn drop(&mut self) {
        self.end_group();
    }
}

impl Streams {
    /// Sends what either pipe held back.
    async fn flush(&mut self, events: &mpsc::Sender<Event>) {
        self.stdout.flush(events).await;
        self.stderr.flush(events).await;
    }
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

impl Until<'_> {
    /// Waits for the end of the shell; for ever where none runs.
    async fn exit(&mut self) -> io::Result<ExitStatus> {
        match self {
            Self::Exit(child) => child.wait().await,
            Self::Done(_) => std::future::pending().await,
        }
    }

    /// What the next interrupt does, for a user whose interrupts have had no effect yet.
    fn warning(&self) -> &'static str {
        match self {
            Self::Done(_) => {
                "The cell has not reached a point where it can be interrupted: it may be inside one long call. Interrupt again \
                 to end its process; all variables are lost then.\n"
            }
            Self::Exit(_) => {
                "The command has not ended yet. Interrupt again to end it, with what it has started; all variables stay.\n"
            }
        }
    }
}

async fn send(events: &mpsc::Sender<Event>, event: Event) {
    // A front that no longer listens has asked for the cell to run all the same.
    let _ = events.send(event).await;
}
