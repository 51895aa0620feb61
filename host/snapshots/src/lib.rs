//! Snapshots of a datastore: made while it serves, kept in a folder, put back, packed into one file.
//!
//! - [`Folder`] is where snapshots lie: `<folder>/<id>/` with `manifest.json`, `rows/` (a closed engine) and `log/`
//!   (empty, going on from the snapshot). A snapshot is made under a temporary name and renamed: it is there as a whole
//!   or not at all.
//! - [`Snapshot`] is one of them: to be [verified](Snapshot::verify), [restored](Snapshot::restore),
//!   exported, or [read row by row](Snapshot::rows).
//! - [`portable`] is the one-file form, which no engine is needed to understand.
//!
//! Why the state that is written is exact while commits go on stands in
//! [`numax_replica::snapshot::view`]; how restored data takes the old data's place, in [`numax_replica::snapshot::swap`].

#![forbid(unsafe_code)]

mod create;
mod error;
mod files;
mod folder;
mod id;
mod manifest;
pub mod portable;
mod restore;
mod rows;

pub use create::CreateOptions;
pub use error::SnapshotError;
pub use folder::{Folder, Found, Snapshot};
pub use manifest::{FileEntry, Manifest, VectorEntry};
pub use restore::{RestoreOptions, Restored};
pub use rows::Rows;

/// Told how many bytes of how many are done; the second number is 0 while nobody knows. Called from several threads.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A [`Progress`] that tells nobody.
pub fn quiet(_done: u64, _total: u64) {}
