//! A digest of the state, to compare replicas.

use bytes::Bytes;
use numax_crdt::{ApplyError, applier};
use numax_store::Table;
use sha2::{Digest, Sha256};

use super::Core;
use crate::{
    error::DraftError,
    rows::{
        name,
        shared::Shared,
        view::{Access, Supplied, View},
    },
};

const STEP: usize = 1024;

impl Core {
    /// A hash over all replicated rows, with origins written out: equal for replicas that have applied the same
    /// batches, in whatever order, and whatever each of them has forgotten: rows that only remember a removal do not
    /// count. Reads everything, so it is for tests, the simulator and diagnosis.
    ///
    /// # Errors
    /// When rows cannot be read or are damaged.
    pub fn state_hash(&self) -> Result<[u8; 32], DraftError> {
        state_hash(&self.shared)
    }
}

/// See [`Core::state_hash`].
pub(crate) fn state_hash(shared: &Shared) -> Result<[u8; 32], DraftError> {
    hash_rows(shared).map_err(|error| DraftError::Unavailable(error.to_string()))
}

fn hash_rows(shared: &Shared) -> Result<[u8; 32], ApplyError> {
    let supplied = Supplied::default();
    let access = Access::new(shared, &supplied, true);
    let mut hash = Sha256::new();
    let mut after = Bytes::new();
    let mut value = Vec::new();
    let mut exports: Vec<(Bytes, Bytes)> = Vec::new();
    loop {
        let (rows, next) = access.rows(&[Table::Rows as u8], &after, STEP, false)?;
        for (row, cell) in &rows {
            let Some((kind, key, sub)) = name::parse(row) else { continue };
            let Some(family) = applier(kind) else { continue };
            let prefix = row.len() - sub.len();
            if value.as_slice() != row.get(..prefix).unwrap_or_default() {
                fold(&mut hash, &value, &mut exports);
                value = name::value_prefix(kind, key.as_bytes());
            }
            let view = View::new(&access, kind, &key);
            // Each node forgets removals when it can; a reader sees no difference.
            exports.extend(family.compared(&view, sub, cell)?);
        }
        match next {
            Some(next) => after = next,
            None => break,
        }
    }
    fold(&mut hash, &value, &mut exports);
    Ok(hash.finalize().into())
}

/// Adds one value's rows, which differ in order between replicas.
fn fold(hash: &mut Sha256, value: &[u8], exports: &mut Vec<(Bytes, Bytes)>) {
    if exports.is_empty() {
        return;
    }
    exports.sort_unstable();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    part(value);
    for (sub, row) in exports.drain(..) {
        part(&sub);
        part(&row);
    }
}
