//! Keys of any length on an engine that takes 64 KiB: sets have elements of a megabyte, which are keys here.
//!
//! A key beyond [`MAX_KEY`] is stored in two parts. All keys with the same first `MAX_KEY` bytes share an *index* row,
//! whose key is those bytes and a zero: it sorts right behind the row whose key is just those bytes, and before
//! everything else that is greater, so order is kept. The index holds the numbers of *rest* rows, in the order of the
//! rests of their keys; a rest row holds the rest of the key and the value. Finding a place among `n` keys that share so
//! long a beginning reads log2(n) rests, and writing costs 8 bytes for each of them.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::raw::Writes;
use crate::kv::KvError;

/// The longest key that is stored as it is.
pub(super) const MAX_KEY: usize = 60_000;
/// First byte of the keys of rest rows. No table has this number, and the header has another.
pub(super) const REST: u8 = 0xfe;
/// Bytes of a number, and of the length in front of a rest.
const WORD: usize = 8;

/// Reads a stored row.
pub(super) type Read<'a> = &'a dyn Fn(&[u8]) -> Result<Option<Bytes>, KvError>;

/// The key of the index row that a long key belongs to, and the rest of it; none for keys that are stored as they are.
pub(super) fn split(key: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (head, rest) = key.split_at_checked(MAX_KEY).filter(|(_, rest)| !rest.is_empty())?;
    let mut index = Vec::with_capacity(MAX_KEY + 1);
    index.extend_from_slice(head);
    index.push(0);
    Some((index, rest))
}

/// What the rows of an index row are, when `stored` is the key of one: what their keys begin with.
pub(super) fn is_index(stored: &[u8]) -> Option<&[u8]> {
    (stored.len() == MAX_KEY + 1).then(|| stored.get(..MAX_KEY))?
}

/// The numbers in an index row.
pub(super) fn numbers(index: &[u8]) -> impl DoubleEndedIterator<Item = u64> + ExactSizeIterator {
    index.as_chunks::<WORD>().0.iter().map(|word| u64::from_be_bytes(*word))
}

fn rest_key(number: u64) -> Vec<u8> {
    let mut key = vec![REST];
    key.extend_from_slice(&number.to_be_bytes());
    key
}

/// The number in a rest row's key.
pub(super) fn number_of(stored: &[u8]) -> Option<u64> {
    let (first, number) = stored.split_first()?;
    (*first == REST).then(|| number.try_into().ok().map(u64::from_be_bytes))?
}

/// The rest of the key and the value in the rest row with a number.
pub(super) fn rest(number: u64, read: Read<'_>) -> Result<(Bytes, Bytes), KvError> {
    let damaged = || KvError::Corrupt { detail: format!("the long key number {number} cannot be read") };
    let row = read(&rest_key(number))?.ok_or_else(damaged)?;
    let (len, _) = row.split_first_chunk::<WORD>().ok_or_else(damaged)?;
    let end = usize::try_from(u64::from_be_bytes(*len)).ok().and_then(|len| len.checked_add(WORD));
    let end = end.filter(|end| *end <= row.len()).ok_or_else(damaged)?;
    Ok((row.slice(WORD..end), row.slice(end..)))
}

/// The place of a rest among the numbers of an index: the place and the number, or the place where it would be.
fn place(numbers: &[u64], wanted: &[u8], read: Read<'_>) -> Result<Result<(usize, u64), usize>, KvError> {
    let (mut low, mut high) = (0, numbers.len());
    while let Some(number) = numbers.get(low..high).and_then(|part| part.get(part.len() / 2)) {
        let middle = low + (high - low) / 2;
        match rest(*number, read)?.0[..].cmp(wanted) {
            std::cmp::Ordering::Equal => return Ok(Ok((middle, *number))),
            std::cmp::Ordering::Less => low = middle + 1,
            std::cmp::Ordering::Greater => high = middle,
        }
    }
    Ok(Err(low))
}

/// The value of a long key.
pub(super) fn get(index: &[u8], wanted: &[u8], read: Read<'_>) -> Result<Option<Bytes>, KvError> {
    let Some(index) = read(index)? else { return Ok(None) };
    let numbers: Vec<u64> = numbers(&index).collect();
    match place(&numbers, wanted, read)? {
        Ok((_, number)) => Ok(Some(rest(number, read)?.1)),
        Err(_) => Ok(None),
    }
}

/// Turns the writes of long keys into writes of the rows that they are stored in. `next` is the next free number.
pub(super) fn translate(writes: Writes, next: &mut u64, read: Read<'_>) -> Result<Writes, KvError> {
    if writes.iter().all(|(key, _)| key.len() <= MAX_KEY) {
        return Ok(writes);
    }
    let mut out = Writes::new();
    // What this batch has changed so far, of the rows that long keys are stored in.
    let mut changed: BTreeMap<Vec<u8>, Option<Bytes>> = BTreeMap::new();
    for (key, value) in writes {
        let Some((index_key, wanted)) = split(&key) else {
            out.push((key, value));
            continue;
        };
        let look = |key: &[u8]| changed.get(key).map_or_else(|| read(key), |cell| Ok(cell.clone()));
        let mut numbers: Vec<u64> = look(&index_key)?.iter().flat_map(|index| numbers(index)).collect();
        let found = place(&numbers, wanted, &look)?;
        let mut index_changed = true;
        match (found, value) {
            (found, Some(value)) => {
                let number = match found {
                    Ok((_, number)) => {
                        index_changed = false;
                        number
                    }
                    Err(at) => {
                        numbers.insert(at, *next);
                        *next += 1;
                        *next - 1
                    }
                };
                let mut row = Vec::with_capacity(WORD + wanted.len() + value.len());
                row.extend_from_slice(&(wanted.len() as u64).to_be_bytes());
                row.extend_from_slice(wanted);
                row.extend_from_slice(&value);
                changed.insert(rest_key(number), Some(row.into()));
            }
            (Ok((at, number)), None) => {
                numbers.remove(at);
                changed.insert(rest_key(number), None);
            }
            (Err(_), None) => index_changed = false,
        }
        if index_changed {
            let index: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
            changed.insert(index_key, (!index.is_empty()).then(|| index.into()));
        }
    }
    out.extend(changed);
    Ok(out)
}
