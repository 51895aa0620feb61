//! Snapshots of a datastore: made while it serves, kept in a folder or a bucket, put back, packed into one file.
//!
//! - [`Repository`] is where snapshots lie, at a [`Location`] that people write. Two kinds of it:
//!   - [`Folder`]: `<folder>/<id>/` with `manifest.json`, `rows/` (a closed engine) and `log/` (empty, going on from the
//!     snapshot). A snapshot is made under a temporary name and renamed: it is there as a whole or not at all.
//!   - [`Bucket`]: the same names as objects of a store that speaks S3. The manifest is put last.
//! - [`Snapshot`] is one of them: to be [verified](Snapshot::verify), [restored](Snapshot::restore),
//!   exported, or [read row by row](Snapshot::rows).
//! - [`portable`] is the one-file form, which no engine is needed to understand.
//!
//! Why the state that is written is exact while commits go on stands in
//! [`numax_replica::snapshot::view`]; how restored data takes the old data's place, in [`numax_replica::snapshot::swap`].

#![forbid(unsafe_code)]

#[cfg(feature = "object-store")]
mod bucket;
mod create;
mod error;
mod files;
mod folder;
mod id;
mod location;
mod manifest;
pub mod portable;
mod rebuild;
mod repository;
mod restore;
mod rows;
mod shelf;
mod snapshot;
mod source;
mod variables;

#[cfg(feature = "object-store")]
pub use bucket::Bucket;
pub use create::CreateOptions;
pub use error::SnapshotError;
pub use folder::Folder;
pub use location::{BucketUrl, Location, LocationError};
pub use manifest::{FileEntry, Manifest, VectorEntry};
pub use repository::Repository;
pub use restore::{RestoreOptions, Restored};
pub use rows::Rows;
pub use snapshot::{Found, Snapshot};
pub use variables::AwsVariables;

/// Told how many bytes of how many are done; the second number is 0 while nobody knows. Called from several threads.
pub type Progress<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// A [`Progress`] that tells nobody.
pub fn quiet(_done: u64, _total: u64) {}
