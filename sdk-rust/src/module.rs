//! About this module.

use crate::bindings::imports::numax::runtime::module_info as raw;

/// The module's name: the same in every instance, on every node that runs it under this name.
pub fn id() -> String {
    raw::id()
}

/// The grants of its policy, one a line, as the policy writes them.
pub fn grants() -> Vec<String> {
    raw::grants()
}
