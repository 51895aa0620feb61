//! Plans as text: a file that can be read, changed by hand and run again.
//!
//! One JSON object per line: first what the file is, then the settings, then the entries in order. Lines that begin
//! with `#` say what it is about.

use super::{Entry, Plan};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// The format that is written, and the only one that is read.
pub const FORMAT: u32 = 1;

/// What a file says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Header {
    /// The format's number.
    pub schedule: u32,
    /// The planted bug that it finds; without one it once found a real one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bug: Option<String>,
    /// The kind of violation that it finds, or found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violates: Option<String>,
}

impl Plan {
    /// Writes the plan down, with `about` in front.
    #[must_use]
    pub fn to_text(&self, header: &Header, about: &str) -> String {
        let mut out = String::new();
        for line in about.lines() {
            let _ = writeln!(out, "# {line}");
        }
        let json = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
        let _ = writeln!(out, "{}", json(serde_json::to_string(header)));
        let _ = writeln!(out, "{}", json(serde_json::to_string(self)));
        for entry in &self.entries {
            let _ = writeln!(out, "{}", json(serde_json::to_string(entry)));
        }
        out
    }

    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    /// What is wrong, with the line's number.
    pub fn from_text(text: &str) -> Result<(Header, Self), String> {
        fn read<'a, T: Deserialize<'a>>((number, line): (usize, &'a str)) -> Result<T, String> {
            serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))
        }
        let mut lines =
            text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
        let missing = || "the file ends before its settings".to_string();
        let header: Header = read(lines.next().ok_or_else(missing)?)?;
        if header.schedule != FORMAT {
            return Err(format!("the file has format {}, this program reads {FORMAT}", header.schedule));
        }
        let mut plan: Self = read(lines.next().ok_or_else(missing)?)?;
        plan.entries = lines.map(read::<Entry>).collect::<Result<_, _>>()?;
        plan.check()?;
        Ok((header, plan))
    }

    /// Whether all indices name something.
    fn check(&self) -> Result<(), String> {
        let node = |index: usize| index < self.nodes.len();
        if !self.lines.iter().all(|(a, b)| node(*a) && node(*b) && a != b) {
            return Err("a line without its two nodes".into());
        }
        for entry in &self.entries {
            let line = match entry.step {
                super::Step::Slow { line, .. } => line < self.lines.len(),
                super::Step::Clone { of, .. } => node(of),
                _ => true,
            };
            if !line || !entry.step.node().is_none_or(node) {
                return Err(format!("at {} ms: no such node or line", entry.at));
            }
        }
        Ok(())
    }
}

/// A durability as `fsync`, `interval` or `none`; the interval itself is the replica's default.
pub(super) mod durability {
    use numax_replica::Durability;
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(durability: &Durability, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(durability.config_name())
    }

    pub fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Durability, D::Error> {
        let name = String::deserialize(from)?;
        [Durability::Fsync, Durability::default(), Durability::None]
            .into_iter()
            .find(|durability| durability.config_name() == name)
            .ok_or_else(|| serde::de::Error::custom(format!("there is no durability {name:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scenario;

    #[test]
    fn plans_are_read_as_they_are_written() {
        let header = Header { schedule: FORMAT, bug: Some("some bug".into()), violates: None };
        for seed in 0..50 {
            let plan = Plan::new(seed, Scenario::Mix, None);
            let text = plan.to_text(&header, "two\nlines");
            assert!(text.starts_with("# two\n# lines\n{"));
            assert_eq!(Plan::from_text(&text), Ok((header.clone(), plan)));
        }
    }

    #[test]
    fn what_is_no_plan_is_refused_with_its_line() {
        let header = Header { schedule: FORMAT, ..Header::default() };
        let good = Plan::new(1, Scenario::Calm, Some(3)).to_text(&header, "");
        for (bad, why) in [
            (String::new(), "ends before"),
            (good.replacen("\"schedule\":1", "\"schedule\":2", 1), "format 2"),
            (format!("{good}{{\"at\":1,\"fly\":{{}}}}\n"), "no variant"),
            (format!("{good}{{\"at\":1,\"wipe\":{{\"node\":9}}}}\n"), "no such node"),
        ] {
            let error = Plan::from_text(&bad).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
