//! Letting peers in.

use std::{net::SocketAddr, sync::Arc};

use tokio::time::timeout;

use super::{Direction, Problem, ready, shared::Shared};
use crate::{
    close::{CloseCode, Closed},
    tls::Refusal,
    transport::{Arrival, HalfOpenPermit, Handshake},
};

/// Takes everybody who comes, each in a task of its own, until the shutdown.
pub(super) async fn run(shared: Arc<Shared>) {
    loop {
        let arrival = tokio::select! {
            arrival = shared.transport.accept() => arrival,
            () = shared.stopping.cancelled() => return,
        };
        match arrival {
            Some(Arrival::Handshake { addr, handshake, permit }) => {
                shared.tasks.spawn(admit(Arc::clone(&shared), addr, handshake, permit));
            }
            Some(Arrival::Overloaded { addr }) => report(&shared, addr, Problem::Overloaded),
            None => return,
        }
    }
}

/// From the first packet to a link. The place among the unfinished handshakes is held until then.
async fn admit(shared: Arc<Shared>, addr: SocketAddr, handshake: Handshake, _permit: HalfOpenPermit) {
    let limit = shared.config.timing.handshake;
    let connection = tokio::select! {
        result = timeout(limit, handshake) => match result {
            Ok(Ok(connection)) => connection,
            Ok(Err(refusal)) => return report(&shared, addr, Problem::Refused(refusal)),
            Err(_) => return report(&shared, addr, Problem::Refused(Refusal::Timeout)),
        },
        () = shared.stopping.cancelled() => return,
    };
    let heard = tokio::select! {
        heard = timeout(limit, ready::hear(&connection)) => heard,
        () = shared.stopping.cancelled() => return connection.close(Closed::here(CloseCode::SHUTDOWN, "shutting down")),
    };
    match heard {
        Ok(Ok(instance)) if shared.is_this_process(&connection, instance) => {
            // Whoever dialled, which is this very node, reports it.
            connection.close(Closed::here(CloseCode::REFUSED, Refusal::SelfConnection.kind()));
        }
        Ok(Ok(instance)) => {
            // A duplicate was closed with its reason; it is no problem.
            let _ = shared.register(connection, instance, false);
        }
        Ok(Err(closed)) => match closed.code() {
            // The dialler has a link already, or leaves again: both are everyday.
            Some(CloseCode::DUPLICATE | CloseCode::SHUTDOWN) => {}
            _ => report_link(&shared, addr, &connection, closed),
        },
        Err(_) => {
            connection.close(Closed::here(CloseCode::TIMEOUT, "no READY in time"));
            report(&shared, addr, Problem::Refused(Refusal::Timeout));
        }
    }
}

fn report(shared: &Shared, addr: SocketAddr, problem: Problem) {
    shared.report(Direction::Incoming, addr.to_string(), Some(addr), None, problem);
}

fn report_link(
    shared: &Shared,
    addr: SocketAddr,
    connection: &Arc<dyn crate::transport::Connection>,
    closed: Closed,
) {
    let peer = Some(connection.peer());
    shared.report(Direction::Incoming, addr.to_string(), Some(addr), peer, Problem::Link(closed));
}
