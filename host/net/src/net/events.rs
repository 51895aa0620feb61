//! What the network tells its owner.

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use numax_crdt::NodeId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use super::Report;
use crate::close::Closed;

/// Events that may wait besides the limit in bytes.
const EVENTS: usize = 1024;
/// What a frame costs beyond its bytes, so that tiny ones do not evade the limit.
pub(super) const FRAME_COST: usize = 128;

/// What happened. Of one link: first `LinkUp`, then frames in the order of their class, last `LinkDown`. There is never more than one
/// link up with a peer.
#[derive(Debug, Clone)]
pub enum NetEvent {
    /// There is a link with a peer.
    LinkUp {
        /// Its number, never used again.
        link: u64,
        /// Who is at the other end, proven.
        peer: NodeId,
        /// Where.
        addr: SocketAddr,
        /// Whether we dialled.
        dialed: bool,
    },
    /// A link is gone.
    LinkDown {
        /// Which.
        link: u64,
        /// Why.
        reason: Closed,
    },
    /// A frame arrived.
    Frame {
        /// On which link.
        link: u64,
        /// In which class.
        class: u8,
        /// The whole frame without its length.
        bytes: Bytes,
    },
    /// Something an operator should know.
    Report(Report),
}

/// The receiving end of a node's network events. While it is not read, peers wait.
#[derive(Debug)]
pub struct NetEvents {
    events: mpsc::Receiver<(NetEvent, Option<OwnedSemaphorePermit>)>,
    over: CancellationToken,
}

impl NetEvents {
    /// The next event; `None` after the shutdown.
    pub async fn recv(&mut self) -> Option<NetEvent> {
        let item = tokio::select! {
            biased;
            item = self.events.recv() => item,
            () = self.over.cancelled() => self.events.try_recv().ok(),
        };
        // With the frame taken, its room is free for another.
        item.map(|(event, _room)| event)
    }
}

/// The sending end.
#[derive(Debug, Clone)]
pub(super) struct EventSender {
    events: mpsc::Sender<(NetEvent, Option<OwnedSemaphorePermit>)>,
    room: Arc<Semaphore>,
    limit: u32,
    stopping: CancellationToken,
}

/// Nobody listens any more.
#[derive(Debug)]
pub(super) struct Gone;

pub(super) fn channel(
    limit: u32,
    stopping: CancellationToken,
    over: CancellationToken,
) -> (EventSender, NetEvents) {
    let (sender, events) = mpsc::channel(EVENTS);
    let room =
        Arc::new(Semaphore::new(usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS)));
    (EventSender { events: sender, room, limit, stopping }, NetEvents { events, over })
}

impl EventSender {
    /// Hands a frame over; waits while too much waits to be taken, which in turn holds back the peer.
    pub(super) async fn frame(&self, link: u64, class: u8, bytes: Bytes) -> Result<(), Gone> {
        let cost = u32::try_from(bytes.len() + FRAME_COST).unwrap_or(u32::MAX).min(self.limit);
        let room = tokio::select! {
            room = Arc::clone(&self.room).acquire_many_owned(cost) => room.map_err(|_| Gone)?,
            () = self.stopping.cancelled() => return Err(Gone),
        };
        self.put(NetEvent::Frame { link, class, bytes }, Some(room)).await
    }

    /// Says that a link came or went.
    pub(super) async fn signal(&self, event: NetEvent) -> Result<(), Gone> {
        self.put(event, None).await
    }

    /// A report never waits: one that does not fit is lost, and the failure will be reported again.
    pub(super) fn report(&self, report: Report) {
        let _ = self.events.try_send((NetEvent::Report(report), None));
    }

    async fn put(&self, event: NetEvent, room: Option<OwnedSemaphorePermit>) -> Result<(), Gone> {
        let place = tokio::select! {
            biased;
            place = self.events.reserve() => place.map_err(|_| Gone)?,
            // Who shuts down may have stopped listening, and must not be waited for.
            () = self.stopping.cancelled() => self.events.try_reserve().map_err(|_| Gone)?,
        };
        place.send((event, room));
        Ok(())
    }
}
