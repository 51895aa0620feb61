//! Functions that are wrapped though they are no commit points themselves: they attach the gate to bodies and keep the
//! standard streams apart. And `finish`, which is a point and ends a body.

use super::body::{GateBody, TagStream, Tags};
use super::points::http;
use super::wrap::{WASI, Wraps, must_exist, point};
use crate::instance::Data;
use http::HeaderMap;
use http::header::CONTENT_LENGTH;
use std::sync::Arc;
use wasmtime::component::{Resource, ResourceType};
use wasmtime::{Result, StoreContextMut, format_err};
use wasmtime_wasi::cli::WasiCliView;
use wasmtime_wasi::p2::bindings::cli::{stderr, stdout};
use wasmtime_wasi::p2::bindings::io::streams::HostOutputStream as Out;
use wasmtime_wasi::p2::{DynOutputStream, pipe::SinkOutputStream};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::bindings::http::types;
use wasmtime_wasi_http::p2::body::{HostOutgoingBody, HyperOutgoingBody};
use wasmtime_wasi_http::p2::types::{HostOutgoingRequest, HostOutgoingResponse};

pub(super) fn add_to_linker(l: &mut Wraps<'_>) -> Result<()> {
    bodies(l)?;
    finish(l)?;
    standard_streams(l)
}

/// Puts a body behind the instance's gate and remembers its tags under the body's handle.
fn gated(data: &mut Data, handle: u32, length: Option<u64>, body: HyperOutgoingBody) -> HyperOutgoingBody {
    let tags = Arc::<Tags>::default();
    data.outputs.bodies.insert(handle, tags.clone());
    GateBody::wrap(body, length, tags, data.session.gate().clone())
}

/// The length that a head announces. One that is no number was refused when the body was made.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn bodies(l: &mut Wraps<'_>) -> Result<()> {
    let interface = format!("wasi:http/types@{WASI}");
    for name in
        ["[method]outgoing-response.body", "[method]outgoing-request.body", "[method]outgoing-body.write"]
    {
        must_exist(l.linker, &interface, name)?;
    }
    let mut l = l.linker.instance(&interface)?;
    l.func_wrap(
        "[method]outgoing-response.body",
        |mut cx: StoreContextMut<'_, Data>, (response,): (Resource<HostOutgoingResponse>,)| {
            let d = cx.data_mut();
            let made =
                types::HostOutgoingResponse::body(&mut d.http(), Resource::new_borrow(response.rep()))?;
            if let Ok(handle) = &made
                && let head = d.table.get_mut(&response)?
                && let Some(body) = head.body.take()
            {
                let length = announced(&head.headers);
                let body = gated(d, handle.rep(), length, body);
                d.table.get_mut(&response)?.body = Some(body);
            }
            Ok((made,))
        },
    )?;
    l.func_wrap(
        "[method]outgoing-request.body",
        |mut cx: StoreContextMut<'_, Data>, (request,): (Resource<HostOutgoingRequest>,)| {
            let d = cx.data_mut();
            let made = types::HostOutgoingRequest::body(&mut d.http(), Resource::new_borrow(request.rep()))?;
            if let Ok(handle) = &made
                && let head = d.table.get_mut(&request)?
                && let Some(body) = head.body.take()
            {
                let length = announced(&head.headers);
                let body = gated(d, handle.rep(), length, body);
                d.table.get_mut(&request)?.body = Some(body);
            }
            Ok((made,))
        },
    )?;
    l.func_wrap(
        "[method]outgoing-body.write",
        |mut cx: StoreContextMut<'_, Data>, (body,): (Resource<HostOutgoingBody>,)| {
            let d = cx.data_mut();
            let made = types::HostOutgoingBody::write(&mut d.http(), Resource::new_borrow(body.rep()))?;
            if let Ok(stream) = &made {
                let tags =
                    d.outputs.bodies.get(&body.rep()).ok_or_else(|| format_err!("a body without a gate"))?;
                let (tags, gate) = (tags.clone(), d.session.gate().clone());
                let slot = d.table.get_mut(stream)?;
                let inner = std::mem::replace(slot, Box::new(SinkOutputStream) as DynOutputStream);
                *slot = Box::new(TagStream::new(inner, tags, gate));
            }
            Ok((made,))
        },
    )?;
    Ok(())
}

/// Of a body that is not what its head has announced.
const NOT_WHOLE: &str = "the guest ended a body that is not what it had announced, and it is cut off: content-length must \
                         be the number of bytes that are written, or be left out";

type Trailers = Option<Resource<types::Trailers>>;

/// Lets the end of the body and the trailers out, after the batch before them.
fn finish(l: &mut Wraps<'_>) -> Result<()> {
    point!(
        l,
        "wasi:http/types",
        "[static]outgoing-body.finish",
        |d, body: Resource<HostOutgoingBody>, trailers: Trailers| {
            if let Some(tags) = d.outputs.bodies.remove(&body.rep()) {
                tags.finish(d.session.gate().tag());
            }
            let r = types::HostOutgoingBody::finish(&mut d.http(), body, trailers);
            if let Err(error) = &r {
                let module = d.session.grant().name();
                tracing::warn!(module, %error, "{NOT_WHOLE}");
            }
            http(d, r)
        }
    );
    Ok(())
}

/// What a guest prints is a log and commits nothing, though it goes through the same functions as a body.
fn standard_streams(l: &mut Wraps<'_>) -> Result<()> {
    let (out, err) = (format!("wasi:cli/stdout@{WASI}"), format!("wasi:cli/stderr@{WASI}"));
    must_exist(l.linker, &out, "get-stdout")?;
    l.linker.instance(&out)?.func_wrap("get-stdout", |mut cx: StoreContextMut<'_, Data>, ()| {
        let d = cx.data_mut();
        let stream = stdout::Host::get_stdout(&mut d.cli())?;
        d.outputs.stdio.insert(stream.rep());
        Ok((stream,))
    })?;
    must_exist(l.linker, &err, "get-stderr")?;
    l.linker.instance(&err)?.func_wrap("get-stderr", |mut cx: StoreContextMut<'_, Data>, ()| {
        let d = cx.data_mut();
        let stream = stderr::Host::get_stderr(&mut d.cli())?;
        d.outputs.stdio.insert(stream.rep());
        Ok((stream,))
    })?;
    // Handle numbers are reused: a number that stayed here would exempt the next body that gets it.
    l.linker.instance(&format!("wasi:io/streams@{WASI}"))?.resource_async(
        "output-stream",
        ResourceType::host::<DynOutputStream>(),
        |mut cx: StoreContextMut<'_, Data>, handle| {
            Box::new(async move {
                let d = cx.data_mut();
                d.outputs.stdio.remove(&handle);
                Out::drop(&mut d.table, Resource::new_own(handle)).await
            })
        },
    )?;
    Ok(())
}
