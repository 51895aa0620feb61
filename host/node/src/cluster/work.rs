//! Work that must not hold the cluster's task up: reading the log and applying batches.

use bytes::Bytes;
use numax_cluster::{IngestOutcome, LogCursor, PageRequest, SentPage, TransferState};
use numax_crdt::VersionVector;
use numax_replica::{CommitError, LogError, Replica, Transferred};
use tokio::sync::mpsc::UnboundedSender;

/// Finished work. The channel is unbounded, the work is not: the protocol limits how many reads
/// and how many bytes of batches are under way.
pub(super) enum Done {
    Ingested { request: u64, outcome: Result<IngestOutcome, String> },
    Page { request: u64, batches: Vec<Bytes>, next: Option<LogCursor> },
    Unreadable { request: u64, reason: String },
    Behind { request: u64, batches: Vec<Bytes> },
    StateRead { request: u64, page: Result<SentPage, String> },
    Settled { done: bool },
    StateTaken { request: u64, outcome: Result<Option<TransferState>, String> },
}

/// Where finished work goes. A receiver that is gone is shutting down.
pub(super) type Results = UnboundedSender<Done>;

/// Applies a peer's batches.
pub(super) fn ingest(replica: &Replica, results: &Results, request: u64, batches: Vec<Bytes>) {
    let (replica, results) = (replica.clone(), results.clone());
    tokio::spawn(async move {
        let outcome = match replica.ingest(batches).await {
            Ok(done) => Ok(IngestOutcome {
                applied: count(done.applied),
                duplicates: count(done.duplicates),
                pending: count(done.pending),
                rejected: count(done.rejected),
                malformed: count(done.malformed),
            }),
            Err(error) => Err(error.to_string()),
        };
        let _ = results.send(Done::Ingested { request, outcome });
    });
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

/// Reads a page of the log on a thread that may block.
pub(super) fn read_log(
    replica: &Replica,
    results: &Results,
    request: u64,
    after: VersionVector,
    cursor: Option<LogCursor>,
    max_bytes: usize,
) {
    let (replica, results) = (replica.clone(), results.clone());
    tokio::task::spawn_blocking(move || {
        let done = match replica.batches_after(&after, cursor, max_bytes) {
            Ok(page) if page.behind => Done::Behind { request, batches: page.batches },
            Ok(page) => Done::Page { request, batches: page.batches, next: page.next },
            Err(LogError::Behind) => Done::Behind { request, batches: Vec::new() },
            Err(error) => Done::Unreadable { request, reason: error.to_string() },
        };
        let _ = results.send(done);
    });
}

/// Reads a page of this node's state for a peer, on a thread that may block.
pub(super) fn read_state(replica: &Replica, results: &Results, request: u64, page: PageRequest) {
    let (replica, results) = (replica.clone(), results.clone());
    tokio::task::spawn_blocking(move || {
        let page = replica.transfer_page(&page).map_err(|error| error.to_string());
        let _ = results.send(Done::StateRead { request, page });
    });
}

/// Settles what is held back.
pub(super) fn settle(replica: &Replica, results: &Results) {
    let (replica, results) = (replica.clone(), results.clone());
    tokio::spawn(async move {
        let done = replica.settle().await;
        if let Err(error) = &done {
            tracing::warn!(%error, "what is held back cannot be settled yet; it is tried again");
        }
        let _ = results.send(Done::Settled { done: done.is_ok() });
    });
}

/// Takes a page of a peer's state.
pub(super) fn take_state(replica: &Replica, results: &Results, request: u64, page: Bytes) {
    let (replica, results) = (replica.clone(), results.clone());
    tokio::spawn(async move { state_taken(&results, request, replica.take_page(page).await) });
}

/// Merges a page of a peer's state.
pub(super) fn merge_state(replica: &Replica, results: &Results, request: u64) {
    let (replica, results) = (replica.clone(), results.clone());
    tokio::spawn(async move { state_taken(&results, request, replica.merge_page().await) });
}

fn state_taken(results: &Results, request: u64, done: Result<Transferred, CommitError>) {
    let outcome = done.map(|done| done.next).map_err(|error| error.to_string());
    let _ = results.send(Done::StateTaken { request, outcome });
}
