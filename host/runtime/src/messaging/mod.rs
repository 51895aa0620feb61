//! `numax:runtime/messaging`: messages between the modules of a cluster. Linked and checked; sent by a later version.

use crate::bindings::host::common::Error;
use crate::bindings::host::messaging;
use crate::session::{Session, SessionError};
use numax_policy::Capability;
use wasmtime::Result;
use wasmtime::component::{HasData, Linker};

/// What the interface works on.
pub(crate) struct MessagingCtx<'a> {
    pub(crate) session: &'a mut Session,
}

/// How to find [`MessagingCtx`] in a store's data.
pub(crate) trait MessagingView: Send {
    fn messaging(&mut self) -> MessagingCtx<'_>;
}

struct HasMessaging;

impl HasData for HasMessaging {
    type Data<'a> = MessagingCtx<'a>;
}

/// Links the interface.
pub(crate) fn add_to_linker<T: MessagingView + 'static>(linker: &mut Linker<T>) -> Result<()> {
    messaging::add_to_linker::<T, HasMessaging>(linker, T::messaging)
}

impl messaging::Host for MessagingCtx<'_> {
    /// A commit point, also while nothing is sent: a guest's batches must not change when it is.
    async fn publish(&mut self, topic: String, _payload: Vec<u8>) -> Result<std::result::Result<(), Error>> {
        self.session.commit().await?;
        if !self.session.grant().policy().can_publish(&topic) {
            return Ok(Err(self.session.denied(Capability::Publish, topic.as_bytes()).into()));
        }
        Ok(Err(SessionError::not_in_this_version("messaging").into()))
    }
}
