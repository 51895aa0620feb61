//! A log as lines of JSON: `numax log export`, and the way back.
//!
//! # Format, version 1
//! The first line is `{"numax_log": 1, "start": POSITION, "known_before": {ORIGIN: SEQ}, "complete": BOOL}`; it is
//! complete when it begins where the datastore did and nothing was left out. Each other line is one record:
//!
//! ```text
//! {"end": position behind it, "remote": bool, "dot": ORIGIN#SEQ, "hlc": "MS.COUNTER", "time": …, "deps": [DOT], "ops": [OP],
//!  "local": [{"key", "value" or null}], "page": hexadecimal bytes of a page of transferred state}
//! OP = {"kind", "key", …}, with:
//!   gcounter      "total"                                 pncounter   "up", "down"
//!   lww_register  "hlc", "value"; null for cleared        lww_map     "field", "hlc", "value"; null for removed
//!   orset         "add", "replaces": [DOT]                or "remove", "removes": [DOT]
//!   rga           "insert": id, "after": id or null, "value"   or "remove": id
//!   text          "update": hexadecimal bytes of a Yjs update
//! ```
//! What a record does not have is left out. Keys, fields, elements and values are in the form of
//! [`escape`](crate::escape). The binary form of a batch is a function of its content, so the lines lead back to the
//! very bytes. `time` is for people and is not read.

mod export;
mod read;
mod write;

pub use export::{Exported, Filter, export};
pub use read::Lines;
pub(crate) use write::op as op_json;

/// The version of the lines.
const VERSION: u64 = 1;
