//! The one-file form: all rows of a snapshot, compressed, with a checksum for each chunk. It is written and read as a
//! stream, holds no engine's files, and becomes a snapshot again in any engine.
//!
//! # Format, version 1
//! Integers are little-endian; lengths of keys and values are varints.
//!
//! ```text
//! file   = "numaxpak" | version u32 | manifest length u32 | manifest (JSON, without files) | hash | chunk… | end
//! chunk  = kind u8 | packed length u32 | hash | packed          kind: 1 rows, 2 end
//! packed = zstd of: rows: (table u8 | key length | key | value length | value)…
//!                   end:  rows u64 | bytes of keys and values u64
//! hash   = BLAKE3; the header's over all before it, a chunk's over the hash before it, its kind and its packed bytes
//! ```
//! Each hash covers the one before, so that chunks cannot be left out, doubled or exchanged, and the end proves the whole.

use std::{
    fs::{self, File},
    io::{BufReader, BufWriter, Read, Write},
    num::NonZero,
    path::Path,
    thread,
};

use bytes::Bytes;
use numax_crdt::codec::{Reader, put_bytes};
use numax_replica::snapshot::{Row, Seeder};
use numax_store::{Engine, MAX_ROW, Table};

use crate::{
    Folder, Progress, Snapshot, SnapshotError,
    error::{damaged, failed},
    files,
    folder::Draft,
    manifest::{Counts, Manifest},
};

const MAGIC: &[u8; 8] = b"numaxpak";
/// The version that this program writes; it reads this one.
pub const VERSION: u32 = 1;
const ROWS: u8 = 1;
const END: u8 = 2;
const HASH: usize = blake3::OUT_LEN;
/// Bytes of rows after which a chunk ends: large enough to compress well, small enough to hold a few in memory.
const CHUNK_BYTES: usize = 1 << 20;
/// The most that a chunk may be, packed or not: one that ends with the largest row.
const MAX_CHUNK: usize = CHUNK_BYTES + MAX_ROW + 1024;
const MAX_MANIFEST: u32 = 64 << 20;
/// zstd's own default.
const LEVEL: i32 = 3;

/// Writes rows, packed on several threads.
pub(crate) struct Packer<W> {
    out: W,
    hash: blake3::Hash,
    chunk: Vec<u8>,
    /// Full chunks that wait to be packed together.
    full: Vec<Vec<u8>>,
    threads: usize,
    counts: Counts,
}

impl<W: Write> Packer<W> {
    /// Writes the header.
    pub(crate) fn new(mut out: W, manifest: &Manifest) -> std::io::Result<Self> {
        let json = manifest.to_json();
        let mut header = MAGIC.to_vec();
        header.extend_from_slice(&VERSION.to_le_bytes());
        header.extend_from_slice(&u32::try_from(json.len()).unwrap_or(u32::MAX).to_le_bytes());
        header.extend_from_slice(&json);
        let hash = blake3::hash(&header);
        out.write_all(&header)?;
        out.write_all(hash.as_bytes())?;
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(4);
        Ok(Self { out, hash, chunk: Vec::new(), full: Vec::new(), threads, counts: Counts::default() })
    }

    pub(crate) fn put(&mut self, row: &Row) -> std::io::Result<()> {
        self.counts.add(row);
        let (table, key, value) = row;
        self.chunk.push(*table as u8);
        put_bytes(&mut self.chunk, key);
        put_bytes(&mut self.chunk, value);
        if self.chunk.len() >= CHUNK_BYTES {
            self.full.push(std::mem::take(&mut self.chunk));
            if self.full.len() >= self.threads {
                self.pack()?;
            }
        }
        Ok(())
    }

    /// Writes what is left and the end.
    pub(crate) fn finish(mut self) -> std::io::Result<(W, Counts)> {
        if !self.chunk.is_empty() {
            self.full.push(std::mem::take(&mut self.chunk));
        }
        self.pack()?;
        let mut end = self.counts.rows.to_le_bytes().to_vec();
        end.extend_from_slice(&self.counts.row_bytes.to_le_bytes());
        let packed = zstd::bulk::compress(&end, LEVEL)?;
        self.write(END, &packed)?;
        self.out.flush()?;
        Ok((self.out, self.counts))
    }

    fn pack(&mut self) -> std::io::Result<()> {
        let full = std::mem::take(&mut self.full);
        let packed: Vec<std::io::Result<Vec<u8>>> = thread::scope(|scope| {
            let threads: Vec<_> =
                full.iter().map(|chunk| scope.spawn(|| zstd::bulk::compress(chunk, LEVEL))).collect();
            let ended = || std::io::Error::other("a thread that compresses ended by a fault of numax");
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(ended()))).collect()
        });
        packed.into_iter().try_for_each(|packed| self.write(ROWS, &packed?))
    }

    fn write(&mut self, kind: u8, packed: &[u8]) -> std::io::Result<()> {
        self.hash = chain(&self.hash, kind, packed);
        self.out.write_all(&[kind])?;
        self.out.write_all(&u32::try_from(packed.len()).unwrap_or(u32::MAX).to_le_bytes())?;
        self.out.write_all(self.hash.as_bytes())?;
        self.out.write_all(packed)
    }
}

fn chain(before: &blake3::Hash, kind: u8, packed: &[u8]) -> blake3::Hash {
    let mut hash = blake3::Hasher::new();
    hash.update(before.as_bytes()).update(&[kind]).update(packed);
    hash.finalize()
}

/// Reads rows.
pub(crate) struct Unpacker<R> {
    input: R,
    /// What errors call the file.
    name: String,
    manifest: Manifest,
    hash: blake3::Hash,
    index: u64,
    /// Bytes read so far.
    read: u64,
    counts: Counts,
}

impl<R: Read> Unpacker<R> {
    /// Reads the header.
    pub(crate) fn new(mut input: R, name: &str) -> Result<Self, SnapshotError> {
        let mut head = [0; 16];
        read_exact(&mut input, &mut head, name)?;
        let (magic, numbers) = head.split_at(MAGIC.len());
        if magic != MAGIC {
            let detail = "it does not begin as an exported snapshot does".to_string();
            return Err(SnapshotError::Foreign { file: name.to_string(), detail });
        }
        let number = |bytes: Option<&[u8]>| {
            bytes.and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
        };
        let (version, len) = (number(numbers.get(..4)), number(numbers.get(4..)));
        if version != VERSION {
            return Err(SnapshotError::Newer {
                what: name.to_string(),
                found: version.into(),
                want: VERSION.into(),
                program: "a newer numax".to_string(),
            });
        }
        if len > MAX_MANIFEST {
            return Err(damaged(name, "its header is too long"));
        }
        let mut json = vec![0; len as usize];
        read_exact(&mut input, &mut json, name)?;
        let mut hash = [0; HASH];
        read_exact(&mut input, &mut hash, name)?;
        let want = blake3::Hasher::new().update(&head).update(&json).finalize();
        if want != hash {
            return Err(damaged(name, "the header does not have its hash"));
        }
        let manifest = Manifest::parse(&json, name)?;
        manifest.check_schema()?;
        let read = (head.len() + json.len() + HASH) as u64;
        let (hash, counts) = (want, Counts::default());
        Ok(Self { input, name: name.to_string(), manifest, hash, index: 0, read, counts })
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The rows of the next chunk; none behind the last, when all of them were there.
    pub(crate) fn chunk(&mut self) -> Result<Option<Vec<Row>>, SnapshotError> {
        let index = self.index;
        let wrong = |name: &str, what: &str| damaged(name, format!("chunk {index} {what}"));
        let mut head = [0; 5 + HASH];
        read_exact(&mut self.input, &mut head, &self.name)?;
        let [kind, a, b, c, d, ..] = head;
        let len = u32::from_le_bytes([a, b, c, d]) as usize;
        if !matches!(kind, ROWS | END) || len > MAX_CHUNK {
            return Err(wrong(&self.name, "does not begin as a chunk does"));
        }
        let mut packed = vec![0; len];
        read_exact(&mut self.input, &mut packed, &self.name)?;
        self.hash = chain(&self.hash, kind, &packed);
        if head.get(5..) != Some(&self.hash.as_bytes()[..]) {
            return Err(wrong(&self.name, "does not have its hash"));
        }
        self.index += 1;
        self.read += (head.len() + packed.len()) as u64;
        let raw = zstd::bulk::decompress(&packed, MAX_CHUNK)
            .map_err(|error| wrong(&self.name, &format!("cannot be unpacked: {error}")))?;
        if kind == END {
            return self.end(&raw).map(|()| None);
        }
        let rows =
            unpack(raw.into()).map_err(|error| wrong(&self.name, &format!("cannot be read: {error}")))?;
        rows.iter().for_each(|row| self.counts.add(row));
        Ok(Some(rows))
    }

    fn end(&mut self, raw: &[u8]) -> Result<(), SnapshotError> {
        let counted = [self.counts.rows.to_le_bytes(), self.counts.row_bytes.to_le_bytes()].concat();
        let promised =
            self.manifest.rows == self.counts.rows && self.manifest.row_bytes == self.counts.row_bytes;
        if raw != counted || !promised {
            return Err(damaged(&self.name, "it does not have the rows that it tells of"));
        }
        match self.input.read(&mut [0]) {
            Ok(0) => Ok(()),
            Ok(_) => Err(damaged(&self.name, "there is something behind its end")),
            Err(error) => Err(failed("reading", Path::new(&self.name))(error)),
        }
    }
}

fn unpack(raw: Bytes) -> Result<Vec<Row>, numax_crdt::codec::CodecError> {
    let mut reader = Reader::new(raw);
    let mut rows = Vec::new();
    while reader.remaining() > 0 {
        let tag = reader.u8("table")?;
        let Some(table) = Table::ALL.into_iter().find(|table| *table as u8 == tag && *table != Table::Meta)
        else {
            return Err(numax_crdt::codec::CodecError::Tag { what: "table", tag });
        };
        let key = reader.bytes("key", MAX_ROW)?;
        let value = reader.bytes("value", MAX_ROW)?;
        rows.push((table, key, value));
    }
    Ok(rows)
}

fn read_exact(input: &mut impl Read, out: &mut [u8], name: &str) -> Result<(), SnapshotError> {
    input.read_exact(out).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => damaged(name, "it ends too early"),
        _ => failed("reading", Path::new(name))(error),
    })
}

impl Snapshot {
    /// Writes the snapshot into one file, which appears when it is whole. `scratch` is a directory with room for the
    /// snapshot's files. Answers the file's bytes. Blocks.
    ///
    /// # Errors
    /// [`SnapshotError::Exists`] when there is such a file; when the snapshot is damaged or the file cannot be written.
    /// Nothing is left of it then.
    pub fn export(&self, file: &Path, scratch: &Path, progress: Progress<'_>) -> Result<u64, SnapshotError> {
        if file.exists() {
            return Err(SnapshotError::Exists { path: file.display().to_string() });
        }
        let mut manifest = Manifest { chunk_bytes: 0, files: Vec::new(), ..self.manifest.clone() };
        manifest.seal();
        let rows = self.rows(scratch, &crate::quiet)?;
        let mut temporary = file.as_os_str().to_owned();
        temporary.push(".part");
        let temporary = Path::new(&temporary);
        let total = manifest.row_bytes;
        let write = || {
            let wrong = || failed("writing", temporary);
            let out = File::create(temporary).map_err(failed("creating", temporary))?;
            let mut packer =
                Packer::new(BufWriter::with_capacity(1 << 20, out), &manifest).map_err(wrong())?;
            for row in rows {
                packer.put(&row?).map_err(wrong())?;
                progress(packer.counts.row_bytes, total);
            }
            let (out, _) = packer.finish().map_err(wrong())?;
            let out = out.into_inner().map_err(|error| wrong()(error.into_error()))?;
            out.sync_all().map_err(wrong())?;
            let bytes = out.metadata().map_err(wrong())?.len();
            fs::rename(temporary, file).map_err(failed("renaming", temporary))?;
            let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            files::sync_dir(dir)?;
            Ok(bytes)
        };
        let result = write();
        if result.is_err() {
            let _ = fs::remove_file(temporary);
        }
        result
    }
}

impl Folder {
    /// Makes a snapshot of an exported file, under the id that it was exported with, in any engine (none: the one it was
    /// exported from). Whole or not at all. Blocks.
    ///
    /// # Errors
    /// When the file is damaged, of a newer program or no exported snapshot; [`SnapshotError::Exists`] when the snapshot
    /// is there already.
    pub fn import(
        &self,
        file: &Path,
        engine: Option<Engine>,
        progress: Progress<'_>,
    ) -> Result<Snapshot, SnapshotError> {
        let absent = |id: &str| {
            let path = self.path().join(id);
            if path.exists() {
                return Err(SnapshotError::Exists { path: path.display().to_string() });
            }
            self.draft()
        };
        let (draft, manifest) = unpack_file(file, engine, absent, progress)?;
        let manifest = draft.seal(manifest, &crate::quiet)?;
        draft.publish(manifest)
    }
}

/// Writes the rows of an exported file into a draft, which `begin` makes for the id in the file.
pub(crate) fn unpack_file(
    file: &Path,
    engine: Option<Engine>,
    begin: impl FnOnce(&str) -> Result<Draft, SnapshotError>,
    progress: Progress<'_>,
) -> Result<(Draft, Manifest), SnapshotError> {
    let input = File::open(file).map_err(failed("opening", file))?;
    let total = input.metadata().map_err(failed("reading", file))?.len();
    let input = BufReader::with_capacity(1 << 20, input);
    let mut unpacker = Unpacker::new(input, &file.display().to_string())?;
    let mut manifest = unpacker.manifest().clone();
    let engine = engine.map_or_else(|| manifest.engine(), Ok)?;
    let facts = manifest.facts()?;
    let draft = begin(&manifest.id)?;
    files::check_room(draft.path(), manifest.row_bytes)?;
    let mut seeder = Seeder::create(draft.path(), engine)?;
    while let Some(rows) = unpacker.chunk()? {
        for row in rows {
            seeder.put(row)?;
        }
        progress(unpacker.read, total);
    }
    seeder.finish(&facts)?;
    manifest.engine = engine.name().to_string();
    Ok((draft, manifest))
}

#[cfg(test)]
mod tests;
