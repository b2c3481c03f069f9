//! A language server: its process, and the requests that it has not answered yet.

use std::collections::HashMap;
use std::io;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use oxtorch_system::child::{command, end_with_parent};
use parking_lot::Mutex;
use rustix::process::{Pid, setpriority_process};
use serde_json::{Value, json};
use tokio::io::{AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::assist::analyzer::wire;

/// As `nice` counts: cells come first.
const PRIORITY: i32 = 5;
/// More messages than this wait only for a server that reads none, and then no more are sent.
const UNREAD: usize = 64;

type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Value>>>>;

/// A running language server. It ends when this is dropped, and when the kernel is gone: by itself, as the other end of
/// its standard input is then closed, and by the system where that finds it before it is ready (rust-analyzer would
/// hang).
pub(super) struct Server {
    outgoing: mpsc::Sender<Value>,
    waiting: Waiting,
    last_id: AtomicU64,
    /// Whether it has read everything; closed when it has ended.
    settled: watch::Receiver<bool>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Starts a program that speaks the protocol on its standard streams.
    pub(super) fn start(program: &Path) -> io::Result<Self> {
        // As it was asked for its version: rustup's stand-in goes by the environment.
        let mut command = command(program);
        // The threads of the runtime, which this runs on, live as long as the kernel.
        end_with_parent(&mut command);
        let mut command = Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        // An interrupt from the terminal is for the cell.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn()?;
        if let Some(pid) = child.id().and_then(|id| Pid::from_raw(id as i32)) {
            // Where this is refused it runs like any other program.
            let _ = setpriority_process(Some(pid), PRIORITY);
        }
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::Error::other("it has no standard streams"));
        };
        let waiting = Waiting::default();
        let (outgoing, messages) = mpsc::channel(UNREAD);
        let (settle, settled) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(write(stdin, messages));
        let incoming = Incoming { waiting: Arc::clone(&waiting), replies: outgoing.clone(), settle };
        tasks.spawn(incoming.read(child, stdout));
        Ok(Self { outgoing, waiting, last_id: AtomicU64::new(0), settled, _tasks: tasks })
    }

    /// Whether it has ended.
    pub(super) fn is_gone(&self) -> bool {
        self.settled.has_changed().is_err()
    }

    /// Waits until it has read everything that it was pointed at; false where it ends before that.
    pub(super) async fn settled(&self) -> bool {
        self.settled.clone().wait_for(|settled| *settled).await.is_ok()
    }

    /// Waits until it has ended.
    pub(super) async fn gone(&self) {
        let mut settled = self.settled.clone();
        while settled.changed().await.is_ok() {}
    }

    /// Tells it something.
    pub(super) fn notify(&self, method: &str, params: Value) {
        // One that has ended or reads nothing cannot be told.
        let _ = self.outgoing.try_send(json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Asks it something: the result, or `None` where it gives none. Dropped before that, the question is withdrawn.
    pub(super) async fn request(&self, method: &str, params: Value) -> Option<Value> {
        let id = self.last_id.fetch_add(1, Ordering::Relaxed) + 1;
        let (answer, answered) = oneshot::channel();
        self.waiting.lock().insert(id, answer);
        let _question = Question { server: self, id };
        self.outgoing.try_send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).ok()?;
        answered.await.ok()?.get_mut("result").map(Value::take)
    }
}

/// A request that was sent.
struct Question<'a> {
    server: &'a Server,
    id: u64,
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        let waits = self.server.waiting.lock().remove(&self.id);
        if waits.is_some() {
            self.server.notify("$/cancelRequest", json!({"id": self.id}));
        }
    }
}

async fn write(mut stdin: ChildStdin, mut messages: mpsc::Receiver<Value>) {
    while let Some(message) = messages.recv().await {
        if stdin.write_all(&wire::frame(&message)).await.is_err() {
            return;
        }
    }
}

/// What takes the server's messages.
struct Incoming {
    waiting: Waiting,
    replies: mpsc::Sender<Value>,
    settle: watch::Sender<bool>,
}

impl Incoming {
    /// Reads until the server ends, or writes what is no message: then it is ended.
    async fn read(self, mut child: Child, stdout: ChildStdout) {
        let mut stdout = BufReader::new(stdout);
        while let Ok(Some(message)) = wire::read(&mut stdout).await {
            self.take(message);
        }
        // Nobody is to wait for it any longer.
        self.waiting.lock().clear();
        let _ = child.kill().await;
    }

    fn take(&self, message: Value) {
        match (message["method"].as_str(), message["id"].as_u64()) {
            (None, Some(id)) => {
                let waiting = self.waiting.lock().remove(&id);
                if let Some(answer) = waiting {
                    // Whoever asked may have given up just now.
                    let _ = answer.send(message);
                }
            }
            (Some("experimental/serverStatus"), None) => {
                self.settle.send_replace(message["params"]["quiescent"] == true);
            }
            (Some(method), _) if !message["id"].is_null() => {
                // It asks for settings, all of which it has already, or offers what is not needed.
                let items = message["params"]["items"].as_array().map_or(0, Vec::len);
                let result =
                    if method == "workspace/configuration" { json!(vec![Value::Null; items]) } else { json!(null) };
                let _ = self.replies.try_send(json!({"jsonrpc": "2.0", "id": message["id"], "result": result}));
            }
            _ => {}
        }
    }
}
