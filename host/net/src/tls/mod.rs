//! TLS 1.3 with both sides authenticated: how a peer's identity is checked, and the configurations built on that.
//!
//! A peer is who its key says: the node id is computed from the public key in the certificate, never read from a name.
//! The check runs twice on the same bytes: in the handshake, where a refusal becomes a TLS alert, and once more by the
//! application on the finished connection ([`PeerCheck::check`]), so that no path through the TLS library (a resumed
//! session, a changed default) can let somebody in unchecked. Sessions are never resumed and there is no early data: a
//! full handshake costs about a millisecond, once per connection that lives for hours, and always checks expiry.

mod check;
mod config;
mod refusal;
mod verifier;

pub use check::Role;
pub(crate) use check::{PeerCheck, verify_chain};
pub(crate) use config::TlsConfig;
pub use refusal::Refusal;
pub(crate) use refusal::alert_text;
pub(crate) use verifier::RefusalSlot;

/// What both sides must speak; another protocol version is another name.
pub const ALPN: &[u8] = b"numax/1";
