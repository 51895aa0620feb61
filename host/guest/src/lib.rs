//! Guest projects: how a folder of Rust, Go, JavaScript or Python becomes one component.
//!
//! [`build`] finds the language of a project, runs that language's own tools, turns what they made into a component
//! and puts a policy file beside it. The WIT package, the preview-1 adapter and the binding generators are inside this
//! crate, so nothing is fetched but the language's own packages.
//!
//! Who does what:
//! - [`wit`]: the WIT package in the binary, as files and as parsed worlds;
//! - [`lang`]: one [`lang::Toolchain`] per language;
//! - [`cache`]: components by the content of everything that went into them;
//! - [`component`]: core module → component, and what a component imports and exports;
//! - [`bindings`]: the generators of the SDKs' committed bindings;
//! - [`policy`]: the policy file beside the output.

pub mod bindings;
mod build;
pub mod cache;
pub mod component;
mod context;
mod error;
mod exec;
pub mod lang;
pub mod policy;
mod project;
pub mod wit;

pub use build::{BuildOptions, BuildOutput, Progress, build};
pub use context::BuildCtx;
pub use error::BuildError;
pub use exec::{Tool, find_tool, tool_version};
pub use lang::{Language, detect};
pub use project::Project;
