//! Damaged files of every engine: what is found is a whole prefix of the batches, or it is refused. (The replica keeps
//! the position that its rows include among them, so a prefix is all it needs; what is refused it builds anew.)

use std::{
    fs,
    ops::Bound,
    path::{Path, PathBuf},
};

use bytes::Bytes;
use numax_store::{Engine, KvError, Table, fingerprint, open};

use crate::{
    engines::{Bench, FileBench},
    files::{commit, copy},
};

const ROWS: u32 = 300;

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

/// A database that was closed in order, and its files.
fn closed(kind: Engine) -> FileBench {
    let mut bench = FileBench::new(kind);
    for n in 0..ROWS {
        commit(&*bench.engine(), n, &[n as u8; 500]);
    }
    bench.engine().sync().unwrap();
    bench.close();
    bench
}

/// How many rows are found, after checking that they are a prefix.
fn look(kind: Engine, dir: &Path) -> Result<u32, KvError> {
    let engine = open(kind, dir)?;
    let rows = engine.scan(Table::Rows, Bound::Unbounded, b"", 1000)?;
    let mark = engine.get(Table::Meta, b"last")?;
    fingerprint(&*engine, |_| ())?;
    engine.sync()?;
    let count = rows.len() as u32;
    let want = count.checked_sub(1).map(|last| Bytes::copy_from_slice(&last.to_be_bytes()));
    assert_eq!(mark, want, "{kind}: rows and their mark disagree");
    for (n, (key, value)) in rows.iter().enumerate() {
        assert_eq!((&key[..], &value[..]), (&(n as u32).to_be_bytes()[..], &[n as u8; 500][..]), "{kind}");
    }
    Ok(count)
}

/// Damages copies of the files and looks at what is found; `hurt` gets the file, its bytes and the number of the try.
fn try_damage(kind: Engine, tries: usize, hurt: impl Fn(&Path, Vec<u8>, usize)) -> Vec<Result<u32, KvError>> {
    let bench = closed(kind);
    let mut outcomes = Vec::new();
    for file in files(&bench.rows()) {
        let name = file.strip_prefix(bench.rows()).unwrap().to_owned();
        for n in 0..tries {
            let dir = bench.dir.path().join("damaged");
            let _ = fs::remove_dir_all(&dir);
            copy(&bench.rows(), &dir);
            let bytes = fs::read(&file).unwrap();
            hurt(&dir.join(&name), bytes, n);
            let found = look(kind, &dir);
            if let Err(error) = &found {
                assert!(
                    !matches!(error, KvError::Locked { .. } | KvError::NoSpace { .. } | KvError::Closed),
                    "{kind}, {}: {error}",
                    name.display()
                );
            }
            outcomes.push(found);
        }
    }
    outcomes
}

#[test]
fn flipped_bits() {
    for kind in Engine::ALL {
        let found = try_damage(kind, 12, |path, mut bytes, n| {
            if !bytes.is_empty() {
                let at = (bytes.len() * n / 12 + 7) % bytes.len();
                bytes[at] ^= 1 << (n % 8);
            }
            fs::write(path, bytes).unwrap();
        });
        assert!(found.iter().any(|found| !matches!(found, Ok(ROWS))), "{kind}: no damage was noticed");
    }
}

#[test]
fn overwritten_sectors() {
    for kind in Engine::ALL {
        let found = try_damage(kind, 8, |path, mut bytes, n| {
            let at = bytes.len() * n / 8;
            let end = (at + 700).min(bytes.len());
            bytes[at..end].fill(if n % 2 == 0 { 0 } else { 0xa5 });
            fs::write(path, bytes).unwrap();
        });
        assert!(found.iter().any(|found| !matches!(found, Ok(ROWS))), "{kind}: no damage was noticed");
    }
}

#[test]
fn truncated_files() {
    for kind in Engine::ALL {
        let found = try_damage(kind, 4, |path, mut bytes, n| {
            bytes.truncate(bytes.len() * n / 4);
            fs::write(path, bytes).unwrap();
        });
        assert!(found.iter().any(|found| !matches!(found, Ok(ROWS))), "{kind}: no damage was noticed");
    }
}

#[test]
fn deleted_files() {
    for kind in Engine::ALL {
        let found = try_damage(kind, 1, |path, _, _| fs::remove_file(path).unwrap());
        assert!(found.iter().any(|found| !matches!(found, Ok(ROWS))), "{kind}: no damage was noticed");
    }
}

#[test]
fn a_database_that_lost_everything_is_not_taken_for_a_new_one() {
    for kind in Engine::ALL {
        let bench = closed(kind);
        for file in files(&bench.rows()).iter().filter(|file| !file.ends_with("numax-rows")) {
            fs::remove_file(file).unwrap();
        }
        let refused = open(kind, &bench.rows()).err().unwrap();
        assert!(matches!(refused, KvError::Corrupt { .. }), "{kind}: {refused}");
    }
}
