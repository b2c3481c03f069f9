//! Who is connected to a router, and which of those with an identity a message is for.
//!
//! A peer says itself what its identity is, and a frontend's stands in every message on iopub. So it says nothing about
//! who the peer is: that is proven by the first message that is signed with the key. Who has not proven it takes
//! nothing away from who has, whoever came first and whoever goes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout};
use zeromq::ZmqMessage;

/// How long a frontend that is connected to one socket may take to connect to another.
const SOON: Duration = Duration::from_secs(1);

/// The frontend that a message is for is not connected any more.
#[derive(Debug, thiserror::Error)]
#[error("the frontend has gone")]
pub(crate) struct Gone;

/// The way to one connection.
pub(crate) type Queue = mpsc::UnboundedSender<ZmqMessage>;

/// Everybody who is connected to one router.
#[derive(Clone, Default)]
pub(crate) struct Peers {
    known: Arc<Mutex<Known>>,
    /// Tells that somebody has connected.
    changes: Arc<watch::Sender<()>>,
}

#[derive(Default)]
struct Known {
    /// The connections of each identity; of those that have proven that they have the key, the last to do so is the
    /// last.
    connections: HashMap<Bytes, Vec<Connection>>,
    /// What may be for somebody who is about to connect: for whom, what, and until when.
    later: Vec<(Bytes, ZmqMessage, Instant)>,
}

struct Connection {
    queue: Queue,
    is_proven: bool,
}

impl Peers {
    /// Takes a new connection in, of which nothing is known but what it says.
    pub(crate) fn connect(&self, identity: &Bytes, queue: &Queue) {
        let mut known = self.known.lock();
        known.forget_what_is_late();
        for (_, message, _) in known.later.iter().filter(|(whose, ..)| whose == identity) {
            // It is taken out again when it has gone.
            let _ = queue.send(message.clone());
        }
        let connection = Connection { queue: queue.clone(), is_proven: false };
        known.connections.entry(identity.clone()).or_default().push(connection);
        drop(known);
        self.changes.send_replace(());
    }

    /// A message that was signed with the key came in on a connection.
    pub(crate) fn prove(&self, identity: &Bytes, queue: &Queue) {
        let mut known = self.known.lock();
        let Some(connections) = known.connections.get_mut(identity) else { return };
        let Some(at) = connections.iter().position(|other| other.queue.same_channel(queue)) else { return };
        let connection = connections.remove(at);
        connections.push(Connection { is_proven: true, ..connection });
    }

    /// Takes out a connection that is over.
    pub(crate) fn disconnect(&self, identity: &Bytes, queue: &Queue) {
        let mut known = self.known.lock();
        let Some(connections) = known.connections.get_mut(identity) else { return };
        connections.retain(|other| !other.queue.same_channel(queue));
        if connections.is_empty() {
            known.connections.remove(identity);
        }
    }

    /// Hands a message to the frontend that has this identity: to the connection that was the last to prove it, and
    /// where none has, to all that say so. What is in a message nobody can change without the key.
    pub(crate) fn send(&self, identity: &Bytes, message: &ZmqMessage) -> Result<(), Gone> {
        self.known.lock().send(identity, message).map(drop)
    }

    /// The same for a frontend that may be about to connect: one that has asked on another socket does so, and the two
    /// connections are not known in the same moment. So where nobody has proven the identity, who connects soon gets
    /// the message as well.
    pub(crate) async fn send_soon(&self, identity: &Bytes, message: ZmqMessage) -> Result<(), Gone> {
        let mut changes = self.changes.subscribe();
        {
            let mut known = self.known.lock();
            let sent = known.send(identity, &message);
            if let Ok(To::Proven) = sent {
                return Ok(());
            }
            known.forget_what_is_late();
            known.later.push((identity.clone(), message, Instant::now() + SOON));
            if sent.is_ok() {
                return Ok(());
            }
        }
        let is_there = |known: &Known| known.connections.contains_key(identity);
        match timeout(SOON, changes.wait_for(|()| is_there(&self.known.lock()))).await {
            Ok(Ok(_)) => Ok(()),
            _ => Err(Gone),
        }
    }
}

/// Who has got a message.
enum To {
    Proven,
    AllThatSaySo,
}

impl Known {
    fn send(&mut self, identity: &Bytes, message: &ZmqMessage) -> Result<To, Gone> {
        let connections = self.connections.get(identity).ok_or(Gone)?;
        let hand = |connection: &Connection| connection.queue.send(message.clone()).is_ok();
        if connections.iter().rev().filter(|connection| connection.is_proven).any(hand) {
            return Ok(To::Proven);
        }
        let got = connections.iter().filter(|connection| !connection.is_proven && hand(connection)).count();
        if got > 0 { Ok(To::AllThatSaySo) } else { Err(Gone) }
    }

    fn forget_what_is_late(&mut self) {
        let now = Instant::now();
        self.later.retain(|(_, _, until)| *until > now);
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::UnboundedReceiver;

    use super::*;

    static IDENTITY: Bytes = Bytes::from_static(b"the frontend");

    fn connect(peers: &Peers) -> (Queue, UnboundedReceiver<ZmqMessage>) {
        let (queue, waiting) = mpsc::unbounded_channel();
        peers.connect(&IDENTITY, &queue);
        (queue, waiting)
    }

    /// Which of the connections get what is sent now.
    fn get<const N: usize>(peers: &Peers, of: [&mut UnboundedReceiver<ZmqMessage>; N]) -> [bool; N] {
        let is_sent = peers.send(&IDENTITY, &ZmqMessage::from("a reply")).is_ok();
        let got = of.map(|waiting| waiting.try_recv().is_ok());
        assert_eq!(is_sent, got.contains(&true));
        got
    }

    #[test]
    fn who_has_not_proven_an_identity_takes_no_messages_from_who_has() {
        let peers = Peers::default();
        let (_before, mut from_before) = connect(&peers);
        let (frontend, mut from_frontend) = connect(&peers);
        assert_eq!(get(&peers, [&mut from_before, &mut from_frontend]), [true, true], "nobody has proven it");
        peers.prove(&IDENTITY, &frontend);
        let (after, mut from_after) = connect(&peers);
        assert_eq!(get(&peers, [&mut from_before, &mut from_frontend, &mut from_after]), [false, true, false]);
        peers.disconnect(&IDENTITY, &after);
        assert_eq!(get(&peers, [&mut from_before, &mut from_frontend]), [false, true], "one that came later has gone");
    }

    #[test]
    fn the_last_to_prove_an_identity_has_it_until_it_goes() {
        let peers = Peers::default();
        let (first, mut from_first) = connect(&peers);
        let (second, mut from_second) = connect(&peers);
        peers.prove(&IDENTITY, &second);
        peers.prove(&IDENTITY, &first);
        assert_eq!(get(&peers, [&mut from_first, &mut from_second]), [true, false]);
        peers.disconnect(&IDENTITY, &first);
        assert_eq!(get(&peers, [&mut from_first, &mut from_second]), [false, true]);
        // One that has gone, and is not taken out yet.
        drop(from_second);
        let (_third, mut from_third) = connect(&peers);
        assert_eq!(get(&peers, [&mut from_third]), [true]);
        peers.disconnect(&IDENTITY, &second);
        assert_eq!(get(&peers, [&mut from_third]), [true]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_reaches_the_frontend_that_connects_soon_whoever_is_there_before() {
        let peers = Peers::default();
        let (_before, mut from_before) = connect(&peers);
        peers.send_soon(&IDENTITY, "a question".into()).await.expect("somebody says so");
        assert!(from_before.try_recv().is_ok());
        let (_frontend, mut from_frontend) = connect(&peers);
        assert!(from_frontend.try_recv().is_ok(), "it came soon");
        tokio::time::advance(SOON).await;
        let (_late, mut from_late) = connect(&peers);
        assert!(from_late.try_recv().is_err(), "it came too late");
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_waits_for_nobody_who_does_not_come() {
        let peers = Peers::default();
        let asked = peers.send_soon(&IDENTITY, "a question".into());
        let comes = async {
            tokio::task::yield_now().await;
            connect(&peers)
        };
        let (asked, (_frontend, mut from_frontend)) = tokio::join!(asked, comes);
        asked.expect("it has come");
        assert!(from_frontend.try_recv().is_ok());
        let other = Bytes::from_static(b"another");
        peers.send_soon(&other, "a question".into()).await.expect_err("nobody comes");
    }
}
