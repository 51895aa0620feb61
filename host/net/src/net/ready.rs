//! The exchange that begins a link.
//!
//! A stream of its own class with one frame: version, then the instance, a number that a process draws at its start. More
//! bytes may follow in later versions and are ignored.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    close::{CloseCode, Closed},
    frame::{FrameDecoder, FrameEncoder},
    transport::Connection,
};

/// The class of the stream that begins a link.
const LINK_CLASS: u8 = 255;
const VERSION: u8 = 1;

/// Says READY.
pub(super) async fn say(connection: &Arc<dyn Connection>, instance: u64) -> Result<(), Closed> {
    let mut stream = connection.open(LINK_CLASS).await?;
    let mut encoder = FrameEncoder::default();
    encoder.push([&[VERSION], &instance.to_be_bytes()[..]].concat().into());
    match stream.write(&mut encoder.take()).await {
        Ok(()) => Ok(()),
        Err(_) => Err(connection.closed().await),
    }
}

/// Hears READY: the peer's instance. Nothing else may come first.
pub(super) async fn hear(connection: &Arc<dyn Connection>) -> Result<u64, Closed> {
    let malformed = |what: String| {
        let closed = Closed::here(CloseCode::MALFORMED, what);
        connection.close(closed.clone());
        closed
    };
    let (class, mut stream) = connection.accept().await?;
    if class != LINK_CLASS {
        return Err(malformed(format!("it began with a stream of class {class}")));
    }
    let mut decoder = FrameDecoder::default();
    loop {
        match decoder.next_frame() {
            Ok(Some(frame)) => {
                return instance(&frame).ok_or_else(|| malformed("its READY is not understood".into()));
            }
            Ok(None) => {}
            Err(e) => return Err(malformed(e.to_string())),
        }
        match stream.read().await {
            Ok(Some(piece)) => decoder.push(piece),
            Ok(None) => return Err(malformed("its first stream ended early".into())),
            Err(_) => return Err(connection.closed().await),
        }
    }
}

fn instance(frame: &Bytes) -> Option<u64> {
    let (version, rest) = frame.split_first()?;
    let (instance, _) = rest.split_first_chunk::<8>()?;
    (*version == VERSION).then(|| u64::from_be_bytes(*instance))
}
