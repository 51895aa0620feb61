//! Names of snapshots: the time, to be sorted and read, and a part of the content's hash.

use std::time::{SystemTime, UNIX_EPOCH};

/// Unix time in milliseconds; 0 before 1970.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// `20261122T220501.123Z-1a2b3c4d`: sorted by name is sorted by time.
pub(crate) fn new(created_ms: u64, content: &blake3::Hash) -> String {
    let hash = content.to_hex();
    format!("{}-{}", stamp(created_ms), hash.get(..8).unwrap_or_default())
}

/// Whether a name may be an id: it becomes the name of a folder and of objects.
pub(crate) fn is_valid(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    !id.is_empty() && id.len() <= 64 && !id.starts_with('.') && id.chars().all(plain)
}

/// A time as `20261122T220501.123Z`.
pub(crate) fn stamp(unix_ms: u64) -> String {
    let (seconds, ms) = (unix_ms / 1000, unix_ms % 1000);
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{ms:03}Z")
}

/// The date of a day since 1970-01-01, in the Gregorian calendar. After "chrono-Compatible Low-Level Date Algorithms"
/// by Howard Hinnant: years begin in March, so that the leap day is the last of the year.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_calendar_has_them() {
        for (ms, text) in [
            (0, "19700101T000000.000Z"),
            (951_782_399_999, "20000228T235959.999Z"),
            (951_782_400_000, "20000229T000000.000Z"),
            (1_709_164_800_001, "20240229T000000.001Z"),
            (4_107_542_400_000, "21000301T000000.000Z"),
        ] {
            assert_eq!(stamp(ms), text);
        }
    }

    #[test]
    fn ids_are_names_of_folders() {
        assert!(is_valid(&new(1_700_000_000_000, &blake3::hash(b"x"))));
        for bad in ["", ".", "..", ".new-1", "a/b", "a\\b", "ü", &"a".repeat(65)] {
            assert!(!is_valid(bad), "{bad:?}");
        }
    }
}
