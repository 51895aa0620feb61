//! Anti-entropy from the side of who has something: reading pages of the log for peers.

use crate::event::{Effect, LinkId, Report};
use crate::link::Reading;
use crate::{Cluster, LogCursor};
use bytes::Bytes;
use numax_crdt::{BatchHeader, VersionVector};
use numax_wire::Message;

impl Cluster {
    pub(crate) fn pulled(&mut self, link: LinkId, id: u64, after: VersionVector, fx: &mut Vec<Effect>) {
        self.learn(link, &after);
        let lacking = !self.vector.covers_vector(&after);
        if let Some(state) = self.links.get_mut(&link) {
            state.serving.waiting = Some((id, after));
        }
        self.serve(link, fx);
        if lacking {
            self.pull_from(link, fx);
        }
    }

    /// Starts reading the page that a peer waits for, if nothing stands against it.
    fn serve(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        if self.reads.len() >= self.config.reads_at_once {
            return;
        }
        let request = self.next_request();
        let Some(serving) = self.links.get_mut(&link).map(|state| &mut state.serving) else { return };
        if serving.reading.is_some() {
            return;
        }
        let Some((id, after)) = serving.waiting.take() else { return };
        // A page that got lost, or was not applied, has to be read again.
        if !after.covers_vector(&serving.sent) {
            serving.cursor = None;
            serving.sent = VersionVector::default();
        }
        serving.sent.merge(&after);
        serving.reading = Some(Reading { request, id, after: after.clone() });
        let cursor = serving.cursor;
        self.reads.insert(request, link);
        fx.push(Effect::ReadLog { request, after, cursor, max_bytes: self.config.page_bytes });
    }

    /// Serves those that had to wait for their turn, those with the oldest links first.
    pub(crate) fn serve_waiting(&mut self, fx: &mut Vec<Effect>) {
        let links = &self.links;
        self.reads.retain(|_, link| links.contains_key(link));
        let waiting: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| link.serving.waiting.is_some()).map(|(id, _)| *id).collect();
        for link in waiting {
            self.serve(link, fx);
        }
    }

    pub(crate) fn page_read(
        &mut self,
        request: u64,
        batches: Vec<Bytes>,
        next: Option<LogCursor>,
        fx: &mut Vec<Effect>,
    ) {
        let Some(link) = self.reads.remove(&request) else { return };
        let max_bytes = self.config.page_bytes;
        if let Some(serving) = self.links.get_mut(&link).map(|state| &mut state.serving)
            && let Some(reading) = serving.reading.take_if(|reading| reading.request == request)
        {
            serving.cursor = next;
            if batches.is_empty() && next.is_some() {
                // A long stretch of log that the peer has. It waits for batches, so read on.
                let (after, cursor) = (reading.after.clone(), next);
                serving.reading = Some(reading);
                self.reads.insert(request, link);
                fx.push(Effect::ReadLog { request, after, cursor, max_bytes });
                return;
            }
            for header in batches.iter().filter_map(|batch| BatchHeader::peek(batch).ok()) {
                serving.sent.set_max(header.origin, header.seq);
            }
            let message = Message::Batches { id: reading.id, batches, done: next.is_none() };
            fx.push(Effect::Send { link, message });
        }
        self.serve_waiting(fx);
    }

    pub(crate) fn page_failed(&mut self, request: u64, reason: String, fx: &mut Vec<Effect>) {
        let Some(link) = self.reads.remove(&request) else { return };
        if let Some(state) = self.links.get_mut(&link) {
            state.serving.reading = None;
            state.serving.cursor = None;
            fx.push(Effect::Report(Report::ReadFailed { link, reason }));
        }
        self.serve_waiting(fx);
    }
}
