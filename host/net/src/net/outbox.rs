//! What waits to be sent on a link: a queue per class, bounded in bytes.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError, mpsc};

use super::{CLASSES, events::FRAME_COST};
use crate::frame::MAX_FRAME;

/// Why a frame was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The link is gone, or ending.
    #[error("the link is gone")]
    NoLink,
    /// Too much waits for this peer in this class. Drop the frame (anti-entropy repairs it), or wait with `send_when_room`.
    #[error("the peer is slow: its queue is full")]
    Full,
    /// Nothing that can be sent.
    #[error("a frame has 1 to {MAX_FRAME} bytes and a class below {CLASSES}")]
    NotAFrame,
}

/// The side that puts frames in.
#[derive(Debug)]
pub(super) struct Outbox {
    classes: Vec<ClassQueue>,
    limit: u32,
}

#[derive(Debug, Clone)]
struct ClassQueue {
    frames: mpsc::UnboundedSender<Queued>,
    room: Arc<Semaphore>,
}

/// A frame that waits; its room is freed when it has been handed to the transport.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) frame: Bytes,
    _room: OwnedSemaphorePermit,
}

/// The side that a writer takes frames from.
pub(super) type Outgoing = mpsc::UnboundedReceiver<Queued>;

/// The queues of a link, and per class where they end.
pub(super) fn outbox(limit: u32) -> (Outbox, Vec<Outgoing>) {
    let pair = |_| {
        // Unbounded in number, because the room already bounds bytes and, by the cost of a frame, the number.
        let (frames, outgoing) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(
            usize::try_from(limit).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS),
        ));
        (ClassQueue { frames, room }, outgoing)
    };
    let (classes, outgoing) = (0..CLASSES).map(pair).unzip();
    (Outbox { classes, limit }, outgoing)
}

impl Outbox {
    /// Puts a frame in if there is room.
    pub(super) fn push(&self, class: u8, frame: Bytes) -> Result<(), SendError> {
        let (queue, cost) = self.place(class, &frame)?;
        let room = Arc::clone(&queue.room).try_acquire_many_owned(cost).map_err(|e| match e {
            TryAcquireError::Closed => SendError::NoLink,
            TryAcquireError::NoPermits => SendError::Full,
        })?;
        queue.frames.send(Queued { frame, _room: room }).map_err(|_| SendError::NoLink)
    }

    /// Puts a frame in as soon as there is room. The order among waiting callers is that of their calls.
    pub(super) async fn push_when_room(&self, class: u8, frame: Bytes) -> Result<(), SendError> {
        let (queue, cost) = self.place(class, &frame)?;
        let room = Arc::clone(&queue.room).acquire_many_owned(cost).await.map_err(|_| SendError::NoLink)?;
        queue.frames.send(Queued { frame, _room: room }).map_err(|_| SendError::NoLink)
    }

    /// Takes nothing more in, and tells who waits for room.
    pub(super) fn close(&self) {
        self.classes.iter().for_each(|queue| queue.room.close());
    }

    /// The bytes that wait, with what their frames cost.
    pub(super) fn queued(&self) -> usize {
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        self.classes.iter().map(|queue| limit.saturating_sub(queue.room.available_permits())).sum()
    }

    fn place(&self, class: u8, frame: &Bytes) -> Result<(&ClassQueue, u32), SendError> {
        let queue = self.classes.get(usize::from(class)).ok_or(SendError::NotAFrame)?;
        if frame.is_empty() || frame.len() > MAX_FRAME {
            return Err(SendError::NotAFrame);
        }
        // A queue smaller than a frame still lets one through at a time.
        let cost = u32::try_from(frame.len() + FRAME_COST).unwrap_or(u32::MAX).min(self.limit);
        Ok((queue, cost))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_class_gives_frames_back_and_leaves_the_others_alone() {
        let (outbox, mut outgoing) = outbox(10_000);
        let frame = Bytes::from_static(&[7; 4_000]);
        assert_eq!(outbox.push(1, frame.clone()), Ok(()));
        assert_eq!(outbox.push(1, frame.clone()), Ok(()));
        assert_eq!(outbox.push(1, frame.clone()), Err(SendError::Full));
        assert_eq!(outbox.push(0, frame.clone()), Ok(()));
        assert_eq!(outbox.push(3, frame.clone()), Err(SendError::NotAFrame));
        assert_eq!(outbox.push(0, Bytes::new()), Err(SendError::NotAFrame));
        assert_eq!(outbox.queued(), 3 * (4_000 + FRAME_COST));

        // A frame that is larger than the whole queue waits for all of it, and is not refused for ever.
        drop(outgoing[0].recv().await);
        assert_eq!(outbox.push(0, Bytes::from(vec![0; 50_000])), Ok(()));
        assert_eq!(outbox.push(0, frame.clone()), Err(SendError::Full));

        let (waited, _) =
            tokio::join!(outbox.push_when_room(1, frame.clone()), async { drop(outgoing[1].recv().await) });
        assert_eq!(waited, Ok(()));
        outbox.close();
        assert_eq!(outbox.push_when_room(1, frame).await, Err(SendError::NoLink));
    }
}
