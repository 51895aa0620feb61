//! What an operator looks at stopped datastores with: `numax inspect`, `keys`, `get`, `diff`, `log export` and `replay`, as
//! a library. The command line only prints what comes out of here.
//!
//! It is a crate of its own, behind the replica: it needs nothing of the replica but reading a datastore at rest
//! ([`numax_replica::at_rest`]), and nothing but the command line needs it; so the core of the product carries no
//! formats for people, and tests of the tools link no WebAssembly.
//!
//! - [`escape`], [`names`]: how bytes, origins and batches are written and read;
//! - [`store`]: a datastore, opened without changing it; [`scratch`]: where its rows are copied to for that;
//! - [`value`], [`keys`], [`inspect`]: what is in it;
//! - [`diff`]: the first difference of two, and which batch explains it;
//! - [`log`]: a log as lines of JSON, there and back;
//! - [`replay`]: a datastore from a log.
//!
//! Nothing here changes a datastore that is there; [`replay`] makes a new one.

#![forbid(unsafe_code)]

pub mod diff;
pub mod escape;
pub mod inspect;
pub mod keys;
pub mod log;
pub mod names;
pub mod replay;
pub mod scratch;
pub mod store;
pub mod value;

mod error;
mod facts;
mod history;
mod memory;

pub use error::ToolError;
