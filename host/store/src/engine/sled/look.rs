//! Rows of a sled database, read from its files without sled.
//!
//! Sled cannot be opened without writing, nor be read for certain once one of its writes has found no space, and it may
//! keep its lock for ever then. This needs neither room nor lock. It sees what was on the disk when it was made: at
//! least what was synced. Nothing that it needs is written over as long as nobody writes new rows.

use std::{ops::Bound, path::Path};

use ::bytes::Bytes;

use super::{
    bytes::{Input, Node, Odd},
    log::{Log, Pages},
};
use crate::{engine::raw::Look, kv::KvError};

/// The page with the names of all trees.
const NAMES: u64 = 0;
/// The tree that is used when none is named.
const TREE: &[u8] = b"__sled__default";
/// More steps from the root to a leaf than any tree needs: beyond it goes in circles.
const MAX_STEPS: usize = 10_000;

/// A database as its files stand.
#[derive(Debug)]
pub(super) struct Files {
    log: Log,
    pages: Pages,
    root: u64,
}

impl Files {
    pub(super) fn open(dir: &Path) -> Result<Self, KvError> {
        let log = Log::open(dir)?;
        let pages = log.pages()?;
        let mut files = Self { log, pages, root: 0 };
        let names = files.parts(NAMES)?.into_iter().next().unwrap_or_default();
        files.root = root(&names).map_err(|odd| files.log.odd(&odd))?;
        Ok(files)
    }

    /// The parts of a page: a whole one, and changes.
    fn parts(&self, page: u64) -> Result<Vec<Vec<u8>>, KvError> {
        let parts = self.pages.get(&page).ok_or_else(|| self.log.odd(&Odd("a page is missing")))?;
        parts.iter().map(|part| self.log.part(page, *part)).collect()
    }

    fn node(&self, page: u64) -> Result<Node, KvError> {
        let parts = self.parts(page)?;
        let (whole, changes) = parts.split_first().ok_or_else(|| self.log.odd(&Odd("a page is empty")))?;
        let read = || {
            let mut node = Node::read(whole)?;
            changes.iter().try_for_each(|change| node.apply(change))?;
            Ok(node)
        };
        read().map_err(|odd| self.log.odd(&odd))
    }

    /// The leaf in which a key lies or would lie.
    fn leaf(&self, key: &[u8]) -> Result<Node, KvError> {
        let mut page = self.root;
        for _ in 0..MAX_STEPS {
            let node = self.node(page)?;
            // A split of which the parent does not know yet.
            let next = if !node.high.is_empty() && key >= node.high.as_slice() {
                Some(node.next.ok_or_else(|| self.log.odd(&Odd("a node lacks the one behind it")))?)
            } else {
                node.child(key).map_err(|odd| self.log.odd(&odd))?
            };
            match next {
                Some(next) => page = next,
                None => return Ok(node),
            }
        }
        Err(self.log.odd(&Odd("a tree leads in circles")))
    }
}

impl Look for Files {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        let leaf = self.leaf(key)?;
        let value = leaf.value(key).map_err(|odd| self.log.odd(&odd))?;
        Ok(value.map(Bytes::copy_from_slice))
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        let mut at = match &from {
            Bound::Included(key) | Bound::Excluded(key) => key.clone(),
            Bound::Unbounded => Vec::new(),
        };
        let after = |key: &[u8]| match &from {
            Bound::Included(from) => key >= from.as_slice(),
            Bound::Excluded(from) => key > from.as_slice(),
            Bound::Unbounded => true,
        };
        loop {
            let leaf = self.leaf(&at)?;
            let high = leaf.high.clone();
            for (key, value) in leaf.rows() {
                if after(&key) && !visit(&key, value) {
                    return Ok(());
                }
            }
            if high.is_empty() {
                return Ok(());
            }
            at = high;
        }
    }
}

/// The root's page, from the names of all trees.
fn root(names: &[u8]) -> Result<u64, Odd> {
    let mut input = Input(names);
    while !input.0.is_empty() {
        let (name, page) = (input.string()?, input.number()?);
        if name == TREE {
            return Ok(page);
        }
    }
    Err(Odd("it holds no tree"))
}

#[cfg(test)]
mod tests {
    use std::ops::Bound;

    use super::*;
    use crate::{
        engine::{raw::Raw, sled::Sled},
        rng::Rng,
    };

    fn all(from: &dyn Look, bound: Bound<Vec<u8>>) -> Vec<(Vec<u8>, Bytes)> {
        let mut rows = Vec::new();
        from.scan(bound, &mut |key, value| {
            rows.push((key.to_vec(), value));
            true
        })
        .unwrap();
        rows
    }

    /// Rows come and go in numbers and sizes that split, merge, move and outgrow nodes.
    #[test]
    fn files_show_what_sled_shows() {
        let dir = tempfile::tempdir().unwrap();
        let mut rng = Rng::new(5);
        let mut sled = Sled::open(dir.path()).unwrap();
        for round in 0..12_u32 {
            let grows = round % 6 < 4;
            for _ in 0..8 {
                let writes = (0..rng.up_to(60)).map(|_| {
                    let n = rng.up_to(if grows { 3_000 } else { 300 });
                    let key = format!("{}/{}/{n}", n % 3, "long".repeat(n % 90)).into_bytes();
                    let len = if rng.up_to(40) == 0 { rng.up_to(200_000) } else { rng.up_to(300) };
                    let value = Bytes::from(vec![round as u8; len]);
                    (key, (rng.up_to(9) < if grows { 8 } else { 1 }).then_some(value))
                });
                let writes: std::collections::BTreeMap<_, _> = writes.collect();
                sled.apply(writes.into_iter().collect()).unwrap();
            }
            if round % 5 == 4 {
                drop(sled);
                sled = loop {
                    match Sled::open(dir.path()) {
                        // What it did in the background ends in a moment.
                        Err(KvError::Locked { .. }) => std::thread::yield_now(),
                        opened => break opened.unwrap(),
                    }
                };
            }
            sled.sync().unwrap();
            let files = Files::open(dir.path()).unwrap();
            let want = all(&sled, Bound::Unbounded);
            assert!(all(&files, Bound::Unbounded) == want, "round {round}, {} rows", want.len());
            for _ in 0..20 {
                let (key, value) = &want[rng.up_to(want.len() - 1)];
                assert_eq!(files.get(key).unwrap().as_ref(), Some(value));
                let beside = [key.as_slice(), b"x"].concat();
                assert_eq!(files.get(&beside).unwrap(), sled.get(&beside).unwrap());
                let bound = Bound::Excluded(key.clone());
                assert!(all(&files, bound.clone()) == all(&sled, bound));
            }
        }
    }
}
