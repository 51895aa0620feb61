//! The output gate: what leaves the node waits until everything is durable that was written before it, and everything
//! that can have been seen before it.
//!
//! At a commit point the guest waits only until its batch has a place in the log; that takes microseconds. Other guests see
//! the batch from then on, before it is durable. Each piece of output therefore carries the log position behind the last
//! batch that its guest wrote or can have seen, and leaves when the log is durable up to there. One fsync so lets out the
//! output of all turns that it covers.

use numax_replica::Durable;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::watch;

/// Shared by an instance, the bodies that it writes and the server that sends them.
#[derive(Debug, Default)]
pub struct Gate {
    /// Position behind the last batch that this instance committed or can have seen; 0 before the first.
    reached: AtomicU64,
    /// A position that is known to be durable: what is before it is not asked for again.
    passed: AtomicU64,
    /// Known from the instance's first use of the datastore on.
    durable: OnceLock<watch::Receiver<Durable>>,
}

/// Position behind the last batch before a piece of output.
pub type Tag = u64;

impl Gate {
    /// A gate before any batch: everything passes.
    pub fn new() -> Arc<Gate> {
        Arc::default()
    }

    /// The tag that output made now must carry.
    pub fn tag(&self) -> Tag {
        self.reached.load(Ordering::Acquire)
    }

    /// Tells where to learn how much is durable. Before the first position.
    pub(crate) fn follow(&self, durable: watch::Receiver<Durable>) {
        self.durable.get_or_init(|| durable);
    }

    /// A batch was appended, or can have been seen, that ends at this position: output from here on waits for it.
    pub(crate) fn reach(&self, position: u64) {
        if position > self.reached.load(Ordering::Relaxed) {
            self.reached.fetch_max(position, Ordering::AcqRel);
        }
    }

    /// Whether output with this tag may leave (`Some(true)`), never will (`Some(false)`), or has to wait.
    pub fn now(&self, tag: Tag) -> Option<bool> {
        if tag <= self.passed.load(Ordering::Relaxed) {
            return Some(true);
        }
        let durable = self.durable.get()?.borrow();
        if durable.position >= tag {
            self.passed.fetch_max(durable.position, Ordering::Relaxed);
            Some(true)
        } else if durable.failed.is_some() {
            Some(false)
        } else {
            None
        }
    }

    /// Whether the log has failed before what this instance committed or saw last: then it must not run on.
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
        gate.follow(rx);
        gate.reach(5);
        let first = gate.tag();
        gate.reach(9);
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
        gate.follow(rx);
        gate.reach(9);
        let waiting = tokio::spawn(gate.clone().wait_owned(9));
        tx.send_replace(durable(5, Some("disk full")));
        assert!(!waiting.await.unwrap());
        assert_eq!((gate.now(5), gate.now(9), gate.failed()), (Some(true), Some(false), true));
    }

    #[tokio::test]
    async fn what_was_seen_earlier_does_not_lower_the_gate() {
        let (_tx, rx) = watch::channel(durable(7, None));
        let gate = Gate::new();
        gate.follow(rx);
        gate.reach(9);
        gate.reach(7);
        assert_eq!((gate.tag(), gate.now(7), gate.now(9)), (9, Some(true), None));
    }

    #[tokio::test]
    async fn a_replica_that_goes_away_ends_the_wait() {
        let (tx, rx) = watch::channel(durable(0, None));
        let gate = Gate::new();
        gate.follow(rx);
        gate.reach(1);
        drop(tx);
        assert!(!gate.wait(1).await);
    }
}
