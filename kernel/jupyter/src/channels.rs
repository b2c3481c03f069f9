//! What goes through the sockets of a connection file: requests and replies, questions, all that a frontend shows.

pub(crate) mod heartbeat;
pub(crate) mod iopub;
pub(crate) mod shell;
pub(crate) mod stdin;
mod subscribers;
