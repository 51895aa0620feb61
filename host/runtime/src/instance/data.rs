//! What a store holds beside the component.

use super::memory::MemoryLimit;
use crate::changes::{ChangesCtx, ChangesView};
use crate::cluster::{ClusterCtx, ClusterView};
use crate::crdt::{CrdtCtx, CrdtView};
use crate::deterministic::Deterministic;
use crate::events::{EventsCtx, EventsView};
use crate::kv::{KvCtx, KvView};
use crate::messaging::{MessagingCtx, MessagingView};
use crate::module_info::{ModuleInfoCtx, ModuleInfoView};
use crate::session::Session;
use crate::turn::Tags;
use crate::wasi::Hooks;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

/// The data of a store.
pub(crate) struct Data {
    pub(crate) table: ResourceTable,
    pub(crate) wasi: WasiCtx,
    pub(crate) http: WasiHttpCtx,
    pub(crate) hooks: Hooks,
    pub(crate) session: Session,
    pub(crate) outputs: Outputs,
    pub(crate) memory: MemoryLimit,
    pub(crate) cpu: Arc<super::cpu::CpuMeter>,
    /// What it takes instead of the machine, in a run that repeats.
    pub(crate) deterministic: Option<Arc<Deterministic>>,
}

/// The instance's open outputs, by the number of their handle in the resource table.
#[derive(Debug, Default)]
pub(crate) struct Outputs {
    /// Bodies that `finish` will end.
    pub(crate) bodies: HashMap<u32, Arc<Tags>>,
    /// Standard streams, which are no commit points. Numbers are reused, so one leaves when its stream is dropped.
    pub(crate) stdio: HashSet<u32>,
}

impl WasiView for Data {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

impl WasiHttpView for Data {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { ctx: &mut self.http, table: &mut self.table, hooks: &mut self.hooks }
    }
}

impl KvView for Data {
    fn kv(&mut self) -> KvCtx<'_> {
        KvCtx { session: &mut self.session }
    }
}

impl CrdtView for Data {
    fn crdt(&mut self) -> CrdtCtx<'_> {
        CrdtCtx { session: &mut self.session, table: &mut self.table }
    }
}

impl ClusterView for Data {
    fn cluster(&mut self) -> ClusterCtx<'_> {
        ClusterCtx { session: &mut self.session }
    }
}

impl MessagingView for Data {
    fn messaging(&mut self) -> MessagingCtx<'_> {
        MessagingCtx { session: &mut self.session }
    }
}

impl ChangesView for Data {
    fn changes(&mut self) -> ChangesCtx<'_> {
        ChangesCtx { session: &mut self.session, table: &mut self.table }
    }
}

impl EventsView for Data {
    fn events(&mut self) -> EventsCtx<'_> {
        EventsCtx { session: &mut self.session }
    }
}

impl ModuleInfoView for Data {
    fn module_info(&mut self) -> ModuleInfoCtx<'_> {
        ModuleInfoCtx { session: &mut self.session }
    }
}
