//! How a kernel starts, and how it ends.

use super::*;

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

/// A client of a kernel whose set-up has told of its progress, and goes on until something is sent.
async fn setting_up() -> (Client, oneshot::Sender<()>) {
    let (go, wait) = oneshot::channel::<()>();
    let client = Client::of(|progress| async move {
        let _ = progress.send("compiling the runtime".into());
        let _ = wait.await;
        Ok(Scripted::default())
    })
    .await;
    (client, go)
}

/// Waits until a frontend shows the kernel as it is called, for a reason of its own.
async fn becomes(client: &mut Client, state: ExecutionState) {
    loop {
        let message = client.shown().await;
        match message.content {
            Content::Status(status) if status.execution_state == state && message.parent_header.is_none() => return,
            _ => {}
        }
    }
}

#[tokio::test]
async fn cells_wait_for_the_set_up_and_show_its_progress_as_long() {
    let (mut client, go) = setting_up().await;
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
    assert_eq!(shown, ["clear wait=false", "Stdout \"ran\\n\"", "idle"]);
}

#[tokio::test]
async fn a_kernel_that_is_set_up_is_busy_and_says_with_what() {
    let (mut client, go) = setting_up().await;
    // As every frontend asks first, which ends with the status `idle`.
    client.ask(KernelInfoRequest {}).await;
    becomes(&mut client, ExecutionState::Busy).await;
    let request = InspectRequest { code: "x".into(), cursor_pos: 1, detail_level: Some(0) };
    let Content::InspectReply(reply) = client.ask(request).await else { panic!("not an inspect_reply") };
    assert!(reply.found);
    assert_eq!(describe_media(&reply.data), "compiling the runtime");
    becomes(&mut client, ExecutionState::Busy).await;
    go.send(()).expect("the set-up waits");
    becomes(&mut client, ExecutionState::Idle).await;
}

#[tokio::test]
async fn a_queue_that_was_stopped_during_the_set_up_says_why_it_did_not_run() {
    let (mut client, go) = setting_up().await;
    let first = client.send(ExecuteRequest::new("print first".into())).await;
    let second = client.send(ExecuteRequest::new("print second".into())).await;
    while !matches!(client.shown().await.content, Content::DisplayData(_)) {}
    client.command(InterruptRequest {}).await;
    let shown: Vec<_> = client.shown_for(&first).await.iter().map(describe).collect();
    assert_eq!(shown[0], "clear wait=false");
    assert!(shown[1].starts_with("error KeyboardInterrupt: interrupted while the set-up was running"), "{shown:?}");
    let shown: Vec<_> = client.shown_for(&second).await.iter().map(describe).collect();
    assert!(shown.iter().any(|shown| shown.contains("not run, as the cell ahead of it was stopped")), "{shown:?}");
    go.send(()).expect("the set-up goes on");
}

#[tokio::test]
async fn an_engine_may_rest_when_nobody_asks_for_anything() {
    let engine = Scripted::default();
    let rested = engine.rested();
    let mut client = Client::of(|_| async { Ok(engine) }).await;
    soon(rested.notified()).await;
    let (reply, shown) = client.run("print still there").await;
    assert_eq!((reply.status, shown[2].as_str()), (ReplyStatus::Ok, "Stdout \"still there\\n\""));
}
