//! What the system says about this process.

use anyhow::{Context, Result};
use std::fs;

/// Ticks of the times in `/proc/self/stat`; the same on every Linux that Rust runs on.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of the process so far, in seconds.
pub fn cpu_seconds() -> Result<f64> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name, which may hold spaces, ends with the last parenthesis.
    let (_, rest) = stat.rsplit_once(')').context("/proc/self/stat has no name")?;
    let field = |at: usize| rest.split_whitespace().nth(at).and_then(|text| text.parse::<f64>().ok());
    let ticks = field(11).zip(field(12)).context("/proc/self/stat has no times")?;
    Ok((ticks.0 + ticks.1) / TICKS_PER_SECOND)
}

/// User and system time of this thread so far, in seconds.
pub fn thread_seconds() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Bytes that the process has handed to write calls. Unlike `write_bytes`, which counts whole folios of the page cache, it
/// is exact.
pub fn written_bytes() -> Result<u64> {
    number("/proc/self/io", "wchar:")
}

/// Memory of the process that is not file cache, in bytes.
pub fn memory_bytes() -> Result<u64> {
    Ok(number("/proc/self/status", "RssAnon:")? * 1024)
}

fn number(file: &str, name: &str) -> Result<u64> {
    let text = fs::read_to_string(file)?;
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let value = line.and_then(|line| line.split_whitespace().next()).and_then(|text| text.parse().ok());
    value.with_context(|| format!("{file} has no {name}"))
}
