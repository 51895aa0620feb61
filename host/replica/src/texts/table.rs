//! The table of texts: holders, waiters, and documents in memory.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use numax_crdt::{Key, family::text::Version, text::Document};
use tokio::sync::oneshot;

/// Documents that are kept in memory while nobody edits them, and the bytes that they take in storage (in memory they
/// are some twenty times as large).
const MAX_KEPT: usize = 64;
const MAX_KEPT_BYTES: u64 = 8 << 20;

/// Who holds or waits: one turn of one draft.
pub(crate) type TurnId = u64;

/// A document in memory.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) document: Document,
    /// The committed updates in it.
    pub(crate) version: Version,
    /// The bytes that the text took in storage when it was brought up to date.
    pub(crate) stored: u64,
}

/// All texts that somebody holds, waits for, or read not long ago.
#[derive(Debug, Default)]
pub(crate) struct Texts {
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    slots: BTreeMap<Key, Slot>,
    /// Which text a turn waits for; at most one.
    waits: BTreeMap<TurnId, Key>,
    last_turn: TurnId,
    /// Counts uses, to know what was not used for longest.
    tick: u64,
}

#[derive(Debug, Default)]
struct Slot {
    holder: Option<TurnId>,
    queue: VecDeque<(TurnId, oneshot::Sender<Hold>)>,
    kept: Option<Open>,
    used: u64,
}

impl Slot {
    fn is_idle(&self) -> bool {
        self.holder.is_none() && self.queue.is_empty() && self.kept.is_none()
    }
}

/// What came of asking for a text.
pub(crate) enum Acquired {
    /// It may be edited.
    Held(Hold),
    /// Somebody else edits it.
    Busy(Busy),
    /// Whoever edits it waits, directly or not, for a text that the asker holds: waiting would never end.
    Deadlock,
}

/// The right to edit a text, given back when it is dropped.
pub(crate) struct Hold {
    texts: Arc<Texts>,
    key: Key,
    turn: TurnId,
}

/// A text that somebody else edits. [`wait`](Self::wait) for it, give the draft the [`Permit`] and call again. Who
/// drops it leaves the queue.
pub struct Busy {
    texts: Arc<Texts>,
    key: Key,
    turn: TurnId,
    turn_comes: oneshot::Receiver<Hold>,
}

/// The right to edit a text, for the draft that asked for it.
pub struct Permit(pub(crate) Hold);

impl Texts {
    // A poisoned lock means that a thread panicked between two whole changes; the table is sound.
    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A number for a draft's next turn.
    pub(crate) fn new_turn(&self) -> TurnId {
        let mut table = self.table();
        table.last_turn += 1;
        table.last_turn
    }

    /// Asks for the right to edit a text, which the turn does not have yet.
    pub(crate) fn acquire(self: &Arc<Self>, turn: TurnId, key: &Key) -> Acquired {
        let hold = || Hold { texts: self.clone(), key: key.clone(), turn };
        let mut table = self.table();
        let slot = table.slots.entry(key.clone()).or_default();
        let Some(mut holder) = slot.holder else {
            slot.holder = Some(turn);
            return Acquired::Held(hold());
        };
        // Follow who waits for whom: everybody waits for at most one, so the way ends or comes back here.
        while let Some(next) = table.waits.get(&holder).and_then(|key| table.slots.get(key)?.holder) {
            if next == turn {
                return Acquired::Deadlock;
            }
            holder = next;
        }
        let (sender, turn_comes) = oneshot::channel();
        table.waits.insert(turn, key.clone());
        if let Some(slot) = table.slots.get_mut(key) {
            slot.queue.push_back((turn, sender));
        }
        Acquired::Busy(Busy { texts: self.clone(), key: key.clone(), turn, turn_comes })
    }

    /// Takes a document out of memory, if it is there.
    pub(crate) fn take(&self, key: &Key) -> Option<Open> {
        let mut table = self.table();
        let slot = table.slots.get_mut(key)?;
        let kept = slot.kept.take();
        if slot.is_idle() {
            table.slots.remove(key);
        }
        kept
    }

    /// Puts a document back to memory, without anything that is not committed. The newer one is kept.
    pub(crate) fn keep(&self, key: &Key, open: Open) {
        let mut dropped = Vec::new();
        let mut table = self.table();
        table.tick += 1;
        let tick = table.tick;
        let slot = table.slots.entry(key.clone()).or_default();
        slot.used = tick;
        match &slot.kept {
            Some(kept) if kept.version > open.version => dropped.push(open),
            _ => dropped.extend(slot.kept.replace(open)),
        }
        loop {
            let kept = || table.slots.iter().filter_map(|(key, slot)| Some((key, slot, slot.kept.as_ref()?)));
            let bytes: u64 = kept().map(|(_, _, open)| open.stored).sum();
            if kept().count() <= MAX_KEPT && bytes <= MAX_KEPT_BYTES {
                break;
            }
            let Some(oldest) = kept().min_by_key(|(_, slot, _)| slot.used).map(|(key, _, _)| key.clone())
            else {
                break;
            };
            if let Some(slot) = table.slots.get_mut(&oldest) {
                dropped.extend(slot.kept.take());
                if slot.is_idle() {
                    table.slots.remove(&oldest);
                }
            }
        }
        // Large documents take a moment to go; nobody waits for that.
        drop(table);
        drop(dropped);
    }

    /// Forgets the documents in memory: some of what is in them was taken back.
    pub(crate) fn forget_kept(&self) {
        let kept: Vec<Open> = {
            let mut table = self.table();
            let kept = table.slots.values_mut().filter_map(|slot| slot.kept.take()).collect();
            table.slots.retain(|_, slot| !slot.is_idle());
            kept
        };
        drop(kept);
    }

    /// Gives a text to the next who waits for it.
    fn release(self: &Arc<Self>, key: &Key, turn: TurnId) {
        let next = {
            let mut table = self.table();
            let Some(slot) = table.slots.get_mut(key).filter(|slot| slot.holder == Some(turn)) else {
                return;
            };
            let next = slot.queue.pop_front();
            slot.holder = next.as_ref().map(|(turn, _)| *turn);
            if slot.is_idle() {
                table.slots.remove(key);
            }
            if let Some((turn, _)) = &next {
                table.waits.remove(turn);
            }
            next
        };
        if let Some((turn, sender)) = next {
            // Whoever has gone meanwhile gives it back at once, by dropping what comes back here.
            drop(sender.send(Hold { texts: self.clone(), key: key.clone(), turn }));
        }
    }

    /// Takes a turn out of the queue for a text.
    fn leave(&self, key: &Key, turn: TurnId) {
        let mut table = self.table();
        if let Some(slot) = table.slots.get_mut(key) {
            let before = slot.queue.len();
            slot.queue.retain(|(waiting, _)| *waiting != turn);
            if slot.queue.len() < before {
                table.waits.remove(&turn);
            }
        }
    }
}

impl Hold {
    /// Gives the text back with a document that has nothing but what is committed.
    pub(crate) fn keep(self, open: Open) {
        self.texts.keep(&self.key, open);
    }

    /// The text's key.
    pub(crate) fn key(&self) -> &Key {
        &self.key
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.texts.release(&self.key, self.turn);
    }
}

impl Busy {
    /// Waits for the turn to edit the text. Not for ever: whoever holds it may itself wait for storage or for another
    /// text, but not for the outside, because what waits for that commits before.
    ///
    /// Who stops waiting loses the place in the queue and nothing else.
    pub async fn wait(mut self) -> Permit {
        match (&mut self.turn_comes).await {
            Ok(hold) => Permit(hold),
            // The sender is in the queue until it sends, or this is dropped.
            Err(_) => std::future::pending().await,
        }
    }

    /// The text's key.
    pub fn key(&self) -> &Key {
        &self.key
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.texts.leave(&self.key, self.turn);
    }
}

impl std::fmt::Debug for Hold {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hold").field("key", &self.key).field("turn", &self.turn).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Busy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Busy").field("key", &self.key).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Permit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Permit").field(&self.0.key).finish()
    }
}
