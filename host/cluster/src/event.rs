//! What comes in and what goes out.

use crate::{Ack, LogCursor, PageRequest, SentPage, TransferState};
use bytes::Bytes;
use numax_crdt::{Dot, NodeId, Origin, VersionVector};
use numax_wire::{Hello, Message, WireError};

/// A monotonic time in milliseconds, from any start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Millis(pub u64);

impl Millis {
    /// This time and `ms` milliseconds.
    #[must_use]
    pub fn plus(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A connection to a peer, as the transport numbers them. A number is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// What became of batches that were handed over with [`Effect::Ingest`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IngestOutcome {
    /// How many were applied, pending ones that became ready included.
    pub applied: u64,
    /// How many had been applied before.
    pub duplicates: u64,
    /// How many wait for batches before them.
    pub pending: u64,
    /// How many were not taken for now: no room to wait, or an origin under suspicion.
    pub rejected: u64,
    /// How many are no valid batches. The link they came by ends.
    pub malformed: u64,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The node starts. First of all events.
    Start {
        /// What the node has applied.
        vector: VersionVector,
    },
    /// A connection stands, its peer is authenticated.
    LinkUp {
        /// Its number.
        link: LinkId,
        /// Whose key the transport verified.
        peer: NodeId,
        /// Whether we opened it.
        dialed: bool,
    },
    /// A connection is gone.
    LinkDown {
        /// Its number.
        link: LinkId,
    },
    /// A message came.
    Frame {
        /// By which link.
        link: LinkId,
        /// What it says.
        message: Message,
    },
    /// Bytes came that are no message.
    BadFrame {
        /// By which link.
        link: LinkId,
        /// What is wrong with them.
        error: WireError,
    },
    /// How many bytes wait to be sent by a link. Told when that changes much; never telling it is allowed.
    Backlog {
        /// Which link.
        link: LinkId,
        /// Bytes that wait.
        bytes: u64,
    },
    /// Batches were applied here, for the first time, in this order.
    Applied {
        /// Their dots and bytes.
        batches: Vec<(Dot, Bytes)>,
        /// What is applied now.
        vector: VersionVector,
    },
    /// An [`Effect::Ingest`] is done.
    Ingested {
        /// Its number.
        request: u64,
        /// What became of the batches; an error says why none could be taken, and they will be asked for again.
        outcome: Result<IngestOutcome, String>,
        /// What is applied now.
        vector: VersionVector,
    },
    /// An [`Effect::ReadLog`] is done.
    LogPage {
        /// Its number.
        request: u64,
        /// Encoded batches in log order.
        batches: Vec<Bytes>,
        /// Where the next page begins; none if there is nothing more.
        next: Option<LogCursor>,
    },
    /// An [`Effect::ReadLog`] failed.
    LogFailed {
        /// Its number.
        request: u64,
        /// Why.
        reason: String,
    },
    /// An [`Effect::ReadLog`] found that the log does not reach back to what the peer lacks, or not past these batches.
    LogBehind {
        /// Its number.
        request: u64,
        /// Encoded batches in log order that the peer lacks all the same.
        batches: Vec<Bytes>,
    },
    /// The datastore has a transfer of state that did not end. Comes right after the start.
    Unfinished {
        /// How far it has come.
        state: TransferState,
    },
    /// The datastore holds back what is written until it has caught up with a member. Comes right after the start.
    Unsettled {
        /// For a datastore that began empty and has never caught up with anybody: how many peers it is to have.
        newcomer: Option<usize>,
    },
    /// An [`Effect::Settle`] is done.
    Settled {
        /// Whether nothing is held back any more. Otherwise it is asked for again.
        done: bool,
    },
    /// An [`Effect::ReadState`] is done.
    StateRead {
        /// Its number.
        request: u64,
        /// The page, or why it could not be read.
        page: Result<SentPage, String>,
    },
    /// An [`Effect::TakeState`] or [`Effect::MergeState`] is done.
    StateTaken {
        /// Its number.
        request: u64,
        /// How far the transfer has come, none at its end; or why the page was not taken.
        outcome: Result<Option<TransferState>, String>,
        /// What is applied now.
        vector: VersionVector,
    },
    /// The time of the last [`Effect::TimerAt`] came. Early, late and extra ones do no harm.
    Timer,
    /// The node shuts down.
    Stop,
}

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send a message.
    Send {
        /// By which link.
        link: LinkId,
        /// What to say.
        message: Message,
    },
    /// Close a link. The error was sent before as a message too; its code and text belong into the transport's close.
    Close {
        /// Which link.
        link: LinkId,
        /// Why; none if nothing is wrong or the peer said so first.
        error: Option<WireError>,
    },
    /// Apply batches of a peer; answered by [`Event::Ingested`].
    Ingest {
        /// Number for the answer.
        request: u64,
        /// Who sent them.
        link: LinkId,
        /// Encoded batches.
        batches: Vec<Bytes>,
    },
    /// Read a page of batches from the log; answered by [`Event::LogPage`] or [`Event::LogFailed`].
    ReadLog {
        /// Number for the answer.
        request: u64,
        /// Leave out what this covers.
        after: VersionVector,
        /// Where to begin; none for the log's start.
        cursor: Option<LogCursor>,
        /// About how many bytes of batches to read; at least one batch.
        max_bytes: usize,
    },
    /// Tell a peer what this node and the others have received for certain, as [`Message::Acks`].
    SendAcks {
        /// By which link.
        link: LinkId,
    },
    /// A peer said what members have received for certain.
    Acknowledged {
        /// By which link.
        link: LinkId,
        /// Who said so: it lives.
        from: Origin,
        /// What each has received.
        acks: Vec<Ack>,
    },
    /// Read a page of this node's state; answered by [`Event::StateRead`].
    ReadState {
        /// Number for the answer.
        request: u64,
        /// Which page.
        page: PageRequest,
    },
    /// Take a page of a peer's state; answered by [`Event::StateTaken`].
    TakeState {
        /// Number for the answer.
        request: u64,
        /// Who sent it.
        link: LinkId,
        /// The page's bytes.
        page: Bytes,
    },
    /// All pages of a peer's state are here: merge the next; answered by [`Event::StateTaken`].
    MergeState {
        /// To be named in the answer.
        request: u64,
    },
    /// A transfer that has begun is given up.
    AbandonTransfer,
    /// This node has caught up: what is held back may go; answered by [`Event::Settled`].
    Settle,
    /// Give [`Event::Timer`] at this time. Replaces the time before.
    TimerAt(Millis),
    /// A peer said hello and is one of us.
    PeerReady {
        /// By which link.
        link: LinkId,
        /// Who it is.
        node: NodeId,
        /// What it said.
        hello: Hello,
    },
    /// Something to tell people or to act upon.
    Report(Report),
}

/// Something that a person or the node itself should know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// We ended a link because of its peer.
    Refused {
        /// Which link.
        link: LinkId,
        /// Whose.
        peer: NodeId,
        /// Why.
        error: WireError,
    },
    /// A peer ended a link because of us, or asked us to slow down.
    RefusedBy {
        /// Which link.
        link: LinkId,
        /// Whose.
        peer: NodeId,
        /// What it said.
        error: WireError,
    },
    /// A live node writes under our origin. Local writes must stop.
    DuplicateOrigin {
        /// Ours, and theirs.
        origin: Origin,
    },
    /// The node dialled itself.
    SelfLink {
        /// Which link.
        link: LinkId,
    },
    /// Some batches of a peer were not taken.
    Rejected {
        /// By which link.
        link: LinkId,
        /// How many.
        batches: u64,
    },
    /// Batches of a peer could not be taken.
    IngestFailed {
        /// By which link.
        link: LinkId,
        /// Why.
        reason: String,
    },
    /// The log could not be read for a peer.
    ReadFailed {
        /// For which link.
        link: LinkId,
        /// Why.
        reason: String,
    },
    /// A peer's log does not reach back to what this node lacks, and neither does another's: its state is transferred.
    TransferBegins {
        /// From which link.
        link: LinkId,
    },
    /// A transfer of state is complete.
    TransferEnds {
        /// From which link the last page came.
        link: LinkId,
    },
    /// Pushes were dropped because a queue was full. Anti-entropy brings them later.
    PushDropped {
        /// Which link.
        link: LinkId,
        /// How many batches.
        batches: u64,
    },
}

/// What is known about a link's peer, for `cluster` listings and the guests' peer list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerView {
    /// The link.
    pub link: LinkId,
    /// Whose key the transport verified.
    pub node: NodeId,
    /// Its name; empty before its hello.
    pub name: String,
    /// What it writes under; none before its hello.
    pub origin: Option<Origin>,
    /// Where it can be dialled.
    pub listen: Option<String>,
    /// Whether we opened the link.
    pub dialed: bool,
    /// Whether both sides said hello.
    pub ready: bool,
    /// The protocol version of the link; 0 before its hello.
    pub protocol: u32,
    /// Batches that we have and the peer is not known to have.
    pub behind: u64,
    /// Batches that the peer has and we have not.
    pub ahead: u64,
}
