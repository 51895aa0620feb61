//! Bodies behind the gate: every frame carries the tag of the batch before it, and so does the end.
//!
//! wasmtime-wasi-http makes exactly one frame of one `write`, so a queue of tags beside the body's own channel keeps
//! both in step. It also takes the drop of an unfinished body for its end, which would show a client a complete answer
//! from a guest that trapped half-way; here a body ends only if `finish` was called, and is cut otherwise.
//!
//! With an announced length the client takes the last byte for the end. So the frame that completes the length is held
//! back until the end itself may leave.

use super::gate::{Gate, Tag};
use bytes::Bytes;
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamError, StreamResult};
use wasmtime_wasi_http::p2::body::HyperOutgoingBody;

/// The tags of one body, filled by the guest's side and emptied by the sender's.
#[derive(Debug, Default)]
pub(crate) struct Tags(Mutex<Queue>);

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Tag>,
    finish: Option<Tag>,
}

impl Tags {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing in here can be half done: a queue that a panic left is as good as any.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `finish` was called after the batch with this tag.
    pub(crate) fn finish(&self, tag: Tag) {
        self.queue().finish = Some(tag);
    }
}

/// Stands in for the stream of an outgoing body and notes a tag for each frame.
pub(crate) struct TagStream {
    inner: Box<dyn OutputStream>,
    tags: Arc<Tags>,
    gate: Arc<Gate>,
}

impl TagStream {
    pub(crate) fn new(inner: Box<dyn OutputStream>, tags: Arc<Tags>, gate: Arc<Gate>) -> TagStream {
        TagStream { inner, tags, gate }
    }
}

#[async_trait::async_trait]
impl Pollable for TagStream {
    async fn ready(&mut self) {
        self.inner.ready().await;
    }
}

#[async_trait::async_trait]
impl OutputStream for TagStream {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        // Before the frame itself, because the other side may take it at once.
        self.tags.queue().frames.push_back(self.gate.tag());
        let result = self.inner.write(bytes);
        // LastOperationFailed is about what comes after this frame, which was queued: its tag stays.
        if matches!(result, Err(StreamError::Closed | StreamError::Trap(_))) {
            self.tags.queue().frames.pop_back();
        }
        result
    }

    fn flush(&mut self) -> StreamResult<()> {
        self.inner.flush()
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        self.inner.check_write()
    }

    async fn cancel(&mut self) {
        self.inner.cancel().await;
    }
}

type Wait = Pin<Box<dyn Future<Output = bool> + Send>>;
type Error = wasmtime_wasi_http::Error;

/// The body that the server sends.
pub(crate) struct GateBody {
    inner: HyperOutgoingBody,
    tags: Arc<Tags>,
    gate: Arc<Gate>,
    held: Option<Frame<Bytes>>,
    /// Bytes of the announced length that have not come out of the guest yet.
    left: Option<u64>,
    /// The frame that completes the announced length, until the end is there.
    last: Option<Frame<Bytes>>,
    wait: Option<Wait>,
    /// The guest's side has ended.
    ended: bool,
    /// The body ends here, and not well.
    cutting: bool,
    done: bool,
}

impl GateBody {
    /// Puts a body of which `length` bytes are announced, if any are, behind the gate; its tags come from the streams
    /// made with the same `tags`.
    pub(crate) fn wrap(
        inner: HyperOutgoingBody,
        length: Option<u64>,
        tags: Arc<Tags>,
        gate: Arc<Gate>,
    ) -> HyperOutgoingBody {
        let (held, last, wait) = (None, None, None);
        let (ended, cutting, done) = (false, false, false);
        GateBody { inner, tags, gate, held, left: length, last, wait, ended, cutting, done }.boxed_unsync()
    }

    /// Ends the body with an error. The server forgets what it has not sent when it sees one, so it is given the time
    /// to send the frames before: they are the client's.
    fn cut(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        if !self.cutting {
            self.cutting = true;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.done = true;
        Poll::Ready(Some(Err(Error::HttpProtocolError)))
    }

    /// Lets out what waited; `None` if that is kept back until the end.
    fn release(&mut self) -> Option<Option<Result<Frame<Bytes>, Error>>> {
        if !self.ended {
            return self.held.take().map(|frame| Some(Ok(frame)));
        }
        // Behind an announced length come no trailers.
        let frame = match self.last.take() {
            Some(last) => Some(last),
            None => self.held.take(),
        };
        self.done = true;
        Some(frame.map(Ok))
    }

    /// Keeps the frame that completes the announced length; gives back any other.
    fn keep_last(&mut self, frame: Frame<Bytes>) -> Option<Frame<Bytes>> {
        let (Some(left), Some(data)) = (&mut self.left, frame.data_ref()) else { return Some(frame) };
        let length = u64::try_from(data.len()).unwrap_or(u64::MAX);
        if length == 0 || length < *left {
            *left -= length;
            return Some(frame);
        }
        *left = 0;
        self.last = Some(frame);
        None
    }
}

impl Body for GateBody {
    type Data = Bytes;
    type Error = Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Error>>> {
        let me = self.get_mut();
        if me.done {
            return Poll::Ready(None);
        }
        if me.cutting {
            return me.cut(cx);
        }
        loop {
            if me.wait.is_none() {
                let frame = match ready!(Pin::new(&mut me.inner).poll_frame(cx)) {
                    Some(Err(e)) => {
                        me.done = true;
                        return Poll::Ready(Some(Err(e)));
                    }
                    Some(Ok(frame)) => Some(frame),
                    None => None,
                };
                // Trailers and the end leave with `finish`.
                me.ended = !frame.as_ref().is_some_and(Frame::is_data);
                let tag = {
                    let mut queue = me.tags.queue();
                    if me.ended { queue.finish } else { queue.frames.pop_front() }
                };
                // No tag: the instance went away in the middle of its body.
                let Some(tag) = tag else { return me.cut(cx) };
                me.held = frame.and_then(|frame| me.keep_last(frame));
                match me.gate.now(tag) {
                    Some(true) => {}
                    Some(false) => return me.cut(cx),
                    None => me.wait = Some(Box::pin(me.gate.clone().wait_owned(tag))),
                }
            }
            if let Some(wait) = &mut me.wait {
                let durable = ready!(wait.as_mut().poll(cx));
                me.wait = None;
                if !durable {
                    return me.cut(cx);
                }
            }
            if let Some(out) = me.release() {
                return Poll::Ready(out);
            }
        }
    }
}
