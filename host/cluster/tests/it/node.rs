//! A node with a log in memory, and batches to put in it.

use bytes::Bytes;
use numax_cluster::{Cluster, Config, Effect, Event, Identity, IngestOutcome, LinkId, LogCursor, Millis};
use numax_crdt::{Batch, BatchHeader, Body, Dot, Hlc, Key, NodeId, Op, Origin, VersionVector};
use numax_wire::{Hello, Message, SUPPORTED, WireError};

pub const CLUSTER: [u8; 32] = [0xcc; 32];

pub fn origin(node: u8) -> Origin {
    Origin { node: NodeId([node; 32]), epoch: 1, nonce: 1 }
}

pub fn identity(node: u8) -> Identity {
    Identity {
        node: NodeId([node; 32]),
        origin: origin(node),
        cluster_id: CLUSTER,
        name: format!("n{node}"),
        listen: None,
    }
}

pub fn hello(node: u8) -> Hello {
    Hello {
        protocol: SUPPORTED,
        cluster_id: CLUSTER,
        node: NodeId([node; 32]),
        origin: origin(node),
        instance: 1000 + u64::from(node),
        name: format!("n{node}"),
        listen: None,
        features: 0,
    }
}

pub fn batch(node: u8, seq: u64, value: usize) -> (Dot, Bytes) {
    let body = Body::Register { hlc: Hlc::default(), value: Some(Bytes::from(vec![7; value])) };
    let op = Op { key: Key::new("k").unwrap(), body };
    let batch = Batch { origin: origin(node), seq, deps: vec![], hlc: Hlc::default(), ops: vec![op] };
    (batch.dot(), batch.encode())
}

pub fn vector(entries: &[(u8, u64)]) -> VersionVector {
    entries.iter().map(|(node, seq)| (origin(*node), *seq)).collect()
}

/// A cluster core and the log beneath it.
pub struct Node {
    pub core: Cluster,
    pub now: Millis,
    pub log: Vec<(Dot, Bytes)>,
    pub vector: VersionVector,
    pub timer: Millis,
}

impl Node {
    pub fn new(node: u8, config: Config) -> Self {
        let core = Cluster::new(config, identity(node), u64::from(node));
        let mut this =
            Self { core, now: Millis(0), log: vec![], vector: VersionVector::default(), timer: Millis(0) };
        let effects = this.step(Event::Start { vector: VersionVector::default() });
        assert!(matches!(effects[..], []), "{effects:?}");
        assert!(this.timer >= Millis(800) && this.timer <= Millis(1200));
        this
    }

    /// Steps; keeps the timer and gives the other effects.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.core.step(self.now, event, &mut effects);
        effects.retain(|effect| match effect {
            Effect::TimerAt(at) => {
                self.timer = *at;
                false
            }
            _ => true,
        });
        effects
    }

    pub fn frame(&mut self, link: u64, message: Message) -> Vec<Effect> {
        self.step(Event::Frame { link: LinkId(link), message })
    }

    /// A link whose peer has said hello and has what `has` says.
    pub fn ready(&mut self, link: u64, peer: u8, has: &[(u8, u64)]) {
        self.step(Event::LinkUp { link: LinkId(link), peer: NodeId([peer; 32]), dialed: true });
        let effects = self.frame(link, Message::Hello(hello(peer)));
        assert!(matches!(effects[..], [Effect::PeerReady { .. }, Effect::Send { .. }]), "{effects:?}");
        self.frame(link, Message::Vector(vector(has)));
    }

    /// Applies batches and tells the core.
    pub fn apply(&mut self, batches: &[(Dot, Bytes)]) -> Vec<Effect> {
        for (dot, bytes) in batches {
            assert!(self.vector.advance(*dot), "{dot}");
            self.log.push((*dot, bytes.clone()));
        }
        self.step(Event::Applied { batches: batches.to_vec(), vector: self.vector.clone() })
    }

    /// Does what an ingest asks for, as a replica would.
    pub fn ingest(&mut self, request: u64, batches: &[Bytes]) -> Vec<Effect> {
        let mut outcome = IngestOutcome::default();
        let mut new = Vec::new();
        let mut vector = self.vector.clone();
        for bytes in batches {
            let dot = BatchHeader::peek(bytes).unwrap().dot();
            if vector.covers(dot) {
                outcome.duplicates += 1;
            } else if vector.advance(dot) {
                outcome.applied += 1;
                new.push((dot, bytes.clone()));
            } else {
                outcome.pending += 1;
            }
        }
        let mut effects = if new.is_empty() { vec![] } else { self.apply(&new) };
        let vector = self.vector.clone();
        effects.extend(self.step(Event::Ingested { request, outcome: Ok(outcome), vector }));
        effects
    }

    /// Does what a read asks for.
    pub fn read(
        &mut self,
        request: u64,
        after: &VersionVector,
        cursor: Option<LogCursor>,
        max_bytes: usize,
    ) -> Vec<Effect> {
        let start = cursor.map_or(0, |cursor| usize::try_from(cursor.0).unwrap());
        let (mut batches, mut size, mut next) = (vec![], 0, None);
        for (index, (dot, bytes)) in self.log.iter().enumerate().skip(start) {
            if after.covers(*dot) {
                continue;
            }
            if size > 0 && size + bytes.len() > max_bytes {
                next = Some(LogCursor(index as u64));
                break;
            }
            size += bytes.len();
            batches.push(bytes.clone());
        }
        self.step(Event::LogPage { request, batches, next })
    }
}

/// The messages among effects, with their links.
pub fn sent(effects: &[Effect]) -> Vec<(u64, &Message)> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Send { link, message } => Some((link.0, message)),
            _ => None,
        })
        .collect()
}

/// The error with which a link was closed.
pub fn closed(effects: &[Effect]) -> Option<WireError> {
    effects.iter().find_map(|effect| match effect {
        Effect::Close { error, .. } => error.clone(),
        _ => None,
    })
}
