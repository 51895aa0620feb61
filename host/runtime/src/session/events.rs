//! What a module asks to hear of.

use super::{Session, SessionError};
use numax_crdt::Kind;
use numax_policy::{Capability, Events, EveryEvent, WatchEvent};
use std::time::Duration;

/// Periodic ticks and watches that one module may register; more are a mistake or an attack.
const MAX_REGISTRATIONS: usize = 1000;

/// What an instance registered, from its policy and from its `init`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Registrations {
    /// Ticks by period.
    pub every: Vec<EveryEvent>,
    /// Changes by kind and prefix.
    pub watch: Vec<WatchEvent>,
}

impl From<&Events> for Registrations {
    fn from(events: &Events) -> Registrations {
        Registrations { every: events.every.clone(), watch: events.watch.clone() }
    }
}

impl Session {
    /// Lets the guest register for events until [`Session::take_registrations`].
    pub(crate) fn begin_registration(&mut self) {
        self.registrations = Some(Registrations::default());
    }

    /// Ends registration and returns what came.
    pub(crate) fn take_registrations(&mut self) -> Registrations {
        self.registrations.take().unwrap_or_default()
    }

    fn registering(&mut self) -> Result<&mut Registrations, SessionError> {
        match &mut self.registrations {
            None => Err(SessionError::Invalid(
                "events are registered from lifecycle.init, and only there".to_owned(),
            )),
            Some(r) if r.every.len() + r.watch.len() >= MAX_REGISTRATIONS => {
                Err(SessionError::Invalid(format!("more than {MAX_REGISTRATIONS} registrations")))
            }
            Some(r) => Ok(r),
        }
    }

    /// Registers for a tick every `period_ms`.
    ///
    /// # Errors
    /// Without the grant of `time`, for a period of zero, or outside of `init`.
    pub fn every(&mut self, name: String, period_ms: u32) -> Result<(), SessionError> {
        if !self.grant.policy().time() {
            return Err(self.denied(Capability::Time, b""));
        }
        if period_ms == 0 {
            return Err(SessionError::Invalid("a period of 0 ms".to_owned()));
        }
        let period = Duration::from_millis(u64::from(period_ms));
        self.registering()?.every.push(EveryEvent { name, period });
        Ok(())
    }

    /// Registers for changes. What is delivered is cut to what the policy lets the module read.
    ///
    /// # Errors
    /// If the module may read nothing of it, or outside of `init`.
    pub fn watch(&mut self, kind: Option<Kind>, prefix: String) -> Result<(), SessionError> {
        let policy = self.grant.policy();
        let readable = |kind: Kind| policy.crdt(kind).may_read_below(prefix.as_bytes());
        let any = kind.map_or_else(|| Kind::ALL.into_iter().any(readable), readable);
        if !any {
            let subject = format!("{prefix}*");
            return Err(self.denied(Capability::CrdtRead(kind.unwrap_or(Kind::GCounter)), subject.as_bytes()));
        }
        self.registering()?.watch.push(WatchEvent { kind, prefix });
        Ok(())
    }
}
