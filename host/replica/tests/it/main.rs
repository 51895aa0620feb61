//! What the replica promises, on simulated hardware where it can be, on real files where it must.

mod basics;
mod child;
mod common;
mod crash;
mod draft;
mod epochs;
mod faults;
mod ingest;
mod logs;
mod misses;
mod threads;
