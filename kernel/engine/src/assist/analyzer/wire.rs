//! Messages of the language server protocol as bytes: a header that gives the length, an empty line, JSON.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// A message is never this long: what claims to be is no message.
const MOST: usize = 64 << 20;
/// Nor is a line of the header.
const MOST_OF_LINE: u64 = 4096;

/// The bytes of a message.
pub(super) fn frame(message: &Value) -> Vec<u8> {
    let body = message.to_string();
    format!("Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Reads the next message; `None` where the stream has ended.
pub(super) async fn read(stream: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Value>> {
    let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut length = None;
    loop {
        let mut line = Vec::new();
        (&mut *stream).take(MOST_OF_LINE).read_until(b'\n', &mut line).await?;
        match line.strip_suffix(b"\r\n") {
            None if line.is_empty() && length.is_none() => return Ok(None),
            None => return Err(damaged("a line of the header has no end")),
            Some(b"") => break,
            Some(line) => {
                let line = str::from_utf8(line).map_err(|_| damaged("the header is not text"))?;
                let (name, value) = line.split_once(':').ok_or_else(|| damaged("a line of the header has no name"))?;
                if name.eq_ignore_ascii_case("content-length") {
                    length = value.trim().parse::<usize>().ok();
                }
            }
        }
    }
    let length = length.filter(|length| *length <= MOST).ok_or_else(|| damaged("the header gives no length"))?;
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    serde_json::from_slice(&body).map(Some).map_err(|error| damaged(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn all(bytes: &[u8]) -> io::Result<Vec<Value>> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("starts");
        runtime.block_on(async {
            // A small buffer: messages come in pieces.
            let mut stream = tokio::io::BufReader::with_capacity(7, bytes);
            let mut messages = Vec::new();
            while let Some(message) = read(&mut stream).await? {
                messages.push(message);
            }
            Ok(messages)
        })
    }

    #[test]
    fn what_is_framed_is_read_again() {
        let messages = [json!({"id": 1, "result": "é 变量"}), json!([]), json!(null)];
        let bytes: Vec<u8> = messages.iter().flat_map(frame).collect();
        assert_eq!(all(&bytes).expect("is whole"), messages);
    }

    #[test]
    fn other_headers_are_passed_over() {
        let bytes = b"Content-Type: application/vscode-jsonrpc; charset=utf-8\r\ncontent-length: 2\r\n\r\n{}";
        assert_eq!(all(bytes).expect("is whole"), [json!({})]);
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for bytes in [
            "Content-Length: 3\r\n\r\n{}",
            "Content-Length: 2\r\n\r\n{{",
            "Content-Length: 99999999999\r\n\r\n",
            "Content-Length: -1\r\n\r\n{}",
            "\r\n{}",
            "error: nothing like a message\n",
            "Content-Length: 2\r\n",
        ] {
            assert!(all(bytes.as_bytes()).is_err(), "{bytes}");
        }
        assert!(all(&[b'x'; 10_000]).is_err());
        assert!(all(b"").expect("has ended").is_empty());
    }
}
