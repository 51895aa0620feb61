//! The small numbers that rows use for origins.

use bytes::Bytes;
use numax_crdt::{NodeId, Origin};
use numax_store::Table;

use super::map::HashMap;

/// Origins by number and numbers by origin. Held in memory whole: an origin is 48 bytes and a cluster has few.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    by_number: Vec<Origin>,
    numbers: HashMap<Origin, u32>,
}

impl Origins {
    pub(crate) fn lookup(&self, origin: &Origin) -> Option<u32> {
        self.numbers.get(origin).copied()
    }

    pub(crate) fn origin(&self, number: u32) -> Option<Origin> {
        self.by_number.get(number as usize).copied()
    }

    /// The number the next new origin gets.
    pub(crate) fn next(&self) -> u32 {
        u32::try_from(self.by_number.len()).unwrap_or(u32::MAX)
    }

    /// Gives the next number to an origin.
    pub(crate) fn push(&mut self, origin: Origin) {
        self.numbers.insert(origin, self.next());
        self.by_number.push(origin);
    }
}

/// The name of the row that holds the origin with a number.
pub(crate) fn row_name(number: u32) -> Bytes {
    let [a, b, c, d] = number.to_be_bytes();
    Bytes::copy_from_slice(&[Table::Origins as u8, a, b, c, d])
}

/// What stands in an origin's row.
pub(crate) fn encode(origin: &Origin) -> Bytes {
    let mut out = Vec::with_capacity(48);
    out.extend_from_slice(&origin.node.0);
    out.extend_from_slice(&origin.epoch.to_le_bytes());
    out.extend_from_slice(&origin.nonce.to_le_bytes());
    out.into()
}

/// The origin that stands in a row.
pub(crate) fn decode(row: &[u8]) -> Option<Origin> {
    let (node, rest) = row.split_first_chunk::<32>()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (nonce, rest) = rest.split_first_chunk::<8>()?;
    rest.is_empty().then(|| Origin {
        node: NodeId(*node),
        epoch: u64::from_le_bytes(*epoch),
        nonce: u64::from_le_bytes(*nonce),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_origins_lead_back() {
        let origin = Origin { node: NodeId([7; 32]), epoch: 3, nonce: u64::MAX };
        assert_eq!(decode(&encode(&origin)), Some(origin));
        assert_eq!(decode(&encode(&origin)[..47]), None);
        assert_eq!(decode(&[0; 49]), None);
    }
}
