//! Waiting in a run that repeats: no timer of the machine is asked, the clock is moved instead.

use super::Deterministic;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use wasmtime_wasi::p2::Pollable;

/// A time to wait for.
pub(crate) struct Deadline {
    world: Arc<Deterministic>,
    at_ns: u64,
}

impl Deadline {
    /// The time at this reading of the monotonic clock.
    pub(crate) fn at(world: Arc<Deterministic>, at_ns: u64) -> Self {
        Self { world, at_ns }
    }

    /// The time so many nanoseconds from now.
    pub(crate) fn after(world: Arc<Deterministic>, ns: u64) -> Self {
        let at_ns = world.clock.now_ns().saturating_add(ns);
        Self { world, at_ns }
    }
}

/// Takes itself off the list of those who wait, also when the wait is given up.
struct Waiting<'a> {
    deadline: &'a Deadline,
    number: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.deadline.world.clock.end(self.deadline.at_ns, self.number);
    }
}

#[async_trait::async_trait]
impl Pollable for Deadline {
    async fn ready(&mut self) {
        let clock = &self.world.clock;
        let waiting = Waiting { number: clock.wait(self.at_ns), deadline: self };
        // A poll asks everything in its list before it asks again. So whoever is asked for the second time knows that
        // nothing else was ready, and that all who wait are on the clock's list.
        let mut asked = false;
        poll_fn(|cx| {
            if clock.come(self.at_ns, waiting.number, asked) {
                return Poll::Ready(());
            }
            asked = true;
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}
