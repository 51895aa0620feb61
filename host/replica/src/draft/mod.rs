//! The draft: what one turn of one guest has written, over what is committed.
//!
//! A draft keeps each write in the form that commutes (an amount to add, a value to set, dots to replace), one per
//! row, so that several writes to one row are one operation of the batch and everybody else's commits show through.
//! Totals, dots and times are given when it is committed. What the guest saw decides what an operation means: the dots
//! that a removal takes away are captured at the call.
//!
//! No function here blocks or waits. A read of a row that is not in memory ends with [`DraftError::Miss`] and changes
//! nothing; the caller loads the row on a thread that may block, supplies it and calls again. Writes touch the rows
//! that the commit will read, so that the committer, which everybody waits for, finds them in memory.

mod batch;
mod counters;
mod keys;
mod kv;
mod list;
mod list_page;
mod map;
mod page;
mod register;
mod set;
#[cfg(feature = "text")]
mod text;
#[cfg(not(feature = "text"))]
mod text_without;
mod usage;

use std::collections::BTreeMap;

use bytes::Bytes;
use numax_crdt::{
    ApplyError, Dot, Key, Kind, LimitError, RowError, Rows,
    limits::{MAX_BATCH_OPS, RESERVED_PREFIX},
};

pub use batch::LocalBatch;
pub(crate) use batch::{LocalBody, LocalOp};
use list::ListWrites;
pub use list::{IdSeed, ListPage};
pub use page::Page;
use usage::{Cost, Usage};

use crate::{
    error::DraftError,
    reader::Reader,
    rows::{
        scan::{Page as RowPage, Want},
        view::{Access, Supplied, View},
    },
};

/// Who writes: the number of a guest's instance. A watcher uses it to leave out its own writes.
pub type WriterId = u64;

/// The open batch of one turn.
pub struct Draft {
    reader: Reader,
    writer: WriterId,
    inline: bool,
    g_counters: BTreeMap<Key, u64>,
    pn_counters: BTreeMap<Key, (u64, u64)>,
    registers: BTreeMap<Key, Option<Bytes>>,
    maps: BTreeMap<Key, BTreeMap<Bytes, Option<Bytes>>>,
    sets: BTreeMap<Key, BTreeMap<Bytes, SetWrite>>,
    lists: BTreeMap<Key, ListWrites>,
    #[cfg(feature = "text")]
    texts: BTreeMap<Key, text::HeldText>,
    /// This turn's number among those who edit texts.
    #[cfg(feature = "text")]
    turn: u64,
    local: BTreeMap<Bytes, Option<Bytes>>,
    usage: Usage,
    supplied: Supplied,
}

/// What the turn did to one element of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
struct SetWrite {
    /// Added last, or removed last.
    added: bool,
    /// The additions that the guest saw when it wrote, sorted.
    dots: Vec<Dot>,
}

impl Draft {
    /// An empty draft over committed rows.
    pub fn new(reader: Reader, writer: WriterId) -> Self {
        Self {
            #[cfg(feature = "text")]
            texts: BTreeMap::new(),
            #[cfg(feature = "text")]
            turn: reader.shared.texts.new_turn(),
            reader,
            writer,
            inline: false,
            g_counters: BTreeMap::new(),
            pn_counters: BTreeMap::new(),
            registers: BTreeMap::new(),
            maps: BTreeMap::new(),
            sets: BTreeMap::new(),
            lists: BTreeMap::new(),
            local: BTreeMap::new(),
            usage: Usage::default(),
            supplied: Supplied::default(),
        }
    }

    /// Whether reads block instead of ending with [`DraftError::Miss`]: for tools and tests, never on an async worker.
    pub fn load_inline(&mut self, inline: bool) {
        self.inline = inline;
    }

    /// Gives the draft what a [`Miss`] was about. It counts until the batch is taken or rolled back.
    pub fn supply(&mut self, loaded: Loaded) {
        self.supplied.extend(loaded.pages);
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.usage.is_empty()
    }

    /// An upper bound of the bytes that the batch takes in the log, so far.
    pub fn bytes(&self) -> usize {
        self.usage.bytes()
    }

    /// The batch as it is, to be committed; the draft is empty then.
    pub fn take(&mut self) -> LocalBatch {
        let (texts, holds) = self.take_texts();
        let batch = LocalBatch::new(
            self.writer,
            LocalOps {
                g_counters: std::mem::take(&mut self.g_counters),
                pn_counters: std::mem::take(&mut self.pn_counters),
                registers: std::mem::take(&mut self.registers),
                maps: std::mem::take(&mut self.maps),
                sets: std::mem::take(&mut self.sets),
                lists: std::mem::take(&mut self.lists),
                texts,
            },
            holds,
            std::mem::take(&mut self.local),
            self.usage.bytes(),
        );
        self.rollback();
        batch
    }

    /// Takes everything back.
    pub fn rollback(&mut self) {
        self.g_counters.clear();
        self.pn_counters.clear();
        self.registers.clear();
        self.maps.clear();
        self.sets.clear();
        self.lists.clear();
        self.drop_texts();
        self.local.clear();
        self.usage = Usage::default();
        self.supplied.clear();
    }

    /// Reads committed rows through `read`; a miss carries everything that `read` missed.
    fn access<T>(&self, read: impl FnOnce(&Access<'_>) -> Result<T, ApplyError>) -> Result<T, DraftError> {
        let access = Access::new(&self.reader.shared, &self.supplied, self.inline);
        read(&access).map_err(|error| match error {
            ApplyError::Row(RowError::Miss) => {
                DraftError::Miss(Miss { reader: self.reader.clone(), wants: access.missed.take() })
            }
            other => DraftError::Unavailable(other.to_string()),
        })
    }

    /// Reads the committed rows of one value.
    fn committed<T>(
        &self,
        kind: Kind,
        key: &Key,
        read: impl FnOnce(&dyn Rows) -> Result<T, ApplyError>,
    ) -> Result<T, DraftError> {
        self.access(|access| {
            read(&View::new(access, kind, key)).inspect_err(|error| {
                let is_damage =
                    matches!(error, ApplyError::Damaged { .. } | ApplyError::Row(RowError::UnknownOrigin(_)));
                if is_damage && self.reader.shared.is_first_damage() {
                    tracing::error!(
                        family = kind.config_name(),
                        key = named(key),
                        "{error} (said of the first damaged row only)"
                    );
                }
            })
        })
    }
}

impl std::fmt::Debug for Draft {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Draft")
            .field("writer", &self.writer)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

/// What a draft holds, by family.
struct LocalOps {
    g_counters: BTreeMap<Key, u64>,
    pn_counters: BTreeMap<Key, (u64, u64)>,
    registers: BTreeMap<Key, Option<Bytes>>,
    maps: BTreeMap<Key, BTreeMap<Bytes, Option<Bytes>>>,
    sets: BTreeMap<Key, BTreeMap<Bytes, SetWrite>>,
    lists: BTreeMap<Key, ListWrites>,
    texts: Vec<(Key, Bytes)>,
}

/// Rows that are not in memory. [`load`](Self::load) them on a thread that may block.
pub struct Miss {
    reader: Reader,
    wants: Vec<Want>,
}

impl Miss {
    /// Reads the rows; blocks. An error is told by the draft at the next call.
    ///
    /// # Errors
    /// [`DraftError::Unavailable`] when storage cannot be read.
    pub fn load(self) -> Result<Loaded, DraftError> {
        let mut pages = Vec::with_capacity(self.wants.len());
        for want in self.wants {
            let page =
                self.reader.shared.load(&want).map_err(|error| DraftError::Unavailable(error.to_string()))?;
            pages.push((want, page));
        }
        Ok(Loaded { pages })
    }
}

impl std::fmt::Debug for Miss {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Miss").field("rows", &self.wants.len()).finish_non_exhaustive()
    }
}

/// What [`Miss::load`] found.
#[derive(Debug)]
pub struct Loaded {
    pages: Vec<(Want, (u64, RowPage))>,
}

/// `Ok` when a guest may name the key.
fn allowed(key: &[u8]) -> Result<(), DraftError> {
    if key.starts_with(RESERVED_PREFIX.as_bytes()) {
        return Err(DraftError::Invalid(format!(
            "keys that begin with {RESERVED_PREFIX:?} belong to the system"
        )));
    }
    Ok(())
}

/// A key as an error names it: quoted, and cut if it is long.
fn named(key: &Key) -> String {
    const CHARS: usize = 80;
    let text = String::from_utf8_lossy(key.as_bytes());
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{:?}…", text.get(..end).unwrap_or_default()),
        None => format!("{text:?}"),
    }
}

/// A value has more entries than one turn may remove.
fn too_many(key: &Key, what: &str) -> DraftError {
    DraftError::Invalid(format!(
        "batch too large: {} has more than {MAX_BATCH_OPS} {what}, and one turn removes no more; remove them a page at a time, \
         each page in a turn of its own",
        named(key)
    ))
}

/// `Ok` when `bytes` is within a limit.
fn within(what: &'static str, bytes: &[u8], limit: usize) -> Result<(), DraftError> {
    if bytes.len() > limit {
        return Err(DraftError::Invalid(LimitError { what, size: bytes.len(), limit }.to_string()));
    }
    Ok(())
}

/// Both results, or the first error; so that both reads have noted what they miss.
fn both<A, B>(a: Result<A, ApplyError>, b: Result<B, ApplyError>) -> Result<(A, B), ApplyError> {
    Ok((a?, b?))
}
