//! Patterns for keys and topics: the whole of the language is on this page.

use std::fmt;

/// A text that is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// A `*` that is not the last character of a key pattern.
    #[error("a `*` may only be the last character, where it makes the rest a prefix")]
    StarInside,
    /// `>` somewhere but at the end of a topic.
    #[error("`>` stands for the rest of a topic and may only be its last segment")]
    RestInside,
    /// A `*` or `>` that is only part of a segment.
    #[error("`*` and `>` stand for whole segments of a topic, between dots")]
    PartOfSegment,
    /// Two dots in a row, or one at either end.
    #[error("a topic has no empty segments")]
    EmptySegment,
}

/// Which keys a grant covers: one key exactly, or every key with a prefix (`visits:*`, `*`).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyPattern {
    /// Without the star.
    text: String,
    prefix: bool,
}

impl KeyPattern {
    /// Reads a pattern. A trailing `*` makes it a prefix; nothing else is special.
    ///
    /// # Errors
    /// A `*` anywhere else: it would look like a wildcard and not be one.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let (text, prefix) = match text.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (text, false),
        };
        if text.contains('*') {
            return Err(PatternError::StarInside);
        }
        Ok(Self { text: text.to_owned(), prefix })
    }

    /// The pattern of every key.
    #[must_use]
    pub fn any() -> Self {
        Self { text: String::new(), prefix: true }
    }

    /// True if the key is covered.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        if self.prefix { key.starts_with(self.text.as_bytes()) } else { key == self.text.as_bytes() }
    }

    /// True if some key that starts with `prefix` is covered.
    #[must_use]
    pub fn overlaps_prefix(&self, prefix: &[u8]) -> bool {
        let text = self.text.as_bytes();
        text.starts_with(prefix) || (self.prefix && prefix.starts_with(text))
    }
}

impl fmt::Display for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        if self.prefix { f.write_str("*") } else { Ok(()) }
    }
}

impl fmt::Debug for KeyPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPattern({self})")
    }
}

/// Any number of key patterns; a key is covered if one of them covers it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPatterns(Vec<KeyPattern>);

impl KeyPatterns {
    /// From patterns.
    #[must_use]
    pub fn new(patterns: Vec<KeyPattern>) -> Self {
        Self(patterns)
    }

    pub(crate) const fn none() -> Self {
        Self(Vec::new())
    }

    /// True if one of them covers the key.
    #[must_use]
    pub fn matches(&self, key: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.matches(key))
    }

    /// True if some key that starts with `prefix` is covered.
    #[must_use]
    pub fn overlaps_prefix(&self, prefix: &[u8]) -> bool {
        self.0.iter().any(|pattern| pattern.overlaps_prefix(prefix))
    }

    /// True if nothing is covered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The patterns, as written.
    pub fn iter(&self) -> impl Iterator<Item = &KeyPattern> {
        self.0.iter()
    }
}

/// Which topics a grant or a subscription covers: segments between dots, `*` one segment, a
/// trailing `>` one or more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPattern {
    text: String,
}

impl TopicPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Empty segments, `>` that is not last, wildcards that are only part of a segment.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        let segments: Vec<&str> = text.split('.').collect();
        for (index, segment) in segments.iter().enumerate() {
            match *segment {
                "" => return Err(PatternError::EmptySegment),
                "*" => {}
                ">" if index + 1 == segments.len() => {}
                ">" => return Err(PatternError::RestInside),
                _ if segment.contains(['*', '>']) => return Err(PatternError::PartOfSegment),
                _ => {}
            }
        }
        Ok(Self { text: text.to_owned() })
    }

    /// True if the topic is covered.
    #[must_use]
    pub fn matches(&self, topic: &str) -> bool {
        let mut topic = topic.split('.');
        for wanted in self.text.split('.') {
            match (wanted, topic.next()) {
                (_, None) => return false,
                (">", Some(segment)) => return !segment.is_empty(),
                ("*", Some(segment)) if !segment.is_empty() => {}
                (wanted, Some(segment)) if wanted == segment => {}
                _ => return false,
            }
        }
        topic.next().is_none()
    }

    /// True if every topic that `other` covers is covered by this pattern too.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        let mut theirs = other.text.split('.');
        for ours in self.text.split('.') {
            match (ours, theirs.next()) {
                (_, None) => return false,
                (">", Some(_)) => return true,
                (_, Some(">")) => return false,
                ("*", Some(_)) => {}
                (ours, Some(theirs)) if ours == theirs => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }
}

impl fmt::Display for TopicPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_patterns() {
        // (pattern, key, covered)
        let table = [
            ("visits", "visits", true),
            ("visits", "visits:1", false),
            ("visits:*", "visits:1", true),
            ("visits:*", "visits:", true),
            ("visits:*", "visits", false),
            ("*", "", true),
            ("*", "anything", true),
            ("", "", true),
            ("", "a", false),
            ("a.b", "axb", false),
            ("a?", "ab", false),
            ("a>", "a>", true),
        ];
        for (pattern, key, covered) in table {
            let parsed = KeyPattern::parse(pattern).unwrap();
            assert_eq!(parsed.matches(key.as_bytes()), covered, "{pattern} on {key:?}");
            assert_eq!(parsed.to_string(), pattern);
        }
        assert_eq!(KeyPattern::parse("a*b"), Err(PatternError::StarInside));
        assert_eq!(KeyPattern::parse("a**"), Err(PatternError::StarInside));
        assert!(KeyPattern::parse("a*").unwrap().matches(b"a\xff\xfe"));
    }

    #[test]
    fn key_prefixes_overlap() {
        let table = [
            ("visits:*", "visits:", true),
            ("visits:*", "vis", true),
            ("visits:*", "visits:a", true),
            ("visits:*", "other", false),
            ("visits", "vis", true),
            ("visits", "visits", true),
            ("visits", "visits:", false),
            ("*", "", true),
        ];
        for (pattern, prefix, overlaps) in table {
            let parsed = KeyPattern::parse(pattern).unwrap();
            assert_eq!(parsed.overlaps_prefix(prefix.as_bytes()), overlaps, "{pattern} below {prefix:?}");
        }
    }

    #[test]
    fn topic_patterns() {
        let table = [
            ("orders.new", "orders.new", true),
            ("orders.new", "orders", false),
            ("orders.*", "orders.new", true),
            ("orders.*", "orders.new.eu", false),
            ("orders.*", "orders", false),
            ("orders.*.eu", "orders.new.eu", true),
            ("orders.>", "orders.new.eu", true),
            ("orders.>", "orders.new", true),
            ("orders.>", "orders", false),
            (">", "orders", true),
            ("orders.*", "orders.", false),
            ("orders.>", "orders.", false),
        ];
        for (pattern, topic, covered) in table {
            assert_eq!(TopicPattern::parse(pattern).unwrap().matches(topic), covered, "{pattern} on {topic}");
        }
        for (pattern, error) in [
            ("", PatternError::EmptySegment),
            ("a..b", PatternError::EmptySegment),
            (">.a", PatternError::RestInside),
            ("a.b*", PatternError::PartOfSegment),
        ] {
            assert_eq!(TopicPattern::parse(pattern), Err(error), "{pattern}");
        }
    }

    #[test]
    fn topic_containment() {
        let table = [
            ("orders.>", "orders.*", true),
            ("orders.>", "orders.>", true),
            ("orders.*", "orders.>", false),
            ("orders.*", "orders.new", true),
            (">", "a.b.c", true),
            ("orders.*", "other.*", false),
            ("orders.new", "orders.*", false),
        ];
        for (outer, inner, contained) in table {
            let outer = TopicPattern::parse(outer).unwrap();
            assert_eq!(outer.contains(&TopicPattern::parse(inner).unwrap()), contained, "{outer} {inner}");
        }
    }
}
