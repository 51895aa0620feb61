//! How sled 0.34 writes numbers, byte strings and pages, and its checksum.

use ::bytes::Bytes;

/// A page's, message's or file's bytes that cannot be what sled wrote.
#[derive(Debug)]
pub(super) struct Odd(pub(super) &'static str);

/// Bytes that are read from the front.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, len: usize) -> Result<&'a [u8], Odd> {
        let (taken, rest) = self.0.split_at_checked(len).ok_or(Odd("bytes are missing"))?;
        self.0 = rest;
        Ok(taken)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Odd> {
        Ok(self.take(1)?.first().copied().unwrap_or_default())
    }

    pub(super) fn u32(&mut self) -> Result<u32, Odd> {
        Ok(u32::from_le_bytes(self.take(4)?.try_into().unwrap_or_default()))
    }

    pub(super) fn i64(&mut self) -> Result<i64, Odd> {
        Ok(i64::from_le_bytes(self.take(8)?.try_into().unwrap_or_default()))
    }

    /// A number of one to nine bytes: the first says how many, and is the number itself up to 240.
    pub(super) fn number(&mut self) -> Result<u64, Odd> {
        let first = self.byte()?;
        Ok(match first {
            0..=240 => u64::from(first),
            241..=248 => 240 + 256 * (u64::from(first) - 241) + u64::from(self.byte()?),
            249 => 2288 + 256 * u64::from(self.byte()?) + u64::from(self.byte()?),
            _ => {
                let mut bytes = [0; 8];
                let taken = self.take(usize::from(first) - 247)?;
                bytes.iter_mut().zip(taken).for_each(|(to, from)| *to = *from);
                u64::from_le_bytes(bytes)
            }
        })
    }

    fn len(&mut self) -> Result<usize, Odd> {
        usize::try_from(self.number()?).map_err(|_| Odd("a length is too large"))
    }

    pub(super) fn string(&mut self) -> Result<Vec<u8>, Odd> {
        let len = self.len()?;
        Ok(self.take(len)?.to_vec())
    }

    /// A page's number; none is written as zero.
    fn page(&mut self) -> Result<Option<u64>, Odd> {
        Ok(Some(self.number()?).filter(|page| *page > 0))
    }
}

/// A node of the tree.
#[derive(Debug)]
pub(super) struct Node {
    /// The node to the right.
    pub(super) next: Option<u64>,
    merging_child: Option<u64>,
    /// So many bytes of `low` begin every key, and are left out.
    prefix_len: usize,
    low: Vec<u8>,
    /// Keys are below this; without end when it is empty.
    pub(super) high: Vec<u8>,
    data: Data,
}

/// Keys without their prefix, in order.
#[derive(Debug)]
enum Data {
    Leaf(Vec<(Vec<u8>, Vec<u8>)>),
    Index(Vec<(Vec<u8>, u64)>),
}

impl Node {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, Odd> {
        let mut input = Input(bytes);
        let (next, merging_child) = (input.page()?, input.page()?);
        let _merging = input.byte()?;
        let prefix_len = usize::from(input.byte()?);
        let (low, high) = (input.string()?, input.string()?);
        let is_leaf = match input.byte()? {
            0 => true,
            1 => false,
            _ => return Err(Odd("a node is neither leaf nor index")),
        };
        let len = input.len()?;
        if len > bytes.len() || prefix_len > low.len() {
            return Err(Odd("a node says that it is larger than it is"));
        }
        let keys = (0..len).map(|_| input.string()).collect::<Result<Vec<_>, _>>()?;
        let data = if is_leaf {
            let values = (0..len).map(|_| input.string()).collect::<Result<Vec<_>, _>>()?;
            Data::Leaf(keys.into_iter().zip(values).collect())
        } else {
            let pages = (0..len).map(|_| input.number()).collect::<Result<Vec<_>, _>>()?;
            Data::Index(keys.into_iter().zip(pages).collect())
        };
        Ok(Self { next, merging_child, prefix_len, low, high, data })
    }

    /// Applies a change that was written apart from the node.
    pub(super) fn apply(&mut self, change: &[u8]) -> Result<(), Odd> {
        let mut input = Input(change);
        match (input.byte()?, &mut self.data) {
            (0, Data::Leaf(rows)) => {
                let (key, value) = (input.string()?, input.string()?);
                match rows.binary_search_by(|(found, _)| found.cmp(&key)) {
                    Ok(at) => rows.get_mut(at).into_iter().for_each(|row| row.1.clone_from(&value)),
                    Err(at) => rows.insert(at, (key, value)),
                }
            }
            (1, Data::Leaf(rows)) => {
                let key = input.string()?;
                if let Ok(at) = rows.binary_search_by(|(found, _)| found.cmp(&key)) {
                    rows.remove(at);
                }
            }
            // The parent is told to merge a child into the one left of it, and then that this was done.
            (2, _) => self.merging_child = input.page()?,
            (3, Data::Index(children)) => {
                let merged = self.merging_child.take();
                children.retain(|(_, page)| Some(*page) != merged);
            }
            // The child is told. What it holds stays right until the parent forgets it.
            (4, _) => {}
            _ => return Err(Odd("a change does not fit its node")),
        }
        Ok(())
    }

    /// Where to look for a key that is not below `low`, nor behind `high`.
    pub(super) fn child(&self, key: &[u8]) -> Result<Option<u64>, Odd> {
        let Data::Index(children) = &self.data else { return Ok(None) };
        let rest = self.strip(key)?;
        let after = children.partition_point(|(low, _)| low.as_slice() <= rest);
        let child = after.checked_sub(1).and_then(|at| children.get(at));
        child.map(|(_, page)| Some(*page)).ok_or(Odd("a key lies before all of an index"))
    }

    /// The value of a key, in a leaf.
    pub(super) fn value(&self, key: &[u8]) -> Result<Option<&[u8]>, Odd> {
        let Data::Leaf(rows) = &self.data else { return Ok(None) };
        let rest = self.strip(key)?;
        let at = rows.binary_search_by(|(found, _)| found.as_slice().cmp(rest)).ok();
        Ok(at.and_then(|at| rows.get(at)).map(|(_, value)| value.as_slice()))
    }

    /// The rows of a leaf, with whole keys.
    pub(super) fn rows(self) -> Vec<(Vec<u8>, Bytes)> {
        let prefix = self.low.get(..self.prefix_len).unwrap_or_default();
        let Data::Leaf(rows) = self.data else { return Vec::new() };
        rows.into_iter().map(|(key, value)| ([prefix, &key].concat(), value.into())).collect()
    }

    fn strip<'k>(&self, key: &'k [u8]) -> Result<&'k [u8], Odd> {
        if key < self.low.as_slice() {
            return Err(Odd("a key lies before its node"));
        }
        let prefix = self.low.get(..self.prefix_len).unwrap_or_default();
        key.strip_prefix(prefix).ok_or(Odd("a key lacks its node's prefix"))
    }
}

/// The CRC-32 of zip and Ethernet (reflected, polynomial 0x04C11DB7), of parts that follow each other.
pub(super) fn crc32(parts: &[&[u8]]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        let at = (crc as u8 ^ byte) as usize;
        TABLE.get(at).copied().unwrap_or_default() ^ (crc >> 8)
    };
    !parts.iter().flat_map(|part| part.iter()).fold(!0, step)
}

static TABLE: [u32; 256] = table();

#[allow(clippy::indexing_slicing, reason = "the compiler runs it")]
const fn table() -> [u32; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let mut crc = at as u32;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 1 == 1 { 0xEDB8_8320 ^ (crc >> 1) } else { crc >> 1 };
            bit += 1;
        }
        table[at] = crc;
        at += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_catalogues() {
        assert_eq!(crc32(&[b"12345", b"6789"]), 0xCBF4_3926);
    }

    #[test]
    fn numbers_of_every_length_are_read() {
        let cases: [(&[u8], u64); 6] = [
            (&[240], 240),
            (&[241, 0], 240),
            (&[248, 255], 2287),
            (&[249, 255, 255], 67823),
            (&[250, 1, 2, 3], 0x03_0201),
            (&[255, 8, 7, 6, 5, 4, 3, 2, 1], 0x0102_0304_0506_0708),
        ];
        for (bytes, number) in cases {
            let mut input = Input(bytes);
            assert!(input.number().is_ok_and(|found| found == number) && input.0.is_empty(), "{bytes:?}");
        }
        assert!(Input(&[250, 1, 2]).number().is_err());
    }
}
