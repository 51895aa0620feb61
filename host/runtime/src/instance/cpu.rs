//! The CPU quota: how much processor time a call may burn.
//!
//! A future may move between threads from one poll to the next, so each poll is measured by itself with the thread's
//! own CPU clock, and the epoch callback, which runs inside a poll, adds what the current one has used so far. Time that
//! a guest waits does not count; host functions that it calls do.
//!
//! The quota is a bucket per call: its burst is the policy's number of milliseconds, and it refills by as much each
//! second that the call lives. So a stream or a long command is held to a share, and an endless loop is stopped. Making
//! the instance and its first call share one bucket.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// Measures the calls of one instance.
#[derive(Debug)]
pub(crate) struct CpuMeter {
    /// The burst; none is no quota, and then nothing is measured.
    quota: Option<Duration>,
    /// Nanoseconds of finished polls.
    used: AtomicU64,
    /// The thread's CPU clock when the running poll began.
    poll_began: AtomicU64,
    call_began: Mutex<Instant>,
    /// No call has begun: what was used so far made the instance.
    unused: AtomicBool,
}

impl CpuMeter {
    /// A meter for a quota in milliseconds.
    pub(crate) fn new(cpu_ms_per_run: Option<u64>) -> CpuMeter {
        CpuMeter {
            quota: cpu_ms_per_run.map(Duration::from_millis),
            used: AtomicU64::new(0),
            poll_began: AtomicU64::new(0),
            call_began: Mutex::new(Instant::now()),
            unused: AtomicBool::new(true),
        }
    }

    /// A new call begins with a full bucket; the first one with what making the instance has left of it.
    pub(crate) fn begin_call(&self) {
        if self.quota.is_some() && !self.unused.swap(false, Ordering::Relaxed) {
            self.used.store(0, Ordering::Relaxed);
            *self.call_began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Asked from inside a poll: the quota, if it is used up.
    pub(crate) fn exceeded(&self) -> Option<Duration> {
        let quota = self.quota?;
        let slice = thread_cpu().saturating_sub(self.poll_began.load(Ordering::Relaxed));
        let used = Duration::from_nanos(self.used.load(Ordering::Relaxed).saturating_add(slice));
        let lived = self.call_began.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        (used > allowance(quota, lived)).then_some(quota)
    }
}

/// Burst plus as much for each second lived.
fn allowance(quota: Duration, lived: Duration) -> Duration {
    let refill = quota.as_nanos().saturating_mul(lived.as_nanos()) / 1_000_000_000;
    quota.saturating_add(Duration::from_nanos(u64::try_from(refill).unwrap_or(u64::MAX)))
}

/// The CPU time of this thread in nanoseconds.
#[cfg(unix)]
fn thread_cpu() -> u64 {
    let t = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let (s, ns) = (u64::try_from(t.tv_sec).unwrap_or(0), u64::try_from(t.tv_nsec).unwrap_or(0));
    s.saturating_mul(1_000_000_000).saturating_add(ns)
}

/// Without a thread clock the wall clock stands in: a stricter quota, never a laxer one.
#[cfg(not(unix))]
fn thread_cpu() -> u64 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    u64::try_from(START.get_or_init(Instant::now).elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// A guest's call, polled under a meter.
pub(crate) struct Metered<F> {
    pub(super) meter: std::sync::Arc<CpuMeter>,
    pub(super) call: F,
}

impl<F: Future + Unpin> Future for Metered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.meter.quota.is_none() {
            return Pin::new(&mut self.call).poll(cx);
        }
        let began = thread_cpu();
        self.meter.poll_began.store(began, Ordering::Relaxed);
        let result = Pin::new(&mut self.call).poll(cx);
        self.meter.used.fetch_add(thread_cpu().saturating_sub(began), Ordering::Relaxed);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_refills_by_its_burst_each_second() {
        let quota = Duration::from_millis(50);
        assert_eq!(allowance(quota, Duration::ZERO), quota);
        assert_eq!(allowance(quota, Duration::from_secs(2)), Duration::from_millis(150));
        assert_eq!(allowance(quota, Duration::from_millis(500)), Duration::from_millis(75));
    }

    #[test]
    fn no_quota_is_never_exceeded() {
        assert_eq!(CpuMeter::new(None).exceeded(), None);
    }

    #[test]
    fn time_on_the_cpu_counts() {
        let meter = CpuMeter::new(Some(0));
        meter.begin_call();
        meter.used.store(5_000_000_000, Ordering::Relaxed);
        assert_eq!(meter.exceeded(), Some(Duration::ZERO));
    }

    #[test]
    fn making_an_instance_and_its_first_call_share_a_burst() {
        let meter = CpuMeter::new(Some(1_000));
        let used = || meter.used.load(Ordering::Relaxed);
        meter.used.store(700_000_000, Ordering::Relaxed);
        meter.begin_call();
        assert_eq!(used(), 700_000_000);
        meter.begin_call();
        assert_eq!(used(), 0);
    }
}
