//! The heartbeat socket: sends back what it gets, so that a frontend sees that the kernel lives.

use std::time::Duration;

use zeromq::{RepSocket, SocketRecv, SocketSend};

use super::wire::log;

/// See `wire`: an error may come again at once.
const PAUSE_AFTER_SOCKET_ERROR: Duration = Duration::from_millis(100);

/// Echoes until the task is dropped.
pub(super) async fn serve(mut socket: RepSocket) {
    loop {
        let echoed = match socket.recv().await {
            Ok(beat) => socket.send(beat).await,
            Err(error) => Err(error),
        };
        if let Err(error) = echoed {
            log(format_args!("heartbeat: {error}"));
            tokio::time::sleep(PAUSE_AFTER_SOCKET_ERROR).await;
        }
    }
}
