//! Counts visits, in a counter and a set that every node of the cluster shares.

use numax_sdk::Result;
use numax_sdk::crdt::{GCounter, OrSet};
use numax_sdk::http::{IntoResponse, Request, Response};
use numax_sdk::json;

numax_sdk::on_http!(handle);

fn handle(request: Request) -> Result<Response> {
    match (request.method(), request.path()) {
        ("GET" | "HEAD", "/") => {}
        ("POST", "/visits") => {
            let Ok(by) = request.param("by").map_or(Ok(1), |by| by.parse()) else {
                return Ok((400, "by is not a number from 0 to 2^64-1\n").into_response());
            };
            GCounter::open("demo:visits")?.increment(by)?;
            OrSet::open("demo:languages")?.add("rust")?;
        }
        ("PUT", path) if language(path).is_some() => {
            OrSet::open("demo:languages")?.add(language(path).unwrap_or_default())?;
        }
        ("DELETE", path) if language(path).is_some() => {
            OrSet::open("demo:languages")?.remove(language(path).unwrap_or_default())?;
        }
        _ => return Ok((404, "no such thing here\n").into_response()),
    }
    state()
}

/// The language that `/languages/x` names.
fn language(path: &str) -> Option<String> {
    let name = path.strip_prefix("/languages/")?;
    (!name.is_empty() && !name.contains('/')).then(|| Request::decode(name))
}

/// `{"visits":12,"languages":["go","rust"]}`
fn state() -> Result<Response> {
    let visits = GCounter::open("demo:visits")?.value()?;
    let mut languages = Vec::new();
    for element in OrSet::open("demo:languages")?.elements() {
        languages.push(json::text(&String::from_utf8_lossy(&element?)));
    }
    Ok(Response::json(format!(r#"{{"visits":{visits},"languages":[{}]}}"#, languages.join(","))))
}
