//! The memory limit of an instance: over all its linear memories together, which wasmtime's own limiter does not do.

use crate::error::RunError;
use wasmtime::ResourceLimiter;

/// Memory of an instance whose policy sets none. Python's interpreter with a few packages fits in it.
pub(crate) const DEFAULT_MEMORY: u64 = 256 << 20;

/// Entries of one table. The largest known guest has 7,836.
const MAX_TABLE: usize = 20_000;

/// Counts what the instance has, and ends it when it wants more than it may have.
#[derive(Debug)]
pub(crate) struct MemoryLimit {
    limit: u64,
    used: u64,
}

impl MemoryLimit {
    /// A limit from a policy's quota in MiB, or the default.
    pub(crate) fn new(quota_mib: Option<u64>) -> MemoryLimit {
        MemoryLimit { limit: quota_mib.map_or(DEFAULT_MEMORY, |mib| mib.saturating_mul(1 << 20)), used: 0 }
    }
}

impl ResourceLimiter for MemoryLimit {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        // What the guest's own module forbids is its own business: it sees a failed growth.
        if maximum.is_some_and(|max| desired > max) {
            return Ok(false);
        }
        let more = u64::try_from(desired.saturating_sub(current)).unwrap_or(u64::MAX);
        let total = self.used.saturating_add(more);
        if total > self.limit {
            // A guest told "no" would stop in its allocator without a word about the quota.
            return Err(RunError::Memory { limit: self.limit >> 20 }.into());
        }
        self.used = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> Result<bool, wasmtime::Error> {
        Ok(desired <= MAX_TABLE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memories_count_together() {
        let mut limit = MemoryLimit::new(Some(1));
        assert!(limit.memory_growing(0, 600 << 10, None).unwrap());
        let e = limit.memory_growing(0, 600 << 10, None).unwrap_err();
        assert!(e.to_string().contains("memory_max_mb"), "{e}");
        assert!(limit.memory_growing(600 << 10, 1 << 20, None).unwrap());
    }

    #[test]
    fn a_module_s_own_maximum_is_a_plain_no() {
        let mut limit = MemoryLimit::new(None);
        assert!(!limit.memory_growing(0, 2 << 16, Some(1 << 16)).unwrap());
    }
}
