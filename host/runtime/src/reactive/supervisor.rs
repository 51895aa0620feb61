//! Keeps a reactive module running.

use super::backoff::Backoff;
use super::changes::{Watches, feed};
use super::instance::Instance;
use super::mailbox::{Letter, Mail, Mailbox};
use super::schedule::Schedule;
use crate::error::RunError;
use crate::module::Module;
use crate::runtime::Runtime;
use numax_crdt::Kind;
use numax_replica::Replica;
use std::sync::Arc;
use std::time::Instant;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Changes that one call of a handler is told of.
const CHANGES_PER_CALL: usize = 256;

/// Instances that may fail on the same changes. Then these are dropped: a handler that cannot take one must not be kept
/// from all others for ever.
const MAX_ATTEMPTS: u32 = 3;

/// A reactive module with everything that outlives its instances.
pub(super) struct Supervisor {
    runtime: Runtime,
    module: Module,
    watches: Arc<Watches>,
    mailbox: Arc<Mailbox>,
    /// There if the module can be told of changes.
    feed: Option<Feed>,
    current: Option<(Instance, Schedule)>,
    attempts: u32,
}

struct Feed {
    replica: Replica,
    task: JoinHandle<()>,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Supervisor {
    /// Makes the first instance and runs its `init`.
    pub(super) async fn start(runtime: Runtime, module: Module) -> Result<Supervisor, RunError> {
        let watches = Arc::new(Watches::new(module.grant().clone()));
        let mailbox = Arc::<Mailbox>::default();
        let feed = if module.kind().change {
            let replica = runtime.backend().replica().await.map_err(RunError::Unavailable)?;
            // Before `init`, so that nothing falls between what it reads and what it is told.
            let task = tokio::spawn(feed(replica.applied(), watches.clone(), mailbox.clone()));
            Some(Feed { replica, task })
        } else {
            None
        };
        let mut me = Supervisor { runtime, module, watches, mailbox, feed, current: None, attempts: 0 };
        me.make().await?;
        Ok(me)
    }

    async fn make(&mut self) -> Result<(), RunError> {
        let mut instance = Instance::new(&self.runtime, &self.module).await?;
        self.watches.registering(instance.writer());
        let wanted = instance.init().await?;
        self.watches.registered(&wanted);
        let every = if instance.takes_ticks() { wanted.every.as_slice() } else { &[] };
        let schedule = Schedule::new(every, Instant::now());
        self.current = Some((instance, schedule));
        Ok(())
    }

    /// Runs until told to stop.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::new(Instant::now());
        loop {
            let failed = match self.current.take() {
                Some((mut instance, mut schedule)) => {
                    match self.serve(&mut instance, &mut schedule, &stop).await {
                        Ok(()) => return end(self.module.name(), instance).await,
                        Err(e) => e,
                    }
                }
                None => match self.make().await {
                    Ok(()) => {
                        backoff.started(Instant::now());
                        continue;
                    }
                    Err(e) => e,
                },
            };
            let pause = backoff.failed(Instant::now());
            tracing::warn!(module = self.module.name(), error = %failed, ?pause, "the module failed; it starts again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Calls the instance's handlers, one after the other, until it is told to stop (`Ok`) or a call fails.
    async fn serve(
        &mut self,
        instance: &mut Instance,
        schedule: &mut Schedule,
        stop: &CancellationToken,
    ) -> Result<(), RunError> {
        loop {
            let due = schedule.next();
            let tick = async {
                match due {
                    Some((tick, at)) => {
                        tokio::time::sleep_until(at.into()).await;
                        tick
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return Ok(()),
                tick = tick => {
                    let result = instance.on_tick(schedule.name(tick)).await;
                    schedule.done(tick, Instant::now());
                    result?;
                }
                mail = self.mailbox.take(CHANGES_PER_CALL), if self.feed.is_some() => {
                    match mail {
                        Mail::Letters(letters) => self.deliver(instance, letters).await?,
                        Mail::Missed => self.catch_up(instance, stop).await?,
                    }
                }
            }
        }
    }

    async fn deliver(&mut self, instance: &mut Instance, mut letters: Vec<Letter>) -> Result<(), RunError> {
        // Some came before it was known what the module watches.
        letters.retain(|letter| self.watches.wants(&letter.change));
        if letters.is_empty() {
            return Ok(());
        }
        let result = instance.on_change(&letters).await;
        match &result {
            Ok(()) => self.attempts = 0,
            Err(_) if self.attempts + 1 < MAX_ATTEMPTS => {
                self.attempts += 1;
                self.mailbox.put_back(letters);
            }
            Err(_) => {
                self.attempts = 0;
                let (module, changes) = (self.module.name(), letters.len());
                tracing::error!(
                    module,
                    changes,
                    "changes are dropped: the handler failed on them {MAX_ATTEMPTS} times"
                );
            }
        }
        result
    }

    /// Changes were lost: tells of every value that the module watches.
    async fn catch_up(&mut self, instance: &mut Instance, stop: &CancellationToken) -> Result<(), RunError> {
        tracing::warn!(
            module = self.module.name(),
            "it was too slow for the changes and is told of every value"
        );
        let Some(replica) = self.feed.as_ref().map(|f| f.replica.clone()) else { return Ok(()) };
        for watch in self.watches.list() {
            for kind in Kind::ALL.into_iter().filter(|k| watch.kind.is_none_or(|w| w == *k)) {
                let mut after = None;
                loop {
                    let mark = replica.reader().mark();
                    let (watches, from, watch) = (self.watches.clone(), replica.clone(), watch.clone());
                    let page = move || watches.page(&from, &watch, kind, after.as_deref());
                    let page = tokio::task::spawn_blocking(page).await;
                    let page = page.map_err(|e| e.to_string()).and_then(|p| p.map_err(|e| e.to_string()));
                    let page = page.map_err(|e| {
                        self.mailbox.miss();
                        RunError::Unavailable(e)
                    })?;
                    if stop.is_cancelled() {
                        return Ok(());
                    }
                    if !page.items.is_empty() {
                        instance.saw(&replica, mark);
                        instance.on_change(&page.items).await.inspect_err(|_| self.mailbox.miss())?;
                    }
                    match page.next {
                        None => break,
                        next => after = next,
                    }
                }
            }
        }
        Ok(())
    }
}

async fn end(module: &str, instance: Instance) {
    if let Err(e) = instance.shutdown().await {
        tracing::warn!(module, error = %e, "the module's shutdown failed");
    }
}
