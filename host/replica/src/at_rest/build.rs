//! Making a datastore from what a log holds.

use bytes::Bytes;

use super::log::LogRecord;
use crate::{
    config::ReplicaConfig,
    core::{Core, Request, Response},
    error::OpenError,
    replica::files::{self, now_ms},
};

/// Bytes of batches that are applied at once.
const CHUNK: usize = 1 << 20;
/// Rows in memory after which they go to the engine.
const FLUSH_ROWS: usize = 32_768;

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// Batches that were applied.
    pub batches: u64,
    /// Batches that came again, and were left out.
    pub duplicates: u64,
    /// Pages of transferred state that were merged.
    pub pages: u64,
    /// Node-local writes that were left out: they are the other node's own.
    pub local_writes: u64,
    /// The digest of the state, see [`Core::state_hash`].
    pub state_hash: [u8; 32],
}

/// Makes a new datastore at `config.dir`, of the node `config.core.node`, and applies what `next` gives, in order, as if
/// a peer had sent it. Blocks, long.
///
/// # Errors
/// When there is a datastore already, the system refuses, or something cannot be applied, for example a batch whose
/// dependencies are not among those before it. The directory is then of no use.
pub fn build<E: From<OpenError>>(
    config: &ReplicaConfig,
    mut next: impl FnMut() -> Result<Option<LogRecord>, E>,
) -> Result<Built, E> {
    let held = files::hold(&config.dir, config.reserve)?;
    if files::engine_of(&config.dir)?.is_some() {
        let detail = "there is a datastore already".to_string();
        return Err(OpenError::Foreign { path: config.dir.display().to_string(), detail }.into());
    }
    let engine = files::open_engine(&config.dir, config.engine, &Default::default())?;
    let mut core =
        Core::open(config.core.clone(), held.disk.clone(), engine, &held.facts, now_ms()).map_err(E::from)?;
    let mut out = Built { batches: 0, duplicates: 0, pages: 0, local_writes: 0, state_hash: [0; 32] };
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while let Some(record) = next()? {
        out.local_writes += record.local.len() as u64;
        if let Some(batch) = record.batch {
            bytes += batch.len();
            batches.push(batch);
        }
        if bytes >= CHUNK || record.page.is_some() {
            apply(&mut core, std::mem::take(&mut batches), &mut out)?;
            bytes = 0;
        }
        if let Some(page) = record.page {
            take_page(&mut core, page, &mut out)?;
        }
    }
    apply(&mut core, batches, &mut out)?;
    out.state_hash = core.state_hash().map_err(|error| failed("reading the rows", &error))?;
    core.close().map_err(|error| failed("closing the new datastore", &error))?;
    Ok(out)
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> OpenError {
    OpenError::Io { what: what.to_string(), detail: error.to_string() }
}

fn run(core: &mut Core, request: Request) -> Result<Response, OpenError> {
    let mut outcome = core.run_group(vec![request], now_ms());
    let done = outcome.results.pop();
    let done = done.ok_or_else(|| failed("applying the log", &"nothing came of it"))?;
    if core.unflushed_rows() >= FLUSH_ROWS {
        core.flush(false).map_err(|error| failed("writing rows", &error))?;
    }
    done.map_err(|error| failed("applying the log", &error))
}

fn apply(core: &mut Core, batches: Vec<Bytes>, out: &mut Built) -> Result<(), OpenError> {
    if batches.is_empty() {
        return Ok(());
    }
    let Response::Ingested(done) = run(core, Request::Ingest(batches))? else { return Ok(()) };
    out.batches += done.applied as u64;
    out.duplicates += done.duplicates as u64;
    if done.rejected > 0 || done.pending > 0 {
        let detail = format!(
            "behind batch {} of the log, {} are refused and {} lack others that they depend on: the log does not \
             reach back to the beginning, or was put together from parts",
            out.batches, done.rejected, done.pending
        );
        return Err(failed("applying the log", &detail));
    }
    Ok(())
}

fn take_page(core: &mut Core, page: Bytes, out: &mut Built) -> Result<(), OpenError> {
    let done = run(core, Request::Transfer(page))?;
    out.pages += 1;
    let merging = |done: &Response| match done {
        Response::Transferred(done) => done.next.as_ref().is_some_and(|state| state.merging),
        _ => false,
    };
    if merging(&done) {
        while merging(&run(core, Request::Merge)?) {}
    }
    Ok(())
}
