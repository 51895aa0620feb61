//! The kinds of replicated values and of operations on them.

pub use crate::family::Kind;

/// What an operation did to a value, as a watcher is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OpKind {
    /// A counter went up.
    Increment,
    /// A counter went down.
    Decrement,
    /// A register or a map's field was written.
    Set,
    /// A field or an element was removed.
    Remove,
    /// An element was added to a set.
    Add,
    /// An element was inserted into a list.
    Insert,
    /// A text was edited.
    Edit,
    /// A value was emptied.
    Clear,
}
