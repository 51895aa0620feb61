//! What the value of everything must be, computed from the batches alone.

use crate::families::{FAMILIES, FamilyModel, PAGE, Value, all_pages};
use bytes::Bytes;
use numax_crdt::{Batch, Key, Kind};
use numax_replica::{Draft, DraftError};
use std::collections::BTreeMap;

/// The visible state of a replica: by kind and key, what a reader sees.
pub type Visible = BTreeMap<(u8, Bytes), Value>;

/// All values.
pub struct Model(BTreeMap<Kind, Box<dyn FamilyModel>>);

impl Default for Model {
    fn default() -> Self {
        Self(FAMILIES.iter().filter_map(|family| Some((family.kind()?, family.model()?))).collect())
    }
}

impl Model {
    /// Merges a batch. Those that it depends on must have come before.
    pub fn apply(&mut self, batch: &Batch) {
        for op in &batch.ops {
            if let Some(model) = self.0.get_mut(&op.body.kind()) {
                model.apply(batch, op);
            }
        }
    }

    /// What a reader must see.
    pub fn visible(&self) -> Visible {
        let mut all = Visible::new();
        for (kind, model) in &self.0 {
            all.extend(model.visible().into_iter().map(|(key, value)| ((*kind as u8, key), value)));
        }
        all
    }
}

/// Everything that a reader sees.
///
/// # Errors
/// The draft's, and [`DraftError::Invalid`] when answers contradict each other.
pub fn visible(draft: &mut Draft) -> Result<Visible, DraftError> {
    let mut all = Visible::new();
    for family in FAMILIES {
        let Some(kind) = family.kind() else { continue };
        for name in keys(draft, kind)? {
            let key = Key::new(name.clone()).map_err(|error| DraftError::Invalid(error.to_string()))?;
            all.insert((kind as u8, name), family.read(draft, &key)?);
        }
    }
    Ok(all)
}

/// All keys of a kind.
///
/// # Errors
/// The draft's.
pub fn keys(draft: &mut Draft, kind: Kind) -> Result<Vec<Bytes>, DraftError> {
    all_pages(draft, Bytes::clone, |draft, after| draft.keys(kind, b"", after, PAGE))
}
