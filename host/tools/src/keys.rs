//! Which keys there are: `numax keys`.

use numax_crdt::{Key, Kind};

use crate::{ToolError, store::Store, value::is_live};

/// Tells `visit` every key that begins with `prefix`, by family and then in order, and whether a reader sees a value
/// there; what only remembers removals comes, too. `visit` answers whether to go on.
///
/// # Errors
/// When rows cannot be read or are damaged.
pub fn keys(
    store: &Store,
    prefix: &[u8],
    kinds: &[Kind],
    mut visit: impl FnMut(Kind, &Key, bool) -> bool,
) -> Result<(), ToolError> {
    for kind in kinds {
        let mut after: Option<Key> = None;
        while let Some(key) =
            store.next_key(*kind, prefix, after.as_ref()).map_err(ToolError::row(store.path()))?
        {
            if !visit(*kind, &key, is_live(store, *kind, &key)?) {
                return Ok(());
            }
            after = Some(key);
        }
    }
    Ok(())
}
