//! Snapshots in a bucket of an object store that speaks S3.
//!
//! A snapshot has the same names there as in a folder: `<prefix>/<id>/manifest.json`, `…/rows/…`, `…/log/…`, one object a
//! file. So any program that copies files to a bucket and back moves snapshots, and a restore fetches the chunks that the
//! manifest has hashes of, several at once and straight to their places.
//!
//! A bucket knows no renaming, so what makes a snapshot one is its **manifest, which is put last**, after the server was
//! asked whether it has every object at its full length. What has no manifest is never listed. While objects are on
//! their way, `<id>/upload.json` says whose they are and which uploads in parts are open, so that the next upload removes
//! what an interrupted one left ([`leftover`]).
//!
//! What is where: `client` has requests and the threads that carry them, `settings` how a server is reached, `refusal` what
//! its refusals mean for an operator; `upload` and [`leftover`] write, `source` reads.

mod client;
mod leftover;
mod refusal;
mod settings;
mod source;
mod upload;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use numax_replica::Replica;
use numax_store::Engine;

use self::{client::Client, source::BucketSource};
use crate::{
    AwsVariables, CreateOptions, Found, Progress, Snapshot, SnapshotError, create,
    error::damaged,
    files,
    folder::{Draft, Folder},
    id,
    location::BucketUrl,
    manifest::{self, Manifest},
    portable,
    shelf::Shelf,
};

/// Manifests that are fetched at once.
const LOADS: usize = 8;

/// A bucket, or the part of it below a prefix.
#[derive(Debug, Clone)]
pub struct Bucket {
    client: Arc<Client>,
    scratch: PathBuf,
}

/// The objects of each id, with their lengths, by their names below it.
type Survey = BTreeMap<String, BTreeMap<String, client::Object>>;

impl Bucket {
    /// Opens a bucket; nothing is asked of the server yet. For `scratch` see
    /// [`Repository::open`](crate::Repository::open).
    ///
    /// # Errors
    /// What is wrong with the URL or the variables.
    pub fn open(url: &BucketUrl, variables: &AwsVariables, scratch: &Path) -> Result<Self, SnapshotError> {
        Ok(Self { client: Arc::new(Client::open(url, variables)?), scratch: scratch.to_path_buf() })
    }

    /// What it is.
    #[must_use]
    pub fn url(&self) -> &BucketUrl {
        self.client.url()
    }

    /// Writes a snapshot of a datastore, as [`Folder::create`] does, and uploads it. Blocks.
    ///
    /// # Errors
    /// When it cannot be written or uploaded. Then there is no snapshot, and what is left of it goes with the next one.
    pub fn create(
        &self,
        replica: &Replica,
        options: &CreateOptions,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        // The server first: what it refuses it should refuse before the work.
        let draft = self.begin()?;
        let manifest = create::write(&draft, replica, options, progress)?;
        let snapshot = self.publish(&draft, manifest, progress)?;
        create::told(&snapshot);
        Ok(snapshot)
    }

    /// Makes a snapshot of an exported file, as [`Folder::import`] does, and uploads it. Blocks.
    ///
    /// # Errors
    /// See there, and when it cannot be uploaded.
    pub fn import(
        &self,
        file: &Path,
        engine: Option<Engine>,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        let begin = |id: &str| {
            let draft = self.begin()?;
            self.absent(&self.survey()?, id)?;
            Ok(draft)
        };
        let (draft, manifest) = portable::unpack_file(file, engine, begin, progress)?;
        self.publish(&draft, manifest, progress)
    }

    /// What lies there, oldest first. Damaged ones are listed, with what is wrong.
    ///
    /// # Errors
    /// When the bucket cannot be read.
    pub fn list(&self) -> Result<Vec<Found>, SnapshotError> {
        Shelf::list(self)
    }

    /// See [`Folder::find`].
    ///
    /// # Errors
    /// See there, and when the bucket cannot be read.
    pub fn find(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        Shelf::find(self, id)
    }

    /// See [`Folder::prune`].
    ///
    /// # Errors
    /// When one cannot be removed.
    pub fn prune(&self, keep: usize, node: Option<&str>) -> Result<Vec<String>, SnapshotError> {
        Shelf::prune(self, keep, node)
    }

    /// A place to put a snapshot together, the lock on it held, after what is left of interrupted uploads was removed.
    fn begin(&self) -> Result<Draft, SnapshotError> {
        let draft = Folder::new(&self.scratch).draft()?;
        leftover::sweep(&self.client, &leftover::owner(&self.scratch)?, &self.survey()?)?;
        Ok(draft)
    }

    fn publish(
        &self,
        draft: &Draft,
        manifest: Manifest,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        let manifest = draft.seal(manifest, progress)?;
        self.absent(&self.survey()?, &manifest.id)?;
        let owner = leftover::owner(&self.scratch)?;
        upload::run(&self.client, &owner, draft.path(), &manifest, progress)?;
        Ok(self.snapshot(manifest))
    }

    fn absent(&self, survey: &Survey, id: &str) -> Result<(), SnapshotError> {
        match survey.get(id) {
            Some(objects) if is_whole(objects) => {
                Err(SnapshotError::Exists { path: format!("{}/{id}", self.url()) })
            }
            _ => Ok(()),
        }
    }

    fn snapshot(&self, manifest: Manifest) -> Snapshot {
        let source = BucketSource::new(self.client.clone(), manifest.id.clone());
        Snapshot { source: Arc::new(source), manifest }
    }

    /// Everything that lies there under names of snapshots.
    fn survey(&self) -> Result<Survey, SnapshotError> {
        let mut survey = Survey::new();
        for object in self.client.list(None)? {
            if let Some((id, name)) = object.name.split_once('/')
                && id::is_valid(id)
            {
                survey.entry(id.to_string()).or_default().insert(name.to_string(), object.clone());
            }
        }
        Ok(survey)
    }
}

/// Whether a manifest says that all of it is there.
fn is_whole(objects: &BTreeMap<String, client::Object>) -> bool {
    objects.contains_key(manifest::FILE)
}

impl Shelf for Bucket {
    fn name(&self) -> String {
        self.url().to_string()
    }

    fn ids(&self) -> Result<Vec<String>, SnapshotError> {
        let survey = self.survey()?;
        Ok(survey.into_iter().filter(|(_, objects)| is_whole(objects)).map(|(id, _)| id).collect())
    }

    fn load(&self, id: &str) -> Result<Snapshot, SnapshotError> {
        let key = format!("{id}/{}", manifest::FILE);
        let text = self.client.get(&key, manifest::MAX_BYTES)?;
        let manifest = Manifest::parse(&text, &self.client.name_of(&key))?;
        if manifest.id != id {
            return Err(damaged(self.client.name_of(&key), format!("it is of snapshot {}", manifest.id)));
        }
        Ok(self.snapshot(manifest))
    }

    fn load_all(&self, ids: &[String]) -> Vec<Result<Snapshot, SnapshotError>> {
        let loaded: Vec<Mutex<Option<Result<Snapshot, SnapshotError>>>> =
            ids.iter().map(|_| Mutex::new(None)).collect();
        let all = files::parallel(LOADS, ids.len(), |index, _| {
            if let (Some(id), Some(slot)) = (ids.get(index), loaded.get(index)) {
                *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.load(id));
            }
            Ok(())
        });
        debug_assert!(all.is_ok(), "no piece of work says that it failed");
        let taken = loaded.into_iter().map(|slot| slot.into_inner().unwrap_or_else(PoisonError::into_inner));
        taken.zip(ids).map(|(loaded, id)| loaded.unwrap_or_else(|| self.load(id))).collect()
    }

    fn remove(&self, id: &str) -> Result<(), SnapshotError> {
        leftover::discard(&self.client, id)
    }
}
