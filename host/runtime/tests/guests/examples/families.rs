//! Does what it is told to values of every family: the Rust one of `tests/families`.

#[path = "../../families/rust/src/lib.rs"]
mod families;
