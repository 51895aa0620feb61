//! Between the types of the WIT package and those of the crates.

use crate::bindings::host::common::{Change, CrdtKind, Error, OpKind};
use crate::session::SessionError;
use numax_crdt::Kind;

impl From<SessionError> for Error {
    fn from(e: SessionError) -> Error {
        match e {
            SessionError::Denied(line) => Error::Denied(line),
            SessionError::Invalid(text) => Error::Invalid(text),
            SessionError::NotFound => Error::NotFound,
            SessionError::Quota(text) => Error::Quota(text),
            SessionError::Unavailable(text) => Error::Unavailable(text),
        }
    }
}

impl From<CrdtKind> for Kind {
    fn from(kind: CrdtKind) -> Kind {
        match kind {
            CrdtKind::GCounter => Kind::GCounter,
            CrdtKind::PnCounter => Kind::PnCounter,
            CrdtKind::LwwRegister => Kind::LwwRegister,
            CrdtKind::LwwMap => Kind::LwwMap,
            CrdtKind::OrSet => Kind::OrSet,
            CrdtKind::Rga => Kind::Rga,
            CrdtKind::Text => Kind::Text,
        }
    }
}

impl From<Kind> for CrdtKind {
    fn from(kind: Kind) -> CrdtKind {
        match kind {
            Kind::GCounter => CrdtKind::GCounter,
            Kind::PnCounter => CrdtKind::PnCounter,
            Kind::LwwRegister => CrdtKind::LwwRegister,
            Kind::LwwMap => CrdtKind::LwwMap,
            Kind::OrSet => CrdtKind::OrSet,
            Kind::Rga => CrdtKind::Rga,
            Kind::Text => CrdtKind::Text,
        }
    }
}

/// The operation that a change ended with.
pub(crate) fn op_kind(op: numax_crdt::OpKind) -> OpKind {
    match op {
        numax_crdt::OpKind::Increment => OpKind::Increment,
        numax_crdt::OpKind::Decrement => OpKind::Decrement,
        numax_crdt::OpKind::Set => OpKind::Set,
        numax_crdt::OpKind::Remove => OpKind::Remove,
        numax_crdt::OpKind::Add => OpKind::Add,
        numax_crdt::OpKind::Insert => OpKind::Insert,
        numax_crdt::OpKind::Edit => OpKind::Edit,
        numax_crdt::OpKind::Clear => OpKind::Clear,
    }
}

/// A change as a guest is told of it; none for a key that is not text.
pub(crate) fn change(change: &numax_replica::Change, origin: String, remote: bool) -> Option<Change> {
    let key = change.key.as_str()?.to_owned();
    Some(Change { kind: change.kind.into(), key, op: op_kind(change.op), origin, remote })
}
