//! A request, read to its end.

use std::str::Utf8Error;

/// A request, with its whole body.
///
/// There is no router; a `match` is one:
///
/// ```
/// # use numax_sdk::http::{Request, Response};
/// fn handle(request: Request) -> Response {
///     match (request.method(), request.path()) {
///         ("GET", "/") => Response::text("hello\n"),
///         ("GET", path) if path.starts_with("/items/") => Response::text(&path[7..]),
///         _ => Response::status(404),
///     }
/// }
/// # let r = Request::new("GET", "/items/x?a=1", vec![], vec![]);
/// # assert_eq!(handle(r).body(), b"x");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
}

impl Request {
    /// A request, as the host would hand it over: for tests. `target` is the path with its query.
    pub fn new(
        method: impl Into<String>,
        target: impl Into<String>,
        headers: Vec<(String, Vec<u8>)>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        Self { method: method.into(), target: target.into(), headers, body: body.into() }
    }

    /// `GET`, `POST`, … in capitals.
    pub fn method(&self) -> &str {
        &self.method
    }

    /// The path, as it was sent: not percent-decoded, see [`decode`](Self::decode).
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The path with its query.
    pub fn target(&self) -> &str {
        &self.target
    }

    /// What stands after the first `?`.
    pub fn query(&self) -> Option<&str> {
        self.target.split_once('?').map(|(_, q)| q)
    }

    /// The first parameter of this name in the query, decoded; empty for one without `=`.
    pub fn param(&self, name: &str) -> Option<String> {
        self.params().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// All parameters of the query, decoded.
    pub fn params(&self) -> impl Iterator<Item = (String, String)> + '_ {
        let pairs = self.query().unwrap_or_default().split('&').filter(|p| !p.is_empty());
        pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (Self::decode(&name.replace('+', " ")), Self::decode(&value.replace('+', " ")))
        })
    }

    /// Undoes percent-encoding. What is no valid escape stays as it is; bytes that are not UTF-8 become `U+FFFD`.
    pub fn decode(text: &str) -> String {
        let bytes = text.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut i = 0;
        while let Some(&b) = bytes.get(i) {
            let digit = |at: usize| bytes.get(at).and_then(|d| char::from(*d).to_digit(16));
            match (b, digit(i + 1), digit(i + 2)) {
                (b'%', Some(high), Some(low)) => {
                    // Two hex digits fit a byte.
                    out.push((high * 16 + low) as u8);
                    i += 3;
                }
                _ => {
                    out.push(b);
                    i += 1;
                }
            }
        }
        String::from_utf8_lossy(&out).into_owned()
    }

    /// The first header of this name, whatever its case; `None` also when it is not UTF-8.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// All headers, as they came.
    pub fn headers(&self) -> &[(String, Vec<u8>)] {
        &self.headers
    }

    /// The body.
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    ///
    /// # Errors
    /// When it is not UTF-8.
    pub fn text(&self) -> Result<&str, Utf8Error> {
        std::str::from_utf8(&self.body)
    }

    /// The body, without a copy.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get(target: &str) -> Request {
        Request::new("GET", target, vec![("X-A".into(), b"1".to_vec())], "")
    }

    #[test]
    fn path_and_query_are_told_apart() {
        let r = get("/a/b?x=1&y=%41+b&z&x=2?3");
        assert_eq!((r.path(), r.query()), ("/a/b", Some("x=1&y=%41+b&z&x=2?3")));
        assert_eq!(r.param("x").as_deref(), Some("1"));
        assert_eq!(r.param("y").as_deref(), Some("A b"));
        assert_eq!(r.param("z").as_deref(), Some(""));
        assert_eq!(r.param("q"), None);
        assert_eq!((get("/").query(), get("/").param("x")), (None, None));
    }

    #[test]
    fn broken_escapes_stay() {
        for (text, decoded) in
            [("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("%C3%A4%", "ä%"), ("%ff", "\u{fffd}")]
        {
            assert_eq!(Request::decode(text), decoded);
        }
    }

    #[test]
    fn header_names_have_no_case() {
        assert_eq!(get("/").header("x-a"), Some("1"));
        assert_eq!(get("/").header("x-b"), None);
    }
}
