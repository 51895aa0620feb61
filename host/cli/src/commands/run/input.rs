//! `--input FILE`: the requests of a deterministic run, one JSON object a line:
//!
//! ```text
//! {"at_ms": 0, "method": "POST", "path": "/visits?by=3", "headers": {"content-type": "text/plain"}, "body": "…"}
//! ```
//! `at_ms` is the time since the run's beginning and does not go back; method GET, no headers and no body are what is
//! meant when nothing is said. Bodies are in the form of [`numax_tools::escape`]. Answers are printed in the same form.

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, Request, Response, header};
use numax_runtime::{Deterministic, HttpScript};
use numax_tools::escape::{escape, unescape};
use serde_json::{Map, Value, json};

use crate::commands::print;
use crate::exit::Failure;

/// A request and when it comes.
pub(super) struct Input {
    at_ms: u64,
    request: Request<Bytes>,
}

/// Reads all of them, so that a wrong line is known before anything runs.
pub(super) fn read(path: &Path) -> Result<Vec<Input>, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Failure::failed(format!("reading {} failed: {error}", path.display())))?;
    let mut inputs: Vec<Input> = Vec::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let wrong = |detail: String| {
            Failure::usage(format!("--input: line {} of {}: {detail}", number + 1, path.display()))
        };
        let input = input(line).map_err(wrong)?;
        if inputs.last().is_some_and(|last| last.at_ms > input.at_ms) {
            return Err(wrong("`at_ms` goes back".to_owned()));
        }
        inputs.push(input);
    }
    Ok(inputs)
}

fn input(line: &str) -> Result<Input, String> {
    const KNOWN: [&str; 5] = ["at_ms", "method", "path", "headers", "body"];
    let object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| format!("it is no JSON object: {error}"))?;
    if let Some(name) = object.keys().find(|name| !KNOWN.contains(&name.as_str())) {
        return Err(format!("`{name}` means nothing here; write {}", KNOWN.join(", ")));
    }
    let text = |name: &str| match object.get(name) {
        None => Ok(None),
        Some(value) => value.as_str().map(Some).ok_or_else(|| format!("`{name}` is no text")),
    };
    let at_ms = match object.get("at_ms") {
        None => 0,
        Some(at) => at.as_u64().ok_or("`at_ms` is no number")?,
    };
    let path = text("path")?
        .filter(|path| path.starts_with('/'))
        .ok_or("`path` is missing, or does not begin with /")?;
    let body = unescape(text("body")?.unwrap_or_default()).map_err(|error| error.to_string())?;
    let method = text("method")?.unwrap_or("GET");
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| format!("`{method}` is no method"))?;
    let request = Request::builder().method(method).uri(path).body(Bytes::from(body));
    let mut request = request.map_err(|error| format!("`{path}` is no path: {error}"))?;
    for (name, value) in object.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let value = value.as_str().and_then(|value| HeaderValue::from_str(value).ok());
        let name_of = HeaderName::from_bytes(name.as_bytes());
        let (Ok(name), Some(value)) = (name_of, value) else {
            return Err(format!("the header `{name}` is none"));
        };
        request.headers_mut().append(name, value);
    }
    if !request.headers().contains_key(header::HOST) {
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    Ok(Input { at_ms, request })
}

/// Hands the requests over at their times, and prints the answers.
pub(super) async fn play(script: &HttpScript, world: &Deterministic, inputs: Vec<Input>) {
    for Input { at_ms, request } in inputs {
        world.advance_to(Duration::from_millis(at_ms));
        let answer = script.answer(request).await;
        print(&shown(at_ms, &answer).to_string());
    }
}

fn shown(at_ms: u64, answer: &Response<Bytes>) -> Value {
    let headers: Map<String, Value> = answer
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), json!(escape(value.as_bytes()))))
        .collect();
    json!({ "at_ms": at_ms, "status": answer.status().as_u16(), "headers": headers, "body": escape(answer.body()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_request() {
        let line = r#"{"at_ms": 5, "method": "POST", "path": "/a?b=1", "headers": {"x-y": "z"}, "body": "\\xff\\n"}"#;
        let read = input(line).unwrap();
        assert_eq!(
            (read.at_ms, read.request.method(), read.request.uri().query()),
            (5, &Method::POST, Some("b=1"))
        );
        assert_eq!(
            (&read.request.headers()["x-y"], &read.request.body()[..]),
            (&HeaderValue::from_static("z"), &b"\xff\n"[..])
        );
        assert_eq!(input(r#"{"path": "/"}"#).unwrap().request.headers()[header::HOST], "localhost");
    }

    #[test]
    fn lines_that_are_no_requests_say_why() {
        let table = [
            ("[]", "no JSON object"),
            ("{}", "`path`"),
            (r#"{"path": "x"}"#, "`path`"),
            (r#"{"path": "/", "at": 1}"#, "`at` means nothing"),
            (r#"{"path": "/", "at_ms": "1"}"#, "`at_ms` is no number"),
            (r#"{"path": "/", "method": "G ET"}"#, "no method"),
            (r#"{"path": "/", "headers": {"x y": "z"}}"#, "the header `x y`"),
            (r#"{"path": "/", "body": "\\q"}"#, "backslash"),
        ];
        for (line, words) in table {
            let Err(error) = input(line) else { panic!("{line} was taken") };
            assert!(error.contains(words), "{line}: {error}");
        }
    }
}
