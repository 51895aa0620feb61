//! Logs: to stderr, for people or as one JSON object a line.

use std::io::IsTerminal;

use numax_node::config::{LogFormat, LogLevel};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Starts logging. Our own crates and the guests log at `level`; the libraries below them warn.
pub(crate) fn start(level: LogLevel, format: LogFormat) {
    let ours = match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    let theirs = if level == LogLevel::Error { LevelFilter::ERROR } else { LevelFilter::WARN };
    let filter = Targets::new().with_default(theirs).with_target("numax", ours).with_target("guest", ours);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // A second call, in tests, leaves the first in place.
    let _ = match format {
        LogFormat::Text => {
            let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
            registry.with(layer.with_ansi(colour).with_target(false)).try_init()
        }
        LogFormat::Json => registry.with(layer.json().flatten_event(true)).try_init(),
    };
}

/// Says something that scripts wait for, such as an address: a line of its own, and as a record
/// of the log when that is JSON.
pub(crate) fn announce(format: LogFormat, text: &str) {
    match format {
        LogFormat::Text => eprintln!("{text}"),
        LogFormat::Json => {
            let record = serde_json::json!({ "level": "INFO", "message": text, "target": "numax" });
            eprintln!("{record}");
        }
    }
}
