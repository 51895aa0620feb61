//! Answers that the server gives by itself. They say what happened in a word; the details are in the log.

use crate::error::RunError;
use bytes::Bytes;
use http::{Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::WasiBody;

/// A plain answer.
pub(super) fn plain(status: StatusCode, text: &str) -> Response<WasiBody> {
    let body = Full::new(Bytes::from(format!("{text}\n"))).map_err(|e| match e {}).boxed_unsync();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let kind = header::HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// The answer to a request whose guest failed before its response head was out.
pub(super) fn failed(error: &RunError) -> Response<WasiBody> {
    match error {
        RunError::Commit(_) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the write could not be committed; try again")
        }
        RunError::Unavailable(_) => {
            plain(StatusCode::SERVICE_UNAVAILABLE, "the node cannot do this at present")
        }
        RunError::Busy(_) => {
            let mut response = plain(StatusCode::SERVICE_UNAVAILABLE, "the node is at its limit; try again");
            response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
            response
        }
        _ => plain(StatusCode::INTERNAL_SERVER_ERROR, "the module failed"),
    }
}
