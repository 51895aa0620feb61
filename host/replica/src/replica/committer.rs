//! The committer: the one thread through which every write goes.

use std::{fs::File, io, sync::Arc, thread, time::Duration};

use super::{
    Inner,
    keeper::{self, FLUSH_BYTES},
    outbox::Progress,
    queue::Submission,
};
use crate::{config::Durability, core::Response, error::OpenError};

/// Starts the threads. `lock`, if there is one, is held until all of them have ended.
pub(super) fn start(inner: Arc<Inner>, lock: Option<File>) -> Result<(), OpenError> {
    let mut keepers = Vec::new();
    let pause = match inner.config.core.durability {
        Durability::Fsync => Some(Duration::ZERO),
        Durability::Interval(interval) => Some(interval),
        Durability::None => None,
    };
    if let Some(pause) = pause {
        let inner = inner.clone();
        keepers.push(spawn("numax-sync", move || keeper::sync_loop(&inner, pause))?);
    }
    let flushed = inner.clone();
    keepers.push(spawn("numax-flush", move || keeper::flush_loop(&flushed))?);
    spawn("numax-commit", move || {
        let _ended = Ended(inner.clone());
        while let Some(group) = inner.queue.take() {
            commit(&inner, group);
        }
        inner.signals.stop();
        for keeper in keepers {
            // A keeper that panicked has written less than it could; the close writes it.
            let _ = keeper.join();
        }
        let result = {
            let mut core = inner.core();
            let result = core.close();
            let progress = Progress::of(&mut core);
            drop(core);
            inner.progress(progress);
            result
        };
        if let Err(error) = &result {
            tracing::error!(error, "the datastore could not be closed in order");
        }
        close_engine(&inner);
        drop(lock);
        inner.closed.send_replace(Some(result));
    })?;
    Ok(())
}

/// Leaves nobody waiting when the committer ends, also by a panic.
struct Ended(Arc<Inner>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.queue.close();
        self.0.queue.clear();
        self.0.signals.stop();
        self.0.closed.send_if_modified(|closed| {
            let unexpected = closed.is_none();
            closed.get_or_insert_with(|| {
                Err("the committer ended by a fault of numax; restart the node".to_string())
            });
            unexpected
        });
    }
}

/// Closes the engine, as soon as readers that are in it have come out.
fn close_engine(inner: &Inner) {
    let engine = inner.core().close_engine();
    for _ in 0..1000 {
        if Arc::strong_count(&engine) == 1 {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
    tracing::warn!("a read of the engine does not end; its files stay open until it does");
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, OpenError> {
    let failed = |error: io::Error| OpenError::Io {
        what: format!("starting thread {name}"),
        detail: error.to_string(),
    };
    thread::Builder::new().name(name.to_string()).spawn(run).map_err(failed)
}

/// Bytes of log that may wait for a sync; beyond, commits wait too. What waits with them (notices for peers, answers) is in
/// memory.
const MAX_UNSYNCED: u64 = 16 << 20;

/// Works off a group.
fn commit(inner: &Inner, group: Vec<Submission>) {
    while {
        let core = inner.core();
        core.position() - core.committed() > MAX_UNSYNCED && !core.is_broken()
    } {
        inner.signals.wait_for_sync();
    }
    // The log must not run away from the engine: that bounds memory and the time to open. When the engine cannot be
    // written at all, the core refuses the group.
    while {
        let core = inner.core();
        core.lag_bytes() > inner.config.core.max_lag_bytes
            && core.flush_failure().is_none()
            && !core.is_broken()
    } {
        inner.signals.flush_and_wait();
    }
    let (requests, replies): (Vec<_>, Vec<_>) = group
        .into_iter()
        .map(|submission| (submission.request, (submission.reply, submission._room)))
        .unzip();
    let (outcome, position, progress, urgent) = {
        let mut core = inner.core();
        let outcome = core.run_group(requests, inner.config.now_ms());
        let urgent =
            core.unflushed_rows() >= inner.config.flush_rows || core.unflushed_bytes() >= FLUSH_BYTES;
        (outcome, core.position(), Progress::of(&mut core), urgent)
    };
    inner.signals.written(urgent);
    inner.outbox.notify(outcome.applied);
    let mut answers = Vec::with_capacity(replies.len());
    for ((reply, room), result) in replies.into_iter().zip(outcome.results) {
        drop(room);
        match result {
            // Guests wait for the append, peers for the word that what they sent is safe here.
            Ok(response @ (Response::Ingested(_) | Response::Transferred(_))) => {
                inner.outbox.answer(position, reply, response);
            }
            result => answers.push((reply, result)),
        }
    }
    inner.progress(progress);
    for (reply, result) in answers {
        // Whoever waited may be gone; the batch is in the log all the same.
        let _ = reply.send(result);
    }
}
