//! `manifest.json`: what a snapshot is, and the hashes of its files.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::Write,
    path::{Component, Path},
};

use numax_crdt::{Hlc, NodeId, Origin, VersionVector};
use numax_replica::snapshot::StateFacts;
use numax_store::{Engine, Table};
use serde::{Deserialize, Serialize};

use crate::{
    error::{SnapshotError, damaged, failed},
    id,
};

/// The manifest's name in a snapshot's folder.
pub(crate) const FILE: &str = "manifest.json";
/// The format that this program writes; it reads this one and those before.
pub(crate) const FORMAT: u32 = 1;
/// Bounds what is read: the chunks of some 20 TB.
pub(crate) const MAX_BYTES: u64 = 512 << 20;

/// What a snapshot is. Numbers beyond 2^53 are text, because other programs' JSON has none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The manifest's format, 1.
    pub format: u32,
    /// The snapshot's name.
    pub id: String,
    /// When it was begun, Unix time in milliseconds.
    pub created_ms: u64,
    /// The program that wrote it.
    pub program: String,
    /// The cluster that the node belonged to, if it was known: the hash of the authority's public key.
    pub cluster: Option<String>,
    /// The node whose datastore it is of.
    pub node: String,
    /// The epoch in which it wrote.
    pub epoch: u64,
    /// That epoch's nonce, hexadecimal.
    pub nonce: String,
    /// The position in that datastore's log up to which everything is in the snapshot.
    pub position: u64,
    /// That datastore's clock, hexadecimal.
    pub clock: String,
    /// Everything that is in the snapshot.
    pub vector: Vec<VectorEntry>,
    /// How the vector advanced by others since the datastore's own last batch.
    pub deps: Vec<VectorEntry>,
    /// A transfer of state that was under way, hexadecimal.
    pub transfer: String,
    /// The datastore's table of members, hexadecimal.
    pub members: String,
    /// The engine that the files are of.
    pub engine: String,
    /// The schema version of each table, by its number.
    pub schema: BTreeMap<String, u16>,
    /// Rows, the engine's notes not counted.
    pub rows: u64,
    /// Of them, rows of the node-local store, which go to no other node.
    pub local_rows: u64,
    /// Bytes of keys and values.
    pub row_bytes: u64,
    /// Bytes to which each hash applies; the last of a file may be shorter.
    pub chunk_bytes: u64,
    /// The files, in order of their names.
    pub files: Vec<FileEntry>,
    /// BLAKE3 of this manifest as compact JSON with this field empty.
    pub check: String,
}

/// How far one origin has got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VectorEntry {
    /// The node.
    pub node: String,
    /// Its epoch.
    pub epoch: u64,
    /// That epoch's nonce, hexadecimal.
    pub nonce: String,
    /// The number of its last batch.
    pub seq: u64,
}

/// A file of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileEntry {
    /// Its name below the snapshot's folder, with `/` between parts.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// BLAKE3 of each chunk.
    pub chunks: Vec<String>,
}

/// What rows there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Counts {
    pub rows: u64,
    pub local_rows: u64,
    pub row_bytes: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, (table, key, value): &numax_replica::snapshot::Row) {
        self.rows += 1;
        self.local_rows += u64::from(*table == Table::Local);
        self.row_bytes += (key.len() + value.len()) as u64;
    }
}

impl Manifest {
    /// The manifest of rows without files yet.
    pub(crate) fn new(created_ms: u64, cluster: Option<String>, facts: &StateFacts, counts: Counts) -> Self {
        let Origin { node, epoch, nonce } = facts.origin;
        Self {
            format: FORMAT,
            id: String::new(),
            created_ms,
            program: concat!("numax ", env!("CARGO_PKG_VERSION")).to_string(),
            cluster,
            node: node.to_string(),
            epoch,
            nonce: format!("{nonce:016x}"),
            position: facts.position,
            clock: format!("{:016x}", facts.clock.as_u64()),
            vector: facts.vector.iter().map(|(origin, seq)| VectorEntry::new(origin, seq)).collect(),
            deps: facts.deps.iter().map(|(origin, seq)| VectorEntry::new(origin, *seq)).collect(),
            transfer: hex::encode(&facts.transfer),
            members: hex::encode(&facts.members),
            engine: String::new(),
            schema: Table::ALL.iter().map(|table| ((*table as u8).to_string(), table.schema())).collect(),
            rows: counts.rows,
            local_rows: counts.local_rows,
            row_bytes: counts.row_bytes,
            chunk_bytes: 0,
            files: Vec::new(),
            check: String::new(),
        }
    }

    /// Bytes of all files.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// What the rows belong to.
    pub(crate) fn facts(&self) -> Result<StateFacts, SnapshotError> {
        let wrong = || damaged(FILE, "it names an origin or a time that is none");
        let vector = |entries: &[VectorEntry]| -> Option<Vec<(Origin, u64)>> {
            entries.iter().map(|entry| Some((entry.origin()?, entry.seq))).collect()
        };
        let node = self.node.parse::<NodeId>().map_err(|_| wrong())?;
        let nonce = u64::from_str_radix(&self.nonce, 16).map_err(|_| wrong())?;
        Ok(StateFacts {
            origin: Origin { node, epoch: self.epoch, nonce },
            position: self.position,
            vector: VersionVector::from_iter(vector(&self.vector).ok_or_else(wrong)?),
            deps: vector(&self.deps).ok_or_else(wrong)?.into_iter().collect(),
            clock: Hlc::from_u64(u64::from_str_radix(&self.clock, 16).map_err(|_| wrong())?),
            transfer: hex::decode(&self.transfer).map_err(|_| wrong())?.into(),
            members: hex::decode(&self.members).map_err(|_| wrong())?.into(),
        })
    }

    /// The engine of the files.
    pub(crate) fn engine(&self) -> Result<Engine, SnapshotError> {
        Engine::from_name(&self.engine).ok_or_else(|| SnapshotError::Engine { engine: self.engine.clone() })
    }

    /// A hash over the hashes of all files.
    pub(crate) fn content(&self) -> blake3::Hash {
        let mut hash = blake3::Hasher::new();
        for file in &self.files {
            hash.update(file.name.as_bytes()).update(&[0]).update(&file.bytes.to_le_bytes());
            for chunk in &file.chunks {
                hash.update(chunk.as_bytes());
            }
        }
        hash.finalize()
    }

    /// Fills in the check.
    pub(crate) fn seal(&mut self) {
        self.check = self.checksum();
    }

    fn checksum(&self) -> String {
        let plain = Self { check: String::new(), ..self.clone() };
        blake3::hash(&serde_json::to_vec(&plain).unwrap_or_default()).to_hex().to_string()
    }

    /// The text of the file.
    pub(crate) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Reads a manifest; `file` is what errors call it.
    pub(crate) fn parse(text: &[u8], file: &str) -> Result<Self, SnapshotError> {
        #[derive(Deserialize)]
        struct Version {
            format: u32,
            #[serde(default)]
            program: String,
        }
        // The version first: another format may have other fields.
        let version: Version = serde_json::from_slice(text)
            .map_err(|error| damaged(file, format!("it cannot be read: {error}")))?;
        if version.format > FORMAT {
            return Err(SnapshotError::Newer {
                what: file.to_string(),
                found: version.format.into(),
                want: FORMAT.into(),
                program: version.program,
            });
        }
        let manifest: Self = serde_json::from_slice(text)
            .map_err(|error| damaged(file, format!("it cannot be read: {error}")))?;
        if manifest.check != manifest.checksum() {
            return Err(damaged(file, "its own checksum does not match"));
        }
        manifest.check_names(file)?;
        Ok(manifest)
    }

    /// Refuses names that would lead somewhere else: a manifest may come from anybody.
    fn check_names(&self, file: &str) -> Result<(), SnapshotError> {
        let wrong = |detail: String| Err(SnapshotError::Foreign { file: file.to_string(), detail });
        if !id::is_valid(&self.id) {
            return wrong(format!("{:?} is no name of a snapshot", self.id));
        }
        for entry in &self.files {
            let path = Path::new(&entry.name);
            let plain = path.components().all(|part| matches!(part, Component::Normal(_)));
            let place = entry.name.starts_with("rows/") || entry.name.starts_with("log/");
            let chunks = entry.bytes.div_ceil(self.chunk_bytes.max(1)) == entry.chunks.len() as u64;
            if !plain || !place || !chunks || entry.name.contains(['\\', '\0']) {
                return wrong(format!("{:?} is no file of a snapshot", entry.name));
            }
        }
        Ok(())
    }

    /// Refuses tables that this program would misread, of newer programs and of older ones.
    pub(crate) fn check_schema(&self) -> Result<(), SnapshotError> {
        for (number, found) in &self.schema {
            let known = Table::ALL.iter().find(|table| (**table as u8).to_string() == *number);
            let want = known.map_or(0, |table| table.schema());
            if *found > want {
                return Err(SnapshotError::Newer {
                    what: format!("table {number} of the snapshot"),
                    found: (*found).into(),
                    want: want.into(),
                    program: self.program.clone(),
                });
            }
            if *found < want {
                return Err(SnapshotError::Older {
                    what: format!("table {number} of the snapshot"),
                    found: (*found).into(),
                    want: want.into(),
                    program: self.program.clone(),
                });
            }
        }
        Ok(())
    }

    /// Reads the manifest of a snapshot's folder.
    pub(crate) fn load(dir: &Path) -> Result<Self, SnapshotError> {
        let path = dir.join(FILE);
        let bytes = fs::metadata(&path).map_err(failed("reading", &path))?.len();
        if bytes > MAX_BYTES {
            return Err(damaged(path.display(), "it is too large for a manifest"));
        }
        let text = fs::read(&path).map_err(failed("reading", &path))?;
        Self::parse(&text, &path.display().to_string())
    }

    /// Writes it into a snapshot's folder, synced.
    pub(crate) fn store(&self, dir: &Path) -> Result<(), SnapshotError> {
        let path = dir.join(FILE);
        let mut file = File::create(&path).map_err(failed("creating", &path))?;
        file.write_all(&self.to_json()).and_then(|()| file.sync_all()).map_err(failed("writing", &path))
    }
}

impl VectorEntry {
    fn new(origin: &Origin, seq: u64) -> Self {
        let Origin { node, epoch, nonce } = origin;
        Self { node: node.to_string(), epoch: *epoch, nonce: format!("{nonce:016x}"), seq }
    }

    fn origin(&self) -> Option<Origin> {
        let nonce = u64::from_str_radix(&self.nonce, 16).ok()?;
        Some(Origin { node: self.node.parse().ok()?, epoch: self.epoch, nonce })
    }
}
