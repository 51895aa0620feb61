//! The limits: a file on the same disk, without a datastore.

use anyhow::Result;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

/// Appends pieces of `bytes` bytes to a new file for a time, each synced if `sync`. Answers pieces a second.
pub fn append(dir: &Path, bytes: usize, sync: bool, time: Duration) -> Result<f64> {
    let path = dir.join("raw");
    let mut file = File::create(&path)?;
    let piece = vec![7; bytes];
    let (begin, mut count) = (Instant::now(), 0_u64);
    while begin.elapsed() < time {
        file.write_all(&piece)?;
        if sync {
            file.sync_data()?;
        }
        count += 1;
    }
    let rate = count as f64 / begin.elapsed().as_secs_f64();
    std::fs::remove_file(path)?;
    Ok(rate)
}

/// Reads all files of a directory from their beginning to their end; answers the seconds and bytes it took.
pub fn read_all(dir: &Path) -> Result<(f64, u64)> {
    let (begin, mut total) = (Instant::now(), 0);
    let mut buffer = vec![0; 1 << 20];
    for entry in std::fs::read_dir(dir)? {
        let file = File::open(entry?.path())?;
        let mut at = 0;
        loop {
            let read = file.read_at(&mut buffer, at)?;
            if read == 0 {
                break;
            }
            at += read as u64;
        }
        total += at;
    }
    Ok((begin.elapsed().as_secs_f64(), total))
}
