//! `numax`, the program.
fn main() {}
