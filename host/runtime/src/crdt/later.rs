//! Texts: linked, so that components which use them load, and answering that this version has none.
//!
//! `open` checks the policy first, so that a missing grant shows today and not when they arrive. It never makes a
//! handle, so the other calls cannot be reached.

use super::{Answer, CrdtCtx, Text};
use crate::bindings::host::crdt;
use crate::session::SessionError;
use numax_crdt::Kind;
use wasmtime::Result;
use wasmtime::component::Resource;

fn later<T>(what: &str) -> Answer<T> {
    Ok(Err(SessionError::not_in_this_version(what).into()))
}

impl crdt::HostText for CrdtCtx<'_> {
    async fn open(&mut self, key: String) -> Answer<Resource<Text>> {
        match self.session.open_value(Kind::Text, key) {
            Ok(_) => later("crdt.text"),
            Err(e) => Ok(Err(e.into())),
        }
    }

    async fn insert(&mut self, _this: Resource<Text>, _index: u32, _chunk: String) -> Answer<()> {
        later("crdt.text")
    }

    async fn remove(&mut self, _this: Resource<Text>, _index: u32, _len: u32) -> Answer<()> {
        later("crdt.text")
    }

    async fn read(&mut self, _this: Resource<Text>) -> Answer<String> {
        later("crdt.text")
    }

    async fn size(&mut self, _this: Resource<Text>) -> Answer<u32> {
        later("crdt.text")
    }

    async fn clear(&mut self, _this: Resource<Text>) -> Answer<()> {
        later("crdt.text")
    }

    async fn state_vector(&mut self, _this: Resource<Text>) -> Answer<Vec<u8>> {
        later("crdt.text")
    }

    async fn diff(&mut self, _this: Resource<Text>, _since: Option<Vec<u8>>) -> Answer<Vec<u8>> {
        later("crdt.text")
    }

    async fn apply_update(&mut self, _this: Resource<Text>, _update: Vec<u8>) -> Answer<()> {
        later("crdt.text")
    }

    async fn drop(&mut self, this: Resource<Text>) -> Result<()> {
        self.table.delete(this)?;
        Ok(())
    }
}
