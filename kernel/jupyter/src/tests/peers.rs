//! Peers that are no frontend, or a bad one: what they send, or do not read, costs nobody else anything.

use super::*;

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
