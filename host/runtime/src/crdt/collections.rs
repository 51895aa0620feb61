//! Maps and sets.

use super::{Answer, CrdtCtx, LwwMap, OrSet};
use crate::bindings::host::common::Error;
use crate::bindings::host::crdt;
use crate::kv::named_page;
use numax_crdt::Kind;
use wasmtime::Result;
use wasmtime::component::Resource;

impl crdt::HostLwwMap for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<LwwMap>> {
        CrdtCtx::open(self, Kind::LwwMap, key)
    }

    async fn set(&mut self, this: Resource<LwwMap>, field: String, value: Vec<u8>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.map_set(key, &field, value.into()).await.map_err(Error::from))
    }

    async fn get(&mut self, this: Resource<LwwMap>, field: String) -> Answer<Option<Vec<u8>>> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.map_get(key, &field).await.map(|v| v.map(Vec::from)).map_err(Error::from))
    }

    async fn contains(&mut self, this: Resource<LwwMap>, field: String) -> Answer<bool> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.map_contains(key, &field).await.map_err(Error::from))
    }

    async fn remove(&mut self, this: Resource<LwwMap>, field: String) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.map_remove(key, &field).await.map_err(Error::from))
    }

    async fn entries(
        &mut self,
        this: Resource<LwwMap>,
        after: Option<String>,
        limit: u32,
    ) -> Answer<crdt::MapPage> {
        let key = &self.table.get(&this)?.0;
        let page = self.session.map_entries(key, after.as_deref(), limit).await;
        Ok(page.map(named_page).map(|(entries, next)| crdt::MapPage { entries, next }).map_err(Error::from))
    }

    async fn size(&mut self, this: Resource<LwwMap>) -> Answer<u64> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.map_size(key).await.map_err(Error::from))
    }

    async fn clear(&mut self, this: Resource<LwwMap>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.map_clear(key).await.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<LwwMap>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl crdt::HostOrSet for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<OrSet>> {
        CrdtCtx::open(self, Kind::OrSet, key)
    }

    async fn add(&mut self, this: Resource<OrSet>, element: Vec<u8>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.set_add(key, element.into()).await.map_err(Error::from))
    }

    async fn remove(&mut self, this: Resource<OrSet>, element: Vec<u8>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.set_remove(key, &element).await.map_err(Error::from))
    }

    async fn contains(&mut self, this: Resource<OrSet>, element: Vec<u8>) -> Answer<bool> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.set_contains(key, &element).await.map_err(Error::from))
    }

    async fn elements(
        &mut self,
        this: Resource<OrSet>,
        after: Option<Vec<u8>>,
        limit: u32,
    ) -> Answer<crdt::SetPage> {
        let key = &self.table.get(&this)?.0;
        let page = self.session.set_elements(key, after.as_deref(), limit).await;
        Ok(page
            .map(|p| crdt::SetPage {
                elements: p.items.into_iter().map(Vec::from).collect(),
                next: p.next.map(Vec::from),
            })
            .map_err(Error::from))
    }

    async fn size(&mut self, this: Resource<OrSet>) -> Answer<u64> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.set_size(key).await.map_err(Error::from))
    }

    async fn clear(&mut self, this: Resource<OrSet>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.set_clear(key).await.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<OrSet>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
