//! `numax:runtime/kv`: the store of this node alone.

use crate::bindings::host::common::Error;
use crate::bindings::host::kv;
use crate::session::{Page, Session};
use bytes::Bytes;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

type Answer<T> = Result<std::result::Result<T, Error>>;

/// What the interface works on.
pub(crate) struct KvCtx<'a> {
    pub(crate) session: &'a mut Session,
}

/// How to find [`KvCtx`] in a store's data.
pub(crate) trait KvView: Send {
    fn kv(&mut self) -> KvCtx<'_>;
}

struct HasKv;

impl HasData for HasKv {
    type Data<'a> = KvCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: KvView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    kv::add_to_linker::<T, HasKv>(linker, T::kv)
}

impl kv::Host for KvCtx<'_> {
    async fn get(&mut self, key: String) -> Answer<Option<Vec<u8>>> {
        Ok(self.session.kv_get(&key).await.map(|v| v.map(Vec::from)).map_err(Error::from))
    }

    async fn set(&mut self, key: String, value: Vec<u8>) -> Answer<()> {
        Ok(self.session.kv_set(&key, value.into()).await.map_err(Error::from))
    }

    async fn delete(&mut self, key: String) -> Answer<()> {
        Ok(self.session.kv_delete(&key).await.map_err(Error::from))
    }

    async fn delete_prefix(&mut self, prefix: String) -> Answer<u64> {
        Ok(self.session.kv_delete_prefix(&prefix).await.map_err(Error::from))
    }

    async fn exists(&mut self, key: String) -> Answer<bool> {
        Ok(self.session.kv_exists(&key).await.map_err(Error::from))
    }

    async fn scan(&mut self, prefix: String, after: Option<String>, limit: u32) -> Answer<kv::Page> {
        let page = self.session.kv_scan(&prefix, after.as_deref(), limit).await;
        Ok(page.map(named_page).map(|(entries, next)| kv::Page { entries, next }).map_err(Error::from))
    }
}

/// A page whose names are text; the session has left the others out.
pub(crate) fn named_page(page: Page<(Bytes, Bytes)>) -> (Vec<(String, Vec<u8>)>, Option<String>) {
    let entries =
        page.items.into_iter().filter_map(|(name, value)| Some((text(name)?, Vec::from(value)))).collect();
    (entries, page.next.and_then(text))
}

/// Bytes as text, if they are.
pub(crate) fn text(bytes: Bytes) -> Option<String> {
    String::from_utf8(Vec::from(bytes)).ok()
}
