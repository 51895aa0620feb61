//! Keys, certificates and connections between nodes: the only place with sockets between nodes.
//!
//! - [`identity`]: a datastore's key pair; the node id is the hash of its public key.
//! - [`ca`]: the authority of a cluster, and the one that a user has for loopback.
//! - [`Credentials`]: key, certificate and authority of a node, checked as they are loaded.
//! - [`transport`]: authenticated connections; QUIC.
//! - [`Net`]: one link per pair of nodes, kept alive and found again; frames in, frames out.
//!
//! What is in a frame is not known here. The decisions and their reasons: `docs/design/transport-and-identity.md`.

mod backoff;
pub mod ca;
mod close;
mod credentials;
mod files;
mod frame;
pub mod identity;
mod net;
mod peer_addr;
mod tls;
pub mod transport;

pub use close::{CloseCode, Closed};
pub use credentials::{AUTHORITY_FILE, CERTIFICATE_FILE, Credentials, TlsFiles};
pub use frame::{FrameDecoder, FrameError, MAX_FRAME};
pub use identity::{IdentityError, NodeKey};
pub use net::{
    CLASSES, Direction, LinkInfo, Net, NetConfig, NetError, NetEvent, NetEvents, NetHandle, Problem, Report,
    SendError, Timing,
};
pub use peer_addr::{PeerAddr, PeerAddrError};
pub use tls::{ALPN, Refusal, Role};
