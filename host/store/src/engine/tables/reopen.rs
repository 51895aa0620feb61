//! What happens when an engine found no space: something else is read, and it is opened again.

use std::{
    mem,
    path::Path,
    sync::{Arc, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use super::{
    Redo, Tables,
    open::{Open, Over, Source},
};
use crate::{
    engine::{
        files::{self, guard},
        raw::Raw,
    },
    kv::KvError,
};

/// How often an engine that gave up is opened again to be read.
const OPEN_EVERY: Duration = Duration::from_secs(1);
/// How long to wait for reads to end, and for a lock of what ends in the background, before files are opened again.
const ENDS: Duration = Duration::from_secs(5);

impl<R: Raw> Tables<R> {
    /// Puts something else in the place of what is open.
    pub(super) fn swap(&self, open: Option<Open<R>>) -> Option<Arc<Open<R>>> {
        let opens = u64::from(open.is_some());
        let mut place = self.open.write().unwrap_or_else(PoisonError::into_inner);
        let old = mem::replace(&mut *place, open.map(Arc::new));
        self.openings.fetch_add(opens, Ordering::AcqRel);
        old
    }

    /// The same, and what was open has to be closed before its files are opened again.
    pub(super) fn put_aside(&self, open: Option<Open<R>>, redo: &mut Redo<R>) {
        if let Some(old) = self.swap(open)
            && let Source::Engine(raw) = &old.source
        {
            redo.aside.push(raw.clone());
        }
    }

    /// Opens the engine again for readers, after one of them got this error in its `opened`-th opening. Whether it is
    /// open now.
    pub(super) fn open_to_read(&self, error: &KvError, opened: u64) -> bool {
        let files = self.reads_files();
        // redb says that it is read-only of everything behind the failure. Files may have been written over meanwhile.
        if !files && !matches!(error, KvError::NoSpace { .. } | KvError::ReadOnly { .. }) {
            return false;
        }
        let mut redo = self.redo.lock().unwrap_or_else(PoisonError::into_inner);
        if self.openings.load(Ordering::Acquire) != opened {
            return true;
        }
        redo.broken |= matches!(error, KvError::NoSpace { .. });
        if redo.opened.is_some_and(|at| at.elapsed() < OPEN_EVERY) {
            return false;
        }
        redo.opened = files.then(Instant::now);
        if self.look(&mut redo) {
            return true;
        }
        if !redo.broken || self.failed.get().is_some() {
            return false;
        }
        redo.opened = Some(Instant::now());
        self.give_up_ballast();
        let over = redo.over();
        self.open_again(&mut redo, R::open, |_| Ok(over)).is_ok()
    }

    /// Lets readers read the files as they stand, if that can be done without the engine, and puts the engine aside.
    /// Whether that was done.
    pub(super) fn look(&self, redo: &mut Redo<R>) -> bool {
        let Ok(Some(files)) = guard(&self.dir, || R::look(&self.dir).transpose()) else { return false };
        self.put_aside(Some(Open { source: Source::Files(files), over: redo.over() }), redo);
        redo.broken = true;
        true
    }

    /// The same, if it was not done yet.
    pub(super) fn look_now(&self, redo: &mut Redo<R>) {
        if !self.reads_files() {
            self.look(redo);
        }
    }

    fn reads_files(&self) -> bool {
        self.current().is_ok_and(|open| matches!(open.source, Source::Files(_)))
    }

    /// Closes engines that gave up, and frees their files.
    fn close_aside(&self, redo: &mut Redo<R>) -> Result<(), KvError> {
        let deadline = Instant::now() + ENDS;
        while let Some(raw) = redo.aside.pop() {
            match unshare(raw, deadline) {
                Ok(raw) => redo.held |= !guard(&self.dir, || Ok(raw.close())).unwrap_or(false),
                Err(shared) if R::CAN_FREE => {
                    // Somebody may read it for ever.
                    mem::forget(shared);
                    redo.held = true;
                }
                Err(shared) => {
                    redo.aside.push(shared);
                    return Err(self.no_space());
                }
            }
        }
        if redo.held {
            let old = guard(&self.dir, || R::free_files(&self.dir))?;
            redo.held = false;
            if self.look(redo) {
                // It is held until the process ends, and so is its room.
                let _ = old.set_len(0);
            }
        }
        Ok(())
    }

    /// Opens files that were closed just now: whoever still writes to them holds their lock until that is done.
    fn open_freed(&self, open: impl Fn(&Path) -> Result<R, KvError>) -> Result<R, KvError> {
        let deadline = Instant::now() + ENDS;
        loop {
            match guard(&self.dir, || open(&self.dir)) {
                Err(KvError::Locked { .. }) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(5));
                }
                result => return result,
            }
        }
    }

    /// Opens the engine again; `prepare` answers what is to lie over it. Where readers can have the files meanwhile,
    /// they do, and in the other case they wait.
    fn open_again(
        &self,
        redo: &mut Redo<R>,
        open_raw: impl Fn(&Path) -> Result<R, KvError>,
        prepare: impl FnOnce(&R) -> Result<Over, KvError>,
    ) -> Result<(), KvError> {
        let looked = self.reads_files() || self.look(redo);
        if !looked {
            // Its files belong to one handle at a time.
            self.put_aside(None, redo);
        }
        self.close_aside(redo)?;
        let prepared = self.open_freed(open_raw).and_then(|raw| {
            let prepared = guard(&self.dir, || prepare(&raw));
            let raw = Arc::new(raw);
            if prepared.is_err() {
                redo.aside.push(raw.clone());
            }
            Ok(Open { source: Source::Engine(raw), over: prepared? })
        });
        match prepared {
            Ok(open) => {
                self.swap(Some(open));
                Ok(())
            }
            Err(error) => {
                if looked {
                    self.look(redo);
                }
                Err(error)
            }
        }
    }

    /// Opens the engine again after it found no space, and gives it what it may have lost.
    pub(super) fn heal(&self, redo: &mut Redo<R>) -> Result<(), KvError> {
        self.check_room(redo.bytes)?;
        let batches = redo.batches.clone();
        let healed = self.open_again(redo, R::open, |raw| {
            let applied = batches.into_iter().try_for_each(|batch| raw.apply(batch));
            applied.inspect_err(|_| drop(files::set_torn(&self.dir)))?;
            raw.sync()?;
            Ok(Over::new())
        });
        if healed.is_err() && self.current().is_err() {
            // Not yet, then; readers go on.
            let over = redo.over();
            let _ = self.open_again(redo, R::open, |_| Ok(over));
        }
        healed?;
        files::clear_torn(&self.dir)?;
        *redo = Redo::default();
        Ok(())
    }
}

/// What nobody else uses any more; the same as before if that does not come by the deadline.
fn unshare<R>(mut shared: Arc<R>, deadline: Instant) -> Result<R, Arc<R>> {
    loop {
        match Arc::try_unwrap(shared) {
            Ok(own) => return Ok(own),
            Err(still) if Instant::now() > deadline => return Err(still),
            Err(still) => shared = still,
        }
        thread::sleep(Duration::from_millis(1));
    }
}
