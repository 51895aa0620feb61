//! What goes on, while it takes time.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Steps of a build or a start, on stderr: one line each, with the time it took when stderr is a
/// terminal.
pub(crate) struct Steps {
    terminal: bool,
    running: Option<(String, Instant)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), running: None }
    }

    /// A step begins; the one before is done.
    pub(crate) fn begin(&mut self, what: &str) {
        self.done();
        eprintln!("   {what} …");
        self.running = Some((what.to_owned(), Instant::now()));
    }

    /// A tool printed a line.
    pub(crate) fn output(&mut self, line: &str) {
        eprintln!("     {line}");
    }

    /// The last step is done. Steps under a second are not worth a second line.
    pub(crate) fn done(&mut self) {
        if let Some((what, since)) = self.running.take()
            && self.terminal
            && since.elapsed().as_secs() >= 1
        {
            let _ = writeln!(std::io::stderr(), "   {what}: {:.1} s", since.elapsed().as_secs_f32());
        }
    }
}

/// Bytes that go by: on a terminal a line that is written over, from the first second on.
pub(crate) struct Meter {
    what: String,
    since: Instant,
    terminal: bool,
    /// Milliseconds after `since` at which the line was last written; 0: not yet.
    told: AtomicU64,
}

impl Meter {
    pub(crate) fn new(what: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self { what: what.to_owned(), since: Instant::now(), terminal, told: AtomicU64::new(0) }
    }

    /// So many bytes of so many (0: unknown) are done. From any thread.
    pub(crate) fn at(&self, done: u64, total: u64) {
        let now = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        let told = self.told.load(Ordering::Relaxed);
        let due = self.terminal && now >= told.saturating_add(200).max(1000);
        if !due || self.told.compare_exchange(told, now, Ordering::Relaxed, Ordering::Relaxed).is_err() {
            return;
        }
        let of = if total > 0 { format!(" of {}", size(total)) } else { String::new() };
        let _ = write!(std::io::stderr(), "\r\x1b[K   {} {}{of}", self.what, size(done));
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if self.told.load(Ordering::Relaxed) > 0 {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

/// A size for people.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{}.{} MiB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes() {
        for (bytes, text) in [(0, "0 B"), (1023, "1023 B"), (1024, "1 KiB"), (1_572_864, "1.5 MiB")] {
            assert_eq!(size(bytes), text);
        }
    }
}
