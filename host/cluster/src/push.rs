//! New batches, out and in.

use crate::Cluster;
use crate::cluster::Ingest;
use crate::event::{Effect, IngestOutcome, LinkId, Report};
use crate::fanout;
use bytes::Bytes;
use numax_crdt::{BatchHeader, Dot};
use numax_wire::{MAX_BATCHES_PER_FRAME, Message, WireError};
use std::collections::BTreeMap;

/// Bytes after which a push is split into several messages.
const PUSH_BYTES: usize = 1024 * 1024;

impl Cluster {
    /// Sends batches that were just applied to K peers each.
    pub(crate) fn push(&mut self, batches: &[(Dot, Bytes)], fx: &mut Vec<Effect>) {
        let mut targets = self.ready_links();
        if targets.is_empty() || batches.is_empty() {
            return;
        }
        fanout::shuffle(&mut targets, &mut self.rng);
        let fanout = fanout::count(targets.len() + 1, self.config.fanout_extra);
        let mut chosen: BTreeMap<LinkId, Vec<Bytes>> = BTreeMap::new();
        for (dot, bytes) in batches {
            let mut left = fanout;
            for target in &targets {
                let Some(link) = self.links.get(target) else { continue };
                if left == 0 {
                    break;
                }
                // Its own batches a node has by definition, as long as it did not lose them with an epoch.
                let writer = link.hello.as_ref().is_some_and(|hello| hello.origin == dot.origin);
                if link.told && !writer && !link.known.covers(*dot) && link.quiet_until <= self.now {
                    chosen.entry(*target).or_default().push(bytes.clone());
                    left -= 1;
                }
            }
        }
        for (link, batches) in chosen {
            self.push_to(link, batches, fx);
        }
    }

    fn push_to(&mut self, link: LinkId, batches: Vec<Bytes>, fx: &mut Vec<Effect>) {
        let backlog = self.links.get(&link).map_or(0, |link| link.backlog);
        if backlog > self.config.backlog_bytes {
            let batches = batches.len() as u64;
            fx.push(Effect::Report(Report::PushDropped { link, batches }));
            return;
        }
        let mut message = Vec::new();
        let mut size = 0;
        for batch in batches {
            let full = size + batch.len() > PUSH_BYTES || message.len() == MAX_BATCHES_PER_FRAME;
            if full && !message.is_empty() {
                fx.push(Effect::Send { link, message: Message::Push(std::mem::take(&mut message)) });
                size = 0;
            }
            size += batch.len();
            message.push(batch);
        }
        if !message.is_empty() {
            fx.push(Effect::Send { link, message: Message::Push(message) });
        }
    }

    pub(crate) fn pushed(&mut self, link: LinkId, batches: Vec<Bytes>, fx: &mut Vec<Effect>) {
        let Some(state) = self.links.get(&link) else { return };
        let size: usize = batches.iter().map(Bytes::len).sum();
        if state.ingesting > 0 && state.ingesting + size > self.config.ingest_bytes {
            let batches = batches.len() as u64;
            fx.push(Effect::Report(Report::PushDropped { link, batches }));
            return;
        }
        self.ingest(link, batches, None, fx);
    }

    /// Hands batches to the replica and notes that the peer has them. They are handed over even if we have them: the
    /// replica compares them with what it has, which is how two payloads under one dot are found.
    pub(crate) fn ingest(
        &mut self,
        link: LinkId,
        batches: Vec<Bytes>,
        more: Option<bool>,
        fx: &mut Vec<Effect>,
    ) {
        let mut dots = Vec::with_capacity(batches.len());
        for batch in &batches {
            match BatchHeader::peek(batch) {
                Ok(header) => dots.push(header.dot()),
                Err(error) => return self.malformed(link, format!("a batch: {error}"), fx),
            }
        }
        let bytes = batches.iter().map(Bytes::len).sum();
        let request = self.next_request();
        let Some(state) = self.links.get_mut(&link) else { return };
        // Who has a batch has all batches before it of the same origin.
        for dot in dots {
            state.known.set_max(dot.origin, dot.seq);
        }
        state.ingesting += bytes;
        self.ingests.insert(request, Ingest { link, bytes, more });
        fx.push(Effect::Ingest { request, link, batches });
    }

    pub(crate) fn ingested(
        &mut self,
        request: u64,
        outcome: Result<IngestOutcome, String>,
        fx: &mut Vec<Effect>,
    ) {
        let Some(ingest) = self.ingests.remove(&request) else { return };
        let link = ingest.link;
        if let Some(state) = self.links.get_mut(&link) {
            state.ingesting = state.ingesting.saturating_sub(ingest.bytes);
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(reason) => {
                fx.push(Effect::Report(Report::IngestFailed { link, reason }));
                self.page_ingested(link, ingest.more, false, fx);
                return;
            }
        };
        if outcome.malformed > 0 {
            let detail = format!("{} of your batches cannot be read", outcome.malformed);
            return self.refuse(link, WireError::OpRejected { detail }, fx);
        }
        if outcome.rejected > 0 {
            fx.push(Effect::Report(Report::Rejected { link, batches: outcome.rejected }));
        }
        self.page_ingested(link, ingest.more, outcome.applied > 0, fx);
    }
}
