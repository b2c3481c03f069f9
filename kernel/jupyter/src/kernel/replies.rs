//! Answers to the requests that need no cell to run.

use jupyter_protocol::{
    CompleteReply, ConnectionInfo, DebugReply, DebugRequest, ExecuteReply, HelpLink, InspectReply, IsCompleteReply,
    JupyterMessageContent as Content, KernelInfoReply, Media, MediaType, ReplyError, ReplyStatus, ShutdownReply,
    UnknownMessage,
};
use oxtorch_session::formats::{RUST_VERSION, language_info};
use oxtorch_session::{Completeness, Completion, Documentation};
use serde_json::json;

use crate::kernel::comms::Comms;
use crate::kernel::usage::Usage;
use crate::wire::PROTOCOL_VERSION;

/// Replies to the requests that shell and control both take.
pub(crate) struct CommonReplies {
    /// For `connect_request`.
    connection: ConnectionInfo,
    /// For `usage_request`.
    usage: Usage,
    /// For `comm_info_request`.
    comms: Comms,
}

impl CommonReplies {
    pub(crate) fn new(connection: ConnectionInfo, comms: Comms) -> Self {
        Self { connection, usage: Usage::default(), comms }
    }

    /// The reply to one of these, or to one whose content lacks something; `None` for any other.
    pub(crate) fn to(&mut self, request: &Content) -> Option<Content> {
        Some(match request {
            Content::KernelInfoRequest(_) => kernel_info().into(),
            Content::CommInfoRequest(request) => self.comms.info(request.target_name.as_deref()).into(),
            Content::DebugRequest(request) => debug(request).into(),
            // The reply says whether the frontend will start the kernel again.
            Content::ShutdownRequest(request) => {
                ShutdownReply { restart: request.restart, status: ReplyStatus::Ok, error: None }.into()
            }
            Content::UnknownMessage(unknown) => match unknown.msg_type.as_str() {
                "connect_request" => connect(&self.connection).into(),
                "usage_request" => self.usage.reply(),
                // Clients leave out fields of these that others send.
                "kernel_info_request" => kernel_info().into(),
                "comm_info_request" => self.comms.info(None).into(),
                _ => return malformed(unknown),
            },
            _ => return None,
        })
    }
}

/// The answer to a request whose content lacks something; `None` where the type is unknown, too.
fn malformed(unknown: &UnknownMessage) -> Option<Content> {
    let known = [
        "complete_request",
        "debug_request",
        "execute_request",
        "inspect_request",
        "interrupt_request",
        "is_complete_request",
        "shutdown_request",
    ];
    known.contains(&unknown.msg_type.as_str()).then(|| {
        unknown.reply(json!({
            "status": "error",
            "ename": "InvalidRequest",
            "evalue": format!("the content of this {} is not what the protocol asks for", unknown.msg_type),
            "traceback": [],
        }))
    })
}

/// The answer to a cell that comes on control: cells run one after the other, in the order in which they come on shell.
pub(crate) fn on_the_wrong_channel() -> ExecuteReply {
    let error = ReplyError {
        ename: "InvalidRequest".into(),
        evalue: "cells are executed on the shell channel; this one came on control and was not run".into(),
        traceback: Vec::new(),
    };
    ExecuteReply { status: ReplyStatus::Error, error: Some(Box::new(error)), ..ExecuteReply::default() }
}

fn kernel_info() -> KernelInfoReply {
    let version = env!("CARGO_PKG_VERSION");
    KernelInfoReply {
        status: ReplyStatus::Ok,
        protocol_version: PROTOCOL_VERSION.into(),
        implementation: "oxtorch".into(),
        implementation_version: version.into(),
        language_info: language_info(),
        banner: format!("Oxtorch {version}: deep learning in Rust {RUST_VERSION}"),
        help_links: [
            ("Rust by Example", "https://doc.rust-lang.org/rust-by-example/"),
            ("Rust standard library", "https://doc.rust-lang.org/std/"),
            ("tch, the tensor library", "https://docs.rs/tch"),
        ]
        .map(|(text, url)| HelpLink { text: text.into(), url: url.into() })
        .into(),
        debugger: false,
        error: None,
    }
}

/// Where a cursor that is counted in characters stands in bytes; at the end of the text where it is behind that.
pub(crate) fn byte_offset(code: &str, characters: usize) -> usize {
    code.char_indices().nth(characters).map_or(code.len(), |(offset, _)| offset)
}

/// What could stand at the cursor, in the protocol's terms.
pub(crate) fn complete(code: &str, found: Completion) -> CompleteReply {
    let characters = |offset: usize| code[..offset].chars().count();
    let (start, end) = (characters(found.range.start), characters(found.range.end));
    let typed = found.candidates.iter().map(|candidate| {
        json!({"text": candidate.text, "type": candidate.kind.name(), "signature": candidate.signature, "start": start, "end": end})
    });
    let metadata = serde_json::Map::from_iter([("_jupyter_types_experimental".to_owned(), typed.collect())]);
    let matches = found.candidates.iter().map(|candidate| candidate.text.clone()).collect();
    CompleteReply { matches, cursor_start: start, cursor_end: end, metadata, ..CompleteReply::default() }
}

/// What is known of a name, in the protocol's terms.
pub(crate) fn inspect(found: Option<Documentation>) -> InspectReply {
    let Some(Documentation { plain, markdown }) = found else { return InspectReply::default() };
    let data = Media::new(vec![MediaType::Plain(plain), MediaType::Markdown(markdown)]);
    InspectReply { found: true, data, ..InspectReply::default() }
}

fn connect(connection: &ConnectionInfo) -> UnknownMessage {
    UnknownMessage {
        msg_type: "connect_reply".into(),
        content: json!({
            "status": "ok",
            "shell_port": connection.shell_port,
            "iopub_port": connection.iopub_port,
            "stdin_port": connection.stdin_port,
            "control_port": connection.control_port,
            "hb_port": connection.hb_port,
        }),
    }
}

/// A response of the debug adapter protocol that refuses.
fn debug(request: &DebugRequest) -> DebugReply {
    DebugReply {
        content: json!({
            "type": "response",
            "request_seq": request.content["seq"],
            "command": request.content["command"],
            "success": false,
            "message": "this kernel has no debugger",
        }),
    }
}

/// What the engine found, in the protocol's terms.
pub(crate) fn is_complete(found: Completeness) -> IsCompleteReply {
    match found {
        Completeness::Complete => IsCompleteReply::complete(),
        Completeness::Incomplete { indent } => IsCompleteReply::incomplete(indent),
        Completeness::Invalid => IsCompleteReply::invalid(),
    }
}
