//! Transfer of state, both sides: for a peer behind the start of a log.
//!
//! Who asks for a page and is told that the log does not reach back ([`Message::Behind`]) asks another peer that has
//! something for it. Only when all of those have said so it asks for a transfer, from the last. One transfer at a time,
//! one page at a time, the next one when the last is in the log: that is the back-pressure. While a transfer is under
//! way no batches are pulled.
//!
//! A transfer whose link is lost waits for a peer that can go on with it, its sender first. It goes on with a peer whose
//! state is exactly what the pages so far show, and else begins anew; the page says which. After a while without any
//! progress it is given up, and batches are pulled again.
//!
//! A peer of whose state the first page is of no use here, because it shows nothing new or could not be taken, is not asked
//! for it again for a while: batches are pulled, and others are asked.
//!
//! When all pages are here they are merged, step by step. That needs no peer, and is not given up.

use crate::Cluster;
use crate::event::{Effect, LinkId, Millis, Report};
use bytes::Bytes;
use numax_crdt::{NodeId, VersionVector};
use numax_replica::{PageRequest, SentPage, TransferState};
use numax_wire::Message;

/// The transfer that this node receives.
#[derive(Debug)]
pub(crate) struct Transfer {
    /// Where the next page is asked for; none while nobody can be asked.
    link: Option<LinkId>,
    /// Who sent the last page.
    sender: Option<NodeId>,
    /// The number of the page asked for.
    id: u64,
    /// The sender's picture.
    picture: u64,
    /// How far it has come; none before the first page.
    place: Option<(Bytes, VersionVector)>,
    /// All pages are here.
    merging: bool,
    /// When the page is given up; none while it is being taken.
    until: Option<Millis>,
    /// When there was progress last.
    moved: Millis,
    /// The request under which the page is being taken, or merged.
    taking: Option<u64>,
}

/// A page of state that a peer asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    id: u64,
    request: PageRequest,
}

impl Cluster {
    /// The datastore has a transfer that did not end.
    pub(crate) fn unfinished(&mut self, state: TransferState, fx: &mut Vec<Effect>) {
        self.transfer = Some(Transfer {
            link: None,
            sender: Some(state.sender),
            id: 0,
            picture: 0,
            place: Some((state.cursor, state.floor)),
            merging: state.merging,
            until: None,
            moved: self.now,
            taking: None,
        });
        self.merge_state(fx);
    }

    /// Goes on merging, if it is time.
    fn merge_state(&mut self, fx: &mut Vec<Effect>) {
        let request = self.next_request();
        let Some(transfer) = self.transfer.as_mut().filter(|transfer| transfer.merging) else { return };
        if transfer.taking.is_none() {
            transfer.taking = Some(request);
            fx.push(Effect::MergeState { request });
        }
    }

    /// The log could not be read for a peer past some point, or at all: what there was, and that this is all.
    pub(crate) fn log_behind(&mut self, request: u64, batches: Vec<Bytes>, fx: &mut Vec<Effect>) {
        let Some(link) = self.reads.remove(&request) else { return };
        if let Some(state) = self.links.get_mut(&link)
            && let Some(reading) = state.serving.reading.take()
        {
            state.serving.cursor = None;
            let (id, forgets) = (reading.id, state.forgets());
            if !batches.is_empty() {
                fx.push(Effect::Send { link, message: Message::Batches { id, batches, done: true } });
            }
            if forgets {
                fx.push(Effect::Send { link, message: Message::Behind { id } });
            } else {
                let reason = "its log is gone that far, and the peer knows no transfer of state".to_string();
                fx.push(Effect::Report(Report::ReadFailed { link, reason }));
            }
        }
        self.serve_waiting(fx);
    }

    /// A peer's log does not reach back to what we lack.
    pub(crate) fn peer_behind(&mut self, link: LinkId, id: u64, fx: &mut Vec<Effect>) {
        if id == 0 || id > self.last_pull {
            return self.malformed(link, "an answer to what nobody asked".into(), fx);
        }
        if self.pull.as_ref().is_some_and(|pull| pull.link == link && pull.id == id && pull.until.is_some()) {
            self.pull = None;
        }
        let Some(state) = self.links.get_mut(&link) else { return };
        state.behind = Some(self.digest);
        // Batches of the same answer may be all we need, if they are still being applied.
        if self.pull.is_none() {
            self.log_ended(link, fx);
        }
    }

    /// A peer's log had nothing more that leads further, if it said so.
    pub(crate) fn log_ended(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        let digest = self.digest;
        let said = self.links.get(&link).is_some_and(|state| state.behind == Some(digest));
        if !said || self.transfer.as_ref().is_some_and(|transfer| transfer.link.is_some()) {
            return;
        }
        let other = self.ready_links().into_iter().find(|other| {
            self.links
                .get(other)
                .is_some_and(|other| other.behind != Some(digest) && !self.vector.covers_vector(&other.known))
        });
        match other {
            Some(other) => self.pull_from(other, fx),
            None => self.begin_transfer(link, fx),
        }
    }

    fn begin_transfer(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        if self.links.get(&link).is_none_or(|state| state.no_state_until > self.now) {
            return;
        }
        if self.transfer.is_none() {
            self.transfer = Some(Transfer {
                link: None,
                sender: None,
                id: 0,
                picture: 0,
                place: None,
                merging: false,
                until: None,
                moved: self.now,
                taking: None,
            });
            fx.push(Effect::Report(Report::TransferBegins { link }));
        }
        self.ask_for_state(link, fx);
    }

    fn ask_for_state(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        let Some(peer) = self.links.get(&link).map(|state| state.peer) else { return };
        self.last_pull += 1;
        let id = self.last_pull;
        let until = self.now.plus(self.config.pull_timeout_ms);
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.sender != Some(peer) {
            transfer.picture = 0;
        }
        transfer.link = Some(link);
        transfer.id = id;
        transfer.until = Some(until);
        let (from, floor) = transfer.place.clone().unwrap_or_default();
        let message = Message::PullState { id, picture: transfer.picture, from, floor };
        fx.push(Effect::Send { link, message });
    }

    /// Looks after a transfer that stands still: with each round.
    pub(crate) fn look_after_transfer(&mut self, fx: &mut Vec<Effect>) {
        let (now, patience) = (self.now, self.config.transfer_patience_ms);
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.taking.is_some() {
            return;
        }
        if transfer.merging {
            return self.merge_state(fx);
        }
        if transfer.until.is_some_and(|until| until <= now)
            && let Some(silent) = transfer.link.take()
            && transfer.place.is_none()
        {
            return self.no_transfer_from(silent);
        }
        if transfer.link.is_some() {
            return;
        }
        if transfer.moved.plus(patience) <= now {
            self.transfer = None;
            fx.push(Effect::AbandonTransfer);
            return;
        }
        let sender = transfer.sender;
        let able: Vec<LinkId> = self
            .ready_links()
            .into_iter()
            .filter(|id| {
                let able = |link: &crate::link::Link| {
                    link.forgets() && link.quiet_until.max(link.no_state_until) <= now
                };
                self.links.get(id).is_some_and(able)
            })
            .collect();
        let same = able.iter().find(|id| self.links.get(id).is_some_and(|link| Some(link.peer) == sender));
        let ahead = able
            .iter()
            .find(|id| self.links.get(id).is_some_and(|link| !self.vector.covers_vector(&link.known)));
        if let Some(link) = same.or(ahead).copied() {
            self.ask_for_state(link, fx);
        }
    }

    /// Nothing came of asking a peer for the beginning of its state: others may have more, and it after a while.
    fn no_transfer_from(&mut self, link: LinkId) {
        let until = self.now.plus(self.config.pull_timeout_ms);
        if let Some(state) = self.links.get_mut(&link) {
            state.no_state_until = until;
        }
        self.transfer = None;
    }

    /// Forgets the link that a transfer comes by.
    pub(crate) fn transfer_link_lost(&mut self, link: LinkId) {
        if let Some(transfer) = &mut self.transfer
            && transfer.link == Some(link)
        {
            transfer.link = None;
        }
    }

    /// A page of a peer's state came.
    pub(crate) fn state_page(
        &mut self,
        link: LinkId,
        id: u64,
        picture: u64,
        page: Bytes,
        fx: &mut Vec<Effect>,
    ) {
        if id == 0 || id > self.last_pull {
            return self.malformed(link, "a page of state that nobody asked for".into(), fx);
        }
        let request = self.next_request();
        let peer = self.links.get(&link).map(|state| state.peer);
        // The answer to a request that was given up is of no use: another may be on its way.
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.link != Some(link) || transfer.id != id || transfer.taking.is_some() || transfer.merging {
            return;
        }
        transfer.picture = picture;
        transfer.sender = peer;
        transfer.until = None;
        transfer.taking = Some(request);
        fx.push(Effect::TakeState { request, link, page });
    }

    /// A page was taken or merged, or not.
    pub(crate) fn state_taken(
        &mut self,
        request: u64,
        outcome: Result<Option<TransferState>, String>,
        fx: &mut Vec<Effect>,
    ) {
        let now = self.now;
        let Some(transfer) = &mut self.transfer else { return };
        if transfer.taking != Some(request) {
            return;
        }
        transfer.taking = None;
        let link = transfer.link;
        match outcome {
            Ok(Some(state)) => {
                transfer.moved = now;
                transfer.place = Some((state.cursor, state.floor));
                transfer.merging = state.merging;
                match link {
                    _ if state.merging => self.merge_state(fx),
                    Some(link) => self.ask_for_state(link, fx),
                    None => {}
                }
            }
            Ok(None) => {
                self.transfer = None;
                self.pull = None;
                if let Some(link) = link {
                    fx.push(Effect::Report(Report::TransferEnds { link }));
                    self.pull_from(link, fx);
                }
            }
            Err(reason) => {
                let begun = transfer.place.is_some();
                if !transfer.merging {
                    transfer.link = None;
                    transfer.picture = 0;
                }
                if let Some(link) = link {
                    fx.push(Effect::Report(Report::IngestFailed { link, reason }));
                    if !begun {
                        self.no_transfer_from(link);
                    }
                }
            }
        }
    }

    /// A peer asks for a page of our state.
    pub(crate) fn state_pulled(&mut self, link: LinkId, id: u64, request: PageRequest, fx: &mut Vec<Effect>) {
        let Some(state) = self.links.get_mut(&link) else { return };
        // The newest counts: who asks again has given up the one before.
        state.wanted = Some(Wanted { id, request });
        self.serve_state(link, fx);
    }

    fn serve_state(&mut self, link: LinkId, fx: &mut Vec<Effect>) {
        let busy = self.state_reads.len() >= self.config.reads_at_once
            || self.state_reads.values().any(|(reading, _)| *reading == link);
        if busy {
            return;
        }
        let max_bytes = self.config.page_bytes;
        let Some(wanted) = self.links.get_mut(&link).and_then(|state| state.wanted.take()) else { return };
        let request = self.next_request();
        self.state_reads.insert(request, (link, wanted.id));
        fx.push(Effect::ReadState { request, page: PageRequest { max_bytes, ..wanted.request } });
    }

    /// A page of our state was read, or could not be.
    pub(crate) fn state_read(&mut self, request: u64, page: Result<SentPage, String>, fx: &mut Vec<Effect>) {
        let Some((link, id)) = self.state_reads.remove(&request) else { return };
        if self.links.contains_key(&link) {
            match page {
                Ok(SentPage { picture, page }) => {
                    fx.push(Effect::Send { link, message: Message::State { id, picture, page } });
                }
                Err(reason) => fx.push(Effect::Report(Report::ReadFailed { link, reason })),
            }
        }
        let waiting: Vec<LinkId> =
            self.links.iter().filter(|(_, state)| state.wanted.is_some()).map(|(link, _)| *link).collect();
        for link in waiting {
            self.serve_state(link, fx);
        }
    }
}
