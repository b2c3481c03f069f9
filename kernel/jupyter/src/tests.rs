//! The front as a client sees it: real sockets on this machine, with a scripted engine behind them.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use jupyter_protocol::{
    CommInfoRequest, CommMsg, CommOpen, ConnectionInfo, ExecuteRequest, ExecutionState, HistoryRequest, InputReply,
    InspectRequest, InterruptRequest, IsCompleteRequest, JupyterMessage, JupyterMessageContent as Content,
    KernelInfoRequest, MediaType, ReplyStatus, ShutdownRequest, Transport, UnknownMessage,
};
use jupyter_zmq_client::{
    ClientControlConnection, ClientIoPubConnection, ClientShellConnection, ClientStdinConnection,
};
use oxtorch_testing::Scripted;
use serde_json::{Map, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use zeromq::{Socket, SocketRecv, SocketSend};

use super::*;
use crate::sockets::framing::tests::{frame, handshake};

mod lifetime;
mod peers;

/// Longer than anything here takes, so that a lost message fails a test instead of hanging it.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("comes before the test's patience ends")
}

/// What a connection file holds that names sockets in a folder.
pub(crate) fn connection_info(ip: &str, key: &str) -> ConnectionInfo {
    ConnectionInfo {
        ip: ip.into(),
        transport: Transport::IPC,
        shell_port: 1,
        iopub_port: 2,
        stdin_port: 3,
        control_port: 4,
        hb_port: 5,
        key: key.into(),
        signature_scheme: "hmac-sha256".into(),
        kernel_name: None,
    }
}

/// A kernel and a client of it.
struct Client {
    info: ConnectionInfo,
    kernel: JoinHandle<anyhow::Result<()>>,
    shell: ClientShellConnection,
    control: ClientControlConnection,
    iopub: ClientIoPubConnection,
    stdin: ClientStdinConnection,
    _folder: tempfile::TempDir,
}

impl Client {
    async fn new() -> Self {
        Self::of(|_| async { Ok(Scripted::default()) }).await
    }

    async fn of<F, Fut>(start: F) -> Self
    where
        F: FnOnce(mpsc::UnboundedSender<String>) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<Scripted>> + Send + 'static,
    {
        Self::with(start, "a key").await
    }

    async fn with<F, Fut>(start: F, key: &str) -> Self
    where
        F: FnOnce(mpsc::UnboundedSender<String>) -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<Scripted>> + Send + 'static,
    {
        // Sockets in a folder of the test's own: ports could be taken by the time that they are bound.
        let folder = tempfile::tempdir().expect("a temporary folder");
        let info = connection_info(&folder.path().join("socket").display().to_string(), key);
        let file: PathBuf = folder.path().join("kernel.json");
        std::fs::write(&file, serde_json::to_vec(&info).expect("is JSON")).expect("writes");
        let (lines, progress) = mpsc::unbounded_channel();
        let start = start(lines);
        let kernel = tokio::spawn(async move { serve(&file, None, progress, start).await });
        let session = uuid::Uuid::new_v4().to_string();
        let identity = jupyter_zmq_client::peer_identity_for_session(&session).expect("is an identity");
        let iopub = soon(jupyter_zmq_client::create_client_iopub_connection(&info, "", &session)).await;
        let shell = jupyter_zmq_client::create_client_shell_connection_with_identity;
        let stdin = jupyter_zmq_client::create_client_stdin_connection_with_identity;
        let mut client = Self {
            kernel,
            shell: soon(shell(&info, &session, identity.clone())).await.expect("connects"),
            control: soon(jupyter_zmq_client::create_client_control_connection(&info, &session))
                .await
                .expect("connects"),
            iopub: iopub.expect("connects"),
            stdin: soon(stdin(&info, &session, identity)).await.expect("connects"),
            info,
            _folder: folder,
        };
        let welcome = client.shown().await;
        assert!(matches!(welcome.content, Content::IoPubWelcome(_)), "{welcome:?}");
        client
    }

    async fn send(&mut self, content: impl Into<Content>) -> JupyterMessage {
        let request = JupyterMessage::new(content, None);
        self.shell.send(request.clone()).await.expect("sends");
        request
    }

    async fn reply(&mut self) -> JupyterMessage {
        soon(self.shell.read()).await.expect("is a good message")
    }

    async fn ask(&mut self, content: impl Into<Content>) -> Content {
        let request = self.send(content).await;
        let reply = self.reply().await;
        assert_eq!(reply.parent_header.expect("a reply has a parent").msg_id, request.header.msg_id);
        reply.content
    }

    async fn command(&mut self, content: impl Into<Content>) -> Content {
        self.control.send(JupyterMessage::new(content, None)).await.expect("sends");
        soon(self.control.read()).await.expect("is a good message").content
    }

    async fn shown(&mut self) -> JupyterMessage {
        soon(self.iopub.read()).await.expect("is a good message")
    }

    /// What iopub says about `request`, up to its idle.
    async fn shown_for(&mut self, request: &JupyterMessage) -> Vec<Content> {
        let mut shown = Vec::new();
        loop {
            let message = self.shown().await;
            if message.parent_header.is_none_or(|parent| parent.msg_id != request.header.msg_id) {
                continue;
            }
            let idle = matches!(&message.content, Content::Status(s) if s.execution_state == ExecutionState::Idle);
            shown.push(message.content);
            if idle {
                return shown;
            }
        }
    }

    async fn execute(&mut self, request: ExecuteRequest) -> (jupyter_protocol::ExecuteReply, Vec<String>) {
        let request = self.send(request).await;
        let Content::ExecuteReply(reply) = self.reply().await.content else { panic!("not an execute_reply") };
        let shown = self.shown_for(&request).await;
        (reply, shown.iter().map(describe).collect())
    }

    async fn run(&mut self, code: &str) -> (jupyter_protocol::ExecuteReply, Vec<String>) {
        self.execute(ExecuteRequest::new(code.into())).await
    }
}

/// The text of what is shown in several forms.
fn describe_media(media: &jupyter_protocol::Media) -> String {
    let plain = media.content.iter().find_map(|media| match media {
        MediaType::Plain(text) => Some(text.clone()),
        _ => None,
    });
    plain.unwrap_or_default()
}

/// A message in a line, for comparing.
fn describe(content: &Content) -> String {
    let text = describe_media;
    match content {
        Content::Status(status) => status.execution_state.as_str().into(),
        Content::ExecuteInput(input) => format!("input [{}] {}", input.execution_count, input.code),
        Content::StreamContent(stream) => format!("{:?} {:?}", stream.name, stream.text),
        Content::ExecuteResult(result) => format!("result [{}] {}", result.execution_count, text(&result.data)),
        Content::DisplayData(display) => {
            let id = display.transient.clone().and_then(|transient| transient.display_id).unwrap_or_default();
            format!("display {id} {}", text(&display.data))
        }
        Content::UpdateDisplayData(update) => {
            format!("update {} {}", update.transient.display_id.clone().unwrap_or_default(), text(&update.data))
        }
        Content::ClearOutput(clear) => format!("clear wait={}", clear.wait),
        Content::ErrorOutput(error) => format!("error {}: {}", error.ename, error.evalue),
        other => other.message_type().into(),
    }
}

#[tokio::test]
async fn a_cell_shows_its_output_in_order_between_busy_and_idle() {
    let mut client = Client::new().await;
    let (reply, shown) =
        client.run("print a\nwarn b\nnote c\ndisplay x 1\nupdate x 2\nclear wait\nimage\nresult 42").await;
    assert_eq!(reply.status, ReplyStatus::Ok);
    assert_eq!(reply.execution_count.value(), 1);
    assert!(reply.user_expressions.expect("a dictionary").is_empty());
    assert_eq!(
        shown[2..],
        [
            "Stdout \"a\\n\"",
            "Stderr \"b\\n\"",
            "display  note: c",
            "display x 1",
            "update x 2",
            "clear wait=true",
            "display  a\nb",
            "result [1] 42",
            "idle"
        ]
    );
    assert_eq!(shown[0], "busy");
    assert!(shown[1].starts_with("input [1] print a"), "{shown:?}");
}

#[tokio::test]
async fn a_failed_cell_says_so_on_iopub_and_in_its_reply() {
    let mut client = Client::new().await;
    let (reply, shown) = client.run("fail it broke").await;
    assert_eq!(reply.status, ReplyStatus::Error);
    let error = reply.error.expect("has an error");
    assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("Panic", "it broke"));
    assert_eq!(error.traceback.len(), 1);
    assert_eq!(shown[2], "error Panic: it broke");
}

#[tokio::test]
async fn the_count_rises_for_cells_of_the_history_alone() {
    let mut client = Client::new().await;
    let count = async |client: &mut Client, silent, store_history| {
        let code = "count".into();
        let request = ExecuteRequest { code, silent, store_history, ..ExecuteRequest::default() };
        client.execute(request).await.0.execution_count.value()
    };
    assert_eq!(count(&mut client, false, true).await, 1);
    assert_eq!(count(&mut client, true, false).await, 2);
    assert_eq!(count(&mut client, false, false).await, 2);
    assert_eq!(count(&mut client, false, true).await, 2);
    assert_eq!(count(&mut client, false, true).await, 3);
}

#[tokio::test]
async fn a_cell_has_the_number_that_its_request_gives_it() {
    let mut client = Client::new().await;
    let request = ExecuteRequest { code: "count".into(), store_history: true, ..ExecuteRequest::default() };
    let mut request = JupyterMessage::new(request, None);
    request.metadata = json!({"oxtorch": {"execution_count": 7}});
    client.shell.send(request).await.expect("sends");
    let Content::ExecuteReply(reply) = client.reply().await.content else { panic!("is no reply to a cell") };
    assert_eq!(reply.execution_count.value(), 7);
    assert_eq!(client.run("count").await.0.execution_count.value(), 8);
}

#[tokio::test]
async fn a_silent_cell_broadcasts_neither_its_code_nor_its_value() {
    let mut client = Client::new().await;
    let code = "print a\nresult 1".into();
    let (reply, shown) = client.execute(ExecuteRequest { code, silent: true, ..ExecuteRequest::default() }).await;
    assert_eq!(reply.status, ReplyStatus::Ok);
    assert_eq!(shown, ["busy", "Stdout \"a\\n\"", "idle"]);
}

#[tokio::test]
async fn user_expressions_are_evaluated_after_a_cell_that_worked() {
    let mut client = Client::new().await;
    let expressions = [("good", "result 7"), ("bad", "fail no")].map(|(name, code)| (name.into(), code.into()));
    let request = ExecuteRequest {
        code: "print a".into(),
        user_expressions: Some(expressions.into()),
        ..ExecuteRequest::default()
    };
    let (reply, shown) = client.execute(request).await;
    let results = serde_json::to_value(reply.user_expressions).expect("is JSON");
    assert_eq!(results["good"], json!({"status": "ok", "data": {"text/plain": "7"}, "metadata": {}}));
    assert_eq!(results["bad"]["status"], "error");
    assert_eq!(results["bad"]["evalue"], "no");
    assert_eq!(shown.len(), 4, "an expression's value is for the reply alone: {shown:?}");
}

#[tokio::test]
async fn a_failure_aborts_the_cells_behind_it_and_nothing_else() {
    let mut client = Client::new().await;
    // The first cell waits for input, so the others are there before it fails.
    let asks = ExecuteRequest { code: "input ?\nfail".into(), allow_stdin: true, ..ExecuteRequest::default() };
    client.send(asks).await;
    let question = soon(client.stdin.read()).await.expect("is a good message");
    let waiting = client.send(ExecuteRequest::new("print never".into())).await;
    client.send(IsCompleteRequest { code: "x".into() }).await;
    let answer = InputReply { value: "go".into(), ..InputReply::default() };
    client.stdin.send(answer.as_child_of(&question)).await.expect("sends");
    let mut replies = Vec::new();
    for _ in 0..3 {
        replies.push(match client.reply().await.content {
            Content::ExecuteReply(reply) => format!("{:?}", reply.status),
            other => other.message_type().into(),
        });
    }
    assert_eq!(replies, ["Error", "Aborted", "is_complete_reply"]);
    let shown: Vec<_> = client.shown_for(&waiting).await.iter().map(describe).collect();
    assert_eq!(shown, ["busy", "idle"]);
    assert_eq!(client.run("print again").await.0.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn without_stop_on_error_the_next_cell_runs() {
    let mut client = Client::new().await;
    let failing = ExecuteRequest { code: "fail".into(), stop_on_error: false, ..ExecuteRequest::default() };
    client.send(failing).await;
    client.send(ExecuteRequest::new("print still".into())).await;
    for expected in [ReplyStatus::Error, ReplyStatus::Ok] {
        let Content::ExecuteReply(reply) = client.reply().await.content else { panic!("not an execute_reply") };
        assert_eq!(reply.status, expected);
    }
}

#[tokio::test]
async fn input_comes_from_the_frontend_that_runs_the_cell() {
    let mut client = Client::new().await;
    let code = "input your name?".into();
    let request = client.send(ExecuteRequest { code, allow_stdin: true, ..ExecuteRequest::default() }).await;
    let question = soon(client.stdin.read()).await.expect("is a good message");
    let Content::InputRequest(asked) = &question.content else { panic!("not an input_request: {question:?}") };
    assert_eq!(asked.prompt, "your name?");
    let answer = InputReply { value: "Ada".into(), ..InputReply::default() };
    client.stdin.send(answer.as_child_of(&question)).await.expect("sends");
    let shown: Vec<_> = client.shown_for(&request).await.iter().map(describe).collect();
    assert!(shown.contains(&"Stdout \"got Ada\\n\"".to_string()), "{shown:?}");
}

#[tokio::test]
async fn a_frontend_that_takes_no_questions_is_not_asked() {
    let mut client = Client::new().await;
    let (reply, _) = client.run("input your name?").await;
    assert_eq!(reply.error.expect("has an error").ename, "Error");
}

#[tokio::test]
async fn an_interrupt_ends_a_running_cell_and_one_that_waits_for_input() {
    let mut client = Client::new().await;
    for (code, expected) in [("print on\nforever", "KeyboardInterrupt"), ("print on\ninput ?", "Error")] {
        let code = code.to_string();
        client.send(ExecuteRequest { code, allow_stdin: true, ..ExecuteRequest::default() }).await;
        while !matches!(client.shown().await.content, Content::StreamContent(_)) {}
        if expected == "Error" {
            soon(client.stdin.read()).await.expect("is a good message");
        }
        assert!(matches!(client.command(InterruptRequest {}).await, Content::InterruptReply(_)));
        let Content::ExecuteReply(reply) = client.reply().await.content else { panic!("not an execute_reply") };
        assert_eq!(reply.error.expect("has an error").ename, expected);
    }
    assert_eq!(client.run("print again").await.0.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn a_request_that_lacks_a_field_gets_an_error_as_its_reply() {
    let mut client = Client::new().await;
    let request = UnknownMessage { msg_type: "execute_request".into(), content: json!({"silent": false}) };
    let Content::ExecuteReply(reply) = client.ask(request).await else { panic!("not an execute_reply") };
    assert_eq!(reply.status, ReplyStatus::Error);
    assert_eq!(reply.error.expect("has an error").ename, "InvalidRequest");
}

#[tokio::test]
async fn the_language_is_rust() {
    let mut client = Client::new().await;
    let Content::KernelInfoReply(reply) = client.ask(KernelInfoRequest {}).await else { panic!("not that reply") };
    let language = serde_json::to_value(&reply.language_info).expect("is JSON");
    let expected = json!({"name": "rust", "version": "1.95.0", "mimetype": "text/rust", "file_extension": ".rs",
        "pygments_lexer": "rust", "codemirror_mode": "rust"});
    assert_eq!(language, expected);
    assert_eq!(reply.implementation, "oxtorch");
}

#[tokio::test]
async fn questions_about_code_and_comms_are_answered() {
    let mut client = Client::new().await;
    // The engine is there once a cell has run.
    client.run("print a").await;
    for (code, status) in [("x", "Complete"), ("fn f() {", "Incomplete"), ("", "Invalid")] {
        let reply = client.ask(IsCompleteRequest { code: code.into() }).await;
        let Content::IsCompleteReply(reply) = reply else { panic!("not an is_complete_reply") };
        assert_eq!(format!("{:?}", reply.status), status);
        assert_eq!(reply.indent, if status == "Incomplete" { "    " } else { "" });
    }
    assert!(matches!(client.ask(CommInfoRequest::default()).await, Content::CommInfoReply(_)));
    let open = client.send(CommOpen::default()).await;
    let shown: Vec<_> = client.shown_for(&open).await.iter().map(describe).collect();
    assert_eq!(shown, ["busy", "comm_close", "idle"]);
}

#[tokio::test]
async fn what_is_said_over_a_comm_is_heard_and_answered() {
    let mut client = Client::new().await;
    client.run("comm a").await;
    let Content::CommInfoReply(info) = client.ask(CommInfoRequest::default()).await else { panic!("no info") };
    let target = info.comms.get(&"a".to_owned().into()).map(|comm| comm.target_name.clone());
    assert_eq!(target.as_deref(), Some("jupyter.widget"));
    let mut say = async |run: &str| {
        let data = Map::from_iter([("run".to_owned(), run.into())]);
        let said = client.send(CommMsg { comm_id: "a".to_owned().into(), data }).await;
        Vec::from_iter(client.shown_for(&said).await.iter().map(describe))
    };
    assert_eq!(say("print b").await, ["busy", "Stdout \"b\\n\"", "comm_msg", "idle"]);
    assert_eq!(say("fail c").await, ["busy", "error Panic: c", "comm_msg", "idle"]);
    assert_eq!(say("close").await, ["busy", "comm_close", "idle"]);
    assert_eq!(say("print d").await, ["busy", "idle"]);
}

#[tokio::test]
async fn the_history_has_the_cells_and_what_came_of_them() {
    let mut client = Client::new().await;
    client.run("print a").await;
    client.run("result 7").await;
    let unkept = ExecuteRequest { code: "print b".into(), store_history: false, ..ExecuteRequest::default() };
    client.execute(unkept).await;
    let kept = [(1, "print a", None), (2, "result 7", Some("7"))];
    for lacking in [json!({"hist_access_type": "tail"}), json!({})] {
        let request = UnknownMessage { msg_type: "history_request".into(), content: lacking };
        let Content::HistoryReply(reply) = client.ask(request).await else { panic!("not a history_reply") };
        let expected = kept.map(|(line, code, _)| json!([1, line, code]));
        assert_eq!(serde_json::to_value(reply.history).expect("is JSON"), json!(expected));
    }
    let request = HistoryRequest::Search { pattern: "result*".into(), unique: true, output: true, raw: true, n: 5 };
    let Content::HistoryReply(reply) = client.ask(request).await else { panic!("not a history_reply") };
    assert_eq!(serde_json::to_value(reply.history).expect("is JSON"), json!([[1, 2, ["result 7", "7"]]]));
}

#[tokio::test]
async fn many_lines_arrive_complete_in_order_and_joined() {
    let mut client = Client::new().await;
    let request = client.send(ExecuteRequest::new("lines 200000".into())).await;
    let mut pieces = 0;
    let mut text = String::new();
    for content in client.shown_for(&request).await {
        if let Content::StreamContent(stream) = content {
            pieces += 1;
            text.push_str(&stream.text);
        }
    }
    let expected: String = (0..200_000).map(|line| format!("{line}\n")).collect();
    assert!(text == expected, "lines were lost or out of order");
    assert!(pieces < 20_000, "{pieces} messages for 200,000 lines");
}

#[tokio::test]
async fn a_frontend_is_told_what_the_kernel_takes() {
    let mut client = Client::new().await;
    let request = UnknownMessage { msg_type: "usage_request".into(), content: json!({}) };
    let Content::UnknownMessage(reply) = client.command(request).await else { panic!("not a usage_reply") };
    assert_eq!(reply.msg_type, "usage_reply");
    let number = |pointer: &str| reply.content.pointer(pointer).and_then(serde_json::Value::as_f64);
    assert_eq!(number("/pid"), Some(f64::from(std::process::id())));
    assert!(number("/kernel_memory").is_some_and(|bytes| bytes > 1e6), "{reply:?}");
    assert!(number("/kernel_cpu").is_some_and(|percent| percent >= 0.0), "{reply:?}");
    assert!(number("/cpu_count").is_some_and(|count| count >= 1.0), "{reply:?}");
    let (total, available) = (number("/host_virtual_memory/total"), number("/host_virtual_memory/available"));
    assert!(total > available && available > Some(0.0), "{reply:?}");
}

#[tokio::test]
async fn the_heart_beats() {
    let client = Client::new().await;
    let mut heart = soon(jupyter_zmq_client::create_client_heartbeat_connection(&client.info)).await.expect("connects");
    soon(heart.single_heartbeat()).await.expect("beats");
    soon(heart.single_heartbeat()).await.expect("beats again");
}

#[tokio::test]
async fn a_cell_on_control_is_answered_and_not_run() {
    let mut client = Client::new().await;
    let reply = client.command(ExecuteRequest::new("value 1".into())).await;
    let Content::ExecuteReply(reply) = reply else { panic!("{reply:?}") };
    let error = reply.error.expect("is one");
    assert_eq!((reply.status, error.ename.as_str()), (ReplyStatus::Error, "InvalidRequest"));
    assert!(error.evalue.contains("shell"), "{}", error.evalue);
}

#[tokio::test]
async fn the_reply_to_a_cell_says_when_it_was_started() {
    let mut client = Client::new().await;
    let request = client.send(ExecuteRequest::new("value 1".into())).await;
    let reply = client.reply().await;
    let mut started = request.header.clone();
    started.date = serde_json::from_value(reply.metadata["started"].clone()).expect("is a time");
    assert!((request.header.date..=reply.header.date).contains(&started.date), "{:?}", reply.metadata);
}
