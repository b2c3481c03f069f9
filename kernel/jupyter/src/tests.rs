//! The front as a client sees it: real sockets on this machine, with a scripted engine behind them.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use jupyter_protocol::{
    CommInfoRequest, CommOpen, ConnectionInfo, ExecuteRequest, ExecutionState, HistoryRequest, InputReply,
    InterruptRequest, IsCompleteRequest, JupyterMessage, JupyterMessageContent as Content, KernelInfoRequest,
    MediaType, ReplyStatus, ShutdownRequest, Transport, UnknownMessage,
};
use jupyter_zmq_client::{
    ClientControlConnection, ClientIoPubConnection, ClientShellConnection, ClientStdinConnection,
};
use oxtorch_testing::Scripted;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use zeromq::{Socket, SocketRecv, SocketSend};

use super::framing::tests::{frame, handshake};
use super::*;

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
        let kernel = tokio::spawn(async move { serve(&file, None, start).await });
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

/// A message in a line, for comparing.
fn describe(content: &Content) -> String {
    let text = |media: &jupyter_protocol::Media| {
        let plain = media.content.iter().find_map(|media| match media {
            MediaType::Plain(text) => Some(text.clone()),
            _ => None,
        });
        plain.unwrap_or_default()
    };
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

/// A peer that has not the key, and says that it is the client.
async fn impostor(client: &Client) -> (ClientShellConnection, ClientStdinConnection) {
    let info = ConnectionInfo { key: "no key".into(), ..client.info.clone() };
    let session = client.shell.session_id.clone();
    let identity = || jupyter_zmq_client::peer_identity_for_session(&session).expect("is an identity");
    let shell = jupyter_zmq_client::create_client_shell_connection_with_identity(&info, &session, identity());
    let stdin = jupyter_zmq_client::create_client_stdin_connection_with_identity(&info, &session, identity());
    (soon(shell).await.expect("connects"), soon(stdin).await.expect("connects"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_without_the_key_takes_no_reply_and_no_question_from_a_frontend() {
    let mut client = Client::new().await;
    client.ask(KernelInfoRequest {}).await;
    let (mut shell, _stdin) = impostor(&client).await;
    // What a kernel has signed proves nothing, and everybody can read it.
    let mut everybody = zeromq::SubSocket::new();
    soon(everybody.subscribe("")).await.expect("subscribes");
    soon(everybody.connect(&client.info.iopub_url())).await.expect("connects");
    let kernels = soon(everybody.recv()).await.expect("is a welcome");
    soon(shell.socket.send(kernels)).await.expect("sends");
    for _ in 0..20 {
        let reply = client.ask(KernelInfoRequest {}).await;
        assert!(matches!(reply, Content::KernelInfoReply(_)), "{reply:?}");
    }
    // The client has sent nothing on stdin yet: nobody has proven there who it is.
    let request = ExecuteRequest { code: "input ?".into(), allow_stdin: true, ..ExecuteRequest::default() };
    let request = client.send(request).await;
    let question = soon(client.stdin.read()).await.expect("is a good message");
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
async fn bad_messages_are_dropped_and_the_next_good_one_is_answered() {
    let mut client = Client::new().await;
    let header = |kind: &str| json!({"msg_id": "1", "username": "", "session": "s", "date": "", "msg_type": kind, "version": "5.3"});
    let part = |value: serde_json::Value| Bytes::from(value.to_string());
    let delimiter = Bytes::from_static(b"<IDS|MSG>");
    let empty = || part(json!({}));
    let parts = |kind: &str| vec![part(header(kind)), empty(), empty(), part(json!({}))];
    let forged = |parts: Vec<Bytes>| [vec![delimiter.clone(), Bytes::from("0".repeat(64))], parts].concat();
    let bad = vec![
        vec![Bytes::from_static(b"hello")],
        vec![delimiter.clone()],
        vec![delimiter.clone(), Bytes::from_static(b"not hex")],
        forged(parts("kernel_info_request")),
        forged(parts("kernel_info_request")[..2].to_vec()),
        [vec![delimiter.clone(), Bytes::from_static(b"xyz")], parts("kernel_info_request")].concat(),
    ];
    for frames in bad {
        let message = zeromq::ZmqMessage::try_from(frames).expect("has frames");
        client.shell.socket.send(message.clone()).await.expect("sends");
        client.control.socket.send(message).await.expect("sends");
    }
    let unknown = UnknownMessage { msg_type: "dance_request".into(), content: json!({"a": 1}) };
    client.send(unknown.clone()).await;
    client.control.send(JupyterMessage::new(unknown, None)).await.expect("sends");
    assert!(matches!(client.ask(KernelInfoRequest {}).await, Content::KernelInfoReply(_)));
    assert!(matches!(client.command(KernelInfoRequest {}).await, Content::KernelInfoReply(_)));
}

#[tokio::test]
async fn parts_that_are_not_json_are_dropped() {
    // Without a key nothing is signed, so only the JSON is wrong.
    let mut client = Client::with(|_| async { Ok(Scripted::default()) }, "").await;
    for frames in [["{", "{}", "{}", "{}"], ["{}", "{}", "{}", "{}"], ["[]", "", "", "nul"]] {
        let frames = [vec!["<IDS|MSG>", ""], frames.to_vec()].concat();
        let frames: Vec<_> = frames.into_iter().map(|frame| Bytes::from_static(frame.as_bytes())).collect();
        client.shell.socket.send(zeromq::ZmqMessage::try_from(frames).expect("has frames")).await.expect("sends");
    }
    assert!(matches!(client.ask(KernelInfoRequest {}).await, Content::KernelInfoReply(_)));
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
async fn a_frontend_that_never_reads_costs_the_others_nothing() {
    let mut client = Client::new().await;
    let mut asleep = Vec::new();
    for _ in 0..10 {
        let connects = jupyter_zmq_client::create_client_iopub_connection(&client.info, "", "asleep");
        asleep.push(soon(connects).await.expect("connects"));
    }
    // More than the backlog holds.
    let request = client.send(ExecuteRequest::new("lines 6000000".into())).await;
    let mut expected = 0;
    let mut rest = String::new();
    for content in client.shown_for(&request).await {
        let Content::StreamContent(stream) = content else { continue };
        rest += &stream.text;
        let whole = rest.rfind('\n').map_or(0, |end| end + 1);
        for line in rest[..whole].lines() {
            assert_eq!(line.parse(), Ok(expected), "lines were lost or out of order");
            expected += 1;
        }
        rest.drain(..whole);
    }
    assert_eq!(expected, 6_000_000);
    drop(asleep);
    assert_eq!(client.run("print again").await.0.status, ReplyStatus::Ok);
}

#[tokio::test]
async fn what_was_shown_last_arrives_although_the_kernel_ends() {
    let mut client = Client::new().await;
    let long = "x".repeat(1_000_000);
    client.send(ExecuteRequest::new(format!("print {long}"))).await;
    client.send(ShutdownRequest { restart: false }).await;
    let mut length = 0;
    while length < long.len() + 1 {
        if let Content::StreamContent(stream) = client.shown().await.content {
            length += stream.text.len();
        }
    }
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
async fn cells_wait_for_the_set_up_and_show_its_progress() {
    let (go, wait) = oneshot::channel::<()>();
    let mut client = Client::of(|progress| async move {
        let _ = progress.send("compiling the runtime".into());
        let _ = wait.await;
        Ok(Scripted::default())
    })
    .await;
    let request = client.send(ExecuteRequest::new("print ran".into())).await;
    loop {
        let content = client.shown().await.content;
        if let Content::DisplayData(_) = &content {
            assert!(describe(&content).ends_with(" compiling the runtime"), "{content:?}");
            break;
        }
    }
    assert!(matches!(client.command(KernelInfoRequest {}).await, Content::KernelInfoReply(_)));
    go.send(()).expect("the set-up waits");
    let shown: Vec<_> = client.shown_for(&request).await.iter().map(describe).collect();
    assert_eq!(shown, ["Stdout \"ran\\n\"", "idle"]);
}

#[tokio::test]
async fn a_failed_set_up_is_what_every_cell_says() {
    let mut client = Client::of(|_| async { Err(anyhow::anyhow!("no libtorch")) }).await;
    for _ in 0..2 {
        let (reply, shown) = client.run("print a").await;
        let error = reply.error.expect("has an error");
        assert_eq!((error.ename.as_str(), error.evalue.as_str()), ("SetupError", "no libtorch"));
        assert_eq!(shown[2], "error SetupError: no libtorch");
    }
}

#[tokio::test]
async fn a_shutdown_is_answered_broadcast_and_done_while_a_cell_runs() {
    let mut client = Client::new().await;
    client.send(ExecuteRequest::new("print on\nforever".into())).await;
    while !matches!(client.shown().await.content, Content::StreamContent(_)) {}
    let reply = client.command(ShutdownRequest { restart: true }).await;
    let Content::ShutdownReply(reply) = reply else { panic!("not a shutdown_reply") };
    assert!(reply.restart);
    while !matches!(client.shown().await.content, Content::ShutdownReply(_)) {}
    let ended = tokio::time::timeout(Duration::from_secs(1), client.kernel).await;
    ended.expect("ends within a second").expect("does not panic").expect("ends in order");
}

#[tokio::test]
async fn the_end_waits_for_no_frontend() {
    let mut client = Client::new().await;
    client.run("print a").await;
    let begun = tokio::time::Instant::now();
    client.command(ShutdownRequest { restart: false }).await;
    soon(client.kernel).await.expect("does not panic").expect("ends in order");
    // The client's connections are open all the time. Where they are waited for, it is for all of `END`.
    assert!(begun.elapsed() < END, "the end took {:?}", begun.elapsed());
    while !matches!(soon(client.iopub.read()).await.expect("the last message").content, Content::ShutdownReply(_)) {}
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

/// The five addresses, with the type of the socket that a frontend connects there.
fn addresses(info: &ConnectionInfo) -> [(String, &'static str); 5] {
    let ConnectionInfo { shell_port, control_port, stdin_port, iopub_port, hb_port, .. } = *info;
    [(shell_port, "DEALER"), (control_port, "DEALER"), (stdin_port, "DEALER"), (iopub_port, "SUB"), (hb_port, "REQ")]
        .map(|(port, socket_type)| (format!("{}-{port}", info.ip), socket_type))
}

/// Sends bytes to an address, and waits until the kernel has closed the connection.
async fn is_hung_up_on(address: &str, bytes: &[u8]) {
    let mut peer = soon(tokio::net::UnixStream::connect(address)).await.expect("connects");
    // What comes too late for the kernel to read cannot be written.
    let _ = soon(peer.write_all(bytes)).await;
    // Bytes that were not read make it a reset.
    let _ = soon(peer.read_to_end(&mut Vec::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_of_any_length_that_a_peer_without_the_key_claims_is_refused() {
    let mut client = Client::new().await;
    for (address, socket_type) in addresses(&client.info) {
        let ready = handshake(socket_type);
        for length in [1u64 << 62, u64::MAX, i64::MAX as u64 - 70_000, 65 << 20] {
            for flags in [2, 3, 6] {
                let header = [&[flags][..], &length.to_be_bytes()].concat();
                is_hung_up_on(&address, &[&ready[..64], &header].concat()).await;
                is_hung_up_on(&address, &[&ready[..], &header].concat()).await;
            }
        }
    }
    let reply = client.ask(KernelInfoRequest {}).await;
    assert!(matches!(reply, Content::KernelInfoReply(_)), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_without_an_end_and_floods_of_subscriptions_are_cut_off() {
    let mut client = Client::new().await;
    let [(shell, dealer), .., (iopub, sub), (heart, req)] = addresses(&client.info);
    let endless = frame(1, &[0; 1 << 20]).repeat(66);
    is_hung_up_on(&shell, &[handshake(dealer), endless].concat()).await;
    is_hung_up_on(&shell, &[handshake(dealer), frame(1, b"").repeat((1 << 20) + 1)].concat()).await;
    is_hung_up_on(&iopub, &[handshake(sub), frame(0, b"\x01topic").repeat(10_000)].concat()).await;
    is_hung_up_on(&iopub, &[handshake(sub), frame(0, &[1; 5000])].concat()).await;
    is_hung_up_on(&heart, &[handshake(req), frame(0, &[1; 100_000])].concat()).await;
    let reply = client.ask(KernelInfoRequest {}).await;
    assert!(matches!(reply, Content::KernelInfoReply(_)), "{reply:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_that_say_nothing_cost_those_who_are_connected_nothing() {
    let mut client = Client::new().await;
    let mut silent = Vec::new();
    for (address, _) in addresses(&client.info) {
        for _ in 0..300 {
            silent.push(soon(tokio::net::UnixStream::connect(&address)).await.expect("connects"));
        }
        // No address takes so many.
        let peer = silent.last_mut().expect("was put there");
        assert_eq!(soon(peer.read(&mut [0])).await.unwrap_or(0), 0);
    }
    let reply = client.ask(KernelInfoRequest {}).await;
    assert!(matches!(reply, Content::KernelInfoReply(_)), "{reply:?}");
    // They are not waited for either.
    let asked = std::time::Instant::now();
    client.command(ShutdownRequest { restart: false }).await;
    soon(client.kernel).await.expect("does not panic").expect("ends in order");
    assert!(asked.elapsed() < END, "the kernel took {:?}", asked.elapsed());
}

/// A peer that subscribes to all that is on iopub, and has read the beginning of that.
async fn listener_on_iopub(client: &Client) -> tokio::net::UnixStream {
    let [.., (iopub, sub), _] = addresses(&client.info);
    let mut peer = soon(tokio::net::UnixStream::connect(iopub)).await.expect("connects");
    soon(peer.write_all(&[handshake(sub), frame(0, b"\x01")].concat())).await.expect("writes");
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains("iopub_welcome") {
        assert!(soon(peer.read_buf(&mut read)).await.expect("reads") > 0, "the kernel has closed the connection");
    }
    peer
}

/// More than the backlog holds reaches a frontend that reads it.
async fn much_arrives(client: &mut Client) {
    let long = "x".repeat(24 << 20);
    for _ in 0..2 {
        let (reply, shown) = client.run(&format!("print {long}")).await;
        assert_eq!(reply.status, ReplyStatus::Ok);
        assert_eq!(shown.iter().map(String::len).max(), Some(format!("input [1] print {long}").len()));
        assert!(shown.iter().any(|shown| shown.starts_with("Stdout \"xx")), "the output is missing");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_that_reads_slowly_sets_nobody_elses_pace() {
    let mut client = Client::new().await;
    let mut peer = listener_on_iopub(&client).await;
    let slowly = tokio::spawn(async move {
        let mut some = [0; 4096];
        while matches!(peer.read(&mut some).await, Ok(1..)) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    much_arrives(&mut client).await;
    slowly.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frontend_that_subscribes_to_much_and_reads_nothing_holds_up_no_cell() {
    let mut client = Client::new().await;
    let mut peer = listener_on_iopub(&client).await;
    // A topic takes six times as many bytes in a message.
    let topics = frame(0, &[1; 4000]).repeat(60);
    soon(peer.write_all(&topics)).await.expect("writes");
    much_arrives(&mut client).await;
}

/// The handshake and the framing, with bytes changed, on every socket of a kernel that goes on.
#[test]
fn whatever_bytes_come_the_kernel_goes_on() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a tokio runtime");
    let mut client = runtime.block_on(Client::new());
    let addresses = addresses(&client.info);
    let mut tried = 0;
    oxtorch_testing::fuzz(|random| {
        let (address, socket_type) = random.choose(&addresses)?;
        let identity = frame(1, &[random.arbitrary()?; 5]);
        let mut bytes = [handshake(socket_type), identity, frame(1, b"<IDS|MSG>"), frame(0, b"{}")].concat();
        for _ in 0..random.int_in_range(0..=4)? {
            let at = random.int_in_range(0..=bytes.len())?;
            match random.int_in_range(0..=4)? {
                0 => drop(bytes.splice(at..at, random.bytes(random.len().min(12))?.iter().copied())),
                1 => bytes.truncate(at),
                2 if at < bytes.len() => bytes[at] = random.arbitrary()?,
                3 if at < bytes.len() => drop(bytes.splice(at..at + 1, [2, 0x40, 0, 0, 0, 0, 0, 0, 0])),
                _ => bytes.extend_from_within(at..),
            }
        }
        tried += 1;
        runtime.block_on(async {
            let mut peer = soon(tokio::net::UnixStream::connect(address)).await.expect("connects");
            let _ = soon(peer.write_all(&bytes)).await;
            if tried % 16 == 0 {
                let reply = client.ask(KernelInfoRequest {}).await;
                assert!(matches!(reply, Content::KernelInfoReply(_)), "{reply:?}");
            }
        });
        Ok(())
    })
    .run();
    assert!(tried > 16, "{tried} tried");
}
