//! Where snapshots lie, folder or bucket alike.

use std::path::Path;

use numax_replica::Replica;
use numax_store::Engine;

#[cfg(feature = "object-store")]
use crate::bucket::Bucket;
use crate::{AwsVariables, CreateOptions, Folder, Found, Location, Progress, Snapshot, SnapshotError};

/// Where snapshots lie. All calls block.
#[derive(Debug, Clone)]
pub enum Repository {
    /// A folder.
    Folder(Folder),
    /// A bucket of an object store.
    #[cfg(feature = "object-store")]
    Bucket(Bucket),
}

/// The same call, whatever it is.
macro_rules! either {
    ($this:expr, $inner:ident => $call:expr) => {
        match $this {
            Self::Folder($inner) => $call,
            #[cfg(feature = "object-store")]
            Self::Bucket($inner) => $call,
        }
    };
}

impl Repository {
    /// Opens what is at a location; nothing is asked of a server yet. `scratch` is a folder on a disk with room for a
    /// snapshot, where one for a bucket is put together before it is sent; it is made when it is needed.
    ///
    /// # Errors
    /// What is wrong with the location or the variables, and that this program has no object stores.
    pub fn open(
        location: &Location,
        variables: &AwsVariables,
        scratch: &Path,
    ) -> Result<Self, SnapshotError> {
        match location {
            Location::Folder(path) => Ok(Self::Folder(Folder::new(path))),
            #[cfg(feature = "object-store")]
            Location::Bucket(url) => Ok(Self::Bucket(Bucket::open(url, variables, scratch)?)),
            #[cfg(not(feature = "object-store"))]
            Location::Bucket(url) => {
                let _ = (variables, scratch);
                Err(SnapshotError::NoObjectStores { url: url.to_string() })
            }
        }
    }

    /// See [`Folder::create`].
    ///
    /// # Errors
    /// See there.
    pub fn create(
        &self,
        replica: &Replica,
        options: &CreateOptions,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        either!(self, inner => inner.create(replica, options, progress))
    }

    /// See [`Folder::list`].
    ///
    /// # Errors
    /// See there.
    pub fn list(&self) -> Result<Vec<Found>, SnapshotError> {
        either!(self, inner => inner.list())
    }

    /// See [`Folder::find`].
    ///
    /// # Errors
    /// See there.
    pub fn find(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        either!(self, inner => inner.find(id))
    }

    /// See [`Folder::prune`].
    ///
    /// # Errors
    /// See there.
    pub fn prune(&self, keep: usize, node: Option<&str>) -> Result<Vec<String>, SnapshotError> {
        either!(self, inner => inner.prune(keep, node))
    }

    /// See [`Folder::import`].
    ///
    /// # Errors
    /// See there.
    pub fn import(
        &self,
        file: &Path,
        engine: Option<Engine>,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        either!(self, inner => inner.import(file, engine, progress))
    }
}

impl std::fmt::Display for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Folder(folder) => folder.path().display().fmt(f),
            #[cfg(feature = "object-store")]
            Self::Bucket(bucket) => bucket.url().fmt(f),
        }
    }
}
