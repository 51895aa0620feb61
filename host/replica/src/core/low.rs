//! Telling the operator that the disk is nearly full: when it begins, and when it is over.

use numax_store::Low;

/// Whether writes are refused for want of space.
#[derive(Debug, Default)]
pub(super) struct LowSpace(bool);

impl LowSpace {
    /// Takes note of what was found.
    pub(super) fn note(&mut self, room: Result<(), Low>) {
        match room {
            Err(low) if !self.0 => tracing::error!(
                free_bytes = low.free,
                kept_bytes = low.kept,
                "the disk is nearly full: writes are refused, reads go on; free some space, and the node goes on by itself"
            ),
            Ok(()) if self.0 => tracing::info!("there is space on the disk again: writes are taken"),
            _ => {}
        }
        self.0 = room.is_err();
    }
}
