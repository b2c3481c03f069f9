//! The shell socket: reads requests into a queue as they come, so that a failed cell can abort those behind it, and
//! sends the replies.

use std::sync::Arc;

use jupyter_protocol::JupyterMessage;
use tokio::sync::mpsc;
use zeromq::RouterSocket;

use super::wire::{Wire, log};

/// Moves messages both ways until the other ends are gone.
pub(super) async fn serve(
    socket: RouterSocket,
    wire: Arc<Wire>,
    requests: mpsc::UnboundedSender<JupyterMessage>,
    mut replies: mpsc::UnboundedReceiver<JupyterMessage>,
) {
    let (mut sending, mut receiving) = socket.split();
    let read = async {
        loop {
            if requests.send(wire.receive(&mut receiving, "shell").await).is_err() {
                return;
            }
        }
    };
    let write = async {
        while let Some(reply) = replies.recv().await {
            // A frontend that has gone cannot be replied to.
            if let Err(error) = wire.send(&mut sending, reply).await {
                log(format_args!("shell: cannot reply: {error}"));
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
    }
}
