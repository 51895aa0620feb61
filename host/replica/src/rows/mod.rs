//! Rows: how a value's rows are named, and the layers between a reader and the engine.
//!
//! A read passes, in this order: rows that a group has staged but not appended ([`staging`]), committed rows that the
//! engine does not hold yet ([`overlay`]), rows kept in memory ([`cache`]), and the engine.

pub(crate) mod cache;
pub(crate) mod frozen;
pub(crate) mod map;
pub(crate) mod name;
pub(crate) mod origins;
pub(crate) mod overlay;
pub(crate) mod ranges;
pub(crate) mod runs;
pub(crate) mod scan;
pub(crate) mod shared;
pub(crate) mod staging;
pub(crate) mod view;
