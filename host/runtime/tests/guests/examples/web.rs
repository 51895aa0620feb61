//! HTTP itself: bodies, headers, instances.

use std::sync::atomic::{AtomicU64, Ordering};
use test_guests::{answer, incr, read_all, response, target, write};
use wasip2::http::types::{IncomingRequest, OutgoingBody, ResponseOutparam};
use wasip2::io::streams::StreamError;

struct Web;

wasip2::http::proxy::export!(Web);

/// How many requests this instance has been given.
static REQUESTS: AtomicU64 = AtomicU64::new(0);

impl wasip2::exports::http::incoming_handler::Guest for Web {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let requests = REQUESTS.fetch_add(1, Ordering::Relaxed) + 1;
        let (path, query) = target(&request);
        match path.as_str() {
            "/instance" => answer(out, 200, &requests.to_string()),
            "/echo" => echo(&request, out),
            "/bytes" => bytes(query.parse().expect("a number"), out),
            "/request" => describe(&request, out),
            "/hold" => hold(&request, out),
            "/trap" => panic!("as asked"),
            "/grow" => {
                let mib: usize = query.parse().expect("a number");
                let block = std::hint::black_box(vec![1_u8; mib << 20]);
                answer(out, 200, &block.len().to_string());
            }
            "/spin" => loop {
                std::hint::black_box(());
            },
            "/visit" => {
                incr("visits");
                answer(out, 200, "");
            }
            _ => answer(out, 404, "the guest has no such path"),
        }
    }
}

/// Sends the request's body back while it comes.
fn echo(request: &IncomingRequest, out: ResponseOutparam) {
    let incoming = request.consume().expect("consume");
    let input = incoming.stream().expect("stream");
    let (response, body) = response(200, None);
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().expect("write");
    loop {
        match output.blocking_splice(&input, 64 << 10) {
            Ok(_) => {}
            Err(StreamError::Closed) => break,
            Err(e) => panic!("{e:?}"),
        }
    }
    drop(output);
    OutgoingBody::finish(body, None).expect("finish");
}

/// As many bytes as asked for, numbered by their place.
fn bytes(count: usize, out: ResponseOutparam) {
    let (response, body) = response(200, Some(count));
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().expect("write");
    let pattern: Vec<u8> = (0..=250).cycle().take(4096 + 251).collect();
    let mut sent = 0;
    while sent < count {
        let length = (count - sent).min(4096);
        write(&output, &pattern[sent % 251..][..length]);
        sent += length;
    }
    drop(output);
    OutgoingBody::finish(body, None).expect("finish");
}

/// The request as the guest sees it.
fn describe(request: &IncomingRequest, out: ResponseOutparam) {
    let mut text = format!(
        "{:?} {} {:?} {:?}\n",
        request.method(),
        request.path_with_query().unwrap_or_default(),
        request.scheme(),
        request.authority(),
    );
    for (name, value) in request.headers().entries() {
        text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(&value)));
    }
    let incoming = request.consume().expect("consume");
    let body = read_all(&incoming.stream().expect("stream"));
    text.push_str(&format!("{} bytes\n", body.len()));
    answer(out, 200, &text);
}

/// Answers with a head at once and ends when the request does.
fn hold(request: &IncomingRequest, out: ResponseOutparam) {
    let (response, body) = response(200, None);
    ResponseOutparam::set(out, Ok(response));
    let output = body.write().expect("write");
    write(&output, b"held");
    let incoming = request.consume().expect("consume");
    read_all(&incoming.stream().expect("stream"));
    drop(output);
    OutgoingBody::finish(body, None).expect("finish");
}
