//! The session of an instance: all that a guest may do, with authorisation, quota and audit in this one place.
//!
//! Every ABI is a thin layer over it. A session has its own batch (the draft): what other instances have open it cannot
//! see, what they have committed it can. The draft becomes durable at commit points, and only there; what a call waits
//! for in here (a row that is not in memory, a quota) is never one, so how much memory the node has does not change
//! what ends up in one batch.

mod crdt;
mod error;
mod events;
mod grant;
mod kv;
mod page;
mod quota;

pub use error::SessionError;
pub use events::Registrations;
pub use grant::{ModuleCounters, ModuleGrant};
pub use numax_replica::Page;

use crate::backend::Backend;
use crate::error::RunError;
use crate::turn::Gate;
use numax_crdt::limits::RESERVED_PREFIX;
use numax_policy::Capability;
use numax_replica::{Draft, DraftError, Mark, Reader, Replica, WriterId};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How long a turn waits for a text that others edit. Nobody holds one while waiting for the outside, so this is many
/// turns' worth; what may take longer is a turn that computes on, up to its CPU quota, and then it is better to say so.
const TEXT_WAIT: Duration = Duration::from_secs(10);

/// A fresh writer id for each session of this process: it is how an instance's own changes are told from others'.
fn next_writer() -> WriterId {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One instance's way to everything that numax offers.
pub struct Session {
    grant: Arc<ModuleGrant>,
    backend: Arc<dyn Backend>,
    gate: Arc<Gate>,
    writer: WriterId,
    /// The replica and the batch; there from the first call that needs them.
    open: Option<Open>,
    /// There while `lifecycle.init` runs.
    registrations: Option<Registrations>,
    /// Storage has failed under a call: what the guest does now is not its fault.
    storage_failed: bool,
}

struct Open {
    replica: Replica,
    reader: Reader,
    draft: Draft,
}

impl Session {
    /// A session that has not done anything yet.
    pub fn new(grant: Arc<ModuleGrant>, backend: Arc<dyn Backend>) -> Session {
        let (gate, writer) = (Gate::new(), next_writer());
        Session { grant, backend, gate, writer, open: None, registrations: None, storage_failed: false }
    }

    /// What this session's module is granted.
    pub fn grant(&self) -> &Arc<ModuleGrant> {
        &self.grant
    }

    /// The gate that this session's output passes.
    pub fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    /// The mark that this session's batches carry.
    pub fn writer(&self) -> WriterId {
        self.writer
    }

    pub(crate) fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Whether the turn has written nothing.
    pub fn is_clean(&self) -> bool {
        self.open.as_ref().is_none_or(|open| open.draft.is_empty())
    }

    /// A commit point: what was written since the last one gets its place in the log. Returns when it has; output waits
    /// for more, see [`Gate`].
    ///
    /// Dropping the future does not take the batch back once it was handed over.
    ///
    /// # Errors
    /// The batch could not be appended. The instance must then be dropped: it may not run on.
    pub async fn commit(&mut self) -> Result<(), RunError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        // What it believes may not be so: other instances, and this one when it began, saw something else.
        if self.gate.failed() {
            return Err(self.stopped("the log failed before what it had written or seen was safe"));
        }
        // The usual case: most calls that could end a turn end an empty one.
        if open.draft.is_empty() {
            return Ok(());
        }
        let batch = open.draft.take();
        match open.replica.commit(batch).await {
            Ok(ticket) => {
                self.gate.reach(ticket.position);
                self.grant.committed();
                Ok(())
            }
            Err(e) => Err(self.stopped(&e.to_string())),
        }
    }

    /// A commit that did not succeed.
    fn stopped(&self, error: &str) -> RunError {
        if let Some(times) = self.grant.commit_failed() {
            tracing::error!(module = %self.grant.name(), times, error, "a commit failed; the guest is stopped");
        }
        RunError::Commit(error.to_owned())
    }

    /// The guest is told of what was read for it since a mark: its output waits for that too.
    pub(crate) fn saw(&self, replica: &Replica, since: Mark) {
        self.gate.follow(replica.durable());
        self.gate.reach(replica.reader().seen(since));
    }

    /// Forgets what the turn has written.
    pub fn rollback(&mut self) {
        if let Some(open) = &mut self.open {
            open.draft.rollback();
        }
    }

    /// Whether storage has failed under a call of this session.
    pub fn storage_failed(&self) -> bool {
        self.storage_failed
    }

    async fn open(&mut self) -> Result<&mut Open, SessionError> {
        if self.open.is_none() {
            let replica = match self.backend.replica().await {
                Ok(replica) => replica,
                Err(e) => {
                    self.storage_failed = true;
                    return Err(SessionError::Unavailable(e));
                }
            };
            self.gate.follow(replica.durable());
            let reader = replica.reader();
            let draft = Draft::new(reader.clone(), self.writer);
            self.open = Some(Open { replica, reader, draft });
        }
        self.open.as_mut().ok_or_else(|| SessionError::Unavailable("no datastore".to_owned()))
    }

    /// Runs a step on the draft. Rows that are not in memory are loaded on a blocking thread and the step is repeated,
    /// so a step must change nothing before its last read; that is the draft's own promise.
    async fn step<R>(
        &mut self,
        mut step: impl FnMut(&mut Draft) -> Result<R, DraftError>,
    ) -> Result<R, SessionError> {
        let open = self.open().await?;
        let mark = open.reader.mark();
        let result = Self::step_on(&mut open.draft, &mut step).await;
        let seen = open.reader.seen(mark);
        // Other sessions' rows are visible before they are safe.
        self.gate.reach(seen);
        self.storage_failed |= matches!(result, Err(SessionError::Unavailable(_)));
        result
    }

    async fn step_on<R>(
        draft: &mut Draft,
        step: &mut impl FnMut(&mut Draft) -> Result<R, DraftError>,
    ) -> Result<R, SessionError> {
        loop {
            match step(draft) {
                Ok(r) => return Ok(r),
                Err(DraftError::Miss(miss)) => {
                    let loaded = tokio::task::spawn_blocking(move || miss.load())
                        .await
                        .map_err(|e| SessionError::Unavailable(format!("reading stopped: {e}")))?
                        .map_err(|e| SessionError::Unavailable(e.to_string()))?;
                    draft.supply(loaded);
                }
                // Not a commit point: what the turn holds itself stays held while it waits.
                Err(DraftError::Busy(busy)) => {
                    let key = busy.key().clone();
                    match tokio::time::timeout(TEXT_WAIT, busy.wait()).await {
                        Ok(permit) => draft.admit(permit),
                        Err(_) => {
                            return Err(SessionError::Unavailable(format!(
                                "the text {key:?} was being edited by others for {} s; try again",
                                TEXT_WAIT.as_secs()
                            )));
                        }
                    }
                }
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The error of a call that the policy does not allow.
    pub(crate) fn denied(&self, capability: Capability, subject: &[u8]) -> SessionError {
        SessionError::Denied(self.grant.deny(capability, &String::from_utf8_lossy(subject)))
    }

    fn not_reserved(key: &[u8]) -> Result<(), SessionError> {
        if key.starts_with(RESERVED_PREFIX.as_bytes()) {
            return Err(SessionError::Invalid(format!(
                "keys that begin with {RESERVED_PREFIX} are reserved"
            )));
        }
        Ok(())
    }
}
