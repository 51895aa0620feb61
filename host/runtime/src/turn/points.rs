//! Commit points of wasi:io, wasi:http and wasi:cli.

use super::wrap::{Wraps, point};
use crate::error::RunError;
use crate::instance::Data;
use wasmtime::Result;
use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::I32Exit;
use wasmtime_wasi::p2::bindings::io::poll::{Host as PollHost, HostPollable};
use wasmtime_wasi::p2::bindings::io::streams::{self, HostInputStream as In, HostOutputStream as Out};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamResult};
use wasmtime_wasi_http::WasiHttpView;
use wasmtime_wasi_http::p2::HttpResult;
use wasmtime_wasi_http::p2::bindings::http::{outgoing_handler, types};
use wasmtime_wasi_http::p2::types::{HostOutgoingRequest, HostOutgoingResponse, HostResponseOutparam};

type Input = Resource<DynInputStream>;
type Output = Resource<DynOutputStream>;
type Answer<T, E> = Result<(std::result::Result<T, E>,)>;

/// The error of a stream call as WIT has it; what is no error of a stream ends the guest.
fn stream<T>(table: &mut ResourceTable, result: StreamResult<T>) -> Answer<T, streams::StreamError> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(e) => Err(streams::Host::convert_stream_error(table, e)?),
    },))
}

/// The same for wasi:http.
pub(super) fn http<T>(data: &mut Data, result: HttpResult<T>) -> Answer<T, types::ErrorCode> {
    Ok((match result {
        Ok(value) => Ok(value),
        Err(e) => Err(types::Host::convert_error_code(&mut data.http(), e)?),
    },))
}

/// Whether a stream is one of the standard ones.
fn stdio(data: &Data, stream: &Output) -> bool {
    data.outputs.stdio.contains(&stream.rep())
}

pub(super) fn add_to_linker(l: &mut Wraps<'_>) -> Result<()> {
    waits(l)?;
    output_streams(l)?;
    requests_and_responses(l)?;
    exit(l)
}

fn waits(l: &mut Wraps<'_>) -> Result<()> {
    point!(l, "wasi:io/poll", "poll", |d, list: Vec<Resource<DynPollable>>| Ok((PollHost::poll(
        &mut d.table,
        list
    )
    .await?,)));
    point!(l, "wasi:io/poll", "[method]pollable.block", |d, p: Resource<DynPollable>| HostPollable::block(
        &mut d.table,
        p
    )
    .await);
    point!(l, "wasi:io/streams", "[method]input-stream.blocking-read", |d, i: Input, n: u64| {
        let r = In::blocking_read(&mut d.table, i, n).await;
        stream(&mut d.table, r)
    });
    point!(l, "wasi:io/streams", "[method]input-stream.blocking-skip", |d, i: Input, n: u64| {
        let r = In::blocking_skip(&mut d.table, i, n).await;
        stream(&mut d.table, r)
    });
    Ok(())
}

fn output_streams(l: &mut Wraps<'_>) -> Result<()> {
    point!(l, "wasi:io/streams", "[method]output-stream.write", unless stdio(d, &o), |d, o: Output, b: Vec<u8>| {
        let r = Out::write(&mut d.table, o, b);
        stream(&mut d.table, r)
    });
    point!(l, "wasi:io/streams", "[method]output-stream.write-zeroes", unless stdio(d, &o), |d, o: Output, n: u64| {
        let r = Out::write_zeroes(&mut d.table, o, n);
        stream(&mut d.table, r)
    });
    point!(l, "wasi:io/streams", "[method]output-stream.blocking-write-and-flush", unless stdio(d, &o), |d, o: Output, b: Vec<u8>| {
        let r = Out::blocking_write_and_flush(&mut d.table, o, b).await;
        stream(&mut d.table, r)
    });
    point!(l, "wasi:io/streams", "[method]output-stream.blocking-write-zeroes-and-flush", unless stdio(d, &o), |d, o: Output, n: u64| {
        let r = Out::blocking_write_zeroes_and_flush(&mut d.table, o, n).await;
        stream(&mut d.table, r)
    });
    point!(l, "wasi:io/streams", "[method]output-stream.flush", unless stdio(d, &o), |d, o: Output| {
        let r = Out::flush(&mut d.table, o);
        stream(&mut d.table, r)
    });
    point!(l, "wasi:io/streams", "[method]output-stream.blocking-flush", unless stdio(d, &o), |d, o: Output| {
        let r = Out::blocking_flush(&mut d.table, o).await;
        stream(&mut d.table, r)
    });
    // A splice into a standard stream waits for the other side like any read: it stays a point.
    point!(l, "wasi:io/streams", "[method]output-stream.splice", |d, o: Output, i: Input, n: u64| {
        let r = Out::splice(&mut d.table, o, i, n);
        stream(&mut d.table, r)
    });
    point!(
        l,
        "wasi:io/streams",
        "[method]output-stream.blocking-splice",
        |d, o: Output, i: Input, n: u64| {
            let r = Out::blocking_splice(&mut d.table, o, i, n).await;
            stream(&mut d.table, r)
        }
    );
    Ok(())
}

type Request = Resource<HostOutgoingRequest>;
type Options = Option<Resource<types::RequestOptions>>;
type Response = std::result::Result<Resource<HostOutgoingResponse>, types::ErrorCode>;

fn requests_and_responses(l: &mut Wraps<'_>) -> Result<()> {
    point!(l, "wasi:http/outgoing-handler", "handle", |d, request: Request, options: Options| {
        let r = outgoing_handler::Host::handle(&mut d.http(), request, options);
        http(d, r)
    });
    point!(
        l,
        "wasi:http/types",
        "[static]response-outparam.set",
        |d, out: Resource<HostResponseOutparam>, r: Response| {
            types::HostResponseOutparam::set(&mut d.http(), out, r)
        }
    );
    Ok(())
}

/// `exit(ok)` is a return and commits; any other exit is a failure and rolls the turn back.
fn exit(l: &mut Wraps<'_>) -> Result<()> {
    point!(l, "wasi:cli/exit", "exit", unless roll_back_if(d, status.is_err()), |d, status: std::result::Result<(), ()>| {
        let _ = d;
        Err::<(), _>(exited(if status.is_ok() { 0 } else { 1 }))
    });
    point!(l, "wasi:cli/exit", "exit-with-code", unless roll_back_if(d, code != 0), |d, code: u8| {
        let _ = d;
        Err::<(), _>(exited(i32::from(code)))
    });
    Ok(())
}

fn roll_back_if(data: &mut Data, failed: bool) -> bool {
    if failed {
        data.session.rollback();
    }
    failed
}

fn exited(code: i32) -> wasmtime::Error {
    wasmtime::Error::from(I32Exit(code))
}

impl RunError {
    /// The exit code, if the call ended by `exit`.
    pub(crate) fn exit_code(error: &wasmtime::Error) -> Option<i32> {
        error.downcast_ref::<I32Exit>().map(|exit| exit.0)
    }
}
