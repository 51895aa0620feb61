//! One operation on one replicated value.

use bytes::Bytes;

use crate::{
    element::ElementId,
    family::{self, OpApplier},
    hlc::Hlc,
    id::Dot,
    key::Key,
    kind::{Kind, OpKind},
};

/// An operation on the value named by (kind of the body, key).
///
/// Within a batch there is at most one operation per row: per key for counters and registers, per field for maps, per
/// element for sets. The writer coalesces; that is what lets a dot name a set's addition. Only a list's element may be
/// inserted and then removed in one batch: what stands behind it names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Op {
    /// The key.
    pub key: Key,
    /// What happened.
    pub body: Body,
}

/// What an operation does. Counters carry absolute totals and everything else carries what it saw, so that an
/// operation means the same wherever and however often it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// The batch's origin has now added `total` in all.
    GCounter {
        /// All increments of the origin so far.
        total: u64,
    },
    /// The batch's origin has now added `up` and subtracted `down` in all.
    PnCounter {
        /// All increments of the origin so far.
        up: u64,
        /// All decrements of the origin so far.
        down: u64,
    },
    /// A register was written, or cleared.
    Register {
        /// When; the greater (time, origin) wins.
        hlc: Hlc,
        /// The value, or none for a cleared register.
        value: Option<Bytes>,
    },
    /// A map's field was written, or removed.
    MapField {
        /// The field's name.
        field: Bytes,
        /// When; the greater (time, origin) wins.
        hlc: Hlc,
        /// The value, or none for a removed field.
        value: Option<Bytes>,
    },
    /// An element was added to a set.
    SetAdd {
        /// The element.
        element: Bytes,
        /// Additions of it that the writer saw; the batch's dot replaces them.
        replaces: Vec<Dot>,
    },
    /// An element was removed from a set.
    SetRemove {
        /// The element.
        element: Bytes,
        /// Additions of it that the writer saw. Others survive: an addition wins over a concurrent removal.
        removes: Vec<Dot>,
    },
    /// An element was inserted into a list.
    ListInsert {
        /// Its id, greater than that of `after`.
        id: ElementId,
        /// The element it stands right after, or none at the head.
        after: Option<ElementId>,
        /// The value.
        value: Bytes,
    },
    /// An element was removed from a list.
    ListRemove {
        /// Its id.
        id: ElementId,
    },
    /// A text was edited.
    Text {
        /// A Yjs update, version 1, that [`State::read_update`](crate::text::State::read_update) takes.
        update: Bytes,
    },
}

impl Body {
    /// Whether another operation on the same value is about the same row and does the same sort of thing to it: of a
    /// batch's operations at most one is.
    pub fn same_row(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::MapField { field: a, .. }, Self::MapField { field: b, .. }) => a == b,
            (Self::SetAdd { element: a, .. }, Self::SetAdd { element: b, .. })
            | (Self::SetRemove { element: a, .. }, Self::SetRemove { element: b, .. }) => a == b,
            (Self::ListInsert { id: a, .. }, Self::ListInsert { id: b, .. })
            | (Self::ListRemove { id: a }, Self::ListRemove { id: b }) => a == b,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        }
    }

    /// The kind of value it is for.
    pub fn kind(&self) -> Kind {
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

    /// What it does, as far as the operation alone tells. A pn-counter's operation carries totals only, so it counts
    /// as an increment here; [`OpApplier::apply`](crate::OpApplier::apply), which sees the row, tells the direction.
    pub fn op_kind(&self) -> OpKind {
        match self {
            Self::Register { value: None, .. } => OpKind::Clear,
            Self::MapField { value: None, .. } | Self::SetRemove { .. } | Self::ListRemove { .. } => {
                OpKind::Remove
            }
            _ => family::applier(self.kind()).map_or(OpKind::Set, OpApplier::usual_op),
        }
    }

    /// The dots it names, which count towards [`MAX_BATCH_DOTS`](crate::limits::MAX_BATCH_DOTS).
    pub fn dots(&self) -> &[Dot] {
        match self {
            Self::SetAdd { replaces: dots, .. } | Self::SetRemove { removes: dots, .. } => dots,
            _ => &[],
        }
    }
}
