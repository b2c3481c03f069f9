//! Turns what arrives on a socket into messages, and what a socket must not stop at into a line in the log.

use std::time::Duration;

use jupyter_protocol::{Header, JupyterMessage, JupyterMessageContent, UnknownMessage};
use jupyter_zmq_client::{Connection, RawMessage};
use zeromq::SocketRecv;

/// The version of the messaging protocol that this kernel speaks; 5.4 brought `iopub_welcome`.
pub(super) const PROTOCOL_VERSION: &str = "5.4";

/// A socket that fails without a message would fail again at once; this keeps such a loop from taking a whole core.
const PAUSE_AFTER_SOCKET_ERROR: Duration = Duration::from_millis(100);

/// Waits for the next message that is signed and well formed. What is not is dropped with a line in the log: anybody
/// can connect to a port, so nothing that comes in may end the kernel.
///
/// Content that does not fit its type becomes an [`UnknownMessage`] of that type, so that a request with a missing
/// field gets an error as its reply instead of silence.
pub(super) async fn receive<S: SocketRecv>(connection: &mut Connection<S>, channel: &str) -> JupyterMessage {
    loop {
        let multipart = match connection.socket.recv().await {
            Ok(multipart) => multipart,
            Err(error) => {
                log(format_args!("{channel}: {error}"));
                tokio::time::sleep(PAUSE_AFTER_SOCKET_ERROR).await;
                continue;
            }
        };
        let read = RawMessage::from_multipart(multipart, &connection.mac).map_err(|error| match error {
            // The error itself has no text.
            jupyter_zmq_client::RuntimeError::VerifyError(_) => "the signature is wrong".to_string(),
            error => error.to_string(),
        });
        match read.and_then(|raw| parse(raw).map_err(|error| error.to_string())) {
            Ok(message) => return message,
            Err(error) => log(format_args!("{channel}: dropped a message: {error}")),
        }
    }
}

fn parse(raw: RawMessage) -> serde_json::Result<JupyterMessage> {
    // `RawMessage` holds at least these four, or it would not have come to be.
    let [header, parent_header, metadata, content, ..] = raw.jparts.as_slice() else {
        return Err(serde::de::Error::custom("a message has four parts"));
    };
    let header: Header = serde_json::from_slice(header)?;
    let content: serde_json::Value = serde_json::from_slice(content)?;
    let metadata = serde_json::from_slice(metadata)?;
    let content =
        JupyterMessageContent::from_type_and_content(&header.msg_type, content.clone()).unwrap_or_else(|_| {
            JupyterMessageContent::UnknownMessage(UnknownMessage { msg_type: header.msg_type.clone(), content })
        });
    Ok(JupyterMessage {
        zmq_identities: raw.zmq_identities,
        header,
        // No parent is written as `{}`.
        parent_header: serde_json::from_slice(parent_header).ok(),
        metadata,
        content,
        buffers: raw.jparts[4..].to_vec(),
        channel: None,
    })
}

/// A message from this kernel about, or in reply to, `parent`; it carries the identities to route a reply by.
pub(super) fn message(content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) -> JupyterMessage {
    let mut message = JupyterMessage::new(content, parent);
    message.header.username = "oxtorch".into();
    message.header.version = PROTOCOL_VERSION.into();
    message
}

/// Writes a line for whoever reads the server's log; a frontend shows it nowhere.
pub(super) fn log(line: std::fmt::Arguments<'_>) {
    eprintln!("oxtorch: {line}");
}
