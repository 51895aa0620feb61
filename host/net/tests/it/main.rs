//! The crate's promises, kept with real files and real sockets.

mod identity;
