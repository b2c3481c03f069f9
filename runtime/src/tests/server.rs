//! A small HTTP server for tests of downloads, as well or as badly behaved as they need it.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use crate::lock::lock;

/// What was asked: the path, and the offset of a `Range` header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) offset: Option<usize>,
}

pub(crate) struct Server {
    address: String,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// Answers each request by `answer`, which gets its number too, each in a thread of its own. It lives as long as
    /// the test program does.
    pub(crate) fn start(answer: impl Fn(usize, &Request, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                thread::spawn(move || {
                    let Some(request) = read(&stream) else { return };
                    let number = {
                        let mut log = lock(&log);
                        log.push(request.clone());
                        log.len() - 1
                    };
                    answer(number, &request, &mut stream);
                });
            }
        });
        Self { address, requests }
    }

    /// Serves files by their paths, from any offset.
    pub(crate) fn of_files(files: Vec<(&'static str, Vec<u8>)>) -> Self {
        Self::start(move |_, request, stream| match files.iter().find(|(path, _)| request.path == format!("/{path}")) {
            Some((_, body)) => send(stream, body, request.offset),
            None => head(stream, "404 Not Found", 0, ""),
        })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.requests).clone()
    }

    pub(crate) fn offsets(&self) -> Vec<Option<usize>> {
        self.requests().into_iter().map(|request| request.offset).collect()
    }
}

/// An address that nobody listens at.
pub(crate) fn refused() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    format!("http://{}/file", listener.local_addr().expect("an address"))
}

fn read(stream: &TcpStream) -> Option<Request> {
    let mut lines = BufReader::new(stream).lines().map_while(Result::ok);
    let path = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers = lines.take_while(|line| !line.is_empty());
    let mut offset = None;
    for header in headers {
        if let Some(range) = header.to_lowercase().strip_prefix("range: bytes=") {
            offset = Some(range.trim_end_matches('-').parse().expect("an offset"));
        }
    }
    Some(Request { path, offset })
}

/// The head of an answer. A client that has gone away is none of the server's business.
pub(crate) fn head(stream: &mut TcpStream, status: &str, length: usize, more: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{more}\r\n");
}

/// The whole file, or what it has from an offset on.
pub(crate) fn send(stream: &mut TcpStream, body: &[u8], offset: Option<usize>) {
    match offset {
        None => head(stream, "200 OK", body.len(), ""),
        Some(offset) if offset >= body.len() => return head(stream, "416 Range Not Satisfiable", 0, ""),
        Some(offset) => {
            let range = format!("Content-Range: bytes {offset}-{}/{}\r\n", body.len() - 1, body.len());
            head(stream, "206 Partial Content", body.len() - offset, &range);
        }
    }
    let _ = stream.write_all(&body[offset.unwrap_or(0)..]);
}
