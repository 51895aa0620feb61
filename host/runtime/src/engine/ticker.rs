//! The epoch thread: every [`TICK`] it moves the engine's epoch on, which makes running guests yield and their CPU
//! quota be looked at.

use crate::error::StartError;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

/// Time between two epochs. It bounds how long a spinning guest holds its thread, and how far a CPU quota is
/// overshot; at 5 ms the thread's own cost cannot be measured.
const TICK: Duration = Duration::from_millis(5);

/// Ends its thread when dropped; the thread also ends by itself with the engine.
pub(super) struct Ticker {
    _stop: Sender<()>,
}

impl Ticker {
    pub(super) fn start(engine: &wasmtime::Engine) -> Result<Ticker, StartError> {
        let weak = engine.weak();
        let (stop, stopped) = channel();
        std::thread::Builder::new()
            .name("numax-epoch".into())
            .spawn(move || run(&weak, &stopped))
            .map_err(|e| StartError::Engine(format!("cannot start the epoch thread: {e}")))?;
        Ok(Ticker { _stop: stop })
    }
}

fn run(engine: &wasmtime::EngineWeak, stopped: &Receiver<()>) {
    while matches!(stopped.recv_timeout(TICK), Err(RecvTimeoutError::Timeout)) {
        match engine.upgrade() {
            Some(engine) => engine.increment_epoch(),
            None => return,
        }
    }
}
