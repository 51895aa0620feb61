//! Rows that the engine reads without an error, and that nobody wrote so.

use std::ops::Bound;

use numax_crdt::{Kind, NodeId};
use numax_replica::{Draft, Replica, ReplicaConfig, repair::repair};
use numax_store::{Engine, Table, WriteBatch};
use tempfile::TempDir;

use crate::common::key;

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Changes the row of a value whose subkey begins with a byte; 0 stands for the head.
fn change(config: &ReplicaConfig, kind: Kind, name: &str, first: u8, change: fn(&mut Vec<u8>)) {
    let rows = numax_store::open(config.engine, &config.dir.join("rows")).unwrap();
    let prefix = [&[kind as u8], name.as_bytes(), &[0, 1]].concat();
    let found = rows.scan(Table::Rows, Bound::Unbounded, &prefix, 9).unwrap();
    let wanted = |row: &[u8]| row.get(prefix.len()).copied().unwrap_or(0) == first;
    let (row, value) = found.into_iter().find(|(row, _)| wanted(row)).unwrap();
    let mut value = value.to_vec();
    change(&mut value);
    let mut batch = WriteBatch::new();
    batch.put(Table::Rows, row, value);
    rows.commit(batch).unwrap();
    rows.sync().unwrap();
}

#[test]
fn rows_that_nobody_wrote_so_are_named_and_built_anew() {
    let cut = |value: &mut Vec<u8>| value.truncate(value.len() - 1);
    let other = |value: &mut Vec<u8>| *value.last_mut().unwrap() ^= 1;
    type Case = (Kind, &'static str, u8, fn(&mut Vec<u8>), &'static str);
    let table: [Case; 4] = [
        (Kind::OrSet, "s", 1, cut, "orset s, row \\x01e: a row of the family or-set is damaged"),
        (Kind::GCounter, "n", 1, other, "gcounter n: its sum or count is not that of its rows"),
        (Kind::LwwMap, "m", 0, other, "lww_map m: its sum or count is not that of its rows"),
        (Kind::LwwRegister, "r", 0, |value| value.clear(), "lww_register r, row : a row of the family"),
    ];
    for engine in Engine::ALL {
        let dir = TempDir::new().unwrap();
        let config = ReplicaConfig { engine, ..ReplicaConfig::new(dir.path(), NodeId([1; 32])) };
        let replica = Replica::open(config.clone()).unwrap();
        let mut draft = Draft::new(replica.reader(), 1);
        draft.load_inline(true);
        draft.set_add(&key("s"), "e".into()).unwrap();
        draft.g_counter_increment(&key("n"), 6).unwrap();
        draft.map_set(&key("m"), b"f", "v".into()).unwrap();
        draft.register_set(&key("r"), "v".into()).unwrap();
        run(replica.commit(draft.take())).unwrap();
        run(replica.shutdown()).unwrap();
        let whole = repair(&config, false, |_| ()).unwrap();
        assert!(whole.done.is_empty(), "{whole:#?}");
        for (kind, name, first, by, words) in table {
            change(&config, kind, name, first, by);
            let report = repair(&config, false, |_| ()).unwrap();
            assert!(report.found.iter().any(|line| line.contains(words)), "{words}: {report:#?}");
            assert!(report.done[0].contains("built the rows anew from the log"), "{report:#?}");
        }
        let replica = Replica::open(config).unwrap();
        let mut draft = Draft::new(replica.reader(), 1);
        draft.load_inline(true);
        assert_eq!(draft.g_counter_value(&key("n")).unwrap(), 6);
        assert_eq!(draft.map_size(&key("m")).unwrap(), 1);
        drop(draft);
        run(replica.shutdown()).unwrap();
    }
}
