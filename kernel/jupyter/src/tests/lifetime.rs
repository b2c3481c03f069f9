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
