//! What the crate promises: every engine and every disk behaves alike, and what was synced survives a crash.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails may panic, also in its helpers")]

mod damage;
mod disk;
mod engines;
mod files;
mod full_disk;
mod mem_crash;
mod race;
mod small_disk;
