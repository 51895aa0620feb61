//! Anti-entropy from the side of who may lack something: digests, vectors and pulling pages.

use crate::Cluster;
use crate::event::{Effect, LinkId, Millis};
use bytes::Bytes;
use numax_crdt::VersionVector;
use numax_wire::Message;
use rand::RngExt;

/// The page that we asked for. One at a time over all links: with more, a node that comes back after a long absence
/// would get everything from everybody.
#[derive(Debug)]
pub(crate) struct Pull {
    pub(crate) link: LinkId,
    pub(crate) id: u64,
    /// When it is given up. None once the page is here and being applied, which ends by itself.
    pub(crate) until: Option<Millis>,
}

impl Cluster {
    pub(crate) fn sync_with_somebody(&mut self, fx: &mut Vec<Effect>) {
        let now = self.now;
        let mut links = self.ready_links();
        links.retain(|id| self.links.get(id).is_some_and(|link| link.quiet_until <= now));
        if links.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..links.len());
        if let Some(link) = links.get(index) {
            self.send_digest(*link, fx);
            self.send_acks(*link, fx);
        }
        // Newcomers wait for what each of the others says.
        if self.settling.as_ref().is_some_and(crate::settle::Settling::is_newcomer) {
            let told = links.get(index).copied();
            links.iter().filter(|link| Some(**link) != told).for_each(|link| self.send_acks(*link, fx));
        }
    }

    pub(crate) fn send_digest(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        fx.push(Effect::Send { link, message: Message::Digest(self.digest) });
    }

    pub(crate) fn peer_digest(&mut self, link: LinkId, digest: [u8; 16], fx: &mut Vec<Effect>) {
        if digest == self.digest {
            if let Some(state) = self.links.get_mut(&link) {
                state.known.merge(&self.vector);
                state.told = true;
            }
        } else {
            fx.push(Effect::Send { link, message: Message::Vector(self.vector.clone()) });
        }
    }

    pub(crate) fn peer_vector(&mut self, link: LinkId, vector: VersionVector, fx: &mut Vec<Effect>) {
        self.learn(link, &vector);
        if !self.vector.covers_vector(&vector) {
            self.pull_from(link, fx);
        } else if !vector.covers_vector(&self.vector) {
            self.tell_vector(link, fx);
        }
    }

    pub(crate) fn learn(&mut self, link: LinkId, vector: &VersionVector) {
        if let Some(state) = self.links.get_mut(&link) {
            state.known.merge(vector);
            state.told = true;
        }
    }

    /// Says our vector to a peer that lacks something, at most twice per round.
    fn tell_vector(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        let pause = self.config.sync_interval_ms / 2;
        let now = self.now;
        let Some(state) = self.links.get_mut(&link) else { return };
        if state.vector_sent.is_none_or(|last| last.plus(pause) <= now) {
            state.vector_sent = Some(now);
            fx.push(Effect::Send { link, message: Message::Vector(self.vector.clone()) });
        }
    }

    /// Asks a peer for a page, unless one is on its way already.
    pub(crate) fn pull_from(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        let busy = self.pull.as_ref().is_some_and(|pull| pull.until.is_none_or(|until| until > self.now));
        let quiet = self.links.get(&link).is_none_or(|state| state.quiet_until > self.now);
        if busy || quiet || self.transfer.is_some() {
            return;
        }
        self.last_pull += 1;
        let id = self.last_pull;
        let until = Some(self.now.plus(self.config.pull_timeout_ms));
        self.pull = Some(Pull { link, id, until });
        fx.push(Effect::Send { link, message: Message::Pull { id, after: self.vector.clone() } });
    }

    pub(crate) fn page(
        &mut self,
        link: LinkId,
        id: u64,
        batches: Vec<Bytes>,
        done: bool,
        fx: &mut Vec<Effect>,
    ) {
        if id == 0 || id > self.last_pull {
            return self.malformed(link, "a page that nobody asked for".into(), fx);
        }
        match &mut self.pull {
            Some(pull) if pull.link == link && pull.id == id && pull.until.is_some() => {
                if batches.is_empty() {
                    self.pull = None;
                } else {
                    pull.until = None;
                    self.ingest(link, batches, Some(!done), fx);
                }
            }
            // The answer to a request that was given up: as good as a push.
            _ => self.pushed(link, batches, fx),
        }
    }

    /// Goes on after a page was applied. A page that brought nothing ends the matter for this round: asking again at
    /// once would bring the same page.
    pub(crate) fn page_ingested(
        &mut self,
        link: LinkId,
        more: Option<bool>,
        gained: bool,
        fx: &mut Vec<Effect>,
    ) {
        let Some(more) = more else { return };
        if self.pull.as_ref().is_some_and(|pull| pull.link == link && pull.until.is_none()) {
            self.pull = None;
            if more && gained {
                self.pull_from(link, fx);
            } else if !gained {
                self.log_ended(link, fx);
            }
        }
    }
}
