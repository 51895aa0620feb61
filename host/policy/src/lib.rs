//! What a module may do: the policy file beside it, read strictly, deny by default.
//!
//! `inventory.policy.toml` stands beside `inventory.wasm`. What it does not list is denied, a key
//! it does not know is an error, and a module without a policy does not start. This crate turns
//! the text into typed capabilities ([`Policy`]), says which line would lift a denial
//! ([`denial::line`]), and writes the least policy for a component ([`init::least_policy`]).
//!
//! It decides and does no I/O beyond reading the one file. Enforcement is the runtime's.
//!
//! [`toml_report`] and [`toml_reader`] are the one way in which numax reads a TOML file and
//! complains about it; the node's `numax.toml` goes through them too.

mod capability;
pub mod denial;
mod events;
mod grants;
pub mod init;
mod parse;
mod pattern;
mod policy;
pub mod text;
pub mod toml_reader;
pub mod toml_report;

pub use capability::{Access, Capability, FsGrant, Outbound};
pub use events::{CronEvent, Events, EveryEvent, WatchEvent};
pub use pattern::{KeyPattern, KeyPatterns, PatternError, TopicPattern};
pub use policy::{Http, Policy, PolicyError, Quotas, Reuse, WasiVersion, path_for};
