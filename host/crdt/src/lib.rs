//! Replicated data types as pure functions: names, clocks, batches of operations and how each family merges.
//!
//! Nothing here performs I/O, reads a clock or draws a random number; time comes in as an argument and rows come in
//! through [`Rows`]. That is what lets one implementation serve the node, the simulator and the tools alike.
//!
//! The map of the crate:
//! - [`id`], [`element`], [`vector`], [`hlc`]: who wrote what, how much of it is known, and when;
//! - [`key`], [`kind`], [`limits`]: how data is named and how large it may be;
//! - [`op`], [`batch`]: what one turn wrote and its frozen binary form;
//! - [`text`]: documents of the family text;
//! - [`rows`], [`family`]: what a family sees of storage, and the families themselves.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod batch;
pub mod codec;
pub mod element;
pub mod family;
pub mod hlc;
pub mod id;
pub mod key;
pub mod kind;
pub mod limits;
pub mod op;
pub mod rows;
pub mod text;
pub mod vector;

pub use batch::{Batch, BatchHeader};
pub use codec::CodecError;
pub use element::{ElementId, ParseElementIdError};
pub use family::{Known, OpApplier, Removal, RowContent, RowFacts, RowName, applier};
pub use hlc::{Hlc, HlcClock, SkewReport};
pub use id::{Dot, NodeId, Origin, ParseNodeIdError};
pub use key::Key;
pub use kind::{Kind, OpKind};
pub use limits::LimitError;
pub use op::{Body, Op};
pub use rows::{ApplyError, RowError, Rows};
pub use vector::VersionVector;
