//! How QUIC is run, with the reasons for the numbers.

use std::{sync::Arc, time::Duration};

use quinn::{IdleTimeout, ServerConfig, TransportConfig, VarInt};

/// What can be chosen about QUIC.
#[derive(Debug, Clone)]
pub struct QuicSettings {
    /// A packet is sent after this long without one, so that a living peer is never taken for dead. 5 s.
    pub keep_alive: Duration,
    /// A peer that is silent for this long is gone: three keep-alives, so that a lost one or two do not matter. 15 s.
    pub idle: Duration,
    /// How many incoming handshakes may be unfinished at a time; half of them for one address. 64.
    pub half_open: usize,
}

impl Default for QuicSettings {
    fn default() -> Self {
        Self { keep_alive: Duration::from_secs(5), idle: Duration::from_secs(15), half_open: 64 }
    }
}

/// What one stream may have under way: 2 MiB is a gigabit at 16 ms, and fills a frame of the usual size in one round trip.
const STREAM_WINDOW: u32 = 2 * 1024 * 1024;
/// What one peer can make us hold in undelivered stream data: every class at its window and some room.
const CONNECTION_WINDOW: u32 = 4 * STREAM_WINDOW;
/// One stream of each class and the one that begins the link; more are a protocol error anyway.
const STREAMS: u32 = 16;

/// What may be held of the first packets of those who wait to be looked at: a few packets each. They wait for
/// microseconds, so these are bounds against floods and nothing else.
const STRANGER_BYTES: u64 = 16 * 1024;
const STRANGERS: usize = 1024;

impl QuicSettings {
    pub(super) fn limit_strangers(&self, config: &mut ServerConfig) {
        config.max_incoming(STRANGERS.max(self.half_open));
        config.incoming_buffer_size(STRANGER_BYTES);
        config.incoming_buffer_size_total(STRANGER_BYTES * 64);
    }

    pub(super) fn transport(&self) -> Arc<TransportConfig> {
        let mut config = TransportConfig::default();
        // Beyond what a QUIC integer of milliseconds can say, never timing out is what was asked for.
        config.max_idle_timeout(IdleTimeout::try_from(self.idle).ok());
        config.keep_alive_interval(Some(self.keep_alive));
        config.max_concurrent_uni_streams(VarInt::from_u32(STREAMS));
        config.max_concurrent_bidi_streams(VarInt::from_u32(0));
        config.stream_receive_window(VarInt::from_u32(STREAM_WINDOW));
        config.receive_window(VarInt::from_u32(CONNECTION_WINDOW));
        config.send_window(u64::from(CONNECTION_WINDOW));
        config.datagram_receive_buffer_size(None);
        Arc::new(config)
    }
}
