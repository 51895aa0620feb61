//! What a module is granted, and what its instances share: policy, quotas, counters.

use super::error::SessionError;
use super::quota::Bucket;
use crate::deterministic::Deterministic;
use numax_policy::{Capability, Policy, denial};
use numax_replica::Seldom;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Distinct denials that are logged for one module. A guest that asks for a thousand different keys it may not have
/// must not fill the log.
const MAX_LOGGED_DENIALS: usize = 100;

/// Lines of output that one module may log a second, over all its instances.
const LOG_LINES_PER_SECOND: u64 = 1000;

/// One module's policy with everything that its instances share.
#[derive(Debug)]
pub struct ModuleGrant {
    name: String,
    policy: Policy,
    ops: Option<Bucket>,
    bytes: Option<Bucket>,
    log: Bucket,
    denied: Mutex<BTreeSet<String>>,
    counters: Counters,
    /// Commits that fail one after the other, as on a full disk.
    failed: Seldom,
    /// Whose clock rates are measured on; none is the machine's.
    deterministic: Option<Arc<Deterministic>>,
}

/// What a module has done since it was loaded.
#[derive(Debug, Default)]
struct Counters {
    writes: AtomicU64,
    denials: AtomicU64,
    commits: AtomicU64,
    lines_dropped: AtomicU64,
}

/// A reading of a module's counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ModuleCounters {
    /// Write calls that were let through.
    pub writes: u64,
    /// Calls that the policy denied.
    pub denials: u64,
    /// Batches committed.
    pub commits: u64,
    /// Lines of output that did not go to the log because there were too many.
    pub lines_dropped: u64,
}

impl ModuleGrant {
    /// The grant of a module with this name and policy; rates are measured on the given clock, if there is one.
    pub fn new(name: String, policy: Policy, deterministic: Option<Arc<Deterministic>>) -> ModuleGrant {
        let now = deterministic.as_ref().map_or_else(Instant::now, |world| world.instant());
        let quotas = policy.quotas();
        let bucket = |n: Option<u64>| n.map(|n| Bucket::new(n, now));
        let (ops, bytes) = (bucket(quotas.ops_per_sec), bucket(quotas.bytes_written_per_sec));
        let log = Bucket::new(LOG_LINES_PER_SECOND, now);
        ModuleGrant {
            name,
            policy,
            ops,
            bytes,
            log,
            denied: Mutex::default(),
            counters: Counters::default(),
            failed: Seldom::default(),
            deterministic,
        }
    }

    fn now(&self) -> Instant {
        self.deterministic.as_ref().map_or_else(Instant::now, |world| world.instant())
    }

    /// The module's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// What it has done so far.
    pub fn counters(&self) -> ModuleCounters {
        let get = |c: &AtomicU64| c.load(Ordering::Relaxed);
        ModuleCounters {
            writes: get(&self.counters.writes),
            denials: get(&self.counters.denials),
            commits: get(&self.counters.commits),
            lines_dropped: get(&self.counters.lines_dropped),
        }
    }

    /// Notes a denial, logs it if it is new, and returns the policy line that would lift it.
    pub(crate) fn deny(&self, capability: Capability, subject: &str) -> String {
        let line = denial::line(capability, subject);
        self.counters.denials.fetch_add(1, Ordering::Relaxed);
        let mut seen = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() < MAX_LOGGED_DENIALS && seen.insert(line.clone()) {
            tracing::warn!(module = %self.name, "denied; to allow it, add under [capabilities]: {line}");
        }
        line
    }

    /// Notes a use of what no policy can allow in this version, and logs it if it is the first.
    pub(crate) fn deny_absent(&self, what: &'static str) {
        self.counters.denials.fetch_add(1, Ordering::Relaxed);
        let mut seen = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.insert(what.to_owned()) {
            tracing::warn!(module = %self.name, "denied: the module opens {what}, which this version does not have, whatever the policy grants");
        }
    }

    /// How many commits have failed since the last line about it, if one is due.
    pub(crate) fn commit_failed(&self) -> Option<u64> {
        self.failed.due(Instant::now())
    }

    /// Charges the quotas with one write of that many bytes.
    pub(crate) fn charge(&self, bytes: usize) -> Result<(), SessionError> {
        if self.ops.is_none() && self.bytes.is_none() {
            self.counters.writes.fetch_add(1, Ordering::Relaxed);
            return Ok(());
        }
        let now = self.now();
        let over = |quota: &str, bucket: &Bucket, wait: std::time::Duration| {
            SessionError::Quota(format!(
                "{quota} = {}; try again in {} ms",
                bucket.per_second(),
                wait.as_millis() + 1
            ))
        };
        if let Some(ops) = &self.ops {
            ops.take(1, now).map_err(|wait| over("ops_per_sec", ops, wait))?;
        }
        if let Some(bucket) = &self.bytes {
            let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
            bucket.take(bytes, now).map_err(|wait| over("bytes_written_per_sec", bucket, wait))?;
        }
        self.counters.writes.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Whether another line of its output may go to the log. What is over the rate is dropped and counted.
    pub(crate) fn may_log(&self) -> bool {
        let may = self.log.take(1, self.now()).is_ok();
        if !may && self.counters.lines_dropped.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::warn!(module = %self.name, "more than {LOG_LINES_PER_SECOND} lines a second; the rest is dropped");
        }
        may
    }

    pub(crate) fn committed(&self) {
        self.counters.commits.fetch_add(1, Ordering::Relaxed);
    }
}
