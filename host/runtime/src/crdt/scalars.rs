//! Counters and registers.

use super::{Answer, CrdtCtx, GCounter, LwwRegister, PnCounter};
use crate::bindings::host::common::Error;
use crate::bindings::host::crdt;
use numax_crdt::Kind;
use wasmtime::Result;
use wasmtime::component::Resource;

impl crdt::HostGCounter for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<GCounter>> {
        CrdtCtx::open(self, Kind::GCounter, key)
    }

    async fn increment(&mut self, this: Resource<GCounter>, by: u64) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.g_counter_increment(key, by).await.map_err(Error::from))
    }

    async fn value(&mut self, this: Resource<GCounter>) -> Answer<u64> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.g_counter_value(key).await.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<GCounter>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl crdt::HostPnCounter for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<PnCounter>> {
        CrdtCtx::open(self, Kind::PnCounter, key)
    }

    async fn increment(&mut self, this: Resource<PnCounter>, by: u64) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.pn_counter_increment(key, by).await.map_err(Error::from))
    }

    async fn decrement(&mut self, this: Resource<PnCounter>, by: u64) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.pn_counter_decrement(key, by).await.map_err(Error::from))
    }

    async fn value(&mut self, this: Resource<PnCounter>) -> Answer<i64> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.pn_counter_value(key).await.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<PnCounter>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}

impl crdt::HostLwwRegister for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<LwwRegister>> {
        CrdtCtx::open(self, Kind::LwwRegister, key)
    }

    async fn set(&mut self, this: Resource<LwwRegister>, value: Vec<u8>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.register_set(key, value.into()).await.map_err(Error::from))
    }

    async fn get(&mut self, this: Resource<LwwRegister>) -> Answer<Option<Vec<u8>>> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.register_get(key).await.map(|v| v.map(Vec::from)).map_err(Error::from))
    }

    async fn clear(&mut self, this: Resource<LwwRegister>) -> Answer<()> {
        let key = &self.table.get(&this)?.0;
        Ok(self.session.register_clear(key).await.map_err(Error::from))
    }

    async fn compare_and_set(
        &mut self,
        this: Resource<LwwRegister>,
        expected: Option<Vec<u8>>,
        value: Vec<u8>,
    ) -> Answer<bool> {
        let key = &self.table.get(&this)?.0;
        let done = self.session.register_compare_and_set(key, expected.map(Into::into), value.into()).await?;
        Ok(done.map_err(Error::from))
    }

    async fn drop(&mut self, this: Resource<LwwRegister>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
