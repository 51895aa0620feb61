//! Clients that stop in the middle: each holds an instance or its answer in memory, so none may do it for ever.
//!
//! Only silence is counted. A body that trickles and a reader that is slow are let be; so is an answer for which the guest
//! has nothing to send at the moment, such as a stream of events.

use http_body::{Body, Frame, SizeHint};
use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};
use wasmtime_wasi_http::Error as HttpError;

/// Runs while something is awaited, and not otherwise.
struct Clock {
    limit: Duration,
    running: Option<Pin<Box<Sleep>>>,
}

impl Clock {
    fn new(limit: Duration) -> Self {
        Clock { limit, running: None }
    }

    /// Passes on what is ready. Otherwise true once it has been awaited for too long.
    fn expired<T>(&mut self, cx: &mut Context<'_>, polled: &Poll<T>) -> bool {
        if polled.is_ready() {
            self.running = None;
            return false;
        }
        let limit = self.limit;
        self.running.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx).is_ready()
    }
}

/// A request's body that ends with an error when its client has sent nothing for that long while it was read.
pub(super) struct Patient<B> {
    body: B,
    clock: Clock,
}

impl<B> Patient<B> {
    pub(super) fn new(body: B, limit: Duration) -> Self {
        Patient { body, clock: Clock::new(limit) }
    }
}

impl<B: Body<Error = HttpError> + Unpin> Body for Patient<B> {
    type Data = B::Data;
    type Error = HttpError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::result::Result<Frame<B::Data>, HttpError>>> {
        let me = self.get_mut();
        let frame = Pin::new(&mut me.body).poll_frame(cx);
        if me.clock.expired(cx, &frame) {
            return Poll::Ready(Some(Err(HttpError::ConnectionReadTimeout)));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A connection that fails when its client has taken nothing for that long while there was something to send.
pub(super) struct Stalled<S> {
    stream: S,
    clock: Clock,
}

impl<S> Stalled<S> {
    pub(super) fn new(stream: S, limit: Duration) -> Self {
        Stalled { stream, clock: Clock::new(limit) }
    }

    fn judge<T>(&mut self, cx: &mut Context<'_>, polled: Poll<Result<T>>) -> Poll<Result<T>> {
        if self.clock.expired(cx, &polled) {
            return Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not read its answer")));
        }
        polled
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Stalled<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Stalled<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<Result<usize>> {
        let me = self.get_mut();
        let polled = Pin::new(&mut me.stream).poll_write(cx, buf);
        me.judge(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let me = self.get_mut();
        let polled = Pin::new(&mut me.stream).poll_write_vectored(cx, bufs);
        me.judge(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let me = self.get_mut();
        let polled = Pin::new(&mut me.stream).poll_flush(cx);
        me.judge(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        let me = self.get_mut();
        let polled = Pin::new(&mut me.stream).poll_shutdown(cx);
        me.judge(cx, polled)
    }
}
