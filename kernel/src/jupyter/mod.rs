//! The front for Jupyter frontends: the messaging protocol over five ZeroMQ sockets.
//!
//! Read from [`serve`]: it binds the sockets and starts one task for each. Requests on `shell` queue up for `kernel`,
//! which gives cells to the session one after the other; `cell` turns what a running cell shows into messages for
//! `iopub` and its questions into messages on `stdin`. `control` is answered beside all that.

mod cell;
mod connection_file;
mod control;
mod heartbeat;
mod interrupts;
mod iopub;
mod kernel;
mod lifetime;
mod replies;
mod shell;
mod startup;
mod stdin;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use jupyter_zmq_client::RuntimeError;
use tokio::sync::{mpsc, watch};

use crate::engine::Engine;

pub(crate) use cell::media;
pub use connection_file::ConnectionFileError;
pub(crate) use replies::language_info;

/// How long the engine and the last messages may take at the end. A frontend that restarts the kernel waits for this.
const END: Duration = Duration::from_millis(700);

/// The socket library hands replies to a task of its own and does not tell when they are written; this is for them.
const LAST_REPLY: Duration = Duration::from_millis(50);

/// Serves a frontend until it ends the kernel, it dies, or SIGTERM comes.
///
/// The sockets answer at once; `start` makes the engine meanwhile. It may send lines of progress, which cells that
/// wait for the engine show. If it fails the kernel stays, and every cell says why.
///
/// # Errors
///
/// A [`ConnectionFileError`] where the connection file cannot be used.
pub async fn serve<E, F, Fut>(connection_file: &Path, start: F) -> anyhow::Result<()>
where
    E: Engine,
    F: FnOnce(mpsc::UnboundedSender<String>) -> Fut + Send + 'static,
    Fut: Future<Output = anyhow::Result<E>> + Send + 'static,
{
    let info = connection_file::read(connection_file)?;
    let bound = |channel: &'static str, address: String| {
        move |source: RuntimeError| ConnectionFileError::Address {
            path: connection_file.to_path_buf(),
            channel,
            address,
            source: source.into(),
        }
    };
    let id = uuid::Uuid::new_v4().to_string();
    let shell_socket = jupyter_zmq_client::create_kernel_shell_connection(&info, &id)
        .await
        .map_err(bound("shell", info.shell_url()))?;
    let control_socket = jupyter_zmq_client::create_kernel_control_connection(&info, &id)
        .await
        .map_err(bound("control", info.control_url()))?;
    let iopub_socket = jupyter_zmq_client::create_kernel_iopub_xpub_connection(&info, &id)
        .await
        .map_err(bound("iopub", info.iopub_url()))?;
    let stdin_socket = jupyter_zmq_client::create_kernel_stdin_connection(&info, &id)
        .await
        .map_err(bound("stdin", info.stdin_url()))?;
    let heartbeat_socket = jupyter_zmq_client::create_kernel_heartbeat_connection(&info)
        .await
        .map_err(bound("heartbeat", info.hb_url()))?;

    let interrupts = interrupts::Interrupts::default();
    let (shutdown, mut ended) = watch::channel(false);
    let (iopub, outgoing) = iopub::channel();
    let (stdin, questions) = stdin::channel();
    let (request_sender, requests) = mpsc::unbounded_channel();
    let (replies, reply_receiver) = mpsc::unbounded_channel();

    let control = control::Control {
        connection: info.clone(),
        iopub: iopub.clone(),
        interrupts: interrupts.clone(),
        shutdown: shutdown.clone(),
    };
    let kernel = kernel::Kernel {
        engine: startup::Startup::begin(start),
        requests,
        replies,
        iopub,
        stdin,
        interrupts: interrupts.clone(),
        shutdown: shutdown.clone(),
        connection: info,
        queue: VecDeque::new(),
        execution_count: 1,
    };
    let background = [
        tokio::spawn(heartbeat::serve(heartbeat_socket)),
        tokio::spawn(shell::serve(shell_socket, request_sender, reply_receiver)),
        tokio::spawn(control.serve(control_socket)),
        tokio::spawn(stdin::serve(stdin_socket, questions)),
    ];
    let mut iopub = tokio::spawn(iopub::serve(iopub_socket, outgoing));
    let mut kernel = tokio::spawn(kernel.run());

    let reason = tokio::select! {
        _ = ended.wait_for(|ended| *ended) => Ok(()),
        () = lifetime::orphaned() => Ok(()),
        signal = lifetime::terminated() => signal.context("cannot wait for SIGTERM"),
        signal = lifetime::forward_interrupts(interrupts) => signal.context("cannot wait for SIGINT"),
        kernel = &mut kernel => kernel.context("the kernel's own code failed"),
    };
    shutdown.send_replace(true);
    let orderly = async {
        if !kernel.is_finished() {
            let _ = (&mut kernel).await;
        }
        tokio::time::sleep(LAST_REPLY).await;
        // Without its senders the iopub task sends what it has and ends.
        background.iter().for_each(|task| task.abort());
        let _ = (&mut iopub).await;
    };
    if tokio::time::timeout(END, orderly).await.is_err() {
        wire::log(format_args!("the end took too long; not everything was sent"));
    }
    kernel.abort();
    iopub.abort();
    reason
}
