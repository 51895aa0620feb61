//! Lifting by hand what a datastore keeps up over restarts, because only a person can know that the cause is gone.

use std::{collections::BTreeSet, path::Path};

use numax_crdt::Origin;

use crate::{
    error::OpenError,
    meta,
    replica::files::{self, Held},
};

/// Lets the next open of a closed datastore begin a new epoch: for one whose origin another one wrote under, after the other
/// was stopped for good. What was written so far stays.
///
/// # Errors
/// When it is open, or there is none, or it cannot be written.
pub fn new_epoch(dir: &Path) -> Result<(), OpenError> {
    let Held { disk, lock: _lock, .. } = files::hold(dir, Default::default())?;
    meta::mark_restored(&*disk)
}

/// Lets a closed datastore take batches again from the origins that it had quarantined, and answers those. Where their
/// batches differ from those of others it keeps what it has.
///
/// # Errors
/// As [`new_epoch`].
pub fn lift_quarantine(dir: &Path) -> Result<BTreeSet<Origin>, OpenError> {
    let Held { disk, lock: _lock, .. } = files::hold(dir, Default::default())?;
    meta::lift_quarantine(&*disk)
}
