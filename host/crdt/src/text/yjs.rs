//! The Yrs document behind a text: all that is asked of Yrs.

use std::panic::{AssertUnwindSafe, catch_unwind};

use yrs::{
    Any, Doc, GetString, OffsetKind, Options, Out, ReadTxn, Snapshot, StateVector, Text, TextRef, Transact,
    TransactionMut, Update, block::ClientID, types::text::YChange, updates::decoder::Decode,
};

use super::{
    ROOT, State,
    document::EditError,
    order::{Order, Run},
    ranges::Ranges,
    state::ItemId,
};

/// A Yjs document with one text.
pub(super) struct Yjs {
    doc: Doc,
    root: TextRef,
}

impl Yjs {
    /// An empty one, to be edited as `client`.
    pub(super) fn new(client: u64) -> Self {
        let mut options = Options::with_client_id(ClientID::new(client));
        options.offset_kind = OffsetKind::Utf16;
        let doc = Doc::with_options(options);
        let root = doc.get_or_insert_text(ROOT);
        Self { doc, root }
    }

    /// The text.
    pub(super) fn text(&self) -> String {
        self.root.get_string(&self.doc.transact())
    }

    /// Units of the text.
    pub(super) fn size(&self) -> u32 {
        self.root.len(&self.doc.transact())
    }

    /// All of the document.
    pub(super) fn state(&self) -> Result<State, EditError> {
        let bytes = self.doc.transact().encode_state_as_update_v1(&StateVector::default());
        State::read_document(&bytes).map_err(|error| EditError::Broken(error.to_string()))
    }

    /// Takes what has all its neighbours, and answers what was new of it.
    pub(super) fn apply(&self, state: &State) -> Result<State, EditError> {
        let bytes = self.transact(|_, txn| {
            apply(txn, state)?;
            Ok(txn.encode_update_v1())
        })?;
        State::read_document(&bytes).map_err(|error| EditError::Broken(error.to_string()))
    }

    /// Takes what has all its neighbours.
    pub(super) fn take(&self, state: &State) -> Result<(), EditError> {
        self.transact(|_, txn| apply(txn, state))
    }

    /// Edits by position, and answers what that is as a state.
    pub(super) fn edit(
        &self,
        run: impl FnOnce(&TextRef, &mut TransactionMut<'_>),
    ) -> Result<State, EditError> {
        let bytes = self.transact(|root, txn| {
            run(root, txn);
            Ok(txn.encode_update_v1())
        })?;
        State::read_document(&bytes).map_err(|error| EditError::Broken(error.to_string()))
    }

    /// The order of all units, deleted ones too; none when it cannot be told.
    ///
    /// Yrs tells the order only of what is seen. So it is asked for that of another document that has the same units
    /// and in which nothing is deleted: where units stand does not depend on that. (Of units whose writer lied about
    /// their neighbours it may depend on what came first. Then the two show different texts, and this one's order stays
    /// unknown.)
    pub(super) fn order(&self) -> Option<Order> {
        let mut state = self.state().ok()?;
        let deletes = std::mem::take(&mut state.deletes);
        for item in state.items.values_mut().flatten() {
            let len = item.len as usize;
            item.units.get_or_insert_with(|| vec![u16::from(b'x'); len]);
        }
        let whole = Self::new(0);
        let pieces = whole.transact(|root, txn| {
            apply(txn, &state)?;
            let (all, none) = (txn.snapshot(), Snapshot::default());
            Ok(root.diff_range(txn, Some(&all), Some(&none), YChange::identity))
        });
        let (mut order, mut seen) = (Vec::new(), Vec::new());
        for piece in pieces.ok()? {
            let (Some(change), Out::Any(Any::String(text))) = (piece.ychange, piece.insert) else {
                return None;
            };
            let first = ItemId { client: change.id.client.get(), clock: change.id.clock };
            let units: Vec<u16> = text.encode_utf16().collect();
            for run in cut(first, units.len() as u32, deletes.get(&first.client)) {
                let from = (run.id.clock - first.clock) as usize;
                if !run.dead {
                    seen.extend_from_slice(units.get(from..from + run.len as usize)?);
                }
                order.push(run);
            }
        }
        (String::from_utf16_lossy(&seen) == self.text()).then(|| Order::collect(order))
    }

    /// Runs a transaction.
    ///
    /// Yrs answers some faults with a panic. What comes here was checked so that none should be left; if one is, it
    /// costs this document in memory, and not the thread.
    fn transact<T>(
        &self,
        run: impl FnOnce(&TextRef, &mut TransactionMut<'_>) -> Result<T, String>,
    ) -> Result<T, EditError> {
        let outcome = catch_unwind(AssertUnwindSafe(|| run(&self.root, &mut self.doc.transact_mut())));
        match outcome {
            Ok(result) => result.map_err(EditError::Broken),
            Err(_) => Err(EditError::Broken("Yrs panicked".to_string())),
        }
    }
}

fn apply(txn: &mut TransactionMut<'_>, state: &State) -> Result<(), String> {
    let update = Update::decode_v1(&state.write_update()).map_err(|error| error.to_string())?;
    txn.apply_update(update).map_err(|error| error.to_string())?;
    if txn.has_missing_updates() { Err("an update was taken in part".to_string()) } else { Ok(()) }
}

/// Units as runs that are deleted as a whole or not at all.
fn cut(first: ItemId, len: u32, deleted: Option<&Ranges>) -> Vec<Run> {
    let (mut at, end, mut out) = (first.clock, first.clock + len, Vec::new());
    let mut add = |from: u32, to: u32, dead| {
        if from < to {
            out.push(Run { id: ItemId { clock: from, ..first }, len: to - from, dead });
        }
    };
    for (start, stop) in deleted.into_iter().flat_map(|ranges| ranges.within(first.clock, end)) {
        add(at, start, false);
        add(start, stop, true);
        at = stop;
    }
    add(at, end, false);
    out
}
