//! The front for Jupyter frontends: the messaging protocol over five ZeroMQ sockets.
//!
//! Read from [`serve`]: it binds the sockets and starts one task for each. Requests on `shell` queue up for `kernel`,
//! which gives cells to the engine one after the other; `cell` turns what a running cell shows into messages for
//! `iopub` and its questions into messages on `stdin`. `control` is answered beside all that.

// Whoever reads may be gone, and what is written may come from anybody: `oxtorch_system::terminal` sees to both.
#![deny(clippy::print_stderr, clippy::print_stdout)]

mod channels;
mod connection_file;
mod kernel;
pub mod kernelspec;
mod lifetime;
mod log;
mod pace;
mod sockets;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
pub use connection_file::ConnectionFileError;
use oxtorch_session::Engine;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use self::channels::{heartbeat, iopub, shell, stdin};
use self::kernel::cell::Frontend;
use self::kernel::comms::Comms;
use self::kernel::control::Control;
use self::kernel::history::History;
use self::kernel::interrupts::Interrupts;
use self::kernel::replies::CommonReplies;
use self::kernel::startup::Startup;
use self::log::log;
use self::sockets::link::Rooms;
use self::sockets::listener::{self, Listener};
use self::sockets::router::Router;

/// How long the engine and the last messages may take at the end. A frontend that restarts the kernel waits for this;
/// Jupyter's own for 2.5 s, before it ends the kernel by force.
const END: Duration = Duration::from_millis(2300);

/// The socket library hands replies to a task of its own and does not tell when they are written; this is for them.
const LAST_REPLY: Duration = Duration::from_millis(50);

/// Serves a frontend until it ends the kernel, it dies, or SIGTERM comes.
///
/// The sockets answer at once; `start` makes the engine meanwhile. Cells that wait for it show the lines of `progress`.
/// If it fails the kernel stays, and every cell says why.
/// The cells that run are kept in the folder `history`, if there is one, for later sessions; `OXTORCH_HISTORY` names
/// another, or says `off`.
///
/// # Errors
///
/// A [`ConnectionFileError`] where the connection file cannot be used; an [`std::io::Error`] where the process may have
/// too few files open.
pub async fn serve<E: Engine>(
    connection_file: &Path,
    history: Option<PathBuf>,
    progress: mpsc::UnboundedReceiver<String>,
    start: impl Future<Output = anyhow::Result<E>> + Send + 'static,
) -> anyhow::Result<()> {
    listener::check_descriptors()?;
    let (info, wire) = connection_file::read(connection_file)?;
    let wire = Arc::new(wire);
    let bound = async |channel, port, address: String| match Listener::bind(&info, channel, port).await {
        Ok(listener) => Ok(listener),
        Err(source) => {
            let (path, source) = (connection_file.to_path_buf(), source.into());
            Err(ConnectionFileError::Address { path, channel, address, source })
        }
    };
    let rooms = Rooms::default();
    let router = |listener| Router::serve(listener, wire.clone(), rooms.clone());
    let shell_router = router(bound("shell", info.shell_port, info.shell_url()).await?);
    let control_router = router(bound("control", info.control_port, info.control_url()).await?);
    let stdin_router = router(bound("stdin", info.stdin_port, info.stdin_url()).await?);
    let heartbeat_listener = bound("heartbeat", info.hb_port, info.hb_url()).await?;
    let iopub_listener = bound("iopub", info.iopub_port, info.iopub_url()).await?;

    let interrupts = Interrupts::default();
    let comms = Comms::default();
    let (shutdown, mut ended) = watch::channel(false);
    let (iopub, outgoing) = iopub::channel();
    let (stdin, questions) = stdin::channel();
    let (request_sender, requests) = mpsc::unbounded_channel();
    let (replies, reply_receiver) = mpsc::unbounded_channel();

    let control = Control {
        replies: CommonReplies::new(info.clone(), comms.clone()),
        iopub: iopub.clone(),
        interrupts: interrupts.clone(),
        shutdown: shutdown.clone(),
    };
    let kernel = kernel::Kernel {
        engine: Startup::begin(start, progress),
        requests,
        replies,
        frontend: Frontend { iopub, stdin, interrupts: interrupts.clone(), comms: comms.clone() },
        shutdown: shutdown.clone(),
        common: CommonReplies::new(info, comms),
        history: History::from_environment(history),
        queue: VecDeque::new(),
        execution_count: 1,
        last: None,
    };
    let (ends, _) = watch::channel(false);
    let heartbeat = tokio::spawn(heartbeat::serve(heartbeat_listener, rooms.clone()));
    let mut background = JoinSet::new();
    background.spawn(shell::serve(shell_router, request_sender, reply_receiver));
    background.spawn(control.serve(control_router, ends.subscribe()));
    background.spawn(stdin::serve(stdin_router, questions));
    background.spawn(iopub::serve(iopub_listener, wire, rooms, outgoing));
    let mut kernel = tokio::spawn(kernel.run());

    let reason = tokio::select! {
        _ = ended.wait_for(|ended| *ended) => Ok(()),
        () = lifetime::orphaned() => Ok(()),
        signal = lifetime::told_to_end(interrupts) => signal.context("cannot wait for signals"),
        kernel = &mut kernel => kernel.context("the kernel's own code failed"),
    };
    shutdown.send_replace(true);
    let orderly = async {
        if !kernel.is_finished() {
            let _ = (&mut kernel).await;
        }
        tokio::time::sleep(LAST_REPLY).await;
        // What is left of these has no more to send to, and ends with the last of those who could send to it.
        ends.send_replace(true);
        while background.join_next().await.is_some() {}
    };
    if tokio::time::timeout(END, orderly).await.is_err() {
        log(format_args!("shutdown took too long; not everything was sent"));
    }
    kernel.abort();
    heartbeat.abort();
    log::finish();
    reason
}
