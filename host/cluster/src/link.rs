//! What is known about one connection.

use crate::event::Millis;
use crate::state::Wanted;
use crate::{LogCursor, PeerView};
use numax_crdt::{NodeId, VersionVector};
use numax_wire::Hello;

/// State of one link.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) peer: NodeId,
    pub(crate) dialed: bool,
    /// When the link came up.
    pub(crate) since: Millis,
    /// What the peer said of itself; none until then, and the link is not ready.
    pub(crate) hello: Option<Hello>,
    pub(crate) protocol: u32,
    /// What the peer certainly has: what it told and what it sent us. A peer cannot lose anything while a link of it
    /// lives, so this only grows.
    pub(crate) known: VersionVector,
    /// Whether `known` holds a whole vector of the peer. Before that nothing is pushed to it: much of what it would
    /// get it may have, and anti-entropy, which starts at once, finds out.
    pub(crate) told: bool,
    /// When the peer was last told our vector unasked, so that two nodes never play ping-pong with theirs.
    pub(crate) vector_sent: Option<Millis>,
    /// Until when the peer asked to be left alone.
    pub(crate) quiet_until: Millis,
    /// Bytes that wait in the transport.
    pub(crate) backlog: u64,
    /// Bytes of the peer's batches that are on their way into the log.
    pub(crate) ingesting: usize,
    pub(crate) serving: Serving,
    /// When the peer's acknowledgements were heard last.
    pub(crate) acks_heard: Option<Millis>,
    /// Our digest when the peer said that its log does not reach back to what we lack.
    pub(crate) behind: Option<[u8; 16]>,
    /// The page of our state that the peer waits for.
    pub(crate) wanted: Option<Wanted>,
    /// Until when the peer is asked for no transfer of its state: the last one came to nothing.
    pub(crate) no_state_until: Millis,
}

/// What the peer gets from our log.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    /// The page being read.
    pub(crate) reading: Option<Reading>,
    /// The newest page asked for meanwhile.
    pub(crate) waiting: Option<(u64, VersionVector)>,
    /// Where the page after the last one sent begins.
    pub(crate) cursor: Option<LogCursor>,
    /// What the peer must cover for `cursor` to hold: everything before the cursor.
    pub(crate) sent: VersionVector,
}

/// A page that is being read from the log.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Our number for the read.
    pub(crate) request: u64,
    /// The peer's number for the page.
    pub(crate) id: u64,
    /// What the peer has.
    pub(crate) after: VersionVector,
}

impl Link {
    pub(crate) fn new(peer: NodeId, dialed: bool, now: Millis) -> Self {
        Self {
            peer,
            dialed,
            since: now,
            hello: None,
            protocol: 0,
            known: VersionVector::default(),
            told: false,
            vector_sent: None,
            quiet_until: Millis(0),
            backlog: 0,
            ingesting: 0,
            serving: Serving::default(),
            acks_heard: None,
            behind: None,
            wanted: None,
            no_state_until: Millis(0),
        }
    }

    /// Whether the peer understands acknowledgements and transfers of state.
    pub(crate) fn forgets(&self) -> bool {
        self.hello.as_ref().is_some_and(|hello| hello.features & numax_wire::FORGETTING != 0)
    }

    pub(crate) fn ready(&self) -> bool {
        self.hello.is_some()
    }

    pub(crate) fn view(&self, link: crate::LinkId, own: &VersionVector) -> PeerView {
        PeerView {
            link,
            node: self.peer,
            name: self.hello.as_ref().map(|hello| hello.name.clone()).unwrap_or_default(),
            origin: self.hello.as_ref().map(|hello| hello.origin),
            listen: self.hello.as_ref().and_then(|hello| hello.listen.clone()),
            dialed: self.dialed,
            ready: self.ready(),
            protocol: self.protocol,
            behind: missing(own, &self.known),
            ahead: missing(&self.known, own),
        }
    }
}

/// How many batches `has` covers and `lacks` does not.
fn missing(has: &VersionVector, lacks: &VersionVector) -> u64 {
    has.iter().map(|(origin, seq)| seq.saturating_sub(lacks.get(origin))).fold(0, u64::saturating_add)
}
