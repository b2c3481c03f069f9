//! The control socket: what must be answered at once, also while a cell runs.

use std::sync::Arc;

use jupyter_protocol::{
    ConnectionInfo, InterruptReply, JupyterMessage, JupyterMessageContent, ReplyStatus, ShutdownReply, ShutdownRequest,
    Status,
};
use tokio::sync::watch;
use zeromq::RouterSocket;

use super::interrupts::Interrupts;
use super::iopub::IoPub;
use super::replies;
use super::usage::Usage;
use super::wire::{self, Wire};

/// What the control socket acts on.
pub(super) struct Control {
    /// For `connect_request`.
    pub(super) connection: ConnectionInfo,
    /// For status, and to tell every frontend of a shutdown.
    pub(super) iopub: IoPub,
    /// For `interrupt_request`.
    pub(super) interrupts: Interrupts,
    /// For `shutdown_request`.
    pub(super) shutdown: watch::Sender<bool>,
    /// For `usage_request`.
    pub(super) usage: Usage,
}

impl Control {
    /// Answers requests until the task is dropped.
    pub(super) async fn serve(mut self, mut socket: RouterSocket, wire: Arc<Wire>) {
        loop {
            let request = wire.receive(&mut socket, "control").await;
            let Some(reply) = self.answer(&request) else {
                wire::log(format_args!("control: dropped a {}", request.header.msg_type));
                continue;
            };
            self.iopub.publish_urgent(Status::busy(), Some(&request));
            let ends = matches!(request.content, JupyterMessageContent::ShutdownRequest(_));
            if let Err(error) = wire.send(&mut socket, wire::message(reply.clone(), Some(&request))).await {
                wire::log(format_args!("control: cannot reply: {error}"));
            }
            if ends {
                self.iopub.publish_urgent(reply, Some(&request));
            }
            self.iopub.publish_urgent(Status::idle(), Some(&request));
            if ends {
                self.shutdown.send_replace(true);
            }
        }
    }

    /// Acts on a request; `None` where it is none that this socket knows.
    fn answer(&mut self, request: &JupyterMessage) -> Option<JupyterMessageContent> {
        match &request.content {
            JupyterMessageContent::InterruptRequest(_) => {
                self.interrupts.interrupt();
                Some(InterruptReply::new().into())
            }
            JupyterMessageContent::ShutdownRequest(request) => Some(shutdown_reply(request).into()),
            JupyterMessageContent::UnknownMessage(unknown) if unknown.msg_type == "usage_request" => {
                Some(self.usage.reply())
            }
            content => replies::standing(content, &self.connection).or_else(|| match content {
                JupyterMessageContent::UnknownMessage(unknown) => replies::malformed(unknown),
                _ => None,
            }),
        }
    }
}

/// The reply says whether the frontend will start the kernel again.
pub(super) fn shutdown_reply(request: &ShutdownRequest) -> ShutdownReply {
    ShutdownReply { restart: request.restart, status: ReplyStatus::Ok, error: None }
}
