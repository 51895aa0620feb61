//! Known sequences of increments and commit points, by path.

use std::sync::atomic::{AtomicU64, Ordering};

use numax_sdk::crdt::{GCounter, LwwRegister};
use numax_sdk::{kv, messaging};
use test_guests::{answer, incr, response, target, write};
use wasip2::cli::stdout::get_stdout;
use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingRequest, Method, OutgoingBody, OutgoingRequest,
    OutgoingResponse, ResponseOutparam, Scheme,
};
use wasip2::io::poll;
use wasip2::io::streams::{InputStream, StreamError};
use wasip2::sockets::{instance_network, ip_name_lookup};

/// What this instance has read once.
static SEEN: AtomicU64 = AtomicU64::new(0);

struct Turns;

wasip2::http::proxy::export!(Turns);

impl wasip2::exports::http::incoming_handler::Guest for Turns {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let (path, _) = target(&request);
        match path.as_str() {
            "/seq" | "/trap" | "/nofinish" => sequence(&path, out),
            "/trap-before" => {
                incr("a");
                panic!("before the head");
            }
            "/write" => unflushed_write(out),
            "/print" => print(out),
            "/reuse" => reused_handle(out),
            "/out" | "/out-learned" => outbound(&path, out),
            "/run-on" => run_on(&request, out),
            "/remember" => {
                SEEN.store(GCounter::open("a").expect("open").value().expect("value"), Ordering::Relaxed);
                answer(out, 200, &SEEN.load(Ordering::Relaxed).to_string());
                println!("remembers");
            }
            "/remembered" => answer(out, 200, &SEEN.load(Ordering::Relaxed).to_string()),
            "/hold" | "/hold-trap" => hold(&path, out),
            "/trailers" => trailers(&request, out),
            "/wait" => {
                incr("s");
                monotonic_clock::subscribe_duration(3_600_000_000_000).block();
                incr("s");
                drop(out);
            }
            "/spin" => {
                incr("committed");
                poll::poll(&[&monotonic_clock::subscribe_duration(0)]);
                incr("open");
                loop {
                    std::hint::black_box(());
                }
            }
            "/late" => late(&request, out),
            "/full" | "/full-trap" => full(&request, &path, out),
            "/short" | "/long" => misannounced(&request, &path, out),
            "/exit" => {
                incr("a");
                let _ = out;
                std::process::exit(0);
            }
            "/read" => answer(out, 200, &GCounter::open("a").expect("open").value().expect("value").to_string()),
            "/points" => points(&request, out),
            "/harmless" => harmless(&request, out),
            "/denied-then-ok" => {
                incr("a");
                kv::set("not-granted", "x").expect_err("denied");
                answer(out, 200, "went on");
            }
            "/no-answer" => {
                incr("a");
                drop(out);
            }
            "/error-code" => {
                incr("a");
                ResponseOutparam::set(out, Err(ErrorCode::DestinationNotFound));
            }
            _ => answer(out, 404, ""),
        }
    }
}

/// a×3, head, (b, frame)×3, c, end, e, return.
fn sequence(path: &str, out: ResponseOutparam) {
    for _ in 0..3 {
        incr("a");
    }
    let (response, body) = response(200, None);
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    for chunk in ["one", "two", "three"] {
        incr("b");
        write(&stream, chunk.as_bytes());
        if path == "/trap" && chunk == "two" {
            incr("d");
            incr("d");
            panic!("in the middle of a body");
        }
    }
    drop(stream);
    incr("c");
    if path == "/nofinish" {
        panic!("before finish");
    }
    OutgoingBody::finish(body, None).expect("finish");
    incr("e");
}

/// The write and the flush that do not wait, each a batch.
fn unflushed_write(out: ResponseOutparam) {
    let (response, body) = response(200, None);
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    let ready = stream.subscribe();
    incr("w");
    ready.block();
    assert!(stream.check_write().expect("check") > 0);
    incr("w");
    stream.write(b"sync-write").expect("write");
    incr("w");
    stream.flush().expect("flush");
    incr("w");
    poll::poll(&[&ready]);
    drop((ready, stream));
    OutgoingBody::finish(body, None).expect("finish");
}

/// Standard output between increments: one batch.
fn print(out: ResponseOutparam) {
    incr("a");
    println!("first line");
    incr("a");
    println!("second line");
    eprintln!("to the other stream");
    incr("a");
    answer(out, 200, "");
}

/// A body that gets the number of a standard stream's handle is a body.
fn reused_handle(out: ResponseOutparam) {
    let (response, body) = response(200, None);
    let stdout = get_stdout();
    incr("r");
    stdout.blocking_write_and_flush(b"a line\n").expect("stdout");
    incr("r");
    ResponseOutparam::set(out, Ok(response));
    drop(stdout);
    let stream = body.write().expect("write");
    incr("r");
    write(&stream, b"one");
    incr("r");
    write(&stream, b"two");
    drop(stream);
    OutgoingBody::finish(body, None).expect("finish");
}

/// a, a commit point, then the whole request body, a commit point, a line of output, and an answer. Writes nothing
/// behind the first commit point.
fn run_on(request: &IncomingRequest, out: ResponseOutparam) {
    let commit = || poll::poll(&[&monotonic_clock::subscribe_duration(0)]);
    incr("a");
    commit();
    let incoming = request.consume().expect("consume");
    test_guests::read_all(&incoming.stream().expect("stream"));
    commit();
    println!("ran on");
    answer(out, 200, "");
}

/// Writes to a key and keeps its turn open until a counter of another name moves; then answers with what it reads.
fn hold(path: &str, out: ResponseOutparam) {
    let value = |key: &str| GCounter::open(key).expect("open").value().expect("value");
    incr("a");
    incr("a");
    assert!(value("a") >= 2, "its own writes");
    println!("holds");
    while value("go") == 0 {}
    if path == "/hold-trap" {
        panic!("with an open turn");
    }
    answer(out, 200, &value("a").to_string());
}

/// o, request, p, its body, its end, q, its answer. The answer is the status, or what the host refused it with.
fn outbound(path: &str, out: ResponseOutparam) {
    let (request, request_body) = post("example.invalid");
    incr("o");
    let answer_to_come = outgoing_handler::handle(request, None).expect("handle");
    let stream = request_body.write().expect("write");
    incr("p");
    // Nobody may be reading by now.
    let _ = stream.blocking_write_and_flush(b"request");
    drop(stream);
    let _ = OutgoingBody::finish(request_body, None);
    incr("q");
    let text = outcome(&answer_to_come);
    if path == "/out-learned" {
        incr("learned");
    }
    answer(out, 200, &text);
}

fn post(authority: &str) -> (OutgoingRequest, OutgoingBody) {
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Post).expect("method");
    request.set_scheme(Some(&Scheme::Http)).expect("scheme");
    request.set_authority(Some(authority)).expect("authority");
    request.set_path_with_query(Some("/x")).expect("path");
    let body = request.body().expect("body");
    (request, body)
}

fn outcome(answer: &FutureIncomingResponse) -> String {
    answer.subscribe().block();
    match answer.get().expect("ready").expect("first") {
        Ok(response) => response.status().to_string(),
        Err(code) => format!("{code:?}"),
    }
}

fn trailers(request: &IncomingRequest, out: ResponseOutparam) {
    let headers = Fields::new();
    headers.set("trailer", &[b"x-sum, x-two".to_vec()]).expect("header");
    let response = OutgoingResponse::new(headers);
    let body = response.body().expect("body");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    write(&stream, b"body");
    drop(stream);
    let incoming = request.consume().expect("consume");
    test_guests::read_all(&incoming.stream().expect("stream"));
    incr("t");
    let values = [("x-sum", "42"), ("x-two", "a"), ("x-two", "b")];
    let values = values.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec()));
    let trailers = Fields::from_list(&values).expect("fields");
    OutgoingBody::finish(body, Some(trailers)).expect("finish");
}

/// a, head, "one", then the whole request body, b, "two", end.
fn late(request: &IncomingRequest, out: ResponseOutparam) {
    let (response, body) = response(200, None);
    incr("a");
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    write(&stream, b"one");
    let incoming = request.consume().expect("consume");
    test_guests::read_all(&incoming.stream().expect("stream"));
    incr("b");
    write(&stream, b"two");
    incr("never");
    drop(stream);
    OutgoingBody::finish(body, None).expect("finish");
}

/// The whole announced body, then the whole request body, f, end.
fn full(request: &IncomingRequest, path: &str, out: ResponseOutparam) {
    let (response, body) = response(200, Some(6));
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    write(&stream, b"one");
    write(&stream, b"two");
    drop(stream);
    incr("all-written");
    let incoming = request.consume().expect("consume");
    test_guests::read_all(&incoming.stream().expect("stream"));
    incr("f");
    if path == "/full-trap" {
        panic!("before finish");
    }
    OutgoingBody::finish(body, None).expect("finish");
}

/// Announces six bytes, and writes three or nine; then the whole request body, and the end.
fn misannounced(request: &IncomingRequest, path: &str, out: ResponseOutparam) {
    let (response, body) = response(200, Some(6));
    ResponseOutparam::set(out, Ok(response));
    let stream = body.write().expect("write");
    for chunk in if path == "/short" { &["one"][..] } else { &["one", "two", "three"] } {
        // What is too much is refused here already.
        let _ = stream.blocking_write_and_flush(chunk.as_bytes());
    }
    drop(stream);
    let incoming = request.consume().expect("consume");
    test_guests::read_all(&incoming.stream().expect("stream"));
    OutgoingBody::finish(body, None).expect_err("another length");
}

/// Every commit point that can be reached without more grants, an increment of a key of its own before each.
fn points(request: &IncomingRequest, out: ResponseOutparam) {
    let incoming = request.consume().expect("consume");
    let input = incoming.stream().expect("stream");
    let now = monotonic_clock::subscribe_instant(0);
    let (response, body) = response(200, None);

    incr("wasi:io/poll#poll");
    poll::poll(&[&now]);
    incr("wasi:io/poll#[method]pollable.block");
    now.block();
    incr("wasi:io/streams#[method]input-stream.blocking-read");
    input.blocking_read(1).expect("read");
    incr("wasi:io/streams#[method]input-stream.blocking-skip");
    input.blocking_skip(1).expect("skip");
    incr("wasi:http/types#[static]response-outparam.set");
    ResponseOutparam::set(out, Ok(response));

    let stream = body.write().expect("write");
    let room = || while stream.check_write().expect("check") == 0 {};
    incr("wasi:io/streams#[method]output-stream.blocking-write-and-flush");
    stream.blocking_write_and_flush(b"x").expect("write");
    incr("wasi:io/streams#[method]output-stream.blocking-write-zeroes-and-flush");
    stream.blocking_write_zeroes_and_flush(1).expect("zeroes");
    room();
    incr("wasi:io/streams#[method]output-stream.write");
    stream.write(b"x").expect("write");
    incr("wasi:io/streams#[method]output-stream.flush");
    stream.flush().expect("flush");
    incr("wasi:io/streams#[method]output-stream.blocking-flush");
    stream.blocking_flush().expect("flush");
    room();
    incr("wasi:io/streams#[method]output-stream.write-zeroes");
    stream.write_zeroes(1).expect("zeroes");
    stream.blocking_flush().expect("flush");
    room();
    incr("wasi:io/streams#[method]output-stream.splice");
    stream.splice(&input, 1).expect("splice");
    stream.blocking_flush().expect("flush");
    incr("wasi:io/streams#[method]output-stream.blocking-splice");
    stream.blocking_splice(&input, 1).expect("splice");
    stream.blocking_flush().expect("flush");

    let (outgoing, outgoing_body) = post("example.invalid");
    drop(outgoing_body);
    incr("wasi:http/outgoing-handler#handle");
    drop(outgoing_handler::handle(outgoing, None));
    incr("wasi:sockets/ip-name-lookup#resolve-addresses");
    drop(ip_name_lookup::resolve_addresses(&instance_network::instance_network(), "example.invalid"));
    incr("numax:runtime/messaging#publish");
    messaging::publish("topic", "payload").expect_err("not granted");
    incr("numax:runtime/crdt#[method]lww-register.compare-and-set");
    LwwRegister::open("register").expect("open").compare_and_set(None, "x").expect("compare");

    drop(stream);
    incr("wasi:http/types#[static]outgoing-body.finish");
    OutgoingBody::finish(body, None).expect("finish");
    incr("return");
}

/// Many calls that leave the turn open, an increment before each.
fn harmless(request: &IncomingRequest, out: ResponseOutparam) {
    let incoming = request.consume().expect("consume");
    let input = incoming.stream().expect("stream");
    let (response, body) = response(200, None);
    let stream = body.write().expect("write");
    let mut step = 0;
    let mut next = || {
        step += 1;
        incr(&format!("h:{step:02}"));
    };
    next();
    stream.check_write().expect("check");
    next();
    let ready = input.subscribe();
    next();
    ready.ready();
    next();
    until_some(&input);
    next();
    println!("printed");
    next();
    std::io::Write::flush(&mut std::io::stderr()).expect("flush");
    next();
    get_stdout().flush().expect("flush");
    next();
    std::hint::black_box(std::time::Instant::now());
    next();
    std::hint::black_box(std::env::vars().count());
    next();
    kv::set("db", "value").expect("set");
    next();
    assert_eq!(kv::get("db").expect("get").as_deref(), Some(b"value".as_slice()));
    next();
    // Read from the engine, where no row of it is in memory.
    kv::get("absent").expect("get");
    next();
    kv::scan("").next();
    next();
    LwwRegister::open("register").expect("open").get().expect("get");
    next();
    numax_sdk::module::grants();
    next();
    ResponseOutparam::set(out, Ok(response));
    drop(stream);
    OutgoingBody::finish(body, None).expect("finish");
}

/// Reads without waiting, until something is there.
fn until_some(input: &InputStream) {
    loop {
        match input.read(10) {
            Ok(bytes) if bytes.is_empty() => {}
            Ok(_) | Err(StreamError::Closed) => return,
            Err(e) => panic!("{e:?}"),
        }
    }
}
