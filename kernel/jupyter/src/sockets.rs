//! Connections with frontends, whoever they are: accepted, checked, relayed to a ZeroMQ socket.

pub(crate) mod framing;
pub(crate) mod link;
pub(crate) mod listener;
mod peers;
pub(crate) mod router;
