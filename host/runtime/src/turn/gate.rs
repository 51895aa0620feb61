//! The output gate: what leaves the node waits until everything that was written before it is durable.
//!
//! At a commit point the guest waits only until its batch has a place in the log; that takes microseconds. Each piece
//! of output then carries the log position of the last batch before it, and leaves when the log is durable up to there.
//! One fsync so lets out the output of all turns that it covers.

use numax_replica::Durable;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Shared by an instance, the bodies that it writes and the server that sends them.
#[derive(Debug, Default)]
pub struct Gate {
    /// Position of the last batch that this instance committed; 0 before the first.
    sealed: AtomicU64,
    /// Known from the instance's first commit on.
    durable: OnceLock<watch::Receiver<Durable>>,
}

/// Position of the last batch before a piece of output.
pub type Tag = u64;

impl Gate {
    /// A gate before any batch: everything passes.
    pub fn new() -> Arc<Gate> {
        Arc::default()
    }

    /// The tag that output made now must carry.
    pub fn tag(&self) -> Tag {
        self.sealed.load(Ordering::Acquire)
    }

    /// A batch was appended at this position: output from here on waits for it.
    pub(crate) fn seal(&self, position: u64, durable: impl FnOnce() -> watch::Receiver<Durable>) {
        self.durable.get_or_init(durable);
        self.sealed.fetch_max(position, Ordering::AcqRel);
    }

    /// Whether output with this tag may leave (`Some(true)`), never will (`Some(false)`), or has to wait.
    pub fn now(&self, tag: Tag) -> Option<bool> {
        if tag == 0 {
            return Some(true);
        }
        let durable = self.durable.get()?.borrow();
        if durable.position >= tag {
            Some(true)
        } else if durable.failed.is_some() {
            Some(false)
        } else {
            None
        }
    }

    /// Whether the log has failed before what this instance committed last: then it must not run on.
    pub fn failed(&self) -> bool {
        self.now(self.tag()) == Some(false)
    }

    /// Waits until output with this tag may leave. False: it never will, because the log failed before it.
    pub async fn wait(&self, tag: Tag) -> bool {
        if let Some(known) = self.now(tag) {
            return known;
        }
        let Some(receiver) = self.durable.get() else { return false };
        let mut receiver = receiver.clone();
        // An error means that the replica is gone; what was durable by then is all that will be.
        receiver.wait_for(|d| d.position >= tag || d.failed.is_some()).await.is_ok_and(|d| d.position >= tag)
    }

    /// [`Gate::wait`] as a future that holds the gate.
    pub(crate) async fn wait_owned(self: Arc<Self>, tag: Tag) -> bool {
        self.wait(tag).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durable(position: u64, failed: Option<&str>) -> Durable {
        Durable { position, failed: failed.map(str::to_owned) }
    }

    #[tokio::test]
    async fn output_before_any_batch_passes() {
        assert_eq!(Gate::new().now(0), Some(true));
        assert!(Gate::new().wait(0).await);
    }

    #[tokio::test]
    async fn output_waits_for_its_batch_and_no_longer() {
        let (tx, rx) = watch::channel(durable(0, None));
        let gate = Gate::new();
        gate.seal(5, || rx.clone());
        let first = gate.tag();
        gate.seal(9, || rx);
        let second = gate.tag();
        assert_eq!((gate.now(first), gate.now(second)), (None, None));
        let waiting = tokio::spawn(gate.clone().wait_owned(first));
        tx.send_replace(durable(5, None));
        assert!(waiting.await.unwrap());
        assert_eq!(gate.now(second), None);
    }

    #[tokio::test]
    async fn a_failed_log_lets_out_what_was_durable_and_nothing_else() {
        let (tx, rx) = watch::channel(durable(5, None));
        let gate = Gate::new();
        gate.seal(9, || rx);
        let waiting = tokio::spawn(gate.clone().wait_owned(9));
        tx.send_replace(durable(5, Some("disk full")));
        assert!(!waiting.await.unwrap());
        assert_eq!((gate.now(5), gate.now(9), gate.failed()), (Some(true), Some(false), true));
    }

    #[tokio::test]
    async fn a_replica_that_goes_away_ends_the_wait() {
        let (tx, rx) = watch::channel(durable(0, None));
        let gate = Gate::new();
        gate.seal(1, || rx);
        drop(tx);
        assert!(!gate.wait(1).await);
    }
}
