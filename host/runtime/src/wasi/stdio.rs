//! Standard output and error of a guest, line by line into the log.

use crate::session::ModuleGrant;
use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// A longer line is logged in pieces of this many bytes, so that a guest that never ends one holds no memory.
const MAX_LINE: usize = 8 << 10;

/// What a guest may write at once.
const PERMIT: usize = 64 << 10;

/// One standard stream of an instance.
#[derive(Clone)]
pub(crate) struct LineLog(Arc<Inner>);

struct Inner {
    grant: Arc<ModuleGrant>,
    stream: &'static str,
    partial: Mutex<Vec<u8>>,
}

impl LineLog {
    pub(crate) fn new(grant: Arc<ModuleGrant>, stream: &'static str) -> LineLog {
        LineLog(Arc::new(Inner { grant, stream, partial: Mutex::default() }))
    }

    fn take(&self, bytes: &[u8]) {
        let mut partial = self.0.partial.lock().unwrap_or_else(PoisonError::into_inner);
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || partial.len() >= MAX_LINE {
                self.0.say(&partial);
                partial.clear();
            }
        }
    }
}

impl Inner {
    fn say(&self, line: &[u8]) {
        if self.grant.may_log() {
            let text = String::from_utf8_lossy(line);
            tracing::info!(target: "numax::guest", module = %self.grant.name(), stream = self.stream, "{}", text.trim_end());
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let rest = std::mem::take(self.partial.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !rest.is_empty() {
            self.say(&rest);
        }
    }
}

impl IsTerminal for LineLog {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LineLog {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for LineLog {
    async fn ready(&mut self) {}
}

impl OutputStream for LineLog {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(PERMIT)
    }
}

impl AsyncWrite for LineLog {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
