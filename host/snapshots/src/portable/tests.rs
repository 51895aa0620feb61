use super::*;
use numax_crdt::{Hlc, NodeId, Origin, VersionVector};
use numax_replica::snapshot::StateFacts;

fn manifest(rows: &[Row]) -> Manifest {
    let origin = Origin { node: NodeId([7; 32]), epoch: 2, nonce: 0x2a };
    let facts = StateFacts {
        origin,
        position: 4096,
        vector: VersionVector::from_iter([(origin, 9)]),
        deps: [(Origin::default(), 3)].into(),
        clock: Hlc::from_u64(77),
        transfer: "transfer".into(),
        members: "members".into(),
    };
    let mut counts = Counts::default();
    rows.iter().for_each(|row| counts.add(row));
    let mut manifest = Manifest::new(1_700_000_000_123, None, &facts, counts);
    assert_eq!(manifest.facts().unwrap(), facts);
    manifest.program = "numax 0.2.0".to_string();
    manifest.id = "20231114T221320.123Z-00000000".to_string();
    manifest.engine = "sled".to_string();
    manifest.seal();
    manifest
}

fn rows() -> Vec<Row> {
    vec![
        (Table::Rows, "key".into(), "value".into()),
        (Table::Rows, "large".into(), vec![1; 3000].into()),
        (Table::Local, Bytes::new(), Bytes::new()),
        (Table::Origins, vec![0, 0, 0, 0].into(), vec![9; 48].into()),
    ]
}

fn pack(rows: &[Row]) -> Vec<u8> {
    let mut packer = Packer::new(Vec::new(), &manifest(rows)).unwrap();
    rows.iter().for_each(|row| packer.put(row).unwrap());
    packer.finish().unwrap().0
}

fn read(file: &[u8]) -> Result<Vec<Row>, SnapshotError> {
    let mut unpacker = Unpacker::new(file, "file")?;
    let mut out = Vec::new();
    while let Some(rows) = unpacker.chunk()? {
        out.extend(rows);
    }
    Ok(out)
}

#[test]
fn rows_lead_back_also_in_many_chunks() {
    assert_eq!(read(&pack(&rows())).unwrap(), rows());
    assert_eq!(read(&pack(&[])).unwrap(), []);
    let many: Vec<Row> = (0..40_u32)
        .map(|n| (Table::Rows, n.to_be_bytes().to_vec().into(), vec![n as u8; 200_000].into()))
        .collect();
    assert_eq!(read(&pack(&many)).unwrap(), many);
}

/// A file of version 1 is read for ever. (Its bytes may differ from what is written today: zstd goes on.)
#[test]
fn the_format_is_frozen() {
    let golden = include_bytes!("../../tests/golden/portable-1.numaxpak");
    assert_eq!(read(golden).unwrap(), rows());
    let today = pack(&rows());
    let header = golden.iter().zip(&today).take_while(|(a, b)| a == b).count();
    let json = manifest(&rows()).to_json().len();
    assert!(header >= 16 + json + HASH, "the header differs at byte {header}");
}

#[test]
#[ignore = "writes the golden file"]
fn write_golden() {
    fs::write("tests/golden/portable-1.numaxpak", pack(&rows())).unwrap();
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let file = pack(&rows());
    for at in (0..file.len()).step_by(7) {
        let mut bad = file.clone();
        bad[at] ^= 4;
        assert!(read(&bad).is_err(), "byte {at}");
        assert!(read(&file[..at]).is_err(), "cut at {at}");
    }
    let mut longer = file.clone();
    longer.push(0);
    assert!(read(&longer).is_err());
    // Two whole chunks exchanged.
    let many: Vec<Row> =
        (0..4_u8).map(|n| (Table::Rows, vec![n].into(), vec![n; CHUNK_BYTES].into())).collect();
    let file = pack(&many);
    let mut starts = Vec::new();
    let mut at = 16 + manifest(&many).to_json().len() + HASH;
    while at < file.len() {
        starts.push(at);
        let len = u32::from_le_bytes(file[at + 1..at + 5].try_into().unwrap()) as usize;
        at += 5 + HASH + len;
    }
    let (a, b, c) = (starts[0], starts[1], starts[2]);
    let swapped = [&file[..a], &file[b..c], &file[a..b], &file[c..]].concat();
    assert!(matches!(read(&swapped), Err(SnapshotError::Damaged { .. })));
    let without = [&file[..a], &file[b..]].concat();
    assert!(matches!(read(&without), Err(SnapshotError::Damaged { .. })));
    assert!(matches!(read(b"#!/bin/sh and so on"), Err(SnapshotError::Foreign { .. })));
}
