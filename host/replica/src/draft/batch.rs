//! A turn's batch on its way to the committer.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use numax_crdt::{Dot, ElementId, Key, Kind};

use super::{LocalOps, WriterId, list};
use crate::{log::LocalWrite, texts::Holds};

/// What a turn wrote, without dots, totals and times: the committer gives those.
#[derive(Debug, Clone)]
pub struct LocalBatch {
    pub(crate) writer: WriterId,
    pub(crate) ops: Vec<LocalOp>,
    pub(crate) local: Vec<LocalWrite>,
    /// The texts that it edits, until it is visible.
    pub(crate) holds: Holds,
    bytes: usize,
}

/// One operation of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocalOp {
    pub key: Key,
    pub body: LocalBody,
}

/// What an operation does, relative to what is committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LocalBody {
    GCounter {
        by: u64,
    },
    PnCounter {
        up: u64,
        down: u64,
    },
    Register {
        value: Option<Bytes>,
    },
    MapField {
        field: Bytes,
        value: Option<Bytes>,
    },
    SetAdd {
        element: Bytes,
        replaces: Vec<Dot>,
    },
    SetRemove {
        element: Bytes,
        removes: Vec<Dot>,
    },
    /// `own` when `after` is inserted by the same batch.
    ListInsert {
        id: ElementId,
        after: Option<ElementId>,
        own: bool,
        value: Bytes,
    },
    ListRemove {
        id: ElementId,
    },
    Text {
        update: Bytes,
    },
}

impl LocalBody {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::GCounter { .. } => Kind::GCounter,
            Self::PnCounter { .. } => Kind::PnCounter,
            Self::Register { .. } => Kind::LwwRegister,
            Self::MapField { .. } => Kind::LwwMap,
            Self::SetAdd { .. } | Self::SetRemove { .. } => Kind::OrSet,
            Self::ListInsert { .. } | Self::ListRemove { .. } => Kind::Rga,
            Self::Text { .. } => Kind::Text,
        }
    }
}

impl LocalBatch {
    /// Operations in order of kind, key, and field or element. What is inserted into a list comes before what is
    /// removed from it, in order of ids, so that an element comes before what was inserted after it.
    pub(super) fn new(
        writer: WriterId,
        ops: LocalOps,
        holds: Holds,
        local: BTreeMap<Bytes, Option<Bytes>>,
        bytes: usize,
    ) -> Self {
        let mut out = Vec::new();
        let mut push = |key: &Key, body| out.push(LocalOp { key: key.clone(), body });
        for (key, by) in &ops.g_counters {
            push(key, LocalBody::GCounter { by: *by });
        }
        for (key, (up, down)) in &ops.pn_counters {
            push(key, LocalBody::PnCounter { up: *up, down: *down });
        }
        for (key, value) in ops.registers {
            push(&key, LocalBody::Register { value });
        }
        for (key, fields) in ops.maps {
            for (field, value) in fields {
                push(&key, LocalBody::MapField { field, value });
            }
        }
        for (key, elements) in ops.sets {
            for (element, write) in elements {
                push(
                    &key,
                    match write.added {
                        true => LocalBody::SetAdd { element, replaces: write.dots },
                        false => LocalBody::SetRemove { element, removes: write.dots },
                    },
                );
            }
        }
        for (key, writes) in ops.lists {
            let mut removed: Vec<ElementId> = writes.removed.into_iter().collect();
            let inserted = writes.inserted.into_iter().filter(|(_, own)| own.is_needed());
            let inserted: Vec<_> = inserted.collect();
            let ids: BTreeSet<ElementId> = inserted.iter().map(|(id, _)| *id).collect();
            for (id, list::Own { after, value, .. }) in inserted {
                if value.is_none() {
                    removed.push(id);
                }
                let own = after.is_some_and(|after| ids.contains(&after));
                push(&key, LocalBody::ListInsert { id, after, own, value: value.unwrap_or_default() });
            }
            for id in removed {
                push(&key, LocalBody::ListRemove { id });
            }
        }
        for (key, update) in ops.texts {
            push(&key, LocalBody::Text { update });
        }
        Self { writer, ops: out, local: local.into_iter().collect(), holds, bytes }
    }

    /// One operation.
    pub(crate) fn single(writer: WriterId, op: LocalOp) -> Self {
        Self { writer, ops: vec![op], local: Vec::new(), holds: Holds::default(), bytes: 0 }
    }

    /// Whether there is nothing to commit.
    pub fn is_empty(&self) -> bool {
        self.ops.is_empty() && self.local.is_empty()
    }

    /// How many writes it holds, replicated and node-local ones.
    pub fn len(&self) -> usize {
        self.ops.len() + self.local.len()
    }

    /// An upper bound of its bytes in the log.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}
