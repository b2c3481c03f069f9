//! Comms: what the widgets of a session and their twins in a frontend say to each other.

use std::collections::BTreeMap;
use std::sync::Arc;

use jupyter_protocol::{
    CommClose, CommId, CommInfo, CommInfoReply, CommMsg, CommOpen, JupyterMessage, JupyterMessageContent as Content,
};
use oxtorch_protocol::{Comm, CommAction, CommRequest};
use parking_lot::Mutex;

/// The comms that the session has opened, with the name of their target.
#[derive(Debug, Clone, Default)]
pub(crate) struct Comms(Arc<Mutex<BTreeMap<String, String>>>);

impl Comms {
    /// Whether the session has any, and so something that can answer.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }

    /// The content of a message for the frontend.
    pub(crate) fn tell(&self, Comm { id, action, data, .. }: Comm) -> Content {
        let mut open = self.0.lock();
        let comm_id = CommId(id.clone());
        match action {
            CommAction::Open { target } => {
                open.insert(id, target.clone());
                CommOpen { comm_id, target_name: target, data, target_module: None }.into()
            }
            CommAction::Message => CommMsg { comm_id, data }.into(),
            CommAction::Close => {
                open.remove(&id);
                CommClose { comm_id, data }.into()
            }
        }
    }

    /// The comms of a target, or all.
    pub(crate) fn info(&self, target: Option<&str>) -> CommInfoReply {
        let open = self.0.lock();
        let wanted = open.iter().filter(|(_, name)| target.is_none_or(|target| target == **name));
        let named = |(id, name): (&String, &String)| (CommId(id.clone()), CommInfo { target_name: name.clone() });
        CommInfoReply { comms: wanted.map(named).collect(), ..CommInfoReply::default() }
    }
}

/// What a frontend says; `None` where it says something else than over a comm.
pub(crate) fn asked(message: &JupyterMessage) -> Option<CommRequest> {
    let (id, action, data) = match &message.content {
        Content::CommOpen(open) => (&open.comm_id, CommAction::Open { target: open.target_name.clone() }, &open.data),
        Content::CommMsg(said) => (&said.comm_id, CommAction::Message, &said.data),
        Content::CommClose(close) => (&close.comm_id, CommAction::Close, &close.data),
        _ => return None,
    };
    let comm = Comm { id: id.0.clone(), action, data: data.clone(), metadata: serde_json::Map::new() };
    Some(CommRequest { comm, request: message.header.msg_id.clone() })
}

#[cfg(test)]
mod tests {
    use serde_json::Map;

    use super::*;

    #[test]
    fn what_is_open_is_told_by_target() {
        let comms = Comms::default();
        let tell = |id: &str, action| {
            comms.tell(Comm { id: id.to_owned(), action, data: Map::new(), metadata: Map::new() });
        };
        tell("a", CommAction::Open { target: "jupyter.widget".to_owned() });
        tell("b", CommAction::Open { target: "another".to_owned() });
        let ids = |target| {
            let mut ids: Vec<String> = comms.info(target).comms.into_keys().map(String::from).collect();
            ids.sort();
            ids
        };
        assert_eq!((ids(None), ids(Some("another"))), (vec!["a".to_owned(), "b".to_owned()], vec!["b".to_owned()]));
        tell("a", CommAction::Close);
        assert_eq!(ids(None), ["b"]);
    }
}
