//! The control socket: what must be answered at once, also while a cell runs.

use jupyter_protocol::{InterruptReply, JupyterMessage, JupyterMessageContent, Status};
use tokio::sync::watch;

use crate::channels::iopub::IoPub;
use crate::kernel::interrupts::Interrupts;
use crate::kernel::replies::{self, CommonReplies};
use crate::log::log;
use crate::sockets::router::Router;
use crate::wire;

/// What the control socket acts on.
pub(crate) struct Control {
    /// For what shell takes as well.
    pub(crate) replies: CommonReplies,
    /// For status, and to tell every frontend of a shutdown.
    pub(crate) iopub: IoPub,
    /// For `interrupt_request`.
    pub(crate) interrupts: Interrupts,
    /// For `shutdown_request`.
    pub(crate) shutdown: watch::Sender<bool>,
}

impl Control {
    /// Answers requests until `ends` says so.
    pub(crate) async fn serve(mut self, mut router: Router, mut ends: watch::Receiver<bool>) {
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
            JupyterMessageContent::ExecuteRequest(_) => Some(replies::on_the_wrong_channel().into()),
            content => self.replies.to(content),
        }
    }
}
