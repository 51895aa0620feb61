//! Writing Yjs updates and state vectors. Equal states have equal bytes.

use super::{
    Clocks, ROOT,
    read::{DELETED, GAP, ORIGIN, RIGHT_ORIGIN, STRING},
    state::{Item, State},
};
use crate::codec::{put_bytes, put_varint};

impl State {
    /// The update that holds all of it, for Yjs. A surrogate that lost its partner is written as U+FFFD, as Yjs does.
    pub fn write_update(&self) -> Vec<u8> {
        self.write(|units| {
            let chars = char::decode_utf16(units);
            chars.map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>()
        })
    }

    /// All of it in the form of an update, but with nothing lost: for rows, and to compare replicas by.
    pub fn store(&self) -> Vec<u8> {
        self.write(stored)
    }

    fn write<S: AsRef<[u8]>>(
        &self,
        text: impl Fn(std::iter::Copied<std::slice::Iter<'_, u16>>) -> S,
    ) -> Vec<u8> {
        let mut out = Vec::new();
        put_varint(&mut out, self.items.len() as u64);
        // Yjs writes greater client ids first, which is kinder to its own way of merging.
        for (client, items) in self.items.iter().rev() {
            let gaps = items.windows(2).filter(|two| matches!(two, [a, b] if a.end() < b.clock)).count();
            put_varint(&mut out, (items.len() + gaps) as u64);
            put_varint(&mut out, *client);
            let mut clock = items.first().map_or(0, |item| item.clock);
            put_varint(&mut out, clock.into());
            for item in items {
                if clock < item.clock {
                    out.push(GAP);
                    put_varint(&mut out, (item.clock - clock).into());
                }
                clock = item.end();
                put_item(&mut out, item, &text);
            }
        }
        put_varint(&mut out, self.deletes.len() as u64);
        for (client, ranges) in self.deletes.iter().rev() {
            put_varint(&mut out, *client);
            put_varint(&mut out, ranges.len() as u64);
            for (start, end) in ranges.iter() {
                put_varint(&mut out, start.into());
                put_varint(&mut out, (end - start).into());
            }
        }
        out
    }
}

fn put_item<S: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    item: &Item,
    text: impl Fn(std::iter::Copied<std::slice::Iter<'_, u16>>) -> S,
) {
    let content = if item.units.is_some() { STRING } else { DELETED };
    let flag = |set: bool, flag: u8| if set { flag } else { 0 };
    out.push(content | flag(item.origin.is_some(), ORIGIN) | flag(item.right.is_some(), RIGHT_ORIGIN));
    for id in item.origin.iter().chain(&item.right) {
        put_varint(out, id.client);
        put_varint(out, id.clock.into());
    }
    if item.origin.is_none() && item.right.is_none() {
        put_varint(out, 1);
        put_bytes(out, ROOT.as_bytes());
    }
    match &item.units {
        Some(units) => put_bytes(out, text(units.iter().copied()).as_ref()),
        None => put_varint(out, item.len.into()),
    }
}

/// UTF-8, with single surrogates written like other characters of three bytes.
fn stored(units: std::iter::Copied<std::slice::Iter<'_, u16>>) -> Vec<u8> {
    let mut out = Vec::with_capacity(units.len());
    for unit in char::decode_utf16(units) {
        match unit {
            Ok(c) => out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
            Err(lone) => {
                let [high, low] = lone.unpaired_surrogate().to_be_bytes();
                out.extend([
                    0xe0 | (high >> 4),
                    0x80 | ((high & 0x0f) << 2) | (low >> 6),
                    0x80 | (low & 0x3f),
                ]);
            }
        }
    }
    out
}

/// Clocks in the form of a Yjs state vector.
pub fn write_state_vector(clocks: &Clocks) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, clocks.len() as u64);
    for (client, clock) in clocks.iter().rev() {
        put_varint(&mut out, *client);
        put_varint(&mut out, (*clock).into());
    }
    out
}
