//! Texts.

use super::{Answer, CrdtCtx, Text};
use crate::bindings::host::common::Error;
use crate::bindings::host::crdt;
use numax_crdt::Kind;
use wasmtime::Result;
use wasmtime::component::Resource;

impl crdt::HostText for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<Text>> {
        CrdtCtx::open(self, Kind::Text, key)
    }

    async fn insert(&mut self, this: Resource<Text>, index: u32, chunk: String) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_insert(key, index, &chunk).await.map_err(Error::from))
    }

    async fn remove(&mut self, this: Resource<Text>, index: u32, len: u32) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_remove(key, index, len).await.map_err(Error::from))
    }

    async fn read(&mut self, this: Resource<Text>) -> Answer<String> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_read(key).await.map_err(Error::from))
    }

    async fn size(&mut self, this: Resource<Text>) -> Answer<u32> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_size(key).await.map_err(Error::from))
    }

    async fn clear(&mut self, this: Resource<Text>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_clear(key).await.map_err(Error::from))
    }

    async fn state_vector(&mut self, this: Resource<Text>) -> Answer<Vec<u8>> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_state_vector(key).await.map(Vec::from).map_err(Error::from))
    }

    async fn diff(&mut self, this: Resource<Text>, since: Option<Vec<u8>>) -> Answer<Vec<u8>> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_diff(key, since.as_deref()).await.map(Vec::from).map_err(Error::from))
    }

    async fn apply_update(&mut self, this: Resource<Text>, update: Vec<u8>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.text_apply_update(key, &update).await.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<Text>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
