//! Every function that is linked: whether it is a commit point, and what it needs.
//!
//! This is the closed list in code. A test walks `wit/` and the linker and fails for a function that is missing here,
//! that is here and not linked, or that is called a point and is not wrapped. Destructors of resources are left out:
//! none is a point, none needs a grant.

mod network;
mod numax;
mod wasi;

/// An interface that components may import.
#[derive(Clone, Copy, Debug)]
pub struct Interface {
    /// Package and name, without the version.
    pub name: &'static str,
    /// The version offered. Others that are compatible with it by semver link too.
    pub version: &'static str,
    /// Its functions.
    pub functions: &'static [Function],
}

/// A function of an interface.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// Its name as the component model has it, e.g. `[method]output-stream.write`.
    pub name: &'static str,
    /// What it does to the turn.
    pub turn: Turn,
    /// What a module needs for it.
    pub needs: Needs,
}

/// What a function does to the turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It commits the turn's batch and then runs.
    Point,
    /// It leaves the turn open.
    Harmless,
}

/// What a module needs for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// A grant of its policy, by the policy's key.
    Grant(&'static str),
    /// No grant, for this reason.
    Nothing(&'static str),
    /// No grant, because there is nothing behind it but this.
    Empty(&'static str),
    /// A handle of this kind, which only a granted call gives out.
    Handle(&'static str),
}

/// Streams and errors work on handles that the guest has already.
const IO: Needs = Needs::Nothing("works on what the guest has");

/// Requests and responses are values until they are sent.
const HTTP: Needs = Needs::Nothing("builds or reads a message");

const fn f(name: &'static str, turn: Turn, needs: Needs) -> Function {
    Function { name, turn, needs }
}

/// Every interface that is linked and has functions.
pub fn interfaces() -> impl Iterator<Item = &'static Interface> {
    wasi::WASI.iter().chain(network::NETWORK).chain(numax::NUMAX)
}

/// Interfaces without functions: plain types, for which there is nothing to link, and resources, which are linked.
pub const TYPES_ONLY: &[(&str, &str)] = &[
    ("numax:runtime/common", "0.2.0"),
    ("wasi:cli/terminal-input", "0.2.12"),
    ("wasi:cli/terminal-output", "0.2.12"),
    ("wasi:sockets/network", "0.2.12"),
];
