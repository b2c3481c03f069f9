//! The shell socket: reads requests into a queue as they come, so that a failed cell can abort those behind it, and
//! sends the replies.

use jupyter_protocol::JupyterMessage;
use tokio::sync::mpsc;

use crate::log::log;
use crate::sockets::router::Router;

/// Moves messages both ways until the other ends are gone.
pub(crate) async fn serve(
    mut router: Router,
    requests: mpsc::UnboundedSender<JupyterMessage>,
    mut replies: mpsc::UnboundedReceiver<JupyterMessage>,
) {
    loop {
        tokio::select! {
            request = router.receive() => {
                // The kernel that ends takes no more, and may still reply.
                let _ = requests.send(request);
            }
            reply = replies.recv() => match reply {
                Some(reply) => {
                    if let Err(error) = router.send(reply) {
                        log(format_args!("shell: cannot reply: {error}"));
                    }
                }
                None => break,
            },
        }
    }
    router.finish().await;
}
