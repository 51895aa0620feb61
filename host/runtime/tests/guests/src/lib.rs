//! What several guests need.

use numax_sdk::crdt::GCounter;
use wasip2::http::types::{Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam};
use wasip2::io::streams::{InputStream, OutputStream, StreamError};

/// Adds one to a counter; no commit point.
pub fn incr(key: &str) {
    GCounter::open(key).expect("open").increment(1).expect("increment");
}

/// An answer that has not been sent, and its body.
pub fn response(status: u16, length: Option<usize>) -> (OutgoingResponse, OutgoingBody) {
    let headers = Fields::new();
    if let Some(length) = length {
        headers.set("content-length", &[length.to_string().into_bytes()]).expect("header");
    }
    let response = OutgoingResponse::new(headers);
    response.set_status_code(status).expect("status");
    let body = response.body().expect("body");
    (response, body)
}

/// Sends a whole answer.
pub fn answer(out: ResponseOutparam, status: u16, text: &str) {
    let (response, body) = response(status, Some(text.len()));
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    for chunk in text.as_bytes().chunks(4096) {
        write(&stream, chunk);
    }
    drop(stream);
    OutgoingBody::finish(body, None).expect("finish");
}

/// Writes at most 4096 bytes.
pub fn write(stream: &OutputStream, bytes: &[u8]) {
    stream.blocking_write_and_flush(bytes).expect("write");
}

/// Everything that is still to come of a stream.
pub fn read_all(stream: &InputStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(StreamError::Closed) => return bytes,
            Err(e) => panic!("{e:?}"),
        }
    }
}

/// The path of a request, and its query.
pub fn target(request: &IncomingRequest) -> (String, String) {
    let target = request.path_with_query().unwrap_or_default();
    match target.split_once('?') {
        Some((path, query)) => (path.to_owned(), query.to_owned()),
        None => (target, String::new()),
    }
}
