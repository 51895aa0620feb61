//! One link: a connection that both sides agreed on, with its queues and tasks.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use numax_crdt::NodeId;
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{
    CLASSES, Direction, NetEvent, Problem,
    events::EventSender,
    outbox::{Outbox, Outgoing, outbox},
    ready,
    shared::Shared,
    table::Facts,
};
use crate::{
    close::{CloseCode, Closed},
    frame::{FrameDecoder, FrameEncoder},
    transport::{Connection, RecvStream},
};

/// How much a writer gathers before it writes: enough to fill packets, not so much that its queue's room is held long.
const GATHER: usize = 256 * 1024;

/// How long a stream that broke may wait for the connection's own reason before it counts as the peer's fault.
const BROKEN_STREAM: Duration = Duration::from_secs(1);

/// A link, as everybody but its own task sees it.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) id: u64,
    pub(super) peer: NodeId,
    pub(super) addr: SocketAddr,
    pub(super) dialed: bool,
    pub(super) facts: Facts,
    pub(super) outbox: Outbox,
    /// Everything about it is over, and that was announced.
    pub(super) done: CancellationToken,
    /// It shall end when what is queued is delivered, and why.
    ending: CancellationToken,
    why: OnceLock<Closed>,
    /// It shall end at once.
    replaced: CancellationToken,
}

impl Link {
    /// Ends the link after what is queued was delivered, or the time for that is over.
    pub(super) fn end(&self, closed: Closed) {
        let _ = self.why.set(closed);
        self.outbox.close();
        self.ending.cancel();
    }

    /// Ends the link at once, because another took its place.
    pub(super) fn replace(&self) {
        self.outbox.close();
        self.replaced.cancel();
    }
}

/// What the link's task needs of it, besides the link itself.
pub(super) struct Start {
    outgoing: Vec<Outgoing>,
}

pub(super) fn new(
    id: u64,
    facts: Facts,
    dialed: bool,
    connection: &Arc<dyn Connection>,
    queue_bytes: u32,
) -> (Arc<Link>, Start) {
    let (outbox, outgoing) = outbox(queue_bytes);
    let link = Link {
        id,
        peer: connection.peer(),
        addr: connection.remote_addr(),
        dialed,
        facts,
        outbox,
        done: CancellationToken::new(),
        ending: CancellationToken::new(),
        why: OnceLock::new(),
        replaced: CancellationToken::new(),
    };
    (Arc::new(link), Start { outgoing })
}

/// The link's life, from its announcement to that of its end.
pub(super) async fn run(
    shared: Arc<Shared>,
    link: Arc<Link>,
    connection: Arc<dyn Connection>,
    start: Start,
    before: Option<CancellationToken>,
) {
    if !link.dialed {
        // The dialler waits for this. If it cannot be said, the connection is closed, which is noticed below.
        let _ = ready::say(&connection, shared.instance).await;
    }
    if let Some(before) = before {
        before.cancelled().await;
    }
    let up = NetEvent::LinkUp { link: link.id, peer: link.peer, addr: link.addr, dialed: link.dialed };
    let reason = match shared.events.signal(up).await {
        Ok(()) => carry(&shared, &link, &connection, start).await,
        Err(_) => Closed::here(CloseCode::SHUTDOWN, "shutting down"),
    };
    connection.close(reason.clone());
    link.outbox.close();
    shared.forget(&link);
    if let Some(CloseCode::MALFORMED | CloseCode::REFUSED) = reason.code() {
        let direction = if link.dialed { Direction::Outgoing } else { Direction::Incoming };
        let problem = Problem::Link(reason.clone());
        shared.report(direction, link.addr.to_string(), Some(link.addr), Some(link.peer), problem);
    }
    let _ = shared.events.signal(NetEvent::LinkDown { link: link.id, reason }).await;
    link.done.cancel();
}

/// Carries frames both ways until the link ends; why it did.
async fn carry(shared: &Shared, link: &Arc<Link>, connection: &Arc<dyn Connection>, start: Start) -> Closed {
    let drain = shared.config.timing.drain;
    let mut writers = JoinSet::new();
    for (class, outgoing) in (0..CLASSES).zip(start.outgoing) {
        writers.spawn(write(class, outgoing, Arc::clone(connection), link.ending.clone()));
    }
    let mut readers = JoinSet::new();
    readers.spawn(read_all(link.id, Arc::clone(connection), shared.events.clone()));

    tokio::select! {
        biased;
        () = link.replaced.cancelled() => {
            return Closed::here(CloseCode::DUPLICATE, "another connection between the two nodes is kept");
        }
        () = until(connection.valid_until()) => {
            return Closed::here(CloseCode::REFUSED, "the peer's certificate has ended; issue it again with `numax ca issue`");
        }
        closed = connection.closed() => {
            // What had arrived before the end is still delivered, as far as somebody takes it.
            let _ = timeout(drain, readers.join_next()).await;
            return closed;
        }
        Some(result) = readers.join_next() => {
            return result.unwrap_or_else(|e| Closed::here(CloseCode::INTERNAL, format!("a task failed: {e}")));
        }
        () = link.ending.cancelled() => {}
    }
    let delivered = async { while writers.join_next().await.is_some() {} };
    tokio::select! {
        _ = timeout(drain, delivered) => {}
        closed = connection.closed() => return closed,
        () = link.replaced.cancelled() => {}
    }
    link.why.get().cloned().unwrap_or_else(|| Closed::here(CloseCode::SHUTDOWN, "shutting down"))
}

/// Waits until a time of day, in steps, so that a clock that is set is noticed.
async fn until(time: Option<SystemTime>) {
    const STEP: Duration = Duration::from_secs(60);
    let Some(time) = time else { return std::future::pending().await };
    while let Ok(left) = time.duration_since(SystemTime::now()) {
        tokio::time::sleep(left.min(STEP)).await;
    }
}

/// Writes one class: opens the stream with the first frame, then as many frames at a time as wait.
async fn write(
    class: u8,
    mut outgoing: Outgoing,
    connection: Arc<dyn Connection>,
    ending: CancellationToken,
) {
    let mut stream = None;
    let mut encoder = FrameEncoder::default();
    let mut held = Vec::new();
    loop {
        let first = tokio::select! {
            biased;
            first = outgoing.recv() => first,
            () = ending.cancelled(), if !outgoing.is_closed() => {
                // What is inside still comes out of `recv`, then the end.
                outgoing.close();
                continue;
            }
        };
        let Some(first) = first else { break };
        let mut size = 0;
        let mut next = Some(first);
        while let Some(queued) = next {
            size += queued.frame.len();
            encoder.push(queued.frame.clone());
            held.push(queued);
            next = if size < GATHER { outgoing.try_recv().ok() } else { None };
        }
        let stream = match &mut stream {
            Some(stream) => stream,
            // A failure to open or write is the connection's end, which the link's task sees and explains.
            none => match connection.open(class).await {
                Ok(opened) => none.insert(opened),
                Err(_) => return,
            },
        };
        if stream.write(&mut encoder.take()).await.is_err() {
            return;
        }
        // Handed to the transport, whose own buffer is bounded: room for others.
        held.clear();
    }
    if let Some(mut stream) = stream {
        let _ = stream.finish().await;
    }
}

/// Reads every stream that the peer opens, one per class; returns why the link has to end.
async fn read_all(link: u64, connection: Arc<dyn Connection>, events: EventSender) -> Closed {
    let malformed = |what: String| Closed::here(CloseCode::MALFORMED, what);
    let mut seen = BTreeSet::new();
    let mut streams = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Ok((class, _)) if class >= CLASSES => return malformed(format!("it opened a stream of class {class}, which is none")),
                Ok((class, _)) if !seen.insert(class) => return malformed(format!("it opened a second stream of class {class}")),
                Ok((class, stream)) => {
                    streams.spawn(read(link, class, stream, Arc::clone(&connection), events.clone()));
                }
                Err(closed) => {
                    while streams.join_next().await.is_some() {}
                    return closed;
                }
            },
            Some(ended) = streams.join_next() => match ended {
                Ok(Ok(())) => {}
                Ok(Err(closed)) => return closed,
                Err(e) => return Closed::here(CloseCode::INTERNAL, format!("a task failed: {e}")),
            },
        }
    }
}

/// Reads one stream to its end.
async fn read(
    link: u64,
    class: u8,
    mut stream: Box<dyn RecvStream>,
    connection: Arc<dyn Connection>,
    events: EventSender,
) -> Result<(), Closed> {
    let malformed = |what: String| Closed::here(CloseCode::MALFORMED, what);
    let mut decoder = FrameDecoder::default();
    loop {
        match stream.read().await {
            Ok(Some(piece)) => decoder.push(piece),
            Ok(None) => return decoder.finish().map_err(|e| malformed(e.to_string())),
            Err(_) => {
                let closed = timeout(BROKEN_STREAM, connection.closed()).await;
                return Err(closed.unwrap_or_else(|_| malformed("it broke off a stream".into())));
            }
        }
        while let Some(bytes) = decoder.next_frame().map_err(|e| malformed(e.to_string()))? {
            if events.frame(link, class, bytes).await.is_err() {
                // The shutdown has begun: keep reading so that the peer can finish, deliver nothing.
                return drain(stream).await;
            }
        }
    }
}

async fn drain(mut stream: Box<dyn RecvStream>) -> Result<(), Closed> {
    while let Ok(Some(_)) = stream.read().await {}
    Ok(())
}
