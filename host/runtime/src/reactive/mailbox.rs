//! The changes that wait for a handler: bounded, in order, one entry for each value.
//!
//! A handler that is slower than the changes never holds replication up. Several changes of one value become the last of
//! them, at the place of the first; beyond the bound everything is dropped and noted as missed, and then the handler is
//! told of every value that it watches.

use numax_crdt::{Key, Kind, NodeId};
use numax_replica::Change;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Values that can wait.
const CAPACITY: usize = 10_000;

/// A change with where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letter {
    pub(super) change: Change,
    pub(super) origin: NodeId,
    pub(super) remote: bool,
}

/// Filled by the replica's feed, emptied by the handler.
#[derive(Debug, Default)]
pub(super) struct Mailbox {
    inner: Mutex<Inner>,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    /// By arrival.
    letters: BTreeMap<u64, Letter>,
    places: BTreeMap<(Kind, Key), u64>,
    next: u64,
    missed: bool,
}

/// What a handler is to be told next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Mail {
    /// Changes in order.
    Letters(Vec<Letter>),
    /// Some were dropped: tell it of everything.
    Missed,
}

impl Mailbox {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a change in.
    pub(super) fn put(&self, letter: Letter) {
        self.inner().put(letter);
        self.arrived.notify_one();
    }

    /// Changes were lost before they came here.
    pub(super) fn miss(&self) {
        self.inner().lose();
        self.arrived.notify_one();
    }

    /// Puts back what a handler failed on, before everything else.
    pub(super) fn put_back(&self, letters: Vec<Letter>) {
        let mut inner = self.inner();
        let newer = std::mem::take(&mut inner.letters);
        inner.places.clear();
        for letter in letters.into_iter().chain(newer.into_values()) {
            inner.put(letter);
        }
        self.arrived.notify_one();
    }

    /// Takes up to `max` changes, waiting for the first. Cancel-safe: nothing is taken before it is given.
    pub(super) async fn take(&self, max: usize) -> Mail {
        loop {
            let arrived = self.arrived.notified();
            if let Some(mail) = self.inner().take(max) {
                return mail;
            }
            arrived.await;
        }
    }
}

impl Inner {
    fn put(&mut self, letter: Letter) {
        let name = (letter.change.kind, letter.change.key.clone());
        let place = match self.places.get(&name) {
            Some(place) => *place,
            None if self.letters.len() >= CAPACITY => return self.lose(),
            None => {
                let place = self.next;
                self.next += 1;
                self.places.insert(name, place);
                place
            }
        };
        self.letters.insert(place, letter);
    }

    fn lose(&mut self) {
        self.letters.clear();
        self.places.clear();
        self.missed = true;
    }

    fn take(&mut self, max: usize) -> Option<Mail> {
        if std::mem::take(&mut self.missed) {
            return Some(Mail::Missed);
        }
        let mut taken = Vec::new();
        while taken.len() < max
            && let Some((_, letter)) = self.letters.pop_first()
        {
            self.places.remove(&(letter.change.kind, letter.change.key.clone()));
            taken.push(letter);
        }
        (!taken.is_empty()).then_some(Mail::Letters(taken))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use numax_crdt::OpKind;

    fn letter(key: impl Into<String>, op: OpKind) -> Letter {
        let change = Change { kind: Kind::OrSet, key: Key::new(key.into()).unwrap(), op };
        Letter { change, origin: NodeId([1; 32]), remote: true }
    }

    fn keys(mail: Mail) -> Vec<(String, OpKind)> {
        let Mail::Letters(letters) = mail else { panic!("missed") };
        letters.into_iter().map(|l| (l.change.key.as_str().unwrap().to_owned(), l.change.op)).collect()
    }

    #[tokio::test]
    async fn changes_of_one_value_become_the_last_at_the_place_of_the_first() {
        let m = Mailbox::default();
        for (key, op) in [("a", OpKind::Add), ("b", OpKind::Add), ("a", OpKind::Remove)] {
            m.put(letter(key, op));
        }
        let got = keys(m.take(10).await);
        assert_eq!(got, [("a".to_owned(), OpKind::Remove), ("b".to_owned(), OpKind::Add)]);
    }

    #[tokio::test]
    async fn what_a_handler_failed_on_comes_first_again() {
        let m = Mailbox::default();
        m.put(letter("a", OpKind::Add));
        m.put(letter("b", OpKind::Add));
        let Mail::Letters(failed) = m.take(1).await else { panic!() };
        m.put(letter("c", OpKind::Add));
        m.put_back(failed);
        let order: Vec<_> = keys(m.take(10).await).into_iter().map(|(k, _)| k).collect();
        assert_eq!(order, ["a", "b", "c"]);
    }

    #[tokio::test]
    async fn too_many_are_missed_and_said_once() {
        let m = Mailbox::default();
        for n in 0..=CAPACITY {
            m.put(letter(n.to_string(), OpKind::Add));
        }
        assert_eq!(m.take(10).await, Mail::Missed);
        m.put(letter("later", OpKind::Add));
        assert_eq!(keys(m.take(10).await).len(), 1);
    }
}
