//! `numax:runtime/changes`: changes as a feed. Linked, so that components which use it load; a later version has it.

use crate::bindings::host::changes;
use crate::bindings::host::common::{CrdtKind, Error};
use crate::session::{Session, SessionError};
use numax_crdt::Kind;
use numax_policy::Capability;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime::{Result, bail};
use wasmtime_wasi::p2::DynPollable;

type Answer<T> = Result<std::result::Result<T, Error>>;

/// Handle of a feed; none is made in this version.
pub struct Feed(());

/// What the interface works on.
pub(crate) struct ChangesCtx<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) table: &'a mut ResourceTable,
}

/// How to find [`ChangesCtx`] in a store's data.
pub(crate) trait ChangesView: Send {
    fn changes(&mut self) -> ChangesCtx<'_>;
}

struct HasChanges;

impl HasData for HasChanges {
    type Data<'a> = ChangesCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: ChangesView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    changes::add_to_linker::<T, HasChanges>(linker, T::changes)
}

impl changes::Host for ChangesCtx<'_> {}

impl changes::HostFeed for ChangesCtx<'_> {
    async fn open(
        &mut self,
        kind: Option<CrdtKind>,
        prefix: String,
        _since: Option<u64>,
    ) -> Answer<Resource<Feed>> {
        let policy = self.session.grant().policy();
        let readable = |kind: Kind| policy.crdt(kind).may_read_below(prefix.as_bytes());
        let kind = kind.map(Kind::from);
        if !kind.map_or_else(|| Kind::ALL.into_iter().any(readable), readable) {
            let subject = format!("{prefix}*");
            let capability = Capability::CrdtRead(kind.unwrap_or(Kind::GCounter));
            return Ok(Err(self.session.denied(capability, subject.as_bytes()).into()));
        }
        Ok(Err(SessionError::not_in_this_version("changes.feed").into()))
    }

    async fn subscribe(&mut self, _this: Resource<Feed>) -> Result<Resource<DynPollable>> {
        bail!("changes.feed is not in this version")
    }

    async fn next(&mut self, _this: Resource<Feed>) -> Answer<changes::News> {
        Ok(Err(SessionError::not_in_this_version("changes.feed").into()))
    }

    async fn drop(&mut self, this: Resource<Feed>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
