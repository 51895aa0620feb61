//! What a signal leaves of a tool: nothing.

use std::thread;

use numax_tools::scratch;
use tokio::signal::unix::{SignalKind, signal};

/// What shells add to a signal's number for the exit status of what it ended.
const ENDED_BY: i32 = 128;

/// From here on SIGINT, SIGTERM and SIGHUP remove the copies of rows before they end the process. Where that cannot be had
/// they end it alone, and the next tool removes what is left.
pub(super) fn clean_up_on_signals() {
    let wait = || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else { return };
        let ended = runtime.block_on(async {
            let kinds = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
            let [Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)] = kinds.map(signal) else {
                return None;
            };
            Some(tokio::select! {
                _ = interrupt.recv() => SignalKind::interrupt(),
                _ = terminate.recv() => SignalKind::terminate(),
                _ = hangup.recv() => SignalKind::hangup(),
            })
        });
        if let Some(kind) = ended {
            scratch::remove_all();
            std::process::exit(ENDED_BY + kind.as_raw_value());
        }
    };
    // It ends with the process.
    drop(thread::Builder::new().name("numax-signals".to_string()).spawn(wait));
}
