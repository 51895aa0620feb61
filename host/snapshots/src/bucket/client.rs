//! Requests to a bucket, and the threads that carry them.
//!
//! Callers are ordinary threads that may block; the requests run on two threads of an asynchronous runtime of its own, so
//! that none of this touches the runtime of a node.

use std::{collections::BTreeMap, fmt, future::Future, time::SystemTime};

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload,
    aws::AmazonS3,
    multipart::{MultipartStore, PartId},
    path::Path as Key,
};
use tokio::runtime::{Handle, Runtime};

use super::{refusal::Refusals, settings};
use crate::{AwsVariables, SnapshotError, error::damaged, location::BucketUrl};

/// Threads that carry requests; what waits and hashes is the callers' threads.
const WORKERS: usize = 2;

/// A bucket on its server. Names are keys below the prefix.
pub(crate) struct Client {
    url: BucketUrl,
    prefix: Key,
    /// For questions: gives up after seconds.
    asks: AmazonS3,
    /// For work that has begun: goes on for minutes.
    works: AmazonS3,
    refusals: Refusals,
    threads: Threads,
}

/// What is known of an object.
#[derive(Debug, Clone)]
pub(crate) struct Object {
    /// Its key below the prefix.
    pub name: String,
    pub bytes: u64,
    /// When it was written, by the server's clock.
    pub modified: SystemTime,
}

/// An upload in parts, open until it is completed or aborted.
pub(crate) type UploadId = String;

impl Client {
    pub(crate) fn open(url: &BucketUrl, variables: &AwsVariables) -> Result<Self, SnapshotError> {
        let opened = settings::open(url, variables)?;
        let threads = Threads::start().map_err(|error| SnapshotError::Io {
            what: "starting threads".to_string(),
            detail: error.to_string(),
        })?;
        Ok(Self {
            prefix: Key::from(url.prefix.as_str()),
            url: url.clone(),
            asks: opened.asks,
            works: opened.works,
            refusals: opened.refusals,
            threads,
        })
    }

    pub(crate) fn url(&self) -> &BucketUrl {
        &self.url
    }

    /// What errors call an object.
    pub(crate) fn name_of(&self, name: &str) -> String {
        format!("{}/{name}", self.url)
    }

    fn key(&self, name: &str) -> Key {
        name.split('/').fold(self.prefix.clone(), |key, part| key.join(part))
    }

    fn run<T>(
        &self,
        what: &str,
        name: &str,
        request: impl Future<Output = object_store::Result<T>>,
    ) -> Result<T, SnapshotError> {
        self.threads.handle.block_on(request).map_err(|error| {
            let target = if name.is_empty() { self.url.to_string() } else { self.name_of(name) };
            self.refusals.explain(what, &target, &error)
        })
    }

    /// All objects, or those of one id, by key.
    pub(crate) fn list(&self, id: Option<&str>) -> Result<Vec<Object>, SnapshotError> {
        let below = id.map_or_else(|| self.prefix.clone(), |id| self.key(id));
        let prefix = (!below.as_ref().is_empty()).then_some(&below);
        let metas: Vec<ObjectMeta> =
            self.run("listing", id.unwrap_or_default(), self.asks.list(prefix).try_collect())?;
        let mut objects: Vec<Object> = metas
            .into_iter()
            .filter_map(|meta| {
                let parts = meta.location.prefix_match(&self.prefix)?;
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_string()).collect();
                let modified = meta.last_modified.into();
                Some(Object { name: parts.join("/"), bytes: meta.size, modified })
            })
            .collect();
        objects.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(objects)
    }

    /// A whole object, if it is not longer than it may be.
    pub(crate) fn get(&self, name: &str, at_most: u64) -> Result<Bytes, SnapshotError> {
        let key = self.key(name);
        self.run("reading", name, async {
            let found = self.asks.get(&key).await?;
            if found.meta.size > at_most { Ok(None) } else { found.bytes().await.map(Some) }
        })?
        .ok_or_else(|| damaged(self.name_of(name), "it is too large for what it is"))
    }

    /// A part of an object.
    pub(crate) fn get_range(&self, name: &str, offset: u64, bytes: u64) -> Result<Bytes, SnapshotError> {
        let key = self.key(name);
        let options =
            GetOptions { range: Some(GetRange::Bounded(offset..offset + bytes)), ..GetOptions::default() };
        self.run("reading", name, async { self.works.get_opts(&key, options).await?.bytes().await })
    }

    pub(crate) fn put(&self, name: &str, bytes: impl Into<PutPayload>) -> Result<(), SnapshotError> {
        self.run("writing", name, self.works.put(&self.key(name), bytes.into())).map(drop)
    }

    /// Removes objects; that one is not there is no error.
    pub(crate) fn delete(&self, names: &[String]) -> Result<(), SnapshotError> {
        let keys: Vec<_> = names.iter().map(|name| Ok(self.key(name))).collect();
        let deleted = async {
            let mut deleted = self.works.delete_stream(stream::iter(keys).boxed());
            while let Some(result) = deleted.next().await {
                match result {
                    Err(object_store::Error::NotFound { .. }) | Ok(_) => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        };
        self.run("removing", names.first().map_or("", String::as_str), deleted)
    }

    /// Begins an upload in parts.
    pub(crate) fn begin(&self, name: &str) -> Result<UploadId, SnapshotError> {
        self.run("beginning to write", name, self.works.create_multipart(&self.key(name)))
    }

    pub(crate) fn put_part(
        &self,
        name: &str,
        upload: &UploadId,
        index: usize,
        bytes: Vec<u8>,
    ) -> Result<PartId, SnapshotError> {
        self.run("writing", name, self.works.put_part(&self.key(name), upload, index, bytes.into()))
    }

    /// Makes an object of all its parts. That the server does not know the upload is no error: an answer may have been
    /// lost, and whoever calls asks for the object.
    pub(crate) fn complete(
        &self,
        name: &str,
        upload: &UploadId,
        parts: Vec<PartId>,
    ) -> Result<(), SnapshotError> {
        let key = self.key(name);
        self.run("completing", name, async {
            match self.works.complete_multipart(&key, upload, parts).await {
                Err(object_store::Error::NotFound { .. }) | Ok(_) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    /// Gives up an upload in parts; that there is none is no error.
    pub(crate) fn abort(&self, name: &str, upload: &UploadId) -> Result<(), SnapshotError> {
        let key = self.key(name);
        self.run("giving up", name, async {
            match self.works.abort_multipart(&key, upload).await {
                Err(object_store::Error::NotFound { .. }) | Ok(()) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }

    /// Lengths of an id's objects, by their names below it.
    pub(crate) fn lengths(&self, id: &str) -> Result<BTreeMap<String, u64>, SnapshotError> {
        let below = format!("{id}/");
        let found = self.list(Some(id))?.into_iter();
        Ok(found
            .filter_map(|object| Some((object.name.strip_prefix(&below)?.to_string(), object.bytes)))
            .collect())
    }
}

/// A runtime that may be dropped anywhere: on a thread of another one it must not wait for its own end.
struct Threads {
    handle: Handle,
    runtime: Option<Runtime>,
}

impl Threads {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .thread_name("numax-bucket")
            .enable_all()
            .build()?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime) })
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// Not the runtime, and nothing of the way there but the address.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.url.to_string()).finish()
    }
}
