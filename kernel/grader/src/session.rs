//! The session in the sandbox: runs the cells that the grader names, and says what became of each.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use oxtorch_engine::{Cache, Confinement, NativeEngine};
use oxtorch_notebook::{Limits, Step, Stepwise};
use oxtorch_protocol::{read_message, write_message};
use oxtorch_session::{Author as CellAuthor, CellRequest, Engine, ErrorKind};
use serde_json::json;

use crate::crates;
use crate::messages::{Author, Begin, FromSession, Ran, RunCell, Said, ToSession};
use crate::sandbox::{self, system_calls};

/// What a session keeps of compiled cells, in bytes: more than any notebook has.
const CACHE_BYTES: u64 = 1 << 30;

/// Runs cells until the grader has no more of them. The grader is on stdin.
///
/// # Errors
///
/// Where stdin is no socket, or the grader is gone.
pub async fn serve() -> anyhow::Result<()> {
    keep_to_itself();
    let socket = control_socket().context("a session is started by `oxtorch grade`, with a socket as stdin")?;
    let mut reading = BufReader::new(socket.try_clone()?);
    let Some(ToSession::Begin(begin)) = next(&mut reading)? else { anyhow::bail!("the grader has said nothing") };
    let secret = begin.secret.clone();
    let say = |said| write_message(&mut &socket, &FromSession { secret: secret.clone(), said });
    let crates = begin.crates.clone();
    let mut session = match start(*begin).await {
        Ok(session) => session,
        Err(error) => return Ok(say(Said::Failed { why: format!("{error:#}") })?),
    };
    say(Said::Ready)?;
    while let Some(message) = next(&mut reading)? {
        let ToSession::Run(cell) = message else { anyhow::bail!("a session begins once") };
        if let Some(line) = crates::refused(&cell, &crates) {
            say(refused(line, session.engine().names()))?;
            continue;
        }
        let Some(said) = run(&mut session, &cell).await else {
            // Whoever ends this ends the grader too, or wants to be taken for that: nothing is said of the cell.
            anyhow::bail!("a signal has ended the session");
        };
        say(said)?;
    }
    session.end().await;
    Ok(())
}

/// What became of a cell that asks for a crate which it cannot have.
fn refused(line: &str, names: BTreeSet<String>) -> Said {
    let kind = ErrorKind::Refused.name();
    let told = format!("`{line}`: this homework can use the crates that its master asks for, and no others");
    let traceback = [format!("{kind}: {told}")];
    let output = json!({"output_type": "error", "ename": kind, "evalue": told, "traceback": traceback});
    let error = Some((kind.to_owned(), told));
    Said::Ran(Box::new(Ran { error, names, outputs: vec![output], ..Ran::default() }))
}

/// The next message. Nothing else happens between two cells, but for what reads the output of threads.
fn next(from: &mut BufReader<UnixStream>) -> io::Result<Option<ToSession>> {
    tokio::task::block_in_place(|| read_message(from))
}

/// No other process may look into this one or stop it to do so, and no file has what is in its memory.
fn keep_to_itself() {
    // SAFETY: a setting of this process.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0) };
}

/// The socket, with nothing in its place for what this process starts.
fn control_socket() -> io::Result<UnixStream> {
    let stdin = io::stdin();
    let socket = UnixStream::from(stdin.as_fd().try_clone_to_owned()?);
    // Fails for anything but a socket.
    socket.local_addr()?;
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    Ok(socket)
}

async fn start(begin: Begin) -> anyhow::Result<Stepwise<NativeEngine>> {
    let Begin { runtime, places, output_limit, is_confined, network, .. } = begin;
    if is_confined {
        system_calls::refuse(network).context("cannot refuse system calls")?;
    }
    let cells = places.own.join(sandbox::CELLS);
    let sources = places.own.join("sources");
    for folder in [&places.work, &places.own, &cells, &sources] {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    if let Some(files) = &places.files {
        copy_files(files, &places.work).context("cannot copy the files that came with the notebook")?;
    }
    if let Some(data) = &places.data {
        let beside = places.work.join(data.file_name().unwrap_or_default());
        fs::create_dir_all(&beside)?;
        copy_files(data, &beside).with_context(|| format!("cannot copy {}", data.display()))?;
    }
    std::env::set_current_dir(&places.work).context("cannot work in the student's folder")?;
    // No cell that is confined can open it.
    let cache = Cache::new(places.cache.clone(), CACHE_BYTES);
    let confinement = if is_confined {
        let rules = sandbox::rules_of_cells(&runtime, &places, network).ready().context("cannot confine cells")?;
        // SAFETY: it makes two system calls.
        Some((unsafe { Confinement::new(move || rules.put_on()) }, sources))
    } else {
        None
    };
    let engine = NativeEngine::start_confined(runtime, cells, cache, confinement).await?;
    Stepwise::new(engine, output_limit)
}

/// Copies files and folders. What is neither, such as a link, is left out: nobody knows where it leads.
fn copy_files(from: &Path, to: &Path) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (entry.file_type()?, to.join(entry.file_name()));
        if kind.is_dir() {
            fs::create_dir_all(&target)?;
            copy_files(&entry.path(), &target)?;
        } else if kind.is_file() {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// Runs a cell; nothing where a signal has ended it.
async fn run(session: &mut Stepwise<NativeEngine>, cell: &RunCell) -> Option<Said> {
    if !cell.anyway && !session.engine().keeps_variables() {
        return Some(Said::Lost);
    }
    let author = match cell.author {
        Author::Master => CellAuthor::User,
        Author::Student => CellAuthor::Student(&cell.names),
        Author::Teacher => CellAuthor::Teacher(&cell.names),
        Author::Test => CellAuthor::Test(&cell.names),
    };
    let request = CellRequest { author, ..CellRequest::new(&cell.code, cell.number) };
    let timeout = Duration::try_from_secs_f64(cell.timeout).ok();
    let step = session.run(request, Limits { timeout, ends_at_output_limit: true }).await;
    let names = session.engine().names();
    let has_ended_process = !session.engine().keeps_variables();
    let Step { error, outputs, marks, took, is_last, is_interrupted } = step;
    let ran = Ran {
        error: error.map(|error| (error.kind.name().to_owned(), error.evalue)),
        outputs: outputs.iter().map(|output| serde_json::to_value(output).unwrap_or_default()).collect(),
        marks,
        seconds: took.as_secs_f64(),
        names,
        has_ended_process,
        is_last,
    };
    (!is_interrupted).then(|| Said::Ran(Box::new(ran)))
}
