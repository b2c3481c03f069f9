//! The control socket: what must be answered at once, also while a cell runs.

use jupyter_protocol::{
    ConnectionInfo, InterruptReply, JupyterMessage, JupyterMessageContent, ReplyStatus, ShutdownReply, ShutdownRequest,
    Status,
};
use tokio::sync::watch;

use super::interrupts::Interrupts;
use super::iopub::IoPub;
use super::log::log;
use super::router::Router;
use super::usage::Usage;
use super::{replies, wire};

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
    /// Answers requests until `ends` says so.
    pub(super) async fn serve(mut self, mut router: Router, mut ends: watch::Receiver<bool>) {
        loop {
            let request = tokio::select! {
                request = router.receive() => request,
                _ = ends.wait_for(|ends| *ends) => break,
            };
            let Some(reply) = self.answer(&request) else {
                log(format_args!("control: dropped a {}", request.header.msg_type));
                continue;
            };
            self.iopub.publish_urgent(Status::busy(), Some(&request));
            let is_last = matches!(request.content, JupyterMessageContent::ShutdownRequest(_));
            if let Err(error) = router.send(wire::message(reply.clone(), Some(&request))) {
                log(format_args!("control: cannot reply: {error}"));
            }
            if is_last {
                self.iopub.publish_urgent(reply, Some(&request));
            }
            self.iopub.publish_urgent(Status::idle(), Some(&request));
            if is_last {
                self.shutdown.send_replace(true);
            }
        }
        router.finish().await;
    }

    /// Acts on a request; `None` where it is none that this socket knows.
    fn answer(&mut self, request: &JupyterMessage) -> Option<JupyterMessageContent> {
        match &request.content {
            JupyterMessageContent::InterruptRequest(_) => {
                self.interrupts.interrupt();
                Some(InterruptReply::new().into())
            }
            JupyterMessageContent::ShutdownRequest(request) => Some(shutdown_reply(request).into()),
            JupyterMessageContent::ExecuteRequest(_) => Some(replies::on_the_wrong_channel().into()),
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
