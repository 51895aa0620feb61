//! Looking at nodes while they run: what a reader sees, and how much waits.

use crate::families::{family, with_rows};
use crate::model::keys;
use crate::world::{What, World};
use bytes::Bytes;
use numax_crdt::{Batch, Body, Key, Kind};
use numax_replica::{Draft, DraftError};
use std::collections::BTreeMap;

impl World<'_> {
    /// A reader looks at a node: sums that only grow have grown.
    pub(crate) fn look(&mut self, node: usize, number: u64) {
        let slower = self.plan.slower;
        let at = self.soon(node, 500 * slower, 5_000 * slower);
        self.schedule.put(at, What::Look { node, life: number });
        let Some(life) = self.life(node, number) else { return };
        match sums(&mut Draft::new(life.core.reader(), 0)) {
            Ok(sums) => {
                let shrunk = |(key, before): (&Bytes, &u64)| {
                    let now = sums.get(key).copied().unwrap_or(0);
                    (now < *before).then(|| (key.clone(), *before, now))
                };
                let shrunk = life.seen.iter().find_map(shrunk);
                life.seen = sums;
                if let Some((key, before, now)) = shrunk {
                    let key = String::from_utf8_lossy(&key);
                    let detail = format!("node {node} read {before} of the g-counter {key}, now {now}");
                    self.oracle.violation("counters", detail);
                }
            }
            Err(error) => self.unreadable(node, &error),
        }
    }

    /// What a node just wrote is what a reader sees, whatever the clocks of others said.
    pub(crate) fn inspect_written(&mut self, node: usize, bytes: &Bytes) {
        let Ok(batch) = Batch::decode(bytes.clone()) else { return };
        let Some(life) = self.nodes.get(node).and_then(|node| node.life.as_ref()) else { return };
        let mut draft = Draft::new(life.core.reader(), 0);
        for op in &batch.ops {
            let (want, have) = match &op.body {
                Body::Register { value, .. } => {
                    (value, with_rows(&mut draft, |draft| draft.register_get(&op.key)))
                }
                Body::MapField { field, value, .. } => {
                    (value, with_rows(&mut draft, |draft| draft.map_get(&op.key, field)))
                }
                _ => continue,
            };
            if let Ok(have) = have
                && have != *want
            {
                let detail = format!("node {node} does not read what it just wrote in {}", batch.dot());
                return self.oracle.violation("clock", detail);
            }
        }
    }

    /// What waits in memory stays within its limits.
    pub(crate) fn inspect_queues(&mut self, node: usize) {
        let Some(life) = self.nodes.get(node).and_then(|node| node.life.as_ref()) else { return };
        let (waiting, most) = (life.core.pending_bytes(), self.config.pending_bytes);
        if waiting > most {
            let detail = format!("node {node} lets {waiting} bytes of batches wait, its limit is {most}");
            return self.oracle.violation("bounds", detail);
        }
        // A message is taken whole if nothing waits before it, and so is a page.
        let most = self.protocol.ingest_bytes + 2 * self.largest_frame;
        let ingests = life.cluster.ingesting();
        if ingests > most {
            let detail = format!("node {node} takes in {ingests} bytes at once, its limit is {most}");
            self.oracle.violation("bounds", detail);
        }
    }
}

/// All g-counters.
fn sums(draft: &mut Draft) -> Result<BTreeMap<Bytes, u64>, DraftError> {
    let Some(counters) = family(Kind::GCounter.wit_name()) else { return Ok(BTreeMap::new()) };
    let mut sums = BTreeMap::new();
    for name in keys(draft, Kind::GCounter)? {
        let key = Key::new(name.clone()).map_err(|error| DraftError::Invalid(error.to_string()))?;
        let value = counters.read(draft, &key)?;
        let sum = value.first().and_then(|(_, text)| std::str::from_utf8(text).ok()?.parse().ok());
        sums.insert(name, sum.unwrap_or(0));
    }
    Ok(sums)
}
