//! An answer.

/// An answer: status, headers, and the whole body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    status: u16,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Response {
    /// An answer with this status and no body.
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new() }
    }

    /// 200 with bytes.
    pub fn new(body: impl Into<Vec<u8>>) -> Self {
        Self::status(200).with_body(body)
    }

    /// 200 with text in UTF-8.
    pub fn text(body: impl Into<String>) -> Self {
        Self::new(body.into()).with_header("content-type", "text/plain; charset=utf-8")
    }

    /// 200 with JSON, which the caller has written.
    pub fn json(body: impl Into<String>) -> Self {
        Self::new(body.into()).with_header("content-type", "application/json")
    }

    /// The same with another status.
    #[must_use]
    pub fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same with another body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The same with one header more. One that the host does not accept (a line break in it, `connection`) is left out
    /// when the answer is sent.
    #[must_use]
    pub fn with_header(mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Its status.
    pub fn code(&self) -> u16 {
        self.status
    }

    /// Its headers.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// Its body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}
