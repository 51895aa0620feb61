//! SIGINT and SIGTERM: the first ends the run in order, the second ends it at once.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use numax_node::config::LogFormat;

use crate::exit::{FAILED, Failure};
use crate::logging::announce;

/// Hears of signals.
#[derive(Debug, Clone)]
pub(crate) struct Signals {
    asked: watch::Receiver<bool>,
}

impl Signals {
    /// Takes the signals over. From here on they do not kill the process by themselves.
    pub(crate) fn take(format: LogFormat) -> Result<Self, Failure> {
        let cannot = |error| Failure::failed(format!("cannot listen for signals: {error}"));
        let mut interrupt = signal(SignalKind::interrupt()).map_err(cannot)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(cannot)?;
        let (ask, asked) = watch::channel(false);
        tokio::spawn(async move {
            any(&mut interrupt, &mut terminate).await;
            announce(format, "shutting down; once more to end at once");
            let _ = ask.send(true);
            any(&mut interrupt, &mut terminate).await;
            announce(format, "ended at once; nothing acknowledged is lost, open requests are");
            std::process::exit(i32::from(FAILED));
        });
        Ok(Self { asked })
    }

    /// Waits for the first signal; returns at once after it.
    pub(crate) async fn stopped(&self) {
        // The sender lives as long as the process.
        let _ = self.asked.clone().wait_for(|asked| *asked).await;
    }
}

async fn any(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
