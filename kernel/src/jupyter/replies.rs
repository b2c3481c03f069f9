//! Answers to the requests that need no cell to run.

use jupyter_protocol::{
    CodeMirrorMode, CommInfoReply, CompleteReply, CompleteRequest, ConnectionInfo, DebugReply, DebugRequest, HelpLink,
    HistoryReply, InspectReply, IsCompleteReply, JupyterMessageContent, KernelInfoReply, LanguageInfo, ReplyStatus,
    UnknownMessage,
};
use serde_json::json;

use super::wire::PROTOCOL_VERSION;
use crate::session::Completeness;

/// The toolchain that this kernel is pinned to and that compiles the cells.
pub(crate) const RUST_VERSION: &str = "1.95.0";

/// What a frontend needs to know about the language of the cells.
pub(crate) fn language_info() -> LanguageInfo {
    LanguageInfo {
        name: "rust".into(),
        version: RUST_VERSION.into(),
        mimetype: Some("text/rust".into()),
        file_extension: Some(".rs".into()),
        pygments_lexer: Some("rust".into()),
        codemirror_mode: Some(CodeMirrorMode::Simple("rust".into())),
        nbconvert_exporter: None,
    }
}

/// The answer to a request on shell or control that only reads what the kernel is; `None` for any other.
pub(super) fn standing(request: &JupyterMessageContent, connection: &ConnectionInfo) -> Option<JupyterMessageContent> {
    Some(match request {
        JupyterMessageContent::KernelInfoRequest(_) => kernel_info().into(),
        JupyterMessageContent::CommInfoRequest(_) => CommInfoReply::default().into(),
        JupyterMessageContent::HistoryRequest(_) => HistoryReply::default().into(),
        JupyterMessageContent::CompleteRequest(request) => complete(request).into(),
        JupyterMessageContent::InspectRequest(_) => InspectReply::default().into(),
        JupyterMessageContent::DebugRequest(request) => debug(request).into(),
        JupyterMessageContent::UnknownMessage(unknown) => match unknown.msg_type.as_str() {
            "connect_request" => connect(connection).into(),
            // Clients leave out fields of these that others send.
            "kernel_info_request" => kernel_info().into(),
            "comm_info_request" => CommInfoReply::default().into(),
            "history_request" => HistoryReply::default().into(),
            _ => return None,
        },
        _ => return None,
    })
}

/// The answer to a request whose content lacks something; `None` where the type is unknown, too.
pub(super) fn malformed(unknown: &UnknownMessage) -> Option<JupyterMessageContent> {
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

/// No matches yet, said in the way that leaves the user's text as it is.
fn complete(request: &CompleteRequest) -> CompleteReply {
    CompleteReply { cursor_start: request.cursor_pos, cursor_end: request.cursor_pos, ..CompleteReply::default() }
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
pub(super) fn is_complete(found: Completeness) -> IsCompleteReply {
    match found {
        Completeness::Complete => IsCompleteReply::complete(),
        Completeness::Incomplete { indent } => IsCompleteReply::incomplete(indent),
        Completeness::Invalid => IsCompleteReply::invalid(),
    }
}
