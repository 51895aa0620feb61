//! What may happen thousands of times a second and is worth one line.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines about the same.
const PAUSE: Duration = Duration::from_secs(10);

/// Counts what happens, and says when it is time for a line.
#[derive(Debug, Default)]
pub struct Seldom(Mutex<(u64, Option<Instant>)>);

impl Seldom {
    /// It has happened. How often since the last line, if one is due now.
    #[must_use]
    pub fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        if state.1.is_some_and(|last| now.saturating_duration_since(last) < PAUSE) {
            return None;
        }
        state.1 = Some(now);
        Some(std::mem::take(&mut state.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_one_line_with_its_count() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.due(start), Some(1));
        for ms in 0..9_999 {
            assert_eq!(seldom.due(start + Duration::from_millis(ms)), None);
        }
        assert_eq!(seldom.due(start + PAUSE), Some(10_000));
    }
}
