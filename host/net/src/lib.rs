//! Keys, certificates and connections between nodes: the only place with sockets between nodes.
//!
//! - [`identity`]: a datastore's key pair; the node id is the hash of its public key.
//! - [`ca`]: the authority of a cluster, and the one that a user has for loopback.
//! - [`Credentials`]: key, certificate and authority of a node, checked as they are loaded.

pub mod ca;
mod credentials;
mod files;
pub mod identity;
mod tls;

pub use credentials::{AUTHORITY_FILE, CERTIFICATE_FILE, Credentials, TlsFiles};
pub use identity::{IdentityError, NodeKey};
pub use tls::{ALPN, Refusal, Role};
