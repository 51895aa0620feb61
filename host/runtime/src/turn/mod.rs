//! Turns: what a guest writes becomes one batch at the next commit point, and output waits for the batch before it.
//!
//! The commit points are a closed list of functions ([`points`]), wrapped one by one over wasmtime's own WASI: each
//! commits and then does what it always did. [`table`] says of every function that is linked whether it is one.

#[cfg(feature = "components")]
mod body;
mod gate;
#[cfg(feature = "components")]
mod outputs;
#[cfg(feature = "components")]
mod points;
#[cfg(feature = "components")]
mod points_fs;
#[cfg(feature = "components")]
mod points_sockets;
#[cfg(feature = "components")]
pub mod table;
#[cfg(feature = "components")]
mod wrap;

pub use gate::{Gate, Tag};

#[cfg(feature = "components")]
pub(crate) use body::Tags;
#[cfg(feature = "components")]
pub(crate) use wrap::{WASI, must_exist};

/// Wraps everything that has to do with turns, and says which functions became commit points. The linker must have WASI
/// and wasi:http already.
#[cfg(feature = "components")]
pub(crate) fn add_to_linker(
    linker: &mut wasmtime::component::Linker<crate::instance::Data>,
) -> wasmtime::Result<Vec<(&'static str, &'static str)>> {
    linker.allow_shadowing(true);
    let mut wraps = wrap::Wraps { linker, points: Vec::new() };
    points::add_to_linker(&mut wraps)?;
    points_fs::add_to_linker(&mut wraps)?;
    points_sockets::add_to_linker(&mut wraps)?;
    outputs::add_to_linker(&mut wraps)?;
    let wrap::Wraps { linker, points } = wraps;
    linker.allow_shadowing(false);
    Ok(points)
}
