//! How one function of wasmtime's WASI is wrapped.

use crate::instance::Data;
use wasmtime::component::Linker;
use wasmtime::{Result, bail};

/// The version under which wasmtime registers WASI. A name in another version would be a second interface beside the
/// first, which nobody calls.
pub(crate) const WASI: &str = "0.2.12";

/// A linker while functions in it are wrapped, with the names of the commit points made so far.
pub(crate) struct Wraps<'a> {
    pub(crate) linker: &'a mut Linker<Data>,
    pub(crate) points: Vec<(&'static str, &'static str)>,
}

/// Refuses to shadow a name that is not there: a linker that allows shadowing takes a misspelt or renamed one for a new
/// function, and the real one stays unwrapped.
pub(crate) fn must_exist(linker: &mut Linker<Data>, interface: &str, function: &str) -> Result<()> {
    linker.allow_shadowing(false);
    let fresh = linker.instance(interface)?.func_new(function, |_, _, _, _| bail!("never called"));
    linker.allow_shadowing(true);
    if fresh.is_ok() {
        bail!("{interface}#{function} is to be wrapped and does not exist");
    }
    Ok(())
}

/// Wraps a function of WASI as a commit point: the turn's batch is committed, then the function runs.
///
/// ```text
/// point!(linker, "wasi:io/poll", "[method]pollable.block", |data, p: Resource<DynPollable>| HostPollable::block(&mut data.table, p).await.map(|()| ((),)))
/// ```
/// A function that is synchronous in WASI may be linked like this too; for the guest nothing changes. An optional
/// `unless` condition says when the call is no commit point.
macro_rules! point {
    ($linker:ident, $interface:literal, $function:literal, |$data:ident $(, $arg:ident : $ty:ty)*| $body:expr) => {
        point!($linker, $interface, $function, unless false, |$data $(, $arg: $ty)*| $body)
    };
    ($linker:ident, $interface:literal, $function:literal, unless $exempt:expr, |$data:ident $(, $arg:ident : $ty:ty)*| $body:expr) => {{
        let interface = format!("{}@{}", $interface, $crate::turn::wrap::WASI);
        $crate::turn::wrap::must_exist($linker.linker, &interface, $function)?;
        $linker.points.push(($interface, $function));
        $linker.linker.instance(&interface)?.func_wrap_async(
            $function,
            |mut cx: wasmtime::StoreContextMut<'_, $crate::instance::Data>, ($($arg,)*): ($($ty,)*)| {
                Box::new(async move {
                    let $data = cx.data_mut();
                    if !$exempt {
                        $data.session.commit().await?;
                    }
                    $body
                })
            },
        )?;
    }};
}
pub(crate) use point;
