//! Merging another replica's rows gives what applying its batches would have given.

use std::collections::BTreeSet;

use bytes::Bytes;
use numax_crdt::{Batch, Hlc, Key, Kind, Known, Rows, VersionVector, applier};
use proptest::prelude::*;

use crate::history::{play, reorder, steps};
use crate::rows::Store;

fn vector(batches: &[Batch]) -> VersionVector {
    let mut vector = VersionVector::new();
    batches.iter().for_each(|batch| assert!(vector.advance(batch.dot())));
    vector
}

fn applied<'a>(batches: impl IntoIterator<Item = &'a Batch>) -> Store {
    let mut store = Store::default();
    batches.into_iter().for_each(|batch| drop(store.apply(batch)));
    store
}

/// All rows but those that sum up others.
fn exported(store: &mut Store) -> Vec<(Kind, Key, Bytes, Bytes)> {
    let all = store.export().into_iter().map(|((kind, key, sub), row)| (kind, key, sub, row));
    let all =
        all.filter(|(kind, _, sub, _)| !sub.is_empty() || matches!(kind, Kind::LwwRegister | Kind::Text));
    all.filter(|(_, _, sub, _)| *sub != crate::rows::ORDER).collect()
}

/// Merges all rows of `from` into `into`, as a transfer of state does.
fn merge(into: &mut Store, from: &mut Store, known: Known<'_>) {
    let rows = exported(from);
    for (kind, key, sub, row) in &rows {
        let family = applier(*kind).unwrap();
        family.check(sub, row).unwrap();
        family.merge(&mut into.view(*kind, key), sub, row, known).unwrap();
    }
    let sent: BTreeSet<_> =
        rows.iter().map(|(kind, key, sub, _)| (*kind, key.clone(), sub.clone())).collect();
    for (kind, key, sub, _) in exported(into) {
        if !sent.contains(&(kind, key.clone(), sub.clone())) {
            let mut rows = into.view(kind, &key);
            if let Some(row) = rows.get(&sub).unwrap() {
                applier(kind).unwrap().absent(&mut rows, &sub, &row, known).unwrap();
            }
        }
    }
}

/// Takes away all tombstones, of some kinds.
fn collect(store: &mut Store, stable: &VersionVector, kinds: impl Fn(Kind) -> bool) -> usize {
    let mut gone = 0;
    for (kind, key, sub, _) in exported(store).into_iter().filter(|(kind, ..)| kinds(*kind)) {
        let mut rows = store.view(kind, &key);
        if let Some(row) = rows.get(&sub).unwrap() {
            gone +=
                usize::from(applier(kind).unwrap().collect(&mut rows, &sub, &row, stable, Hlc::MAX).unwrap());
        }
    }
    gone
}

proptest! {
    #[test]
    fn merged_rows_are_those_of_all_batches(
        steps in steps(),
        (ours, theirs) in (prop::collection::vec(any::<u16>(), 1..20), prop::collection::vec(any::<u16>(), 1..20)),
        (n, m) in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        forget: bool,
    ) {
        let all = play(&steps);
        // The beginnings of two causal orders: what two replicas may have.
        let (ours, theirs) = (reorder(&all, &ours), reorder(&all, &theirs));
        let (ours, theirs) = (&ours[..n.index(all.len() + 1)], &theirs[..m.index(all.len() + 1)]);
        let (known, other) = (vector(ours), vector(theirs));
        let more = theirs.iter().filter(|batch| !known.covers(batch.dot()));
        let mut want = applied(ours.iter().chain(more));
        let (mut into, mut from) = (applied(ours), applied(theirs));
        if forget {
            // The sender has forgotten removals that everybody has.
            let stable: VersionVector =
                known.iter().map(|(origin, seq)| (*origin, seq.min(other.get(origin)))).collect();
            // A list's only where the sender knows everything that others wrote before they learned of the removal.
            let whole = other.covers_vector(&known);
            collect(&mut from, &stable, |kind| kind != Kind::Rga || whole);
        }
        merge(&mut into, &mut from, Known { ours: &known, theirs: &other });
        // A second time changes nothing, and neither does what is known already.
        let mut both = known.clone();
        both.merge(&other);
        let mut once = into.clone();
        merge(&mut into, &mut from, Known { ours: &both, theirs: &other });
        // What was forgotten there goes here too; a tombstone is nothing that a reader sees. (One of a list stays as the
        // place of its children, and goes with the second merge if the first has left it only one.)
        for store in [&mut once, &mut into, &mut want] {
            collect(store, &both, |_| true);
        }
        prop_assert_eq!(into.export(), once.export());
        prop_assert_eq!(into.export(), want.export());
    }

    #[test]
    fn any_bytes_are_checked_without_panic(kind in 0..Kind::ALL.len(), sub: Vec<u8>, row: Vec<u8>) {
        let _ = applier(Kind::ALL[kind]).unwrap().check(&sub, &row.into());
    }
}
