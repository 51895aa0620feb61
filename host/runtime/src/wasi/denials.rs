//! Functions that are wrapped because WASI's own refusal would not say which policy line is missing, or because WASI
//! has no refusal there at all.

use crate::deterministic::Deadline;
use crate::error::RunError;
use crate::instance::Data;
use crate::turn::{WASI, must_exist};
use numax_policy::Capability;
use wasmtime::component::{Linker, Resource};
use wasmtime::{Result, StoreContextMut};
use wasmtime_wasi::WasiView;
use wasmtime_wasi::clocks::WasiClocksView;
use wasmtime_wasi::p2::bindings::clocks::monotonic_clock;
use wasmtime_wasi::p2::bindings::random::random;
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode, IpAddressFamily};
use wasmtime_wasi::p2::{DynPollable, TcpSocket, UdpSocket, subscribe};

/// The trap of a capability that is not granted.
fn denied(data: &Data, capability: Capability) -> wasmtime::Error {
    RunError::Denied(data.session.grant().deny(capability, "")).into()
}

pub(crate) fn add_to_linker(l: &mut Linker<Data>) -> Result<()> {
    l.allow_shadowing(true);
    randomness(l)?;
    waiting(l)?;
    sockets(l)?;
    l.allow_shadowing(false);
    Ok(())
}

/// The secure generator has no error to answer with, and any number in its place would be taken for a secret.
fn randomness(l: &mut Linker<Data>) -> Result<()> {
    let interface = format!("wasi:random/random@{WASI}");
    must_exist(l, &interface, "get-random-bytes")?;
    must_exist(l, &interface, "get-random-u64")?;
    let mut l = l.instance(&interface)?;
    l.func_wrap("get-random-bytes", |mut cx: StoreContextMut<'_, Data>, (len,): (u64,)| {
        let d = cx.data_mut();
        if !d.session.grant().policy().random() {
            return Err(denied(d, Capability::Random));
        }
        Ok((random::Host::get_random_bytes(d.ctx().ctx.random(), len)?,))
    })?;
    l.func_wrap("get-random-u64", |mut cx: StoreContextMut<'_, Data>, (): ()| {
        let d = cx.data_mut();
        if !d.session.grant().policy().random() {
            return Err(denied(d, Capability::Random));
        }
        Ok((random::Host::get_random_u64(d.ctx().ctx.random())?,))
    })?;
    Ok(())
}

/// With clocks that stand still, a loop that waits until a time has come would never end.
fn waiting(l: &mut Linker<Data>) -> Result<()> {
    type Pollable = Resource<DynPollable>;
    let interface = format!("wasi:clocks/monotonic-clock@{WASI}");
    must_exist(l, &interface, "subscribe-instant")?;
    must_exist(l, &interface, "subscribe-duration")?;
    let mut l = l.instance(&interface)?;
    l.func_wrap(
        "subscribe-instant",
        |mut cx: StoreContextMut<'_, Data>, (when,): (u64,)| -> Result<(Pollable,)> {
            let d = cx.data_mut();
            if !d.session.grant().policy().time() {
                return Err(denied(d, Capability::Time));
            }
            if let Some(world) = &d.deterministic {
                let deadline = Deadline::at(world.clone(), when);
                return wait_for(d, deadline);
            }
            Ok((monotonic_clock::Host::subscribe_instant(&mut d.clocks(), when)?,))
        },
    )?;
    l.func_wrap(
        "subscribe-duration",
        |mut cx: StoreContextMut<'_, Data>, (time,): (u64,)| -> Result<(Pollable,)> {
            let d = cx.data_mut();
            if !d.session.grant().policy().time() {
                return Err(denied(d, Capability::Time));
            }
            if let Some(world) = &d.deterministic {
                let deadline = Deadline::after(world.clone(), time);
                return wait_for(d, deadline);
            }
            Ok((monotonic_clock::Host::subscribe_duration(&mut d.clocks(), time)?,))
        },
    )?;
    Ok(())
}

fn wait_for(data: &mut Data, deadline: Deadline) -> Result<(Resource<DynPollable>,)> {
    let deadline = data.table.push(deadline)?;
    Ok((subscribe(&mut data.table, deadline)?,))
}

/// Sockets are not in this version: refused in the interface's own words, and the operator is told so. A line of the policy
/// is not named: none would help, and which address is meant shows only later than this.
fn sockets(l: &mut Linker<Data>) -> Result<()> {
    type Answer<T> = Result<(std::result::Result<Resource<T>, ErrorCode>,)>;
    fn refuse<T>(mut cx: StoreContextMut<'_, Data>, what: &'static str) -> Answer<T> {
        cx.data_mut().session.grant().deny_absent(what);
        Ok((Err(ErrorCode::AccessDenied),))
    }
    let tcp = format!("wasi:sockets/tcp-create-socket@{WASI}");
    must_exist(l, &tcp, "create-tcp-socket")?;
    l.instance(&tcp)?
        .func_wrap("create-tcp-socket", |cx: StoreContextMut<'_, Data>, _: (IpAddressFamily,)| {
            refuse::<TcpSocket>(cx, "a TCP socket")
        })?;
    let udp = format!("wasi:sockets/udp-create-socket@{WASI}");
    must_exist(l, &udp, "create-udp-socket")?;
    l.instance(&udp)?
        .func_wrap("create-udp-socket", |cx: StoreContextMut<'_, Data>, _: (IpAddressFamily,)| {
            refuse::<UdpSocket>(cx, "a UDP socket")
        })?;
    Ok(())
}
