//! Protocol versions and how two nodes choose one.

use crate::WireError;
use std::fmt;

/// The newest protocol version this build speaks.
pub const PROTOCOL_VERSION: u32 = 1;

/// All protocol versions this build speaks.
pub const SUPPORTED: ProtocolRange = ProtocolRange { min: 1, max: PROTOCOL_VERSION };

/// A range of protocol versions, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProtocolRange {
    /// The oldest version that is still spoken.
    pub min: u32,
    /// The newest version that is spoken.
    pub max: u32,
}

impl fmt::Display for ProtocolRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.min == self.max {
            write!(f, "{}", self.min)
        } else {
            write!(f, "{} to {}", self.min, self.max)
        }
    }
}

/// Chooses the version for a link: the newest that both sides speak. Both sides compute the same one.
///
/// # Errors
/// [`WireError::ProtocolMismatch`] with both ranges when they do not overlap or `theirs` is upside down.
pub fn negotiate(ours: ProtocolRange, theirs: ProtocolRange) -> Result<u32, WireError> {
    let best = ours.max.min(theirs.max);
    if theirs.min <= theirs.max && ours.min.max(theirs.min) <= best {
        Ok(best)
    } else {
        Err(WireError::ProtocolMismatch { ours, theirs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(min: u32, max: u32) -> ProtocolRange {
        ProtocolRange { min, max }
    }

    #[test]
    fn overlapping_ranges_agree_on_the_newest_common_version() {
        for (a, b, want) in
            [((1, 1), (1, 1), 1), ((1, 3), (2, 5), 3), ((2, 9), (4, 4), 4), ((3, 4), (1, 3), 3)]
        {
            let (a, b) = (range(a.0, a.1), range(b.0, b.1));
            assert_eq!(negotiate(a, b).unwrap(), want);
            assert_eq!(negotiate(b, a).unwrap(), want);
        }
    }

    #[test]
    fn disjoint_ranges_are_refused_on_both_sides_and_name_both() {
        let (old, new) = (range(1, 2), range(3, 5));
        for (ours, theirs) in [(old, new), (new, old)] {
            let error = negotiate(ours, theirs).unwrap_err();
            assert!(error.is_fatal());
            let text = error.to_string();
            assert!(text.contains("1 to 2") && text.contains("3 to 5"), "{text}");
        }
        assert!(negotiate(range(1, 5), range(4, 2)).is_err());
    }
}
