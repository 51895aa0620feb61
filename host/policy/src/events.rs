//! `[events]`: what a module without `lifecycle.init` asks to hear of.

use std::time::Duration;

use numax_crdt::Kind;

use crate::pattern::TopicPattern;

/// What the policy subscribes the module to, beside what its `init` asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Ticks by period.
    pub every: Vec<EveryEvent>,
    /// Ticks by calendar.
    pub cron: Vec<CronEvent>,
    /// Changes of replicated values.
    pub watch: Vec<WatchEvent>,
    /// Messages.
    pub subscribe: Vec<TopicPattern>,
}

impl Events {
    /// True if there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.every.is_empty() && self.cron.is_empty() && self.watch.is_empty() && self.subscribe.is_empty()
    }
}

/// A tick every `period`, counted from the end of the last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EveryEvent {
    /// What `on-tick` is told.
    pub name: String,
    /// At least a millisecond.
    pub period: Duration,
}

/// A tick by a five-field cron expression, UTC. Kept as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CronEvent {
    /// What `on-tick` is told.
    pub name: String,
    /// Minute, hour, day of the month, month, day of the week.
    pub expression: String,
    /// True: one node of the cluster runs it; false: every node does.
    pub once_per_cluster: bool,
}

/// Changes of keys with a prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchEvent {
    /// One family, or all of them.
    pub kind: Option<Kind>,
    /// Prefix of the keys.
    pub prefix: String,
}
