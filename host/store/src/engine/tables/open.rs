//! An engine that is open, or only its files, with rows over it that it does not have for certain.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use bytes::Bytes;

use crate::{engine::raw::Look, kv::KvError};

/// What is read.
pub(super) struct Open<R> {
    pub(super) source: Source<R>,
    pub(super) over: Over,
}

/// Rows that lie over others; none removes.
pub(super) type Over = BTreeMap<Vec<u8>, Option<Bytes>>;

/// Where rows come from.
pub(super) enum Source<R> {
    Engine(Arc<R>),
    /// The engine's files, without the engine.
    Files(Box<dyn Look>),
}

impl<R: Look> Source<R> {
    fn look(&self) -> &dyn Look {
        match self {
            Self::Engine(raw) => &**raw,
            Self::Files(files) => &**files,
        }
    }
}

impl<R: Look> Look for Open<R> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, KvError> {
        match self.over.get(key) {
            Some(value) => Ok(value.clone()),
            None => self.source.look().get(key),
        }
    }

    fn scan(&self, from: Bound<Vec<u8>>, visit: &mut dyn FnMut(&[u8], Bytes) -> bool) -> Result<(), KvError> {
        let below = self.source.look();
        if self.over.is_empty() {
            return below.scan(from, visit);
        }
        let mut over = self.over.range((from.clone(), Bound::Unbounded)).peekable();
        let mut go_on = true;
        below.scan(from, &mut |key, value| {
            while let Some((before, value)) = over.next_if(|(over, _)| over.as_slice() < key) {
                go_on = value.clone().is_none_or(|value| visit(before, value));
                if !go_on {
                    return false;
                }
            }
            let value = match over.next_if(|(over, _)| over.as_slice() == key) {
                Some((_, over)) => over.clone(),
                None => Some(value),
            };
            go_on = value.is_none_or(|value| visit(key, value));
            go_on
        })?;
        while go_on && let Some((key, value)) = over.next() {
            go_on = value.clone().is_none_or(|value| visit(key, value));
        }
        Ok(())
    }
}
