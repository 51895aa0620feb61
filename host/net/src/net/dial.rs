//! Keeping a link with every configured peer.

use std::{
    io,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use numax_crdt::NodeId;
use tokio::time::{sleep, timeout};

use super::{Direction, Problem, link::Link, ready, shared::Shared};
use crate::{
    PeerAddr,
    backoff::Backoff,
    close::{CloseCode, Closed},
    tls::Refusal,
    transport::{Connection, DialError},
};

/// A link that lived this long was a good one: the next failure starts with the shortest wait again.
const STABLE: Duration = Duration::from_secs(10);

/// An address whose node was linked in another way is looked at again after this long, in case somebody else lives there now.
const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// How an attempt ended.
enum Attempt {
    Linked(Arc<Link>),
    /// There is, or soon will be, another link with this node.
    Already(NodeId),
    Failed,
}

/// Dials one address for ever; ends with the shutdown, by cancellation.
pub(super) async fn run(shared: Arc<Shared>, target: PeerAddr) {
    let timing = &shared.config.timing;
    let mut backoff = Backoff::new(timing.backoff_first, timing.backoff_limit);
    let mut lives_there = target.node;
    loop {
        if let Some(peer) = lives_there {
            let unlinked = until_unlinked(&shared, peer);
            let ended = match target.node {
                Some(_) => unlinked.await,
                None => timeout(LOOK_AGAIN, unlinked).await.unwrap_or(false),
            };
            if ended {
                // A peer that ends is not there at once again; nodes that end together would only hold each other up
                // with handshakes that nobody answers.
                sleep(backoff.next_wait()).await;
            }
        }
        match attempt(&shared, &target).await {
            Attempt::Linked(link) => {
                lives_there = Some(link.peer);
                let up = Instant::now();
                link.done.cancelled().await;
                if up.elapsed() >= STABLE {
                    backoff.reset();
                }
            }
            Attempt::Already(peer) => {
                lives_there = Some(peer);
                backoff.reset();
            }
            Attempt::Failed => lives_there = target.node,
        }
        sleep(backoff.next_wait()).await;
    }
}

/// Waits until there is no link with a peer; whether there was one.
async fn until_unlinked(shared: &Shared, peer: NodeId) -> bool {
    let mut ended = false;
    while let Some(link) = shared.link_with(peer) {
        link.done.cancelled().await;
        ended = true;
    }
    ended
}

/// Tries the addresses of a name in order until one gives a new link.
async fn attempt(shared: &Arc<Shared>, target: &PeerAddr) -> Attempt {
    let report =
        |addr, problem| shared.report(Direction::Outgoing, target.to_string(), addr, target.node, problem);
    let limit = shared.config.timing.handshake;
    let resolved = match timeout(limit, tokio::net::lookup_host((target.host.as_str(), target.port))).await {
        Ok(resolved) => resolved.map(Vec::from_iter),
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut)),
    };
    let addresses = match resolved {
        Ok(addresses) if !addresses.is_empty() => addresses,
        Ok(_) => {
            report(None, Problem::Unresolved("it has no address".into()));
            return Attempt::Failed;
        }
        Err(e) => {
            report(None, Problem::Unresolved(e.to_string()));
            return Attempt::Failed;
        }
    };
    let mut already = None;
    for addr in addresses {
        let problem = match timeout(limit, connect(shared, addr, target.node)).await {
            Ok(Ok(Attempt::Linked(link))) => return Attempt::Linked(link),
            Ok(Ok(Attempt::Already(peer))) => {
                already = Some(peer);
                continue;
            }
            Ok(Ok(Attempt::Failed)) => continue,
            Ok(Err(problem)) => problem,
            Err(_) => Problem::Unreachable(format!("no answer within {} s", limit.as_secs_f32())),
        };
        report(Some(addr), problem);
    }
    already.map_or(Attempt::Failed, Attempt::Already)
}

async fn connect(
    shared: &Arc<Shared>,
    addr: SocketAddr,
    expected: Option<NodeId>,
) -> Result<Attempt, Problem> {
    let connection = shared.transport.dial(addr, expected).await.map_err(|e| match e {
        DialError::Refused(refusal) => Problem::Refused(refusal),
        other @ DialError::Unreachable(_) => Problem::Unreachable(other.to_string()),
    })?;
    let peer = connection.peer();
    let Some(_claim) = shared.claim(peer) else {
        connection.close(Closed::here(CloseCode::DUPLICATE, "there is a link already"));
        return Ok(Attempt::Already(peer));
    };
    let mut unfinished = Unfinished { shared, connection: Some(Arc::clone(&connection)) };
    let agreed = async {
        ready::say(&connection, shared.instance).await?;
        ready::hear(&connection).await
    };
    let agreed = agreed.await;
    unfinished.connection = None;
    let closed = match agreed {
        Ok(instance) => match shared.register(connection, instance, true) {
            Ok(link) => return Ok(Attempt::Linked(link)),
            Err(closed) => closed,
        },
        Err(closed) => closed,
    };
    match closed {
        Closed::Here { code: CloseCode::DUPLICATE, .. } | Closed::Peer { code: CloseCode::DUPLICATE, .. } => {
            Ok(Attempt::Already(peer))
        }
        Closed::Here { code: CloseCode::SHUTDOWN, .. } => Ok(Attempt::Failed),
        // Nobody else refuses somebody with our key on the link.
        Closed::Peer { code: CloseCode::REFUSED, .. } if peer == shared.own => {
            Err(Problem::Refused(Refusal::SelfConnection))
        }
        Closed::Peer { code: CloseCode::REFUSED, reason } => Err(Problem::Refused(Refusal::ByPeer(reason))),
        other => Err(Problem::Link(other)),
    }
}

/// A connection whose READY has no answer yet. When the attempt is given up, the peer, who may have a link by then, is told.
struct Unfinished<'a> {
    shared: &'a Shared,
    connection: Option<Arc<dyn Connection>>,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close(match self.shared.stopping.is_cancelled() {
                true => Closed::here(CloseCode::SHUTDOWN, "shutting down"),
                false => Closed::here(CloseCode::TIMEOUT, "no READY in time"),
            });
        }
    }
}
