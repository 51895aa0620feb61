//! Listing the keys of a kind.

use std::collections::BTreeMap;

use bytes::Bytes;
use numax_crdt::{Key, Kind, applier, limits::MAX_KEY};

use super::{Draft, Page, allowed, page, within};
use crate::{error::DraftError, rows::name};

impl Draft {
    /// Keys of one kind that begin with `prefix` and have a value, in byte order, after the key `after`. Keys of the
    /// system are left out.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn keys(
        &mut self,
        kind: Kind,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Page<Bytes>, DraftError> {
        within("key", prefix, MAX_KEY)?;
        let mut own: BTreeMap<Bytes, bool> = BTreeMap::new();
        for key in self.own_keys(kind).into_iter().filter(|key| key.as_bytes().starts_with(prefix)) {
            if after.is_none_or(|after| key.as_bytes() > after) {
                let live = self.own_is_live(kind, &key)?;
                own.insert(key.bytes().clone(), live);
            }
        }
        let row_prefix = name::key_prefix(kind, prefix);
        let page = page::merged(
            after,
            limit,
            |after, until| {
                page::between(&own, after, until)
                    .map(|(key, live)| (key.clone(), live.then_some(true)))
                    .collect()
            },
            |after, limit| self.committed_keys(kind, &row_prefix, after, limit),
            |_| 0,
        )?;
        Ok(page.map(|(key, _)| key))
    }

    /// Up to `limit` keys that exist for a reader; fewer at the end.
    fn committed_keys(
        &self,
        kind: Kind,
        row_prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<(Bytes, bool)>, DraftError> {
        let Some(family) = applier(kind) else { return Ok(Vec::new()) };
        self.access(|access| {
            let mut out = Vec::new();
            let mut after: Bytes = after.map_or(Bytes::new(), |key| name::value_prefix(kind, key).into());
            loop {
                let (rows, next) = access.rows(row_prefix, &after, limit - out.len(), true)?;
                for (row, head) in &rows {
                    if let Some((_, key, _)) = name::parse(row)
                        && allowed(key.as_bytes()).is_ok()
                        && family.is_live(head)?
                    {
                        out.push((key.bytes().clone(), true));
                    }
                }
                match next {
                    Some(next) if out.len() < limit => after = next,
                    _ => return Ok(out),
                }
            }
        })
    }

    fn own_keys(&self, kind: Kind) -> Vec<Key> {
        match kind {
            Kind::GCounter => self.g_counters.keys().cloned().collect(),
            Kind::PnCounter => self.pn_counters.keys().cloned().collect(),
            Kind::LwwRegister => self.registers.keys().cloned().collect(),
            Kind::LwwMap => self.maps.keys().cloned().collect(),
            Kind::OrSet => self.sets.keys().cloned().collect(),
            Kind::Rga => self.lists.keys().cloned().collect(),
            #[cfg(feature = "text")]
            Kind::Text => self.own_texts(),
            #[cfg(not(feature = "text"))]
            Kind::Text => Vec::new(),
        }
    }

    /// Whether a key that this turn wrote exists for the turn.
    fn own_is_live(&mut self, kind: Kind, key: &Key) -> Result<bool, DraftError> {
        match kind {
            Kind::LwwRegister => Ok(self.register_get(key)?.is_some()),
            Kind::LwwMap => Ok(self.map_size(key)? > 0),
            Kind::OrSet => Ok(self.set_size(key)? > 0),
            Kind::Rga => Ok(self.list_size(key)? > 0),
            _ => Ok(true),
        }
    }
}
