//! Drives a session in a sandbox: has it run a notebook's cells, and takes what it says only as far as it can be known.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::path::PathBuf;
use std::time::Duration;

use oxtorch_protocol::LONGEST_MESSAGE;
use oxtorch_setup::Runtime;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::Instant;

use crate::messages::{Author, Begin, FromSession, Ran, RunCell, Said, ToSession};
use crate::sandbox::{self, Bounds, Running, Sandbox};

/// How much longer than its cell may run a session is waited for: it compiles, interrupts, ends a process.
const GRACE: Duration = Duration::from_secs(30);

/// How long after the end of a session it is tried again. What ends all processes of a job at once has ended this one
/// by then.
const BEFORE_NEXT_TRY: Duration = Duration::from_secs(2);

/// How often the cells before a test run again because the process that ran them has ended.
const MOST_RESTARTS: usize = 5;

/// What a notebook may take. What it is marked by depends on this, and on nothing else of how it is run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What all that it starts may take.
    pub bounds: Bounds,
    /// The longest that a cell may run.
    pub cell_timeout: Duration,
    /// The longest that a notebook may run.
    pub timeout: Duration,
    /// What is kept of a cell's outputs, in bytes.
    pub output_limit: usize,
    /// How many threads its operations use: as many at any time, so that what is computed is the same.
    pub threads: usize,
}

/// What all notebooks of a class are run with.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) sandbox: Sandbox,
    pub(crate) runtime: Runtime,
    /// This program.
    pub(crate) program: PathBuf,
    /// What the class has compiled.
    pub(crate) cache: PathBuf,
    pub(crate) limits: Limits,
    /// The lines by which a student's cell may ask for crates, and where those are.
    pub(crate) crates: (Vec<String>, Option<PathBuf>),
    /// A folder of the teacher's that stands beside each notebook.
    pub(crate) data: Option<PathBuf>,
}

/// A cell that is to be run.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub(crate) number: u32,
    pub(crate) code: String,
    pub(crate) author: Author,
    /// See [`RunCell::names`].
    pub(crate) names: BTreeSet<String>,
}

/// Why a cell was not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotRun {
    /// The time for the whole notebook was over.
    Timeout,
    /// The process that runs the cells has ended too often.
    Crashes,
    /// The session has ended: something has ended it from within.
    SessionEnded,
    /// It could not begin.
    NotStarted(String),
}

/// What became of a cell.
pub(crate) type Outcome = Result<Ran, NotRun>;

/// What became of a notebook.
#[derive(Debug, Default)]
pub(crate) struct Executed {
    /// One for each step.
    pub(crate) outcomes: Vec<Outcome>,
    /// Whether memory has run out at some time.
    pub(crate) ran_out_of_memory: bool,
}

/// Runs a notebook in a session of its own. If that has ended otherwise than by the end of a cell, once more: it may
/// have been ended together with this program, which is then not there any more to take the first for the result.
pub(crate) async fn execute(setting: &Setting, steps: &[Step], files: Option<PathBuf>) -> Executed {
    let executed = try_to_execute(setting, steps, files.clone()).await;
    if !executed.outcomes.contains(&Err(NotRun::SessionEnded)) {
        return executed;
    }
    tokio::time::sleep(BEFORE_NEXT_TRY).await;
    try_to_execute(setting, steps, files).await
}

async fn try_to_execute(setting: &Setting, steps: &[Step], files: Option<PathBuf>) -> Executed {
    let mut session = match Session::start(setting, files).await {
        Ok(session) => session,
        Err(why) => {
            return Executed { outcomes: steps.iter().map(|_| Err(why.clone())).collect(), ..Executed::default() };
        }
    };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut left_out = HashSet::new();
    let mut restarts = 0;
    for (at, step) in steps.iter().enumerate() {
        let mut said = session.run(step, Lost::IsTold).await;
        if matches!(said, Ok(Said::Lost)) {
            restarts += 1;
            said = match restarts > MOST_RESTARTS {
                true => Err(NotRun::Crashes),
                false => session.run_after(&steps[..at], &mut left_out, step).await,
            };
        }
        let outcome = match said {
            Ok(Said::Ran(ran)) => Ok(*ran),
            Ok(Said::Lost | Said::Ready | Said::Failed { .. }) => Err(NotRun::SessionEnded),
            Err(why) => Err(why),
        };
        if outcome.as_ref().is_ok_and(|ran| ran.has_ended_process) {
            left_out.insert(at);
        }
        let is_last = outcome.as_ref().map_or(true, |ran| ran.is_last);
        outcomes.push(outcome);
        if is_last {
            let why = outcomes.last().and_then(|last| last.as_ref().err()).cloned().unwrap_or(NotRun::Timeout);
            outcomes.resize_with(steps.len(), || Err(why.clone()));
            break;
        }
    }
    let ran_out_of_memory = session.running.ran_out_of_memory();
    session.running.end().await;
    Executed { outcomes, ran_out_of_memory }
}

/// What it means for a cell that the process which ran the cells before it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lost {
    /// It is not run, and the session says so.
    IsTold,
    /// It is run in a new process.
    IsNoReason,
}

struct Session {
    running: Running,
    reading: BufReader<OwnedReadHalf>,
    writing: OwnedWriteHalf,
    secret: String,
    deadline: Instant,
    cell_timeout: Duration,
}

impl Session {
    async fn start(setting: &Setting, files: Option<PathBuf>) -> Result<Self, NotRun> {
        let not_started = |error: io::Error| NotRun::NotStarted(error.to_string());
        let (ours, theirs) = StdUnixStream::pair().map_err(not_started)?;
        ours.set_nonblocking(true).map_err(not_started)?;
        let launch = sandbox::Launch {
            program: &setting.program,
            runtime: &setting.runtime,
            cache: &setting.cache,
            files: files.as_deref(),
            bounds: setting.limits.bounds,
            threads: setting.limits.threads,
            crates: setting.crates.1.as_deref(),
            data: setting.data.as_deref(),
        };
        let stdin = OwnedFd::from(theirs).into();
        let (running, places) = setting.sandbox.start(&launch, stdin).map_err(not_started)?;
        let (reading, writing) = tokio::net::UnixStream::from_std(ours).map_err(not_started)?.into_split();
        let secret = uuid::Uuid::new_v4().to_string();
        let mut session = Self {
            running,
            reading: BufReader::new(reading),
            writing,
            secret: secret.clone(),
            deadline: Instant::now() + setting.limits.timeout,
            cell_timeout: setting.limits.cell_timeout,
        };
        let begin = Begin {
            secret,
            runtime: setting.runtime.clone(),
            places,
            output_limit: setting.limits.output_limit,
            is_confined: setting.sandbox != Sandbox::None,
            network: setting.limits.bounds.network,
            crates: setting.crates.0.clone(),
        };
        let said = session.ask(&ToSession::Begin(Box::new(begin)), GRACE).await;
        match said {
            Ok(Said::Ready) => Ok(session),
            other => {
                session.running.end().await;
                Err(match other {
                    Ok(Said::Failed { why }) => NotRun::NotStarted(why),
                    Ok(_) => NotRun::SessionEnded,
                    Err(why) => why,
                })
            }
        }
    }

    async fn run(&mut self, step: &Step, lost: Lost) -> Result<Said, NotRun> {
        let cell = RunCell {
            number: step.number,
            code: step.code.clone(),
            author: step.author,
            names: step.names.clone(),
            timeout: self.cell_timeout.as_secs_f64(),
            anyway: lost == Lost::IsNoReason,
        };
        self.ask(&ToSession::Run(Box::new(cell)), self.cell_timeout + GRACE).await
    }

    /// Runs a cell in a new process: first the cells before it once more, but for tests and those that end the process.
    async fn run_after(&mut self, before: &[Step], left_out: &mut HashSet<usize>, step: &Step) -> Result<Said, NotRun> {
        for (at, step) in before.iter().enumerate() {
            if step.author == Author::Test || left_out.contains(&at) {
                continue;
            }
            if let Said::Ran(ran) = self.run(step, Lost::IsNoReason).await?
                && ran.has_ended_process
            {
                left_out.insert(at);
            }
        }
        self.run(step, Lost::IsNoReason).await
    }

    /// Says something and waits for the answer.
    async fn ask(&mut self, message: &ToSession, patience: Duration) -> Result<Said, NotRun> {
        let mut line = serde_json::to_vec(message).map_err(|error| NotRun::NotStarted(error.to_string()))?;
        line.push(b'\n');
        let until = self.deadline.min(Instant::now() + patience);
        let answer = async {
            self.writing.write_all(&line).await?;
            loop {
                let mut line = Vec::new();
                let mut bounded = (&mut self.reading).take(LONGEST_MESSAGE as u64);
                if bounded.read_until(b'\n', &mut line).await? == 0 || line.last() != Some(&b'\n') {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                // What does not know the secret is not the session.
                if let Ok(FromSession { secret, said }) = serde_json::from_slice(&line)
                    && secret == self.secret
                {
                    return io::Result::Ok(said);
                }
            }
        };
        match tokio::time::timeout_at(until, answer).await {
            Ok(Ok(said)) => Ok(said),
            Ok(Err(_)) => Err(NotRun::SessionEnded),
            Err(_) => Err(NotRun::Timeout),
        }
    }
}
