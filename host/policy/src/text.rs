//! Small textual forms that policies, `numax.toml` and flags share: durations and near misses.

use std::time::Duration;

/// Reads `250ms`, `30s`, `5m`, `2h` or `7d`: a whole number and a unit.
///
/// # Errors
/// A text that says what is wrong and which forms are understood.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration; write a number and a unit: 250ms, 30s, 5m, 2h, 7d");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis_per_unit: u64 = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    number
        .checked_mul(millis_per_unit)
        .map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is longer than a duration can be"))
}

/// Writes a duration in the largest unit that holds it exactly, so that it reads back equal.
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let millis = duration.as_millis();
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)] {
        if millis >= size && millis.is_multiple_of(size) {
            return format!("{}{unit}", millis / size);
        }
    }
    format!("{millis}ms")
}

/// A TOML basic string with its quotes.
#[must_use]
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The candidate closest to `word`, if one is close enough to have been meant.
#[must_use]
pub fn suggest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    // A third of the word may be wrong, at least one letter and at most three: enough for a
    // swapped pair, an underscore for a dash, a forgotten plural.
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(far, _)| *far <= allowed)
        .min_by_key(|(far, _)| *far)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().flat_map(char::to_lowercase).collect();
    let b: Vec<char> = b.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, &from) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, &to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && from == b[j - 1] && a[i - 1] == to {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back_as_written() {
        for text in ["0ms", "250ms", "1s", "30s", "5m", "2h", "7d", "1500ms"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        for text in
            ["", "5", "s", "-1s", "1.5s", "5 parsecs", "99999999999999999999s", "18446744073709551615d"]
        {
            parse_duration(text).unwrap_err();
        }
    }

    #[test]
    fn suggestions_stay_close() {
        let names = ["gcounter", "pncounter", "lww_register", "lww_map", "orset"];
        assert_eq!(suggest("gcountre", &names), Some("gcounter"));
        assert_eq!(suggest("lww-map", &names), Some("lww_map"));
        assert_eq!(suggest("or_set", &names), Some("orset"));
        assert_eq!(suggest("zzz", &names), None);
        assert_eq!(suggest("", &names), None);
    }

    #[test]
    fn quoting_survives_toml() {
        for text in ["plain", "with \"quotes\" and \\", "line\nbreak\ttab", "bell\u{7}", "ünïcode"] {
            let doc = format!("v = {}", quote(text));
            let table: toml::Table = doc.parse().unwrap();
            assert_eq!(table["v"].as_str(), Some(text));
        }
    }
}
