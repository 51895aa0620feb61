//! What this crate promises, with real files and real tools.

mod wit;
