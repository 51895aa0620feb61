//! What a handler may return.

use super::Response;
use crate::Error;

/// What can be made into an answer.
///
/// An [`Error`] of this crate becomes the status that fits it — denied 403, invalid 400, not found 404, over quota 429,
/// unavailable 503 — with its text; the text of `Denied` goes to standard error instead, as clients have no use for it.
pub trait IntoResponse {
    /// The answer.
    fn into_response(self) -> Response;
}

impl IntoResponse for Response {
    fn into_response(self) -> Response {
        self
    }
}

impl IntoResponse for &str {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for String {
    fn into_response(self) -> Response {
        Response::text(self)
    }
}

impl IntoResponse for Vec<u8> {
    fn into_response(self) -> Response {
        Response::new(self)
    }
}

/// 204.
impl IntoResponse for () {
    fn into_response(self) -> Response {
        Response::status(204)
    }
}

/// An answer with another status: `(404, "no such thing")`.
impl<T: IntoResponse> IntoResponse for (u16, T) {
    fn into_response(self) -> Response {
        self.1.into_response().with_status(self.0)
    }
}

impl<T: IntoResponse, E: IntoResponse> IntoResponse for Result<T, E> {
    fn into_response(self) -> Response {
        match self {
            Ok(v) => v.into_response(),
            Err(e) => e.into_response(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = match self {
            Self::Denied(_) => {
                eprintln!("{self}");
                return (403, "denied\n").into_response();
            }
            Self::Invalid(_) => 400,
            Self::NotFound => 404,
            Self::Quota(_) => 429,
            Self::Unavailable(_) => 503,
        };
        (status, format!("{self}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_have_the_status_that_fits() {
        let result: Result<String, Error> = Err(Error::Quota("ops_per_sec".into()));
        let response = result.into_response();
        assert_eq!((response.code(), response.body()), (429, b"over quota: ops_per_sec\n".as_slice()));
        assert_eq!(().into_response().code(), 204);
    }

    #[test]
    fn clients_do_not_see_the_policy() {
        let response = Error::Denied("crdt.gcounter = [\"x\"]".into()).into_response();
        assert_eq!((response.code(), response.body()), (403, b"denied\n".as_slice()));
    }
}
