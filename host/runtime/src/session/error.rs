//! Errors that a guest sees and may handle. Everything else ends its run.

use numax_crdt::LimitError;
use numax_replica::DraftError;

/// What a call of a numax interface can answer instead of a result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The policy does not grant it. Carries the policy line that would.
    #[error("denied; the policy line is {0}")]
    Denied(String),
    /// An argument is out of range.
    #[error("invalid: {0}")]
    Invalid(String),
    /// There is no such element.
    #[error("not found")]
    NotFound,
    /// A quota is used up for now.
    #[error("quota: {0}")]
    Quota(String),
    /// The node cannot do it at present, or in this version.
    #[error("unavailable: {0}")]
    Unavailable(String),
}

impl SessionError {
    /// The answer of what a later version will have.
    pub(crate) fn not_in_this_version(what: &str) -> SessionError {
        SessionError::Unavailable(format!("{what} is not in this version"))
    }
}

/// Like [`DraftError`], with the misses taken care of.
impl From<DraftError> for SessionError {
    fn from(e: DraftError) -> SessionError {
        match e {
            DraftError::Miss(_) => SessionError::Unavailable("a row could not be read".to_owned()),
            DraftError::Busy(_) => SessionError::Unavailable("the text is being edited".to_owned()),
            DraftError::Invalid(text) => SessionError::Invalid(text),
            DraftError::NotFound(_) => SessionError::NotFound,
            DraftError::Unavailable(text) => SessionError::Unavailable(text),
        }
    }
}

/// Refuses what no row can hold, before it is charged for.
pub(super) fn fits(what: &'static str, size: usize, limit: usize) -> Result<(), SessionError> {
    if size > limit {
        return Err(SessionError::Invalid(LimitError { what, size, limit }.to_string()));
    }
    Ok(())
}
