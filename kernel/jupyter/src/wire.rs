//! Turns what arrives on a socket into messages and messages into what is sent, and what must not stop the kernel into
//! a line in the log.

mod signing;

use bytes::Bytes;
use jupyter_protocol::{ConnectionInfo, Header, JupyterMessage, JupyterMessageContent, UnknownMessage};
use zeromq::ZmqMessage;

use self::signing::{SCHEME, SignatureError, Signer};
use crate::log::log;

/// The version of the messaging protocol that this kernel speaks; 5.4 brought `iopub_welcome`.
pub(crate) const PROTOCOL_VERSION: &str = "5.4";

/// Stands between the identities that route a message and the message.
pub(crate) const DELIMITER: &[u8] = b"<IDS|MSG>";

/// What the session of a kernel begins with, in the header of each of its messages. No frontend's does.
const KERNEL_SESSION: &str = "oxtorch-kernel-";

/// How messages of one connection are written and read: by whom, and signed with what.
pub(crate) struct Wire {
    /// Names this kernel's run in every header.
    session: String,
    /// `None` where the connection file has an empty key: then nothing is signed.
    signer: Option<Signer>,
}

/// Why frames are not a message.
#[derive(Debug, thiserror::Error)]
enum FrameError {
    #[error("it has no {}", String::from_utf8_lossy(DELIMITER))]
    NoDelimiter,
    #[error("a part is missing")]
    PartMissing,
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// Kernel and frontend sign with the same key, and everybody reads what is on iopub. A kernel that was restarted
    /// has the key that it had.
    #[error("a kernel has signed it, not a frontend")]
    Kernels,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

impl Wire {
    /// For the key and the scheme in a connection file; `None` where the scheme is not known.
    pub(crate) fn new(info: &ConnectionInfo) -> Option<Self> {
        let signer = match info.key.as_str() {
            "" => None,
            _ if info.signature_scheme != SCHEME => return None,
            key => Some(Signer::new(key.as_bytes())),
        };
        Some(Self { session: format!("{KERNEL_SESSION}{}", uuid::Uuid::new_v4()), signer })
    }

    /// Reads a message that is signed and well formed. What is not is dropped with a line in the log: anybody can
    /// connect to a port, so nothing that comes in may end the kernel.
    ///
    /// Content that does not fit its type becomes an [`UnknownMessage`] of that type, so that a request with a missing
    /// field gets an error as its reply instead of silence.
    pub(crate) fn read(&self, frames: Vec<Bytes>, channel: &str) -> Option<JupyterMessage> {
        match self.decode(frames) {
            Ok(message) => Some(message),
            Err(error) => {
                log(format_args!("{channel}: dropped a message: {error}"));
                None
            }
        }
    }

    /// Reads the frames of a message.
    fn decode(&self, mut frames: Vec<Bytes>) -> Result<JupyterMessage, FrameError> {
        let delimiter = frames.iter().position(|frame| frame == DELIMITER).ok_or(FrameError::NoDelimiter)?;
        let parts = frames.split_off(delimiter);
        let [_, signature, parts @ ..] = parts.as_slice() else { return Err(FrameError::PartMissing) };
        let Some((signed, buffers)) = parts.split_at_checked(4) else { return Err(FrameError::PartMissing) };
        let checked = self.signer.as_ref().map(|signer| Ok((signer, signer.check(signed, signature)?)));
        let checked = checked.transpose().map_err(FrameError::Signature)?;
        let header: Header = serde_json::from_slice(&signed[0])?;
        if header.session.starts_with(KERNEL_SESSION) {
            return Err(FrameError::Kernels);
        }
        // Only now, so that what kernels have signed pushes nothing of a frontend's out of the memory.
        if let Some((signer, signature)) = checked {
            signer.take(&signature)?;
        }
        let content: serde_json::Value = serde_json::from_slice(&signed[3])?;
        let content =
            JupyterMessageContent::from_type_and_content(&header.msg_type, content.clone()).unwrap_or_else(|_| {
                JupyterMessageContent::UnknownMessage(UnknownMessage { msg_type: header.msg_type.clone(), content })
            });
        Ok(JupyterMessage {
            zmq_identities: frames,
            header,
            // No parent is written as `{}`.
            parent_header: serde_json::from_slice(&signed[1]).ok(),
            metadata: serde_json::from_slice(&signed[2])?,
            content,
            buffers: buffers.to_vec(),
            channel: None,
        })
    }

    /// Writes a message as frames.
    pub(crate) fn encode(&self, message: JupyterMessage) -> ZmqMessage {
        let JupyterMessage { zmq_identities, header, parent_header, metadata, content, buffers, .. } =
            message.with_session(&self.session);
        let parent = parent_header.map_or_else(|| "{}".into(), |header| json(&header));
        let parts = [json(&header), parent, json(&metadata), json(&content)];
        let signature = self.signer.as_ref().map(|signer| signer.sign(&parts)).unwrap_or_default();
        let mut frames = zmq_identities;
        frames.extend([Bytes::from_static(DELIMITER), signature.into()]);
        frames.extend(parts);
        frames.extend(buffers);
        ZmqMessage::try_from(frames).expect("a message has frames")
    }
}

fn json(part: &impl serde::Serialize) -> Bytes {
    serde_json::to_vec(part).expect("the parts of a message have string keys alone").into()
}

/// A message from this kernel about, or in reply to, `parent`; it carries the identities to route a reply by.
pub(crate) fn message(content: impl Into<JupyterMessageContent>, parent: Option<&JupyterMessage>) -> JupyterMessage {
    let mut message = JupyterMessage::new(content, parent);
    message.header.username = "oxtorch".into();
    message.header.version = PROTOCOL_VERSION.into();
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use oxtorch_testing::fuzz;

    fn wire() -> Wire {
        Wire { session: "session".into(), signer: Some(Signer::new(b"key")) }
    }

    #[test]
    fn what_a_kernel_has_signed_is_no_message_of_a_frontends_whichever_run_of_it_has() {
        let run = || Wire { session: format!("{KERNEL_SESSION}{}", uuid::Uuid::new_v4()), ..wire() };
        let (now, before) = (run(), run());
        let content = || jupyter_protocol::CommClose { comm_id: "1".to_owned().into(), data: serde_json::Map::new() };
        for signed in [now.encode(message(content(), None)), before.encode(message(content(), None))] {
            let refused = now.decode(signed.into_vec()).expect_err("a kernel has signed it");
            assert!(matches!(refused, FrameError::Kernels), "{refused}");
        }
        let frontends = wire().encode(message(content(), None)).into_vec();
        now.decode(frontends.clone()).expect("a frontend has signed it");
        let again = now.decode(frontends).expect_err("it has come before");
        assert!(matches!(again, FrameError::Signature(SignatureError::Repeated)), "{again}");
    }

    /// Whatever comes in is a message or an error, and what was taken for a message was signed.
    #[test]
    fn any_frames_are_decoded_or_refused() {
        let wire = wire();
        let good = wire.encode(message(jupyter_protocol::ExecuteRequest::new("1 + 1".into()), None)).into_vec();
        fuzz(|random| {
            let mut frames = good.clone();
            for _ in 0..random.int_in_range(1..=4)? {
                let place = random.int_in_range(0..=frames.len())?;
                match random.int_in_range(0..=4)? {
                    0 => frames.insert(place, Bytes::copy_from_slice(random.arbitrary()?)),
                    1 if place < frames.len() => drop(frames.remove(place)),
                    2 => frames.truncate(place),
                    3 if place + 1 < frames.len() => frames.swap(place, place + 1),
                    _ if place < frames.len() && !frames[place].is_empty() => {
                        let mut frame = frames[place].to_vec();
                        let byte = random.choose_index(frame.len())?;
                        frame[byte] = random.arbitrary()?;
                        frames[place] = frame.into();
                    }
                    _ => {}
                }
            }
            if let Ok(decoded) = wire.decode(frames) {
                assert_eq!(decoded.header.msg_type, "execute_request");
                assert!(
                    matches!(decoded.content, JupyterMessageContent::ExecuteRequest(ref cell) if cell.code == "1 + 1")
                );
            }
            Ok(())
        })
        .run();
    }

    /// Without a key the JSON itself is what is wrong.
    #[test]
    fn any_parts_are_read_or_refused() {
        let wire = Wire { session: "session".into(), signer: None };
        let good = wire.encode(message(jupyter_protocol::ExecuteRequest::new("1 + 1".into()), None)).into_vec();
        let mut refused = 0;
        fuzz(|random| {
            let mut frames = good.clone();
            let part = random.int_in_range(2..=5)?;
            let mut text = frames[part].to_vec();
            for _ in 0..random.int_in_range(1..=6)? {
                let place = random.int_in_range(0..=text.len())?;
                match random.int_in_range(0..=2)? {
                    0 => text.truncate(place),
                    1 => text.insert(place, random.arbitrary()?),
                    _ => drop(text.splice(place.., random.bytes(random.len().min(16))?.iter().copied())),
                }
            }
            frames[part] = text.into();
            refused += usize::from(wire.decode(frames).is_err());
            Ok(())
        })
        .run();
        assert!(refused > 0, "nothing was wrong with any of them");
    }
}
