//! Bodies on their way through the server.

use super::patience::Patient;
use crate::turn::Gate;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::task::AbortHandle;
use wasmtime_wasi_http::{Error, WasiBody};

/// A request's body, cut off with an error after that many bytes, or after that time without any.
pub(super) fn limited(body: Incoming, max: usize, stall: Duration) -> WasiBody {
    let too_long = u64::try_from(max).ok();
    let limited = Limited::new(body, max).map_err(move |e| match e.downcast::<LengthLimitError>() {
        Ok(_) => Error::HttpRequestBodySize(too_long),
        Err(e) => match e.downcast::<hyper::Error>() {
            Ok(e) => Error::Hyper(*e),
            Err(e) => Error::InternalError(Some(e.to_string())),
        },
    });
    Patient::new(limited, stall).boxed_unsync()
}

/// The body of a response whose guest is still running. When it is dropped before its end, the client has left, and the
/// guest's run is stopped: its open turn is rolled back. So it is when the log has failed under what the guest wrote.
pub(super) struct Watched {
    inner: WasiBody,
    guest: AbortHandle,
    gate: Arc<Gate>,
    /// Bytes of the announced length that are still to come.
    left: Option<u64>,
    ended: bool,
}

impl Watched {
    /// Watches a body of which `length` bytes were announced, if any were.
    pub(super) fn wrap(
        inner: WasiBody,
        guest: AbortHandle,
        gate: Arc<Gate>,
        length: Option<u64>,
    ) -> WasiBody {
        Watched { inner, guest, gate, left: length, ended: length == Some(0) }.boxed_unsync()
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let me = self.get_mut();
        let frame = ready!(Pin::new(&mut me.inner).poll_frame(cx));
        match &frame {
            // The server stops asking after the announced length, and then drops the body.
            Some(Ok(frame)) => {
                if let (Some(left), Some(data)) = (&mut me.left, frame.data_ref()) {
                    *left = left.saturating_sub(u64::try_from(data.len()).unwrap_or(u64::MAX));
                    me.ended |= *left == 0;
                }
            }
            // A body may be cut because the guest is at its end anyway, and then it may end.
            Some(Err(_)) => me.ended = !me.gate.failed(),
            None => me.ended = true,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended {
            self.guest.abort();
        }
    }
}
