//! Texts that are being edited: who may edit which, and documents kept in memory.
//!
//! One batch at a time edits a text: from its first edit in a turn until the turn's batch is committed or given up.
//! Others wait in order of arrival. So what a turn saw of a text is still so when it commits, and a client id never
//! writes one clock twice.
//!
//! Without the Cargo feature `text` there is nothing to edit; texts of peers are stored and forwarded all the same.

#[cfg(feature = "text")]
mod holds;
#[cfg(feature = "text")]
mod table;
#[cfg(not(feature = "text"))]
mod without;

#[cfg(feature = "text")]
pub(crate) use holds::Holds;
#[cfg(feature = "text")]
pub(crate) use table::{Acquired, Hold, Open, Texts};
#[cfg(feature = "text")]
pub use table::{Busy, Permit};
#[cfg(not(feature = "text"))]
pub(crate) use without::Holds;
#[cfg(not(feature = "text"))]
pub use without::{Busy, Permit};
