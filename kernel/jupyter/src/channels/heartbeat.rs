//! The heartbeat socket: sends back what it gets, so that a frontend sees that the kernel lives.

use tokio::task::JoinSet;
use zeromq::{RepSocket, SocketRecv, SocketSend};

use crate::log::log;
use crate::sockets::framing::Limits;
use crate::sockets::link::{Link, Rooms, link};
use crate::sockets::listener::{Connection, Listener};

/// Frontends send a word.
const LIMITS: Limits = Limits { message: 64 << 10, total: u64::MAX };

/// Echoes until the task is dropped.
pub(crate) async fn serve(listener: Listener, rooms: Rooms) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            connection = listener.accept() => drop(connections.spawn(echo(connection, rooms.clone()))),
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn echo(connection: Connection, rooms: Rooms) {
    let link = link::<RepSocket>(connection, "heartbeat", LIMITS, &rooms).await;
    let Some(Link { mut socket, mut relay, .. }) = link else { return };
    loop {
        let beat = tokio::select! {
            beat = socket.recv() => beat,
            () = relay.ended() => return,
        };
        let echoed = match beat {
            Ok(beat) => socket.send(beat).await,
            Err(error) => Err(error),
        };
        if let Err(error) = echoed {
            return log(format_args!("heartbeat: {error}"));
        }
    }
}
