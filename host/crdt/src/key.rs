//! The name of a replicated value within its kind.

use std::fmt;

use bytes::Bytes;

use crate::limits::{self, LimitError, MAX_KEY, RESERVED_PREFIX};

/// The name of a replicated value: any bytes, at most 8 KiB; the empty key is legal.
///
/// A value is identified by (kind, key): one key may be a counter and a set. Cloning is cheap.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Bytes);

impl Key {
    /// A key of these bytes.
    ///
    /// # Errors
    /// When they are longer than [`MAX_KEY`].
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, LimitError> {
        let bytes = bytes.into();
        limits::check("key", bytes.len(), MAX_KEY)?;
        Ok(Self(bytes))
    }

    /// The bytes of the key.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The key's bytes, shared.
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }

    /// The key as text, if it is UTF-8. Guests see only such keys.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    /// Whether the key belongs to the system ([`RESERVED_PREFIX`]), so that no guest may write it.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with(RESERVED_PREFIX.as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", self.0)
    }
}

impl fmt::Display for Key {
    /// The key as text; bytes that are none are escaped.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_bounded_and_may_be_empty_or_no_text() {
        assert_eq!(Key::new("").map(|key| key.as_str() == Some("")), Ok(true));
        assert_eq!(Key::new(vec![0xff]).map(|key| key.as_str().is_none()), Ok(true));
        assert!(Key::new(vec![0; MAX_KEY]).is_ok());
        assert_eq!(
            Key::new(vec![0; MAX_KEY + 1]),
            Err(LimitError { what: "key", size: MAX_KEY + 1, limit: MAX_KEY })
        );
    }

    #[test]
    fn only_the_system_prefix_is_reserved() {
        let reserved = |text: &'static str| Key::new(text).unwrap().is_reserved();
        assert!(reserved("__nx/peers"));
        assert!(!reserved("__nx"));
        assert!(!reserved("x__nx/"));
    }
}
