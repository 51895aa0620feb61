//! What waits for the committer.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::outbox::Reply;
use crate::{
    core::{Request, Response},
    error::CommitError,
};

/// The unit in which waiting bytes are counted.
const UNIT: usize = 1 << 10;

/// A request and where its result goes.
pub(super) struct Submission {
    pub request: Request,
    pub reply: Reply,
    /// Its room in the queue, free again when it is worked off.
    pub _room: OwnedSemaphorePermit,
}

/// A queue bounded by bytes: whoever submits waits for room, without blocking a thread.
pub(super) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    room: Arc<Semaphore>,
    units: usize,
}

#[derive(Default)]
struct State {
    waiting: Vec<Submission>,
    closed: bool,
    /// The committer sleeps.
    idle: bool,
}

impl Queue {
    pub(super) fn new(bytes: usize) -> Self {
        let units = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS);
        Self { state: Mutex::default(), filled: Condvar::new(), room: Arc::new(Semaphore::new(units)), units }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Submits a request and waits for its result. Dropped before the submission it takes nothing, dropped after it
    /// the request is worked off all the same.
    pub(super) async fn submit(&self, request: Request, bytes: usize) -> Result<Response, CommitError> {
        let units = u32::try_from((bytes / UNIT + 1).min(self.units)).unwrap_or(u32::MAX);
        let room = self.room.clone().acquire_many_owned(units).await.map_err(|_| CommitError::Closed)?;
        let (reply, result) = oneshot::channel();
        {
            let mut state = self.state();
            if state.closed {
                return Err(CommitError::Closed);
            }
            state.waiting.push(Submission { request, reply, _room: room });
            if std::mem::take(&mut state.idle) {
                self.filled.notify_one();
            }
        }
        result.await.map_err(|_| CommitError::Closed)?
    }

    /// Everything that waits; sleeps until there is something. None when the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<Submission>> {
        let mut state = self.state();
        loop {
            if !state.waiting.is_empty() {
                return Some(std::mem::take(&mut state.waiting));
            }
            if state.closed {
                return None;
            }
            state.idle = true;
            state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Forgets what waits; whoever waits for it is told that the datastore is closed.
    pub(super) fn clear(&self) {
        let waiting = std::mem::take(&mut self.state().waiting);
        drop(waiting);
    }

    /// Takes nothing more; what waits is still worked off.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.room.close();
        self.filled.notify_all();
    }
}
