//! Reads the connection file that the frontend wrote: where to listen, and the key that signs messages.

use std::io;
use std::path::{Path, PathBuf};

use jupyter_protocol::ConnectionInfo;

use crate::wire::Wire;

/// What is wrong with a connection file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionFileError {
    /// The file cannot be read.
    #[error("cannot read the connection file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not what a frontend writes.
    #[error(
        "{} is not a Jupyter connection file (JSON with ip, transport, key, signature_scheme and five ports)",
        path.display()
    )]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where it stops being one.
        source: serde_json::Error,
    },
    /// Messages are to be signed in a way that this kernel does not know.
    #[error(
        "{} asks for the signature scheme {scheme:?}, but this kernel has only hmac-sha256; leave Jupyter's setting \
         Session.signature_scheme as it is",
        path.display()
    )]
    SignatureScheme {
        /// The file.
        path: PathBuf,
        /// The scheme that it names.
        scheme: String,
    },
    /// The sockets are to be encrypted.
    #[error(
        "{} asks for encrypted sockets (curve_publickey), which this kernel does not have; start it without CURVE",
        path.display()
    )]
    Encrypted {
        /// The file.
        path: PathBuf,
    },
    /// One of its addresses cannot be listened on.
    #[error("cannot listen on {address}, the {channel} address in {}", path.display())]
    Address {
        /// The file.
        path: PathBuf,
        /// Which of the five sockets.
        channel: &'static str,
        /// The address in the file.
        address: String,
        /// What the socket library said.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What a connection file has beside what every kernel needs, if the frontend will talk CURVE.
const ENCRYPTION: [&str; 2] = ["curve_publickey", "curve_secretkey"];

/// Reads and checks a connection file.
pub(super) fn read(path: &Path) -> Result<(ConnectionInfo, Wire), ConnectionFileError> {
    let malformed = |source| ConnectionFileError::Malformed { path: path.to_path_buf(), source };
    let text =
        std::fs::read(path).map_err(|source| ConnectionFileError::Unreadable { path: path.to_path_buf(), source })?;
    let info: ConnectionInfo = serde_json::from_slice(&text).map_err(malformed)?;
    let all: serde_json::Value = serde_json::from_slice(&text).map_err(malformed)?;
    if ENCRYPTION.iter().any(|key| !all[key].is_null()) {
        return Err(ConnectionFileError::Encrypted { path: path.to_path_buf() });
    }
    match Wire::new(&info) {
        Some(wire) => Ok((info, wire)),
        None => Err(ConnectionFileError::SignatureScheme { path: path.to_path_buf(), scheme: info.signature_scheme }),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    const GOOD: &str = r#"{"ip": "127.0.0.1", "transport": "tcp", "shell_port": 1, "iopub_port": 2, "stdin_port": 3,
        "control_port": 4, "hb_port": 5, "key": "k", "signature_scheme": "hmac-sha256", "jupyter_session": "x"}"#;

    fn read_text(text: &str) -> Result<ConnectionInfo, ConnectionFileError> {
        let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
        file.write_all(text.as_bytes()).expect("writes");
        read(file.path()).map(|(info, _)| info)
    }

    #[test]
    fn a_frontends_file_is_read() {
        assert_eq!(read_text(GOOD).expect("is good").shell_port, 1);
    }

    #[test]
    fn a_missing_file_is_unreadable() {
        let error = read(Path::new("/nonexistent/kernel.json")).map(|(info, _)| info).expect_err("is not there");
        assert!(matches!(error, ConnectionFileError::Unreadable { .. }));
    }

    #[test]
    fn text_that_is_no_connection_file_is_malformed() {
        for text in ["", "not json", "[]", "{\"ip\": \"127.0.0.1\"}", &GOOD[..60]] {
            let error = read_text(text).expect_err("is malformed");
            assert!(matches!(error, ConnectionFileError::Malformed { .. }), "{text:?}: {error}");
        }
    }

    #[test]
    fn an_unknown_signature_scheme_is_refused_by_name() {
        let error = read_text(&GOOD.replace("sha256", "sha512")).expect_err("cannot be checked");
        assert!(error.to_string().contains("hmac-sha512"), "{error}");
    }

    #[test]
    fn without_a_key_the_scheme_does_not_matter() {
        let text = GOOD.replace("\"k\"", "\"\"").replace("hmac-sha256", "");
        assert_eq!(read_text(&text).expect("is good").hb_port, 5);
    }

    #[test]
    fn encryption_is_refused() {
        let text = GOOD.replace(
            "\"transport\"",
            "\"curve_publickey\": \"rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7\", \"transport\"",
        );
        let error = read_text(&text).expect_err("is not there");
        assert!(matches!(error, ConnectionFileError::Encrypted { .. }), "{error}");
        assert!(read_text(&GOOD.replace("\"transport\"", "\"curve_publickey\": null, \"transport\"")).is_ok());
    }
}
