//! The host process as the kernel sees it: starts it, has it run cells, and turns what it says into events.
//!
//! Text comes over two pipes and everything else over the control socket. The host flushes before it sends a message,
//! and this side empties the pipes before it acts on one, so events keep the order in which the user's code made them.
//!
//! Both are read at all times: by the run of a cell, and between two cells by a task of its own (`between`).
//!
//! The host leads a process group, and the processes that its cells start are in it. An interrupt reaches the whole
//! group, and no process of it outlives the host. What the user's shell commands start is in groups of its own
//! (`shell_group`). It writes to the same pipes, and does not outlive the host either.

pub(crate) mod between;
mod confinement;
pub(crate) mod exit_reason;
pub(crate) mod interrupts;
pub(crate) mod messages;
pub(crate) mod rewrite;
pub(crate) mod rich_output;
pub(crate) mod shell_group;
pub(crate) mod standby;
mod start;
pub(crate) mod text;

use std::collections::VecDeque;
use std::io::{self, PipeWriter};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use oxtorch_protocol::{Done, FromHost, Outcome, Ready, Run, Surroundings, ToHost};
use oxtorch_session::Event;
use oxtorch_system::processes::{self, Processes};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, kill_process_group, waitid};
use tokio::process::{Child, Command};
use tokio::sync::oneshot;

pub use crate::host::between::BetweenCells;
use crate::host::between::Reader;
pub use crate::host::confinement::Confinement;
pub use crate::host::interrupts::RunInterrupter;
use crate::host::interrupts::{Interrupts, Running};
use crate::host::messages::{Messages, Requests};
pub use crate::host::rewrite::{Outlet, Rewritten};
use crate::host::rewrite::{Rewrite, rewritten};
use crate::host::shell_group::Group;
#[cfg(feature = "evcxr")]
pub(crate) use crate::host::start::name_libraries;
pub use crate::host::start::{name_own_place, set_variables};
use crate::host::text::Text;

/// How much a pipe can hold: what was written ahead of a message is at most this.
const PIPE_BYTES: usize = 64 << 10;

/// How long text waits that may be the beginning of a block of rich output.
const BLOCK_PATIENCE: Duration = Duration::from_millis(50);

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
    /// The key of the test that runs.
    test: Option<String>,
    /// What shells are confined by, as the host is.
    confinement: Option<Confinement>,
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

/// How a run ended.
#[derive(Debug)]
pub enum Ended {
    /// The cell ended by itself.
    Done(Box<Done>),
    /// The process ended with the cell.
    Died(ExitStatus),
}

impl Host {
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

    /// Runs a cell to its end, or does no more than to forget variables. The run gets its number here.
    pub async fn run(&mut self, mut run: Run, outlet: Outlet<'_>) -> io::Result<Ended> {
        self.runs += 1;
        run.id = self.runs;
        let allow_stdin = run.allow_stdin;
        self.test = run.test.clone();
        self.begin_reading(outlet).await?;
        let mut sent = self.requests.send(&ToHost::Run(run));
        if self.was_interrupted() {
            // The host has no use for an interrupt that comes ahead of its run.
            sent = sent.and_then(|()| self.requests.send(&ToHost::Interrupt { id: self.runs }));
        }
        if sent.is_err() {
            return self.died(outlet).await;
        }
        match self.read(Until::Done(self.runs), allow_stdin, outlet).await {
            Ok(Came::Done(mut done)) => {
                // A process that the cell waited for may be ended sooner than the host hears of it: that is no failure
                // of the cell's.
                if self.was_interrupted() && matches!(done.outcome, Outcome::Failed { .. } | Outcome::Panicked { .. }) {
                    done.outcome = Outcome::Interrupted;
                }
                Ok(Ended::Done(done))
            }
            Ok(Came::Closed | Came::Exit(_)) => self.died(outlet).await,
            Err(error) => {
                // What it has printed is the cell's, whatever came behind it.
                let _ = self.died(outlet).await;
                Err(error)
            }
        }
    }

    /// Starts a shell beside the host. What it prints, and what it leaves running prints later, is read as what the
    /// host prints.
    pub async fn start_shell(&mut self, mut command: Command, outlet: Outlet<'_>) -> io::Result<Shell> {
        self.shells.retain(Group::is_in_use);
        let group = Group::start()?;
        let [stdout, stderr] = &self.writers;
        command.stdin(Stdio::null()).stdout(stdout.try_clone()?).stderr(stderr.try_clone()?);
        if let Some(confinement) = &self.confinement {
            confinement.confine(&mut command);
        }
        command.process_group(group.id().as_raw_nonzero().get()).kill_on_drop(true);
        self.begin_reading(outlet).await?;
        self.interrupts = Arc::default();
        Ok(Shell { child: command.spawn()?, group })
    }

    /// A handle that interrupts a shell, with what it has started.
    pub fn shell_interrupter(&self, shell: &Shell) -> RunInterrupter {
        let running = shell.child.id().map(|pid| Running::of(pid, shell.group.id()));
        RunInterrupter { running, request: None, interrupts: Arc::clone(&self.interrupts) }
    }

    /// Waits for the end of a shell. What it leaves running ends with the host.
    pub async fn finish_shell(&mut self, shell: Shell, outlet: Outlet<'_>) -> io::Result<ExitStatus> {
        let Shell { mut child, group } = shell;
        let came = self.read(Until::Exit(&mut child), false, outlet).await?;
        if group.is_in_use() {
            self.shells.push(group);
        }
        match came {
            Came::Exit(status) => Ok(status),
            Came::Done(_) | Came::Closed => Err(io::Error::other("its end was not waited for")),
        }
    }

    /// Takes the streams back, with what they have shown since the last run.
    async fn begin_reading(&mut self, outlet: Outlet<'_>) -> io::Result<()> {
        let streams = self.reader.end().await?;
        outlet.show(streams.pending.drain(..)).await;
        streams.stdout.begin_cell();
        Ok(())
    }

    /// Turns what the streams say into events until something has ended, and all that was said before then.
    async fn read(&mut self, mut until: Until<'_>, allow_stdin: bool, outlet: Outlet<'_>) -> io::Result<Came> {
        let rewrite = outlet.rewrite;
        let streams = self.reader.end().await?;
        let mut answer: Option<oneshot::Receiver<Option<String>>> = None;
        let mut is_open = true;
        loop {
            // What prints without end keeps none of the others waiting: they take what was printed before them.
            let came = tokio::select! {
                biased;
                () = self.interrupts.to_tell() => {
                    outlet.show([Event::StillRuns(until.warning().to_owned())]).await;
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
                    outlet.show(streams.read_all(rewrite)?).await;
                    match message {
                        FromHost::Ready(ready) => drop(self.ready.set(ready)),
                        FromHost::Display(display) => {
                            outlet.show(streams.take_held()).await;
                            outlet.show([Event::Display(rewritten(display, rewrite))]).await;
                            let _ = self.requests.send(&ToHost::Shown);
                        }
                        FromHost::ClearOutput { wait } => {
                            outlet.show(streams.take_held()).await;
                            outlet.show([Event::ClearOutput { wait }]).await;
                            let _ = self.requests.send(&ToHost::Shown);
                        }
                        FromHost::Comm(comm) => {
                            outlet.show(streams.take_held()).await;
                            outlet.show([Event::Comm(comm)]).await;
                            let _ = self.requests.send(&ToHost::Shown);
                        }
                        FromHost::Note { text } => {
                            outlet.show(streams.take_held()).await;
                            outlet.show([Event::Note(text)]).await;
                        }
                        // Without the key it is somebody else who speaks for the test.
                        FromHost::Mark(mark) => {
                            if self.test.as_ref() == Some(&mark.key) {
                                outlet.show([Event::Mark(mark.told)]).await;
                            }
                        }
                        FromHost::Input { .. } if !allow_stdin => {
                            let _ = self.requests.send(&ToHost::Input { value: None });
                        }
                        FromHost::Input { prompt, password } => {
                            outlet.show(streams.stdout.take_begun()).await;
                            let (reply, receiver) = oneshot::channel();
                            answer = Some(receiver);
                            outlet.show([Event::Input { prompt, password, reply }]).await;
                        }
                        FromHost::Done(done) => {
                            // That of another run would be taken for this one's, and all that follow for the one
                            // before.
                            if matches!(until, Until::Done(run) if run == done.run) {
                                outlet.show(streams.take_held()).await;
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
                shown = streams.stdout.next(rewrite), if !streams.stdout.closed => {
                    outlet.show(shown?).await;
                    continue;
                }
                shown = streams.stderr.next(rewrite), if !streams.stderr.closed => {
                    outlet.show(shown?).await;
                    continue;
                }
                () = tokio::time::sleep(BLOCK_PATIENCE), if streams.stdout.waits() => {
                    outlet.show(streams.stdout.take_begun()).await;
                    continue;
                }
            };
            // What a shell has left running may print for ever; what is there now is the command's.
            outlet.show(streams.take_all(rewrite)?).await;
            return Ok(came);
        }
    }

    async fn died(&mut self, outlet: Outlet<'_>) -> io::Result<Ended> {
        self.end_group();
        let status = self.ended().await?;
        outlet.show(self.reader.end().await?.take_all(outlet.rewrite)?).await;
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
    /// What was printed before now.
    fn read_all(&mut self, rewrite: &Rewrite<'_>) -> io::Result<Vec<Event>> {
        let mut events = self.stdout.read_all(rewrite)?;
        match self.stderr.read_all(rewrite) {
            Ok(more) => events.extend(more),
            Err(error) if events.is_empty() => return Err(error),
            // What has been read is shown first; the next read says the same again.
            Err(_) => {}
        }
        Ok(events)
    }

    /// What either pipe held back.
    fn take_held(&mut self) -> Vec<Event> {
        let mut events = self.stdout.take_held();
        events.extend(self.stderr.take_held());
        events
    }

    /// What was printed before now, and what was held back of it.
    fn take_all(&mut self, rewrite: &Rewrite<'_>) -> io::Result<Vec<Event>> {
        let mut events = self.read_all(rewrite)?;
        events.extend(self.take_held());
        Ok(events)
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
