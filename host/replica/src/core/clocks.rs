//! Clocks that are wrong: whose, by how much, and telling the operator once.
//!
//! A wrong clock loses nothing (times too far ahead are merged and not adopted, and a local write is stamped above what it
//! overwrites), but of two writes made at the same time the one with the later time wins, so somebody should know.

use std::collections::BTreeMap;

use numax_crdt::{Hlc, NodeId, SkewReport};

/// Nodes that are remembered at once. More than a cluster has.
const MAX_NODES: usize = 4096;

/// What is known of wrong clocks. Empty and 0 when all is well.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clocks {
    /// Nodes whose times are further ahead of this node's clock than is adopted, with the milliseconds by which the last
    /// batch of each was when it came.
    pub ahead: BTreeMap<NodeId, u64>,
    /// Milliseconds by which this node's clock was behind the last time that it gave out, at its last write, if that was
    /// more than is adopted from others: then the clock was set back.
    pub set_back_ms: u64,
}

impl Clocks {
    /// A batch of a node came.
    pub(super) fn remote(&mut self, node: NodeId, report: SkewReport) {
        match report {
            SkewReport::Adopted => {
                if self.ahead.remove(&node).is_some() {
                    tracing::info!(%node, "the clock of a node is within bounds again");
                }
            }
            SkewReport::Ahead { by_ms } => {
                if self.ahead.len() >= MAX_NODES && !self.ahead.contains_key(&node) {
                    return;
                }
                if self.ahead.insert(node, by_ms).is_none() {
                    tracing::warn!(
                        %node,
                        by_ms,
                        "the clock of a node is ahead of this one; set it right. Its writes are merged, and until then \
                         win over others made at the same time; its time is not adopted here"
                    );
                }
            }
        }
    }

    /// Something is written here, after the time `last`.
    pub(super) fn local(&mut self, node: NodeId, last: Hlc, now_ms: u64, max_skew_ms: u64) {
        let by_ms = last.ms().saturating_sub(now_ms);
        let before = std::mem::replace(&mut self.set_back_ms, if by_ms > max_skew_ms { by_ms } else { 0 });
        match (before, self.set_back_ms) {
            (0, 1..) => tracing::warn!(
                %node,
                by_ms,
                "this node's clock is behind what it has written before: it was set back; set it right. Times go on from \
                 the last one, so nothing is lost, and its writes win over others made at the same time"
            ),
            (1.., 0) => {
                tracing::info!(%node, "this node's clock has caught up with what it has written before")
            }
            _ => {}
        }
    }
}
