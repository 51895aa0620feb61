//! What this crate promises: files that are right mean what they say, files that are wrong are
//! told apart by exactly these words.

mod files;
mod init;
mod policy;
