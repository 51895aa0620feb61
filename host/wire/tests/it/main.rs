//! The crate's promises: frames keep their bytes, round trips lose nothing, no input makes the decoder panic.

mod golden;
mod properties;
