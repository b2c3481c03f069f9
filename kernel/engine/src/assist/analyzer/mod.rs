//! Completion and help from rust-analyzer, where there is one.
//!
//! It is started when something is first asked of it, in the background, and is not waited for while it reads the
//! sources. `project` tells it the crates around a cell, `document` writes the one file that holds the session and the
//! cell, `answers` reads what it says, `server` and `wire` speak its protocol.

pub(crate) mod answers;
pub(crate) mod document;
pub(crate) mod hidden_variants;
pub(crate) mod project;
pub(crate) mod server;
pub(crate) mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oxtorch_session::Candidate;
use oxtorch_setup::{Recipe, analyzer};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::assist::analyzer::document::Columns;
pub(crate) use crate::assist::analyzer::document::Document;
use crate::assist::analyzer::server::Server;

/// How long after a start the next one is tried, where the server has ended.
const PAUSE: Duration = Duration::from_secs(30);

/// How long a start may take before the server is given up.
const START: Duration = Duration::from_secs(120);

/// What is asked first, so that the user's first question finds the server ready for it: tensors, and what is most used
/// of the standard library.
const FIRST_CELL: &str = "use ::oxtorch::prelude::*;\nfn f(x: Tensor, v: Vec<f64>, s: String) {\nx.\n;v.\n;s.\n}\n";
const FIRST_QUESTIONS: [u32; 3] = [2, 3, 4];
const BEHIND_THE_DOT: [u32; 3] = [2, 3, 3];

/// The session's rust-analyzer.
pub(crate) struct Analyzer {
    recipe: Recipe,
    folder: PathBuf,
    started: Option<Started>,
}

struct Started {
    at: Instant,
    stage: watch::Receiver<Stage>,
    task: JoinHandle<()>,
}

/// How far it is.
#[derive(Clone)]
enum Stage {
    Starting,
    Running(Arc<RunningServer>),
    /// It has ended, or could not be started.
    Gone,
    /// There is none.
    Absent,
}

/// A server that has read everything and answers, and the file that it was last told.
pub(crate) struct RunningServer {
    server: Server,
    uri: String,
    columns: Columns,
    told: Mutex<Told>,
}

struct Told {
    version: u64,
    text: String,
}

impl Analyzer {
    /// One for a runtime that was built so; it gets a folder of its own in `scratch`.
    pub(crate) fn new(recipe: Recipe, scratch: &Path) -> Self {
        Self { recipe, folder: scratch.join("analyzer"), started: None }
    }

    /// The server if it is ready to answer; starts it if there is none.
    pub(super) fn ready(&mut self) -> Option<Arc<RunningServer>> {
        let stage = self.started.as_ref().map(|started| started.stage.borrow().clone());
        match stage {
            Some(Stage::Running(running)) if !running.server.is_gone() => return Some(running),
            Some(Stage::Starting | Stage::Absent) => return None,
            Some(Stage::Gone | Stage::Running(_)) | None => {}
        }
        if self.started.as_ref().is_none_or(|started| started.at.elapsed() >= PAUSE) {
            self.start();
        }
        None
    }

    fn start(&mut self) {
        let (tell, stage) = watch::channel(Stage::Starting);
        let (recipe, folder) = (self.recipe.clone(), self.folder.clone());
        let task = tokio::spawn(async move {
            match tokio::time::timeout(START, open(recipe, folder)).await {
                Ok(Ok(Some(running))) => {
                    let running = Arc::new(running);
                    tell.send_replace(Stage::Running(Arc::clone(&running)));
                    running.server.gone().await;
                    tell.send_replace(Stage::Gone);
                }
                Ok(Ok(None)) => drop(tell.send_replace(Stage::Absent)),
                // It is tried again later; meanwhile the session answers by itself.
                Ok(Err(_)) | Err(_) => drop(tell.send_replace(Stage::Gone)),
            }
        });
        self.started = Some(Started { at: Instant::now(), stage, task });
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl RunningServer {
    /// What could take the place of the `len` bytes ahead of the cursor; `None` where the server does not say.
    pub(super) async fn candidates(&self, document: &Document, len: usize) -> Option<Vec<Candidate>> {
        let result = self.ask("textDocument/completion", document).await?;
        Some(answers::candidates(&result, document, len, self.columns))
    }

    /// What the name at the cursor is.
    pub(super) async fn name(&self, document: &Document) -> Option<String> {
        answers::hover(&self.ask("textDocument/hover", document).await?)
    }

    /// The function whose arguments are being typed at the cursor.
    pub(super) async fn call(&self, document: &Document) -> Option<String> {
        answers::signature(&self.ask("textDocument/signatureHelp", document).await?)
    }

    /// The source of the name at the cursor.
    pub(super) async fn source(&self, document: &Document) -> Option<String> {
        let result = self.ask("textDocument/definition", document).await?;
        let (uri, first, last) = answers::definition(&result)?;
        let text = if uri == self.uri { document.text.clone() } else { read(&uri).await? };
        let lines: Vec<&str> = text.lines().skip(first).take(last - first + 1).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }

    async fn ask(&self, method: &str, document: &Document) -> Option<Value> {
        self.tell(&document.text);
        let position = document.cursor(self.columns);
        let params = json!({"textDocument": {"uri": self.uri}, "position": position});
        self.server.request(method, params).await.filter(|result| !result.is_null())
    }

    /// Has the server see this text in the file.
    fn tell(&self, text: &str) {
        let mut told = self.told.lock();
        if told.text != text {
            told.version += 1;
            text.clone_into(&mut told.text);
            let document = json!({"uri": self.uri, "version": told.version});
            self.server.notify(
                "textDocument/didChange",
                json!({"textDocument": document, "contentChanges": [{"text": text}]}),
            );
        }
    }
}

async fn read(uri: &str) -> Option<String> {
    tokio::fs::read_to_string(path_of(uri)?).await.ok()
}

/// The address of a file.
fn uri_of(path: &Path) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(byte);
    let path = path.as_os_str().as_encoded_bytes();
    let escaped =
        path.iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") });
    format!("file://{}", escaped.collect::<String>())
}

fn path_of(uri: &str) -> Option<PathBuf> {
    let escaped = uri.strip_prefix("file://")?;
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(PathBuf::from(String::from_utf8(bytes).ok()?))
}

/// Starts a server and waits until it answers quickly; `None` where there is none to start.
async fn open(recipe: Recipe, folder: PathBuf) -> anyhow::Result<Option<RunningServer>> {
    let file = folder.join("session.rs");
    let found = {
        let (folder, file) = (folder.clone(), file.clone());
        tokio::task::spawn_blocking(move || -> anyhow::Result<_> {
            let sysroot = recipe.rustc.parent().and_then(Path::parent);
            let Some(analyzer) = analyzer::find(sysroot) else { return Ok(None) };
            // The server lists the files of a project before it is told what is in them.
            std::fs::create_dir_all(&folder)?;
            std::fs::write(&file, "")?;
            let project = project::describe(&recipe, &analyzer, &file)?;
            let quiet = hidden_variants::files(&project);
            Ok(Some((analyzer.program, project, quiet)))
        })
        .await??
    };
    let Some((program, project, quiet)) = found else { return Ok(None) };
    let server = Server::start(&program)?;
    let refused = || anyhow::anyhow!("{} does not answer as a language server", program.display());
    let answer = server.request("initialize", introduction(&folder, &project)).await.ok_or_else(refused)?;
    let in_bytes = answer["capabilities"]["positionEncoding"] == "utf-8";
    let columns = if in_bytes { Columns::Utf8 } else { Columns::Utf16 };
    server.notify("initialized", json!({}));
    for (path, text) in &quiet {
        open_file(&server, &uri_of(path), text);
    }
    let uri = uri_of(&file);
    open_file(&server, &uri, FIRST_CELL);
    if !server.settled().await {
        return Err(refused());
    }
    for (line, character) in FIRST_QUESTIONS.into_iter().zip(BEHIND_THE_DOT) {
        let position = json!({"line": line, "character": character});
        let params = json!({"textDocument": {"uri": uri}, "position": position});
        server.request("textDocument/completion", params).await;
    }
    let told = Mutex::new(Told { version: 1, text: FIRST_CELL.to_owned() });
    Ok(Some(RunningServer { server, uri, columns, told }))
}

fn open_file(server: &Server, uri: &str, text: &str) {
    let document = json!({"uri": uri, "languageId": "rust", "version": 1, "text": text});
    server.notify("textDocument/didOpen", json!({"textDocument": document}));
}

/// Who asks, about what, and how: no checks, no snippets, nothing that only an editor shows.
fn introduction(folder: &Path, project: &Value) -> Value {
    let plain = json!(["plaintext"]);
    json!({
        "processId": std::process::id(),
        "clientInfo": {"name": "oxtorch", "version": env!("CARGO_PKG_VERSION")},
        "rootUri": uri_of(folder),
        "capabilities": {
            "general": {"positionEncodings": ["utf-8", "utf-16"]},
            "experimental": {"serverStatusNotification": true},
            "textDocument": {
                "completion": {
                    "completionItem": {"snippetSupport": false, "documentationFormat": plain},
                },
                "definition": {"linkSupport": true},
                "hover": {"contentFormat": plain},
                "signatureHelp": {"signatureInformation": {"documentationFormat": plain}},
            },
        },
        "initializationOptions": {
            "linkedProjects": [project],
            "cachePriming": {"enable": false},
            "cargo": {"buildScripts": {"enable": false}},
            "checkOnSave": false,
            "completion": {
                "autoimport": {"enable": false},
                "callable": {"snippets": "none"},
                "fullFunctionSignatures": {"enable": true},
                "postfix": {"enable": false},
            },
            "diagnostics": {"enable": false},
            "files": {"watcher": "client"},
            "hover": {"actions": {"enable": false}, "links": {"enable": false}, "memoryLayout": {"enable": false}},
            "numThreads": 2,
            "procMacro": {"enable": false},
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_files_are_read_again() {
        let path = Path::new("/home/学生/a b%/session.rs");
        let uri = uri_of(path);
        assert_eq!(uri, "file:///home/%E5%AD%A6%E7%94%9F/a%20b%25/session.rs");
        assert_eq!(path_of(&uri).as_deref(), Some(path));
        assert_eq!(path_of("untitled:1"), None);
        assert_eq!(path_of("file:///a%2"), None);
    }

    #[test]
    fn the_first_questions_stand_behind_dots() {
        for (line, character) in FIRST_QUESTIONS.into_iter().zip(BEHIND_THE_DOT) {
            let line = FIRST_CELL.lines().nth(line as usize).expect("is there");
            assert!(line[..character as usize].ends_with('.'), "{line}");
        }
    }
}
