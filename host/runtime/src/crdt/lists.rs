//! Lists.

use super::{Answer, CrdtCtx, Rga};
use crate::bindings::host::common::Error;
use crate::bindings::host::crdt;
use numax_crdt::Kind;
use wasmtime::Result;
use wasmtime::component::Resource;

impl crdt::HostRga for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<Rga>> {
        CrdtCtx::open(self, Kind::Rga, key)
    }

    async fn insert(&mut self, this: Resource<Rga>, after: Option<String>, value: Vec<u8>) -> Answer<String> {
        let key = &self.table.get(&this)?.0;
        let id = self.session.list_insert(key, after.as_deref(), value.into()).await;
        Ok(id.map(|id| id.to_string()).map_err(Error::from))
    }

    async fn push(&mut self, this: Resource<Rga>, value: Vec<u8>) -> Answer<String> {
        let key = &self.table.get(&this)?.0;
        let id = self.session.list_push(key, value.into()).await;
        Ok(id.map(|id| id.to_string()).map_err(Error::from))
    }

    async fn get(&mut self, this: Resource<Rga>, id: String) -> Answer<Option<Vec<u8>>> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.list_get(key, &id).await.map(|v| v.map(Vec::from)).map_err(Error::from))
    }

    async fn remove(&mut self, this: Resource<Rga>, id: String) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.list_remove(key, &id).await.map_err(Error::from))
    }

    async fn entries(
        &mut self,
        this: Resource<Rga>,
        after: Option<String>,
        limit: u32,
    ) -> Answer<crdt::RgaPage> {
        let key = &self.table.get(&this)?.0;
        let page = self.session.list_entries(key, after.as_deref(), limit).await;
        Ok(page
            .map(|p| crdt::RgaPage {
                entries: p.items.into_iter().map(|(id, v)| (id.to_string(), Vec::from(v))).collect(),
                next: p.next.map(|id| id.to_string()),
            })
            .map_err(Error::from))
    }

    async fn size(&mut self, this: Resource<Rga>) -> Answer<u64> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.list_size(key).await.map_err(Error::from))
    }

    async fn clear(&mut self, this: Resource<Rga>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.list_clear(key).await.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<Rga>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
