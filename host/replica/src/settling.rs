//! Whether a datastore knows what others may have forgotten.
//!
//! ```text
//!   new ──────► Newcomer ──caught up──► Settled ◄──caught up── Restored
//!                   │                      │                      ▲
//!                   └──────── older data, or something held back ─┘
//! ```
//!
//! There is no way back to [`Newcomer`](Settling::Newcomer): what began empty once has acknowledged things since.

use serde::{Deserialize, Serialize};

/// How a datastore stands to the rest of its cluster. Noted in `meta.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settling {
    /// It has caught up with the cluster: it knows whatever others have forgotten because of what it acknowledged.
    Settled,
    /// It began empty and has not caught up with anybody yet: others may have forgotten removals without waiting for it.
    /// What it acknowledges is true, but nobody else settles by it.
    Newcomer,
    /// Its data may be older than what it has acknowledged. It acknowledges nothing until it has caught up.
    Restored,
}

impl Settling {
    /// The state after a start: `older` when the data may be older than what was acknowledged, `held` when batches are
    /// there that are held back.
    pub(crate) fn opened(self, older: bool, held: bool) -> Self {
        match self {
            // What is older than what this node acknowledged is not caught up with by what a newcomer may trust.
            _ if older => Self::Restored,
            // A copy from before what was held back was let go.
            Self::Settled if held => Self::Restored,
            same => same,
        }
    }

    /// Whether it has yet to catch up.
    pub(crate) fn waits(self) -> bool {
        self != Self::Settled
    }
}

/// What `meta.json` says of it. Files of before have two flags instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Noted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    settling: Option<Settling>,
    #[serde(default, skip_serializing)]
    unsettled: bool,
    #[serde(default, skip_serializing)]
    joining: bool,
}

impl From<Settling> for Noted {
    fn from(settling: Settling) -> Self {
        Self { settling: Some(settling), ..Self::default() }
    }
}

impl Noted {
    /// The state.
    pub(crate) fn state(self) -> Settling {
        match self {
            Self { settling: Some(state), .. } => state,
            Self { joining: true, .. } => Settling::Newcomer,
            Self { unsettled: true, .. } => Settling::Restored,
            _ => Settling::Settled,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_before_are_read() {
        let read = |text: &str| serde_json::from_str::<Noted>(text).unwrap().state();
        assert_eq!(read(r#"{}"#), Settling::Settled);
        assert_eq!(read(r#"{"unsettled":false}"#), Settling::Settled);
        assert_eq!(read(r#"{"unsettled":true}"#), Settling::Restored);
        assert_eq!(read(r#"{"unsettled":false,"joining":true}"#), Settling::Newcomer);
        assert_eq!(read(r#"{"unsettled":true,"joining":true}"#), Settling::Newcomer);
        for state in [Settling::Settled, Settling::Newcomer, Settling::Restored] {
            let text = serde_json::to_string(&Noted::from(state)).unwrap();
            assert_eq!(read(&text), state, "{text}");
        }
        assert_eq!(
            serde_json::to_string(&Noted::from(Settling::Restored)).unwrap(),
            r#"{"settling":"restored"}"#
        );
    }

    #[test]
    fn older_data_has_always_to_catch_up_and_a_start_settles_nothing() {
        for state in [Settling::Settled, Settling::Newcomer, Settling::Restored] {
            assert_eq!(state.opened(true, false), Settling::Restored);
            assert_eq!(state.opened(false, false), state);
        }
        assert_eq!(Settling::Settled.opened(false, true), Settling::Restored);
        assert_eq!(Settling::Newcomer.opened(false, true), Settling::Newcomer);
    }
}
