//! `numax:runtime/events`: what a module wants to hear of, said from its `init`.

use crate::bindings::host::common::{CrdtKind, Error};
use crate::bindings::host::events;
use crate::session::{Session, SessionError};
use numax_policy::{Capability, TopicPattern};
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

type Answer<T> = Result<std::result::Result<T, Error>>;

/// What the interface works on.
pub(crate) struct EventsCtx<'a> {
    pub(crate) session: &'a mut Session,
}

/// How to find [`EventsCtx`] in a store's data.
pub(crate) trait EventsView: Send {
    fn events(&mut self) -> EventsCtx<'_>;
}

struct HasEvents;

impl HasData for HasEvents {
    type Data<'a> = EventsCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: EventsView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    events::add_to_linker::<T, HasEvents>(linker, T::events)
}

impl events::Host for EventsCtx<'_> {
    async fn every(&mut self, name: String, period_ms: u32) -> Answer<()> {
        Ok(self.session.every(name, period_ms).map_err(Error::from))
    }

    async fn cron(&mut self, _name: String, _expression: String, _where: events::Scope) -> Answer<()> {
        if !self.session.grant().policy().time() {
            return Ok(Err(self.session.denied(Capability::Time, b"").into()));
        }
        Ok(Err(SessionError::not_in_this_version("events.cron").into()))
    }

    async fn watch(&mut self, kind: Option<CrdtKind>, prefix: String) -> Answer<()> {
        Ok(self.session.watch(kind.map(Into::into), prefix).map_err(Error::from))
    }

    async fn subscribe(&mut self, topic: String) -> Answer<()> {
        let wanted = match TopicPattern::parse(&topic) {
            Ok(wanted) => wanted,
            Err(e) => return Ok(Err(SessionError::Invalid(e.to_string()).into())),
        };
        if !self.session.grant().policy().can_subscribe(&wanted) {
            return Ok(Err(self.session.denied(Capability::Subscribe, topic.as_bytes()).into()));
        }
        Ok(Err(SessionError::not_in_this_version("events.subscribe").into()))
    }
}
