//! Planting a divergence for somebody who looks for it by the guide: see docs/guides/finding-a-divergence.md.

use std::{ops::Bound, path::Path, time::UNIX_EPOCH};

use numax_store::{Table, WriteBatch};

/// Changes one byte of a row in the datastore that `NUMAX_PLANT` names, and writes down which one in `planted.txt` beside
/// it. Which row it is, the moment decides.
#[test]
#[ignore = "changes the datastore that NUMAX_PLANT names"]
fn plant() {
    let Ok(dir) = std::env::var("NUMAX_PLANT") else { return };
    let rows = Path::new(&dir).join("rows");
    let engine = numax_store::open(numax_store::engine_of(&rows).unwrap().unwrap(), &rows).unwrap();
    let all = engine.scan(Table::Rows, Bound::Unbounded, b"", usize::MAX).unwrap();
    // Heads end with the mark behind the key.
    let rows: Vec<_> = all.into_iter().filter(|(row, _)| !row.ends_with(&[0, 1])).collect();
    let now = UNIX_EPOCH.elapsed().unwrap().subsec_nanos() as usize;
    let (row, value) = &rows[now % rows.len()];
    let mut changed = value.to_vec();
    *changed.last_mut().unwrap() ^= 1;
    let mut batch = WriteBatch::new();
    batch.put(Table::Rows, row.clone(), changed.clone());
    engine.commit(batch).unwrap();
    engine.sync().unwrap();
    let note = format!("{:?}: {value:?} is {:?} now\n", row, bytes::Bytes::from(changed));
    std::fs::write(Path::new(&dir).with_file_name("planted.txt"), note).unwrap();
}
