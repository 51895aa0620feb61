//! What waits until it is committed at the configured durability, and then leaves in the order of the log.
//!
//! Under `interval` and `none` that is at once. Under `fsync` a sync comes first; it is told of by the committer and by
//! the threads that sync, whoever comes first.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use numax_crdt::VersionVector;
use tokio::sync::oneshot;

use super::Inner;
use crate::{
    applied::Applied,
    core::{Core, Health, Response},
    error::CommitError,
};

/// Where the result of a request goes.
pub(super) type Reply = oneshot::Sender<Result<Response, CommitError>>;

/// See the module's text.
#[derive(Default)]
pub(super) struct Outbox(Mutex<State>);

#[derive(Default)]
struct State {
    notices: VecDeque<Arc<Applied>>,
    answers: VecDeque<Answer>,
}

struct Answer {
    position: u64,
    reply: Reply,
    response: Response,
}

/// How far a core is, seen under its lock.
pub(super) struct Progress {
    committed: u64,
    /// The vector that goes with it, if it is not the one that readers see.
    vector: Option<VersionVector>,
    health: Health,
}

impl Progress {
    pub(super) fn of(core: &mut Core) -> Self {
        let vector = core.waits_for_sync().then(|| core.committed_vector().clone());
        Self { committed: core.committed(), vector, health: core.health() }
    }
}

impl Outbox {
    // A poisoned lock means that a thread panicked between two whole changes; what waits is whole.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Change notices, in the order of the log.
    pub(super) fn notify(&self, applied: Vec<Arc<Applied>>) {
        self.state().notices.extend(applied);
    }

    /// A result that says that everything before a position is safe.
    pub(super) fn answer(&self, position: u64, reply: Reply, response: Response) {
        self.state().answers.push_back(Answer { position, reply, response });
    }
}

impl Inner {
    /// Lets out what is committed by now, and tells how the datastore is.
    pub(super) fn progress(&self, now: Progress) {
        let Progress { committed, vector, health } = now;
        let mut state = self.outbox.state();
        // Of two threads that come here, the one that has seen less may be the later one.
        let committed = committed.max(self.durable.borrow().position);
        if let Some(vector) = vector {
            self.committed.write().unwrap_or_else(PoisonError::into_inner).merge(&vector);
        }
        let failed = match &health {
            Health::ReadOnly(reason) => Some(reason.clone()),
            Health::Ok | Health::DuplicateOrigin => None,
        };
        // First, for whoever asks why. It does not get better before the next start, so a late look does not count.
        let mut known = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        match (&*known, &health) {
            (Health::ReadOnly(_), _) | (Health::DuplicateOrigin, Health::Ok) => {}
            _ => *known = health,
        }
        drop(known);
        self.durable.send_if_modified(|durable| {
            let (grows, fails) = (committed > durable.position, failed.is_some() && durable.failed.is_none());
            durable.position = committed;
            if let (true, Some(reason)) = (fails, &failed) {
                tracing::error!(reason, "the datastore is read-only until the node is started again");
                durable.failed = Some(reason.clone());
            }
            grows || fails
        });
        while let Some(notice) = state.notices.pop_front_if(|notice| notice.position <= committed) {
            // Nobody may be listening.
            if self.applied.receiver_count() > 0 {
                let _ = self.applied.send(notice);
            }
        }
        while let Some(answer) = state.answers.pop_front_if(|answer| answer.position <= committed) {
            // Whoever waited may be gone; it is committed all the same.
            let _ = answer.reply.send(Ok(answer.response));
        }
        if let Some(reason) = failed {
            state.notices.clear();
            for answer in state.answers.drain(..) {
                let _ = answer.reply.send(Err(CommitError::ReadOnly(reason.clone())));
            }
        }
    }
}
