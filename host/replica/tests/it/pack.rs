//! Directories as one file each, to be committed: names, lengths, and the pages that are not all zero. Engines set room
//! aside, so most of what they keep on disk is nothing.

use std::{fs, path::Path};

const MAGIC: &[u8; 8] = b"nxpack 1";
const PAGE: usize = 512;

/// Everything in a directory and below it.
pub fn pack(dir: &Path) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    add(dir, "", &mut out);
    out
}

fn put(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap().to_le_bytes());
    out.extend_from_slice(bytes);
}

fn add(dir: &Path, below: &str, out: &mut Vec<u8>) {
    let mut entries: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = format!("{below}{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() {
            put(out, format!("{name}/").as_bytes());
            add(&entry.path(), &format!("{name}/"), out);
            continue;
        }
        let bytes = fs::read(entry.path()).unwrap();
        put(out, name.as_bytes());
        out.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        let pages = bytes.chunks(PAGE).enumerate().filter(|(_, page)| page.iter().any(|byte| *byte != 0));
        let pages: Vec<_> = pages.collect();
        out.extend_from_slice(&u32::try_from(pages.len()).unwrap().to_le_bytes());
        for (number, page) in pages {
            out.extend_from_slice(&u32::try_from(number).unwrap().to_le_bytes());
            put(out, page);
        }
    }
}

/// Puts it there again.
pub fn unpack(mut packed: &[u8], dir: &Path) {
    assert_eq!(take(&mut packed, 8), MAGIC);
    while !packed.is_empty() {
        let name = String::from_utf8(bytes(&mut packed).to_vec()).unwrap();
        let path = dir.join(&name);
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
            continue;
        }
        let mut content = vec![0; u64::from_le_bytes(take(&mut packed, 8).try_into().unwrap()) as usize];
        for _ in 0..number(&mut packed) {
            let at = number(&mut packed) as usize * PAGE;
            let page = bytes(&mut packed);
            content[at..at + page.len()].copy_from_slice(page);
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
}

fn take<'a>(from: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

fn number(from: &mut &[u8]) -> u32 {
    u32::from_le_bytes(take(from, 4).try_into().unwrap())
}

fn bytes<'a>(from: &mut &'a [u8]) -> &'a [u8] {
    let len = number(from) as usize;
    take(from, len)
}
