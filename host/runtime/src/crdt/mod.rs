//! `numax:runtime/crdt`: replicated values.
//!
//! A handle is a key whose policy was checked at `open`; every call checks again what it does.

mod collections;
mod lists;
mod scalars;
mod texts;

use crate::bindings::host::common::{CrdtKind, Error};
use crate::bindings::host::crdt;
use crate::kv::text;
use crate::session::Session;
use numax_crdt::{Key, Kind};
use wasmtime::Result;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};

type Answer<T> = Result<std::result::Result<T, Error>>;

/// What the interface works on.
pub(crate) struct CrdtCtx<'a> {
    pub(crate) session: &'a mut Session,
    pub(crate) table: &'a mut ResourceTable,
}

/// How to find [`CrdtCtx`] in a store's data.
pub(crate) trait CrdtView: Send {
    fn crdt(&mut self) -> CrdtCtx<'_>;
}

struct HasCrdt;

impl HasData for HasCrdt {
    type Data<'a> = CrdtCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: CrdtView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    crdt::add_to_linker::<T, HasCrdt>(linker, T::crdt)
}

macro_rules! handles {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        $($(#[$doc])* pub struct $name(Key);

        impl From<Key> for $name {
            fn from(key: Key) -> $name {
                $name(key)
            }
        })*
    };
}

handles! {
    /// Handle of a g-counter.
    GCounter,
    /// Handle of a pn-counter.
    PnCounter,
    /// Handle of an lww-register.
    LwwRegister,
    /// Handle of an lww-map.
    LwwMap,
    /// Handle of an or-set.
    OrSet,
    /// Handle of an rga.
    Rga,
    /// Handle of a text.
    Text,
}

impl CrdtCtx<'_> {
    fn open<H: From<Key> + Send + 'static>(&mut self, kind: Kind, key: String) -> Answer<Resource<H>> {
        match self.session.open_value(kind, key) {
            Ok(key) => Ok(Ok(self.table.push(H::from(key))?)),
            Err(e) => Ok(Err(e.into())),
        }
    }
}

impl crdt::Host for CrdtCtx<'_> {
    async fn keys(
        &mut self,
        kind: CrdtKind,
        prefix: String,
        after: Option<String>,
        limit: u32,
    ) -> Answer<crdt::KeyPage> {
        let page = self.session.keys(kind.into(), &prefix, after.as_deref(), limit).await;
        Ok(page
            .map(|p| crdt::KeyPage {
                keys: p.items.into_iter().filter_map(text).collect(),
                next: p.next.and_then(text),
            })
            .map_err(Error::from))
    }
}
