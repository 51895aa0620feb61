//! A datastore at rest: nobody has it open, and somebody wants to look at it.
//!
//! [`AtRest`] reads a datastore with any engine **without changing a file of it**. Engines write when they are opened,
//! and so does opening a datastore: the engine's files are copied into a scratch directory, and the log is read where
//! it is, through a disk whose changes stay in memory. So one sees what the next start of the node would see: rows and,
//! over them, the log behind them.
//!
//! [`LogAtRest`] reads a log alone. [`build`] makes a datastore from what a log holds.

mod build;
mod lock;
mod log;
mod open;

pub use build::{Built, build};
pub use log::{LogAtRest, LogRecord};
pub use open::{AtRest, RestError};
