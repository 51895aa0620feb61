//! Between `wasi:http` and the types of this module.

use super::{Request, Response};
use crate::bindings::imports::wasi::http::types as raw;
use crate::bindings::imports::wasi::io::streams::{OutputStream, StreamError};

/// The largest body that is read. A policy by `numax policy init` gives a guest 64 MiB, and a body is held whole, beside what the guest makes
/// of it.
const MAX_BODY: usize = 16 << 20;

/// Bytes asked for at a time.
const READ: u64 = 64 << 10;

#[doc(hidden)]
pub fn serve(
    incoming: raw::IncomingRequest,
    out: raw::ResponseOutparam,
    handle: impl FnOnce(Request) -> Response,
) {
    let response = match read(&incoming) {
        Ok(request) => handle(request),
        Err(refusal) => refusal,
    };
    send(out, &response);
}

/// The request, or the answer to one that cannot be read.
fn read(incoming: &raw::IncomingRequest) -> Result<Request, Response> {
    let method = match incoming.method() {
        raw::Method::Get => "GET".into(),
        raw::Method::Head => "HEAD".into(),
        raw::Method::Post => "POST".into(),
        raw::Method::Put => "PUT".into(),
        raw::Method::Delete => "DELETE".into(),
        raw::Method::Connect => "CONNECT".into(),
        raw::Method::Options => "OPTIONS".into(),
        raw::Method::Trace => "TRACE".into(),
        raw::Method::Patch => "PATCH".into(),
        raw::Method::Other(other) => other,
    };
    let target = incoming.path_with_query().unwrap_or_else(|| "/".into());
    let headers = incoming.headers().entries();
    let unreadable = || Response::text("the request's body could not be read\n").with_status(400);
    let body = incoming.consume().map_err(|()| unreadable())?;
    let stream = body.stream().map_err(|()| unreadable())?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ) {
            Ok(chunk) if bytes.len() + chunk.len() > MAX_BODY => {
                return Err(Response::text("the request's body is too large\n").with_status(413));
            }
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(_)) => return Err(unreadable()),
        }
    }
    Ok(Request::new(method, target, headers, bytes))
}

fn send(out: raw::ResponseOutparam, response: &Response) {
    let headers = raw::Fields::new();
    let mut has_length = false;
    for (name, value) in response.headers() {
        has_length |= name.eq_ignore_ascii_case("content-length");
        if let Err(error) = headers.append(name, value) {
            eprintln!("the header {name} was left out: {error}");
        }
    }
    if !has_length {
        // A known length spares the client the chunks.
        let _ = headers.append("content-length", response.body().len().to_string().as_bytes());
    }
    let outgoing = raw::OutgoingResponse::new(headers);
    if outgoing.set_status_code(response.code()).is_err() {
        eprintln!("{} is no HTTP status; answering 500", response.code());
        let _ = outgoing.set_status_code(500);
    }
    let body = outgoing.body();
    raw::ResponseOutparam::set(out, Ok(outgoing));
    let Ok(body) = body else { return };
    if let Ok(stream) = body.write() {
        if write(&stream, response.body()).is_err() {
            // The client is gone: nobody is left to tell.
            return;
        }
    }
    let _ = raw::OutgoingBody::finish(body, None);
}

/// Writes as much at a time as the host has room for.
fn write(stream: &OutputStream, mut bytes: &[u8]) -> Result<(), StreamError> {
    while !bytes.is_empty() {
        let room = usize::try_from(stream.check_write()?).unwrap_or(usize::MAX);
        if room == 0 {
            stream.subscribe().block();
            continue;
        }
        let (now, later) = bytes.split_at(room.min(bytes.len()));
        stream.write(now)?;
        bytes = later;
    }
    Ok(())
}
