//! Transfer of state: how a node gets what another's log no longer reaches back to.
//!
//! The sender reads a still picture of its rows ([`FrozenRows`](crate::FrozenRows)) in the order of their names and
//! sends them in pages; each page is a *range* of names with everything that the sender has in it. The receiver merges
//! a page as a whole: rows that it gets it merges by their family's rule, and of its own rows in the range that it did
//! not get it removes what the sender knows and must therefore have removed. With the last page the receiver knows
//! what the sender knew ([`Page::as_of`]).
//!
//! # How a crash cannot do harm
//! A page goes into the receiver's log as a record of its own, and merging it is what replaying the record does: a
//! page is there as a whole or not, in its place between batches, and a transfer goes on where it was. The vector
//! moves with the record of the last page.
//!
//! # In the middle
//! Rows of merged ranges are ahead of the vector. Two rules keep that from doing harm:
//! - A batch written here depends on everything that the transfer will have brought, so no peer applies it before what
//!   its writer may have seen.
//! - Batches that the transfer brings are not applied one by one: an addition whose removal is merged already would
//!   come back, and the removal, covered in the end, would never come. When a transfer is given up, they are; then all
//!   of them come, in order, and applying a run of batches again changes nothing in the end. The first of them makes
//!   the transfer void.
//!
//! A transfer whose sender has lost its picture goes on from where it was with a newer one. What is claimed in the end
//! is what the *first* picture knew; what the newer one brought beyond comes again by the log.

mod page;
mod receive;
mod send;

pub use page::{MAX_PAGE, Page, PageError, Value};
pub use receive::{Incoming, TransferState, Transferred};
pub(crate) use receive::{Merging, Place, merge_page};
pub(crate) use send::Pictures;
pub use send::{PageRequest, SentPage};
