//! The two counters of a draft.

use numax_crdt::{
    Key, Kind, RowError,
    family::{g_counter, pn_counter},
};

use super::{Cost, Draft, allowed, both, named};
use crate::error::DraftError;

fn overflow(key: &Key) -> DraftError {
    DraftError::Invalid(format!("the counter {} would overflow", named(key)))
}

impl Draft {
    /// Adds to a counter.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] when the total of what this node has added would overflow; see [`DraftError`] for the
    /// rest, as for every function here.
    pub fn g_counter_increment(&mut self, key: &Key, by: u64) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let origin = self.reader.origin;
        // The head is only touched: the commit reads it.
        let (total, _) = self.committed(Kind::GCounter, key, |rows| {
            both(g_counter::total(rows, &origin), g_counter::sum(rows))
        })?;
        let old = self.g_counters.get(key).copied();
        let new = old.unwrap_or(0).checked_add(by).ok_or_else(|| overflow(key))?;
        total.checked_add(new).ok_or_else(|| overflow(key))?;
        if new == 0 {
            return Ok(());
        }
        let cost = Cost::counter(key.as_bytes());
        self.usage.replace(old.map_or(Cost::default(), |_| cost), cost)?;
        self.g_counters.insert(key.clone(), new);
        Ok(())
    }

    /// A counter's value; beyond the type it reads as the limit.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn g_counter_value(&mut self, key: &Key) -> Result<u64, DraftError> {
        allowed(key.as_bytes())?;
        let committed = self.committed(Kind::GCounter, key, g_counter::sum)?;
        let own = self.g_counters.get(key).copied().unwrap_or(0);
        Ok(u64::try_from(committed.saturating_add(own.into())).unwrap_or(u64::MAX))
    }

    /// Adds to a counter that goes both ways.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] when the total of what this node has added would overflow.
    pub fn pn_counter_increment(&mut self, key: &Key, by: u64) -> Result<(), DraftError> {
        self.pn_counter_move(key, by, 0)
    }

    /// Subtracts from a counter that goes both ways.
    ///
    /// # Errors
    /// [`DraftError::Invalid`] when the total of what this node has subtracted would overflow.
    pub fn pn_counter_decrement(&mut self, key: &Key, by: u64) -> Result<(), DraftError> {
        self.pn_counter_move(key, 0, by)
    }

    fn pn_counter_move(&mut self, key: &Key, up: u64, down: u64) -> Result<(), DraftError> {
        allowed(key.as_bytes())?;
        let origin = self.reader.origin;
        let (totals, _) = self.committed(Kind::PnCounter, key, |rows| {
            both(pn_counter::totals(rows, &origin), pn_counter::sum(rows))
        })?;
        let old = self.pn_counters.get(key).copied();
        let (old_up, old_down) = old.unwrap_or((0, 0));
        let new_up = old_up.checked_add(up).ok_or_else(|| overflow(key))?;
        let new_down = old_down.checked_add(down).ok_or_else(|| overflow(key))?;
        totals.0.checked_add(new_up).ok_or_else(|| overflow(key))?;
        totals.1.checked_add(new_down).ok_or_else(|| overflow(key))?;
        if (new_up, new_down) == (0, 0) {
            return Ok(());
        }
        let cost = Cost::counter(key.as_bytes());
        self.usage.replace(old.map_or(Cost::default(), |_| cost), cost)?;
        self.pn_counters.insert(key.clone(), (new_up, new_down));
        Ok(())
    }

    /// The value of a counter that goes both ways; beyond the type it reads as the limit.
    ///
    /// # Errors
    /// See [`DraftError`].
    pub fn pn_counter_value(&mut self, key: &Key) -> Result<i64, DraftError> {
        allowed(key.as_bytes())?;
        let committed = self.committed(Kind::PnCounter, key, pn_counter::sum)?;
        let (up, down) = self.pn_counters.get(key).copied().unwrap_or((0, 0));
        let exact = committed.saturating_add(i128::from(up)).saturating_sub(i128::from(down));
        Ok(i64::try_from(exact).unwrap_or(if exact < 0 { i64::MIN } else { i64::MAX }))
    }
}

/// Whether an error of a family's read only says that a row is not in memory.
pub(super) fn is_miss(error: &numax_crdt::ApplyError) -> bool {
    matches!(error, numax_crdt::ApplyError::Row(RowError::Miss))
}
