//! HTTP itself: connections, bodies, routes and instances.

use crate::client::{Client, get, post};
use crate::guests::Guest;
use crate::logs;
use crate::node::{Node, OPEN, load, soon};
use crate::server::{Server, serve, serve_with};
use numax_runtime::StartError;
use std::net::SocketAddr;
use std::time::Duration;

async fn web(node: &Node, name: &str) -> Server {
    serve(node, load(Guest::Web, name, OPEN)).await
}

/// A policy with an `[http]` section.
fn with_http(lines: &str) -> String {
    format!("{OPEN}\n[http]\n{lines}\n")
}

#[tokio::test]
async fn a_connection_serves_many_requests() {
    let node = Node::new();
    let server = web(&node, "http-keep-alive").await;
    let mut client = Client::connect(server.addr()).await;
    for _ in 0..3 {
        client.request("GET", "/instance").await;
        assert_eq!(client.answer().await.unwrap().text(), "1");
    }
    // Also when they come all at once.
    client.send("GET /instance HTTP/1.1\r\nhost: test\r\n\r\n".repeat(2)).await;
    for _ in 0..2 {
        assert_eq!(client.answer().await.unwrap().status(), 200);
    }
    client.send("GET /instance HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\r\n").await;
    client.answer().await.unwrap();
    assert!(client.rest().await.is_empty());
}

#[tokio::test]
async fn head_has_the_headers_and_no_body() {
    let node = Node::new();
    let server = web(&node, "http-head").await;
    let mut client = Client::connect(server.addr()).await;
    client.request("HEAD", "/bytes?5000").await;
    let head = client.head().await.unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, Some("5000")));
    // The next answer begins where a body would have been.
    client.request("GET", "/instance").await;
    assert_eq!(client.answer().await.unwrap().text(), "1");
    server.idle().await;
}

#[tokio::test]
async fn a_guest_sees_the_request_as_it_was_sent() {
    let node = Node::new();
    let server = web(&node, "http-request").await;
    let mut client = Client::connect(server.addr()).await;
    let request = "POST /request?a=%20b&c HTTP/1.1\r\nhost: shop.example:8080\r\nx-one: 1\r\nx-two: a, b\r\n\
                   content-length: 3\r\n\r\nabc";
    client.send(request).await;
    let text = client.answer().await.unwrap().text();
    assert!(
        text.starts_with("Method::Post /request?a=%20b&c Some(Scheme::Http) Some(\"shop.example:8080\")\n"),
        "{text}"
    );
    assert!(
        text.contains("x-one: 1\n") && text.contains("x-two: a, b\n") && text.ends_with("3 bytes\n"),
        "{text}"
    );
}

/// Numbered bytes.
fn pattern(count: usize) -> Vec<u8> {
    (0..=250).cycle().take(count).collect()
}

#[tokio::test]
async fn large_answers_come_whole() {
    let node = Node::new();
    let server = web(&node, "http-large").await;
    let count = 10 << 20;
    let answer = soon("an answer", get(server.addr(), &format!("/bytes?{count}"))).await;
    assert_eq!(answer.body.len(), count);
    assert!(answer.body == pattern(count), "other bytes came");
}

#[tokio::test]
async fn large_requests_are_read_while_they_come() {
    let node = Node::new();
    let server = web(&node, "http-echo").await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/echo").await;
    client.head().await.unwrap();
    let block = pattern(64 << 10);
    let total = 10 << 20;
    for sent in (0..total).step_by(block.len()) {
        client.chunk(&block).await;
        // The answer to this part is here before the next one is sent: nothing waits for the request's end.
        let mut back = Vec::new();
        while back.len() < block.len() {
            back.extend(soon("an echo", client.next_chunk()).await.unwrap().unwrap());
        }
        assert!(back == block, "at {sent}");
    }
    client.chunk("").await;
    assert_eq!(client.chunks().await, (vec![], Ok(())));
}

#[tokio::test]
async fn an_announced_body_over_the_limit_is_refused_before_a_guest_sees_it() {
    let node = Node::new();
    let server =
        serve_with(&node, vec![load(Guest::Web, "http-body-limit", OPEN)], |c| c.max_body = 1000).await;
    assert_eq!(post(server.addr(), "/request", vec![b'x'; 1000]).await.status(), 200);
    let mut client = Client::connect(server.addr()).await;
    client.send("POST /request HTTP/1.1\r\nhost: test\r\ncontent-length: 1001\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status(), 413);
}

#[tokio::test]
async fn a_body_that_turns_out_too_long_is_cut_off() {
    let node = Node::new();
    let server =
        serve_with(&node, vec![load(Guest::Web, "http-long-body", OPEN)], |c| c.max_body = 1000).await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/request").await;
    client.chunk(vec![b'x'; 600]).await;
    client.chunk(vec![b'x'; 600]).await;
    // The guest cannot read on and fails.
    assert_eq!(client.head().await.unwrap().status, 500);
    assert_eq!(get(server.addr(), "/instance").await.status(), 200);
}

#[tokio::test]
async fn heads_are_limited() {
    let node = Node::new();
    let module = load(Guest::Web, "http-head-limit", OPEN);
    let server = serve_with(&node, vec![module], |c| (c.max_head, c.max_headers) = (16 << 10, 20)).await;
    let mut long = Client::connect(server.addr()).await;
    long.send(format!("GET /instance HTTP/1.1\r\nhost: test\r\nx: {}\r\n\r\n", "x".repeat(32 << 10))).await;
    assert_eq!(long.head().await.unwrap().status, 431);
    let mut many = Client::connect(server.addr()).await;
    many.send(format!("GET /instance HTTP/1.1\r\nhost: test\r\n{}\r\n", "x: y\r\n".repeat(30))).await;
    assert_eq!(many.head().await.unwrap().status, 431);
    assert_eq!(get(server.addr(), "/instance").await.status(), 200);
}

#[tokio::test]
async fn what_is_not_http_is_refused_and_the_server_goes_on() {
    let node = Node::new();
    let server = web(&node, "http-garbage").await;
    for garbage in ["\0\x01\x02\x03\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n"] {
        let mut client = Client::connect(server.addr()).await;
        client.send(garbage).await;
        let answer = String::from_utf8_lossy(&client.rest().await).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{garbage:?}: {answer}");
    }
    let mut client = Client::connect(server.addr()).await;
    client.send("GET /instance HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status(), 400);
    assert_eq!(get(server.addr(), "/instance").await.status(), 200);
}

#[tokio::test]
async fn paths_go_to_the_module_that_has_them() {
    let node = Node::new();
    let modules = vec![
        load(Guest::Web, "http-route-a", &with_http("routes = [\"/instance\", \"/a/*\"]")),
        load(Guest::Turns, "http-route-b", &with_http("routes = [\"/seq\"]")),
    ];
    let server = serve_with(&node, modules, |_| {}).await;
    assert_eq!(get(server.addr(), "/instance?x").await.text(), "1");
    assert_eq!(get(server.addr(), "/a/b").await.text(), "the guest has no such path");
    assert_eq!(get(server.addr(), "/seq").await.text(), "onetwothree");
    let nobody = get(server.addr(), "/b").await;
    assert_eq!(nobody.status(), 404);
    assert!(nobody.text().contains("no module"), "{}", nobody.text());
}

#[tokio::test]
async fn one_route_for_two_modules_does_not_start() {
    let node = Node::new();
    let modules = vec![load(Guest::Web, "http-first", OPEN), load(Guest::Turns, "http-second", OPEN)];
    let runtime = numax_runtime::Runtime::new(crate::node::engine(), node.backend());
    let addr = SocketAddr::from(([127, 0, 0, 1], 0));
    let e = numax_runtime::HttpServer::start(&runtime, modules, addr).await.unwrap_err();
    assert!(matches!(&e, StartError::Route { .. }), "{e}");
    assert!(e.to_string().contains("http-first and http-second"), "{e}");
}

#[tokio::test]
async fn a_module_that_may_not_serve_is_not_reached() {
    let node = Node::new();
    let silent = OPEN.replace("network.serve = true", "");
    let server = serve(&node, load(Guest::Web, "http-silent", &silent)).await;
    let answer = get(server.addr(), "/visit").await;
    assert_eq!(answer.status(), 403);
    assert_eq!(node.counter("visits"), 0);
    let lines = logs::of("http-silent");
    assert!(lines.iter().any(|line| line.contains("network.serve = true")), "{lines:?}");
}

#[tokio::test]
async fn fresh_instances_share_nothing() {
    let node = Node::new();
    let server = web(&node, "http-fresh").await;
    for _ in 0..3 {
        assert_eq!(get(server.addr(), "/instance").await.text(), "1");
    }
    server.idle().await;
}

#[tokio::test]
async fn an_instance_is_used_again_as_often_as_the_policy_says() {
    let node = Node::new();
    let policy = with_http("reuse = { max = 3, idle = \"1h\" }");
    let server = serve(&node, load(Guest::Web, "http-reuse", &policy)).await;
    let mut requests = Vec::new();
    for _ in 0..7 {
        requests.push(get(server.addr(), "/instance").await.text());
    }
    assert_eq!(requests.concat(), "1231231");
}

#[tokio::test]
async fn an_instance_that_trapped_is_not_used_again() {
    let node = Node::new();
    let policy = with_http("reuse = { max = 100, idle = \"1h\" }");
    let server = serve(&node, load(Guest::Web, "http-reuse-trap", &policy)).await;
    assert_eq!(get(server.addr(), "/instance").await.text(), "1");
    assert_eq!(get(server.addr(), "/instance").await.text(), "2");
    assert_eq!(get(server.addr(), "/trap").await.status(), 500);
    assert_eq!(get(server.addr(), "/instance").await.text(), "1");
}

#[tokio::test]
async fn an_instance_serves_one_request_at_a_time() {
    let node = Node::new();
    let policy = with_http("reuse = { max = 100, idle = \"1h\" }");
    let server = serve(&node, load(Guest::Web, "http-reuse-busy", &policy)).await;
    let mut held = Client::connect(server.addr()).await;
    held.begin("POST", "/hold").await;
    held.head().await.unwrap();
    assert_eq!(get(server.addr(), "/instance").await.text(), "1");
    held.chunk("").await;
    assert_eq!(held.chunks().await, (vec!["held".to_owned()], Ok(())));
}

#[tokio::test]
async fn idle_instances_are_let_go() {
    let node = Node::new();
    let policy = with_http("reuse = { max = 100, idle = \"20ms\" }");
    let server = serve(&node, load(Guest::Web, "http-reuse-idle", &policy)).await;
    assert_eq!(get(server.addr(), "/instance").await.text(), "1");
    server.idle().await;
    assert_eq!(get(server.addr(), "/instance").await.text(), "1");
}

#[tokio::test]
async fn a_shutdown_lets_open_requests_end_and_takes_no_more() {
    let node = Node::new();
    let module = load(Guest::Web, "http-shutdown", OPEN);
    let server = serve_with(&node, vec![module], |config| config.drain = Duration::from_secs(60)).await;
    let addr = server.addr();
    let mut held = Client::connect(addr).await;
    held.begin("POST", "/hold").await;
    held.head().await.unwrap();
    assert_eq!(held.next_chunk().await, Ok(Some(b"held".to_vec())));
    let down = tokio::spawn(server.shutdown());
    // The listener is gone as soon as the shutdown is under way.
    soon("a refusal", async { while tokio::net::TcpStream::connect(addr).await.is_ok() {} }).await;
    held.chunk("").await;
    assert_eq!(held.chunks().await, (vec![], Ok(())));
    soon("the end", down).await.unwrap();
}

#[tokio::test]
async fn a_client_that_stops_in_the_middle_gives_its_instance_back() {
    let node = Node::new();
    let module = load(Guest::Web, "http-stalled", OPEN);
    let server = serve_with(&node, vec![module], |c| c.stall_timeout = Duration::from_millis(300)).await;
    let mut silent = Client::connect(server.addr()).await;
    silent.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc").await;
    let mut deaf = Client::connect(server.addr()).await;
    deaf.request("GET", "/bytes?60000000").await;
    // Both are with their guests before anybody is given up.
    soon("two instances", async {
        while server.runtime.instances() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Waiting for something to send is no reason.
    let mut patient = Client::connect(server.addr()).await;
    patient.begin("POST", "/echo").await;
    for _ in 0..4 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        patient.chunk("x").await;
    }
    patient.chunk("").await;
    assert_eq!(patient.answer().await.unwrap().text(), "xxxx");
    server.idle().await;
}

#[tokio::test]
async fn http_1_0_needs_no_host() {
    let node = Node::new();
    let server = web(&node, "http-1-0").await;
    let mut client = Client::connect(server.addr()).await;
    client.send("GET /instance HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status(), 200);
    let mut client = Client::connect(server.addr()).await;
    client.send("GET /instance HTTP/1.1\r\n\r\n").await;
    assert_eq!(client.answer().await.unwrap().status(), 400);
}
