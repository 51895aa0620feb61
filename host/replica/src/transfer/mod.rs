//! Transfer of state: how a node gets what another's log no longer reaches back to.
//!
//! The sender reads a still picture of its rows ([`FrozenRows`](crate::FrozenRows)) in the order of their names and
//! sends them in pages; each page is a *range* of names with everything that the sender has in it. The receiver stages
//! pages until all of them are here, and only then merges them: rows that it got by their family's rule, and of its own rows
//! in a range that it did not get it removes what the sender knows and must therefore have removed. With the last page the
//! receiver knows what the sender knew ([`Page::as_of`]).
//!
//! # How a crash cannot do harm
//! A page goes into the receiver's log as a record of its own, and into rows apart from the others. Merging one is a
//! record too, and replaying it does the same in the same place between batches. The vector moves with the last.
//!
//! # Nothing by halves
//! As long as pages are missing the transfer changes nothing that anybody could see, so it may be given up at any time,
//! also when what it would have brought has meanwhile been lost everywhere. Once all pages are here nobody else is needed
//! to end it. All pages are of one picture; when that is gone the transfer begins anew.
//!
//! # In the middle of merging
//! Rows of merged ranges are ahead of the vector. Two rules keep that from doing harm:
//! - A batch written here depends on everything that the transfer will have brought, so no peer applies it before what
//!   its writer may have seen.
//! - Batches that the transfer brings are not applied one by one: an addition whose removal is merged already would
//!   come back, and the removal, covered in the end, would never come.

mod merge;
mod page;
mod piece;
mod place;
mod send;
mod staged;

pub(crate) use merge::{Merging, merge_page};
pub use page::{MAX_PAGE, Page, PageError, Value};
pub(crate) use piece::Piece;
pub(crate) use place::Place;
pub use place::{TransferState, Transferred};
pub(crate) use send::Pictures;
pub use send::{PageRequest, SentPage};
pub(crate) use staged::StagedPart;
