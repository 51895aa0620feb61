//! Between the protocol's terms and the network's.

use numax_cluster::{Event, LinkId};
use numax_net::{CloseCode, NetEvent, NetHandle};
use numax_wire::WireError;

/// What the protocol hears of an event of the network; none if it is only for people.
pub(super) fn event(event: NetEvent) -> Option<Event> {
    match event {
        NetEvent::LinkUp { link, peer, addr, dialed } => {
            tracing::debug!(link, peer = %peer.short(), %addr, dialed, "link up");
            Some(Event::LinkUp { link: LinkId(link), peer, dialed })
        }
        NetEvent::LinkDown { link, reason } => {
            tracing::info!(link, "link down: {reason}");
            Some(Event::LinkDown { link: LinkId(link) })
        }
        NetEvent::Frame { link, class: _, bytes } => {
            let link = LinkId(link);
            Some(match numax_wire::decode(bytes) {
                Ok(message) => Event::Frame { link, message },
                Err(error) => {
                    let error = WireError::Malformed { detail: error.to_string() };
                    Event::BadFrame { link, error }
                }
            })
        }
        NetEvent::Report(report) => {
            tracing::warn!("{report}");
            None
        }
    }
}

/// Ends a link, with the protocol's reason if it has one.
pub(super) fn close(net: &NetHandle, link: LinkId, error: Option<&WireError>) {
    match error {
        Some(WireError::Shutdown) => net.close(link.0, CloseCode::SHUTDOWN, "shutting down"),
        Some(error) => net.close(link.0, CloseCode::PROTOCOL, &error.to_string()),
        None => net.close(link.0, CloseCode::PROTOCOL, "ended"),
    }
}
