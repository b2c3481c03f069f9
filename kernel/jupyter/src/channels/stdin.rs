//! The stdin socket: asks the frontend whose cell runs for a line of input.

use jupyter_protocol::{InputRequest, JupyterMessage, JupyterMessageContent};
use tokio::sync::{mpsc, oneshot};

use crate::log::log;
use crate::sockets::router::Router;
use crate::wire;

/// A question on its way to the user.
pub(crate) struct Question {
    message: JupyterMessage,
    answer: oneshot::Sender<String>,
}

/// The way to the stdin socket.
#[derive(Clone)]
pub(crate) struct Stdin {
    questions: mpsc::UnboundedSender<Question>,
}

/// A way to the stdin socket and its other end.
pub(crate) fn channel() -> (Stdin, mpsc::UnboundedReceiver<Question>) {
    let (questions, questions_end) = mpsc::unbounded_channel();
    (Stdin { questions }, questions_end)
}

impl Stdin {
    /// Asks the frontend that sent `parent`. The answer never comes when that frontend cannot be asked: the receiver
    /// then sees that its sender is gone. Dropping the receiver withdraws the question.
    pub(crate) fn ask(&self, prompt: String, password: bool, parent: &JupyterMessage) -> oneshot::Receiver<String> {
        let (answer, answer_end) = oneshot::channel();
        // A frontend's shell and stdin sockets have one identity, so the parent's routes this one as well.
        let message = wire::message(InputRequest { prompt, password }, Some(parent));
        let _ = self.questions.send(Question { message, answer });
        answer_end
    }
}

/// Sends questions and hands their answers back until every [`Stdin`] is gone.
pub(crate) async fn serve(mut router: Router, mut questions: mpsc::UnboundedReceiver<Question>) {
    let mut asked: Option<(String, oneshot::Sender<String>)> = None;
    loop {
        tokio::select! {
            question = questions.recv() => {
                let Some(Question { message, answer }) = question else { break };
                let id = message.header.msg_id.clone();
                asked = match router.send_soon(message).await {
                    Ok(()) => Some((id, answer)),
                    Err(error) => {
                        log(format_args!("stdin: cannot ask for input: {error}"));
                        None
                    }
                };
            }
            message = router.receive() => {
                let JupyterMessageContent::InputReply(reply) = message.content else {
                    log(format_args!("stdin: dropped a {}", message.header.msg_type));
                    continue;
                };
                // Some clients name no parent. One that names another answers a question that was withdrawn.
                let meant = |id: &String| message.parent_header.as_ref().is_none_or(|parent| parent.msg_id == *id);
                if asked.as_ref().is_some_and(|(id, _)| meant(id)) && let Some((_, answer)) = asked.take() {
                    let _ = answer.send(reply.value);
                }
            }
        }
    }
    router.finish().await;
}
