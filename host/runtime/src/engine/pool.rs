//! The engine's settings, and pooled allocation where the address space allows it.
//!
//! Measured on a wasi:http hello guest: a fresh instance per request costs 145 µs of CPU with defaults and 87 µs with
//! these, because a slot that goes back to the pool has only its dirty pages reset, by one system call, instead of
//! being unmapped.

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig, WasmFeatures};

/// Core instances and tables per component. A component that wit-component built holds several core instances (the
/// program, its WASI shims) and two tables or more.
const CORE_PER_COMPONENT: u32 = 4;

/// Entries of one table. The largest we know of is JavaScript's engine with 7,836; Python's has 5,820.
const TABLE_ELEMENTS: usize = 20_000;

/// Bytes of the host's own bookkeeping for one instance. JavaScript's and Python's engines have many functions and
/// need more than the default of 1 MiB.
const INSTANCE_BYTES: usize = 8 << 20;

/// How much of a linear memory stays resident in an idle slot. Rust puts a stack of 1 MiB first and data behind it, so
/// a smaller number would never cover the pages in use.
const RESIDENT: usize = 2 << 20;

/// The same where dirty pages cannot be found by the kernel: everything resident must then be written to be reset.
const RESIDENT_WITHOUT_SCAN: usize = 256 << 10;

/// Address space of one memory slot: what wasmtime reserves for a 32-bit memory, and its guard.
const SLOT: u64 = (4 << 30) + (32 << 20);

/// Settings that hold for both ways of allocation.
pub(super) fn base() -> Config {
    let mut c = Config::new();
    c.epoch_interruption(true);
    // Calls run straight on their fiber instead of through an event loop: 4 to 6 times cheaper. It rules out WASI 0.3,
    // which gets an engine of its own.
    c.concurrency_support(false);
    let unwanted = WasmFeatures::THREADS
        | WasmFeatures::MEMORY64
        | WasmFeatures::MULTI_MEMORY
        | WasmFeatures::EXCEPTIONS
        | WasmFeatures::FUNCTION_REFERENCES
        | WasmFeatures::GC
        | WasmFeatures::CM_ASYNC;
    c.wasm_features(unwanted, false);
    // A guest's stack never holds what another guest left there.
    c.async_stack_zeroing(true);
    c
}

/// [`base`] for runs that repeat: instructions are counted, no thread interrupts, and what floating point leaves open is
/// closed.
pub(super) fn deterministic() -> Config {
    let mut c = base();
    c.epoch_interruption(false);
    c.consume_fuel(true);
    c.cranelift_nan_canonicalization(true);
    c.relaxed_simd_deterministic(true);
    c
}

/// [`base`] with pooled allocation for this many instances.
pub(super) fn pooled(instances: u32) -> Config {
    let scan = can_scan_pagemap();
    let mut p = PoolingAllocationConfig::new();
    p.total_component_instances(instances)
        .total_core_instances(instances.saturating_mul(CORE_PER_COMPONENT))
        .total_memories(instances)
        .total_tables(instances.saturating_mul(CORE_PER_COMPONENT))
        .total_stacks(instances)
        .max_core_instances_per_component(64)
        .max_memories_per_component(4)
        .max_tables_per_component(16)
        .max_component_instance_size(INSTANCE_BYTES)
        .max_core_instance_size(INSTANCE_BYTES)
        .table_elements(TABLE_ELEMENTS)
        .linear_memory_keep_resident(if scan { RESIDENT } else { RESIDENT_WITHOUT_SCAN })
        .table_keep_resident(64 << 10)
        .async_stack_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    let mut c = base();
    c.allocation_strategy(InstanceAllocationStrategy::Pooling(p));
    c
}

/// What [`pooled`] chose, for the start-up report.
pub(super) fn pooled_report(instances: u32) -> String {
    let reset = if can_scan_pagemap() {
        "dirty pages found by the kernel"
    } else {
        "no pagemap scan on this kernel, so resetting an instance costs more"
    };
    format!("pooled instances: {instances} slots, {reset}")
}

/// Whether a limit on this process's address space leaves room for that many slots and as much again for everything
/// else. What the machine itself cannot give shows when the engine reserves it.
pub(super) fn address_space(instances: u32) -> Result<(), String> {
    let bytes = SLOT.saturating_mul(u64::from(instances)).saturating_mul(2);
    match address_limit() {
        Some(limit) if limit < bytes => Err(format!(
            "pooled ones want {} GiB of address space and the limit is {}; lift `ulimit -v` for them",
            bytes >> 30,
            limit >> 30
        )),
        _ => Ok(()),
    }
}

#[cfg(unix)]
fn address_limit() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

#[cfg(not(unix))]
fn address_limit() -> Option<u64> {
    None
}

/// Whether the kernel can find the dirty pages of a range by itself: PAGEMAP_SCAN, Linux 6.7, with
/// `/proc/self/pagemap` readable (some containers hide it). wasmtime decides for itself in the same way; this is for
/// the sizes that depend on it and for the report.
fn can_scan_pagemap() -> bool {
    let Ok(release) = std::fs::read_to_string("/proc/sys/kernel/osrelease") else { return false };
    kernel_at_least(&release, 6, 7) && std::fs::File::open("/proc/self/pagemap").is_ok()
}

fn kernel_at_least(release: &str, major: u32, minor: u32) -> bool {
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|p| p.parse::<u32>().unwrap_or(0));
    let found = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    found >= (major, minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_releases_are_compared_by_number() {
        assert!(kernel_at_least("6.18.44-fc-v657\n", 6, 7));
        assert!(kernel_at_least("7.0.0", 6, 7));
        assert!(!kernel_at_least("6.6.99", 6, 7));
        assert!(!kernel_at_least("5.15.0-generic", 6, 7));
        assert!(!kernel_at_least("", 6, 7));
    }

    #[test]
    fn few_slots_fit_everywhere() {
        address_space(1).unwrap();
    }
}
