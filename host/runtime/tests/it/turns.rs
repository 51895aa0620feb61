//! Turns as a guest makes them and a client sees them: what is one batch, and what leaves the node.

use crate::client::{Client, Cut, get, post};
use crate::guests::Guest;
use crate::logs;
use crate::node::{Node, OPEN, load, soon};
use crate::server::{Server, serve};
use numax_runtime::turn::table::{self, Turn};
use std::collections::BTreeSet;

async fn turns(node: &Node, name: &str) -> Server {
    serve(node, load(Guest::Turns, name, OPEN)).await
}

/// One request; its status, its chunks, and whether it ended.
async fn chunked(server: &Server, target: &str) -> (u16, Vec<String>, Result<(), Cut>) {
    let mut client = Client::connect(server.addr()).await;
    client.request("GET", target).await;
    let head = client.head().await.unwrap();
    let (chunks, end) = client.chunks().await;
    (head.status, chunks, end)
}

#[tokio::test]
async fn every_commit_point_of_an_answer_ends_a_turn() {
    let mut node = Node::new();
    let server = turns(&node, "turns-seq").await;
    let (status, chunks, end) = chunked(&server, "/seq").await;
    assert_eq!((status, chunks, end), (200, vec!["one".into(), "two".into(), "three".into()], Ok(())));
    assert_eq!(node.batches(6).await, [["a+3"], ["b+1"], ["b+1"], ["b+1"], ["c+1"], ["e+1"]]);
}

#[tokio::test]
async fn a_trap_in_the_middle_of_a_body_cuts_it_and_leaves_nothing_of_its_turn() {
    let mut node = Node::new();
    let server = turns(&node, "turns-trap").await;
    let (status, chunks, end) = chunked(&server, "/trap").await;
    assert_eq!((status, chunks, end), (200, vec!["one".into(), "two".into()], Err(Cut)));
    assert_eq!(node.batches(3).await, [["a+3"], ["b+1"], ["b+1"]]);
    assert_eq!(node.counter("d"), 0);
}

#[tokio::test]
async fn a_body_that_is_not_finished_is_cut() {
    let mut node = Node::new();
    let server = turns(&node, "turns-nofinish").await;
    let (status, chunks, end) = chunked(&server, "/nofinish").await;
    assert_eq!((status, chunks, end), (200, vec!["one".into(), "two".into(), "three".into()], Err(Cut)));
    assert_eq!(node.batches(4).await, [["a+3"], ["b+1"], ["b+1"], ["b+1"]]);
}

#[tokio::test]
async fn a_trap_before_the_head_is_a_500_and_nothing_else() {
    let mut node = Node::new();
    let server = turns(&node, "turns-trap-before").await;
    let answer = get(server.addr(), "/trap-before").await;
    assert_eq!(answer.status(), 500);
    assert!(!answer.text().contains("before the head"), "{}", answer.text());
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    // The operator is told where the guest was.
    let lines = logs::of("turns-trap-before");
    assert!(lines.iter().any(|line| line.contains("trapped")), "{lines:?}");
}

#[tokio::test]
async fn writes_and_flushes_that_do_not_wait_are_commit_points_too() {
    let mut node = Node::new();
    let server = turns(&node, "turns-write").await;
    let (status, chunks, end) = chunked(&server, "/write").await;
    assert_eq!((status, chunks.concat(), end), (200, "sync-write".to_owned(), Ok(())));
    assert_eq!(node.batches(4).await, [["w+1"], ["w+1"], ["w+1"], ["w+1"]]);
}

#[tokio::test]
async fn standard_output_leaves_the_turn_open_and_goes_to_the_log() {
    let mut node = Node::new();
    let server = turns(&node, "turns-print").await;
    assert_eq!(get(server.addr(), "/print").await.status(), 200);
    assert_eq!(node.batches(1).await, [["a+3"]]);
    let lines = logs::of("turns-print");
    for text in ["first line", "second line", "to the other stream"] {
        assert!(lines.iter().any(|line| line.contains(text)), "{text}: {lines:?}");
    }
}

#[tokio::test]
async fn a_body_under_a_number_that_standard_output_had_is_a_body() {
    let mut node = Node::new();
    let server = turns(&node, "turns-reuse").await;
    let (status, chunks, end) = chunked(&server, "/reuse").await;
    assert_eq!((status, chunks, end), (200, vec!["one".into(), "two".into()], Ok(())));
    assert_eq!(node.batches(3).await, [["r+2"], ["r+1"], ["r+1"]]);
}

#[tokio::test]
async fn a_request_to_the_outside_ends_a_turn_and_is_denied() {
    let mut node = Node::new();
    let server = turns(&node, "turns-out").await;
    let answer = get(server.addr(), "/out").await;
    assert_eq!((answer.status(), answer.text()), (200, "ErrorCode::HttpRequestDenied".to_owned()));
    assert_eq!(node.batches(3).await, [["o+1"], ["p+1"], ["q+1"]]);
    let line = "network.outbound = [\"http://example.invalid\"]";
    let lines = logs::of("turns-out");
    assert!(lines.iter().any(|l| l.contains(line)), "{lines:?}");
}

/// Asks for trailers and ends its request only later; the answer is there up to its body.
async fn up_to_the_trailers(server: &Server) -> Client {
    let mut client = Client::connect(server.addr()).await;
    let headers = "host: test\r\nte: trailers\r\ntransfer-encoding: chunked";
    client.send(format!("POST /trailers HTTP/1.1\r\n{headers}\r\n\r\n")).await;
    client.head().await.unwrap();
    assert_eq!(client.next_chunk().await, Ok(Some(b"body".to_vec())));
    client
}

#[tokio::test]
async fn trailers_come_whole_after_the_batch_before_them() {
    let mut node = Node::new();
    let server = turns(&node, "turns-trailers").await;
    let mut client = up_to_the_trailers(&server).await;
    client.chunk("").await;
    assert_eq!(client.next_chunk().await, Ok(None));
    let trailers = client.fields().await.unwrap();
    let shown: Vec<_> = trailers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    assert_eq!(shown, ["x-sum: 42", "x-two: a", "x-two: b"]);
    assert_eq!(node.counter("t"), 1, "the batch was there first");
    assert_eq!(node.batches(1).await, [["t+1"]]);
}

#[tokio::test]
async fn trailers_stay_when_the_batch_before_them_fails() {
    let node = Node::new();
    let server = turns(&node, "turns-trailers-fail").await;
    let mut client = up_to_the_trailers(&server).await;
    crate::failures::fail_commits(&node).await;
    client.chunk("").await;
    assert_eq!(client.next_chunk().await, Err(Cut));
    assert_eq!(node.counter("t"), 0);
}

#[tokio::test]
async fn the_last_byte_of_an_announced_body_leaves_with_its_end() {
    let mut node = Node::new();
    let server = turns(&node, "turns-full").await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/full").await;
    assert_eq!(client.head().await.unwrap().header("content-length"), Some("6"));
    assert_eq!(client.exactly(3).await, Ok(b"one".to_vec()));
    // The guest has written everything; it waits for the rest of the request before it ends its answer.
    assert_eq!(node.next_batch().await, ["all-written+1"]);
    client.chunk("").await;
    assert_eq!(client.exactly(3).await, Ok(b"two".to_vec()));
    assert_eq!(node.counter("f"), 1, "the batch was there first");
    assert_eq!(node.batches(1).await, [["f+1"]]);
    // The connection is as good as new.
    client.request("GET", "/read").await;
    assert_eq!(client.answer().await.unwrap().text(), "0");
}

#[tokio::test]
async fn a_guest_that_traps_behind_its_last_byte_has_not_answered() {
    let mut node = Node::new();
    let server = turns(&node, "turns-full-trap").await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/full-trap").await;
    client.head().await.unwrap();
    client.chunk("").await;
    assert_eq!(client.rest().await, b"one");
    assert_eq!(node.batches(1).await, [["all-written+1"]]);
}

#[tokio::test]
async fn a_client_that_leaves_while_the_guest_waits_takes_nothing_back() {
    let mut node = Node::new();
    let server = turns(&node, "turns-wait").await;
    let mut client = Client::connect(server.addr()).await;
    client.request("GET", "/wait").await;
    assert_eq!(node.next_batch().await, ["s+1"]);
    drop(client);
    server.idle().await;
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    assert_eq!(node.counter("s"), 1);
}

#[tokio::test]
async fn a_client_that_leaves_while_the_guest_computes_rolls_its_turn_back() {
    let mut node = Node::new();
    let server = turns(&node, "turns-spin").await;
    let mut client = Client::connect(server.addr()).await;
    client.request("GET", "/spin").await;
    assert_eq!(node.next_batch().await, ["committed+1"]);
    drop(client);
    server.idle().await;
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    assert_eq!(node.counter("open"), 0);
}

#[tokio::test]
async fn a_denied_call_is_an_answer_and_the_turn_goes_on() {
    let mut node = Node::new();
    let server = turns(&node, "turns-denied").await;
    assert_eq!(get(server.addr(), "/denied-then-ok").await.text(), "went on");
    assert_eq!(node.batches(1).await, [["a+1"]]);
}

#[tokio::test]
async fn a_guest_that_gives_no_answer_has_failed() {
    let mut node = Node::new();
    let server = turns(&node, "turns-no-answer").await;
    assert_eq!(get(server.addr(), "/no-answer").await.status(), 500);
    // It returned, and so it committed.
    assert_eq!(node.batches(1).await, [["a+1"]]);
}

#[tokio::test]
async fn a_guest_that_answers_with_an_error_is_a_bad_gateway() {
    let mut node = Node::new();
    let server = turns(&node, "turns-error-code").await;
    assert_eq!(get(server.addr(), "/error-code").await.status(), 502);
    assert_eq!(node.batches(1).await, [["a+1"]]);
}

/// Commit points that no guest of this version can reach: what they work on is denied, or ends the guest.
const UNREACHABLE: &[&str] =
    &["wasi:filesystem/types#", "wasi:sockets/tcp#", "wasi:sockets/udp#", "wasi:cli/exit#"];

#[tokio::test]
async fn each_commit_point_of_the_list_commits() {
    let mut node = Node::new();
    let server = turns(&node, "turns-points").await;
    let answer = soon("an answer", post(server.addr(), "/points", "0123456789")).await;
    assert_eq!(answer.status(), 200);
    let mut seen = Vec::new();
    loop {
        let batch = node.next_batch().await;
        let [operation] = batch.as_slice() else { panic!("{batch:?} should have been batches of their own") };
        if operation == "register=x" {
            continue;
        }
        let point = operation.strip_suffix("+1").unwrap().to_owned();
        if point == "return" {
            break;
        }
        seen.push(point);
    }
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    let points: BTreeSet<String> = table::interfaces()
        .flat_map(|i| {
            i.functions.iter().filter(|f| f.turn == Turn::Point).map(|f| format!("{}#{}", i.name, f.name))
        })
        .filter(|point| !UNREACHABLE.iter().any(|prefix| point.starts_with(prefix)))
        .collect();
    assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), points);
    assert_eq!(seen.len(), points.len(), "{seen:?}");
}

#[tokio::test]
async fn what_is_no_commit_point_leaves_the_turn_open() {
    // Without rows in memory reads wait for the engine: that is none either.
    for cache_rows in [0, 65_536] {
        let mut node = Node::with(|config| config.core.cache_rows = cache_rows);
        let server = turns(&node, "turns-harmless").await;
        let answer = soon("an answer", post(server.addr(), "/harmless", "0123456789")).await;
        assert_eq!(answer.status(), 200);
        let all: Vec<_> = (1..=16).map(|step| format!("h:{step:02}+1")).collect();
        assert_eq!(node.batches(1).await, [all]);
    }
}

#[tokio::test]
async fn two_instances_on_one_key_do_not_disturb_each_other() {
    let mut node = Node::new();
    let server = turns(&node, "turns-two").await;
    // One is in the middle of its turn, having written `a`, and waits for its request's body.
    let mut first = Client::connect(server.addr()).await;
    first.begin("POST", "/late").await;
    first.head().await.unwrap();
    assert_eq!(first.next_chunk().await, Ok(Some(b"one".to_vec())));
    assert_eq!(node.next_batch().await, ["a+1"]);
    // Meanwhile others write the same key: one is committed, one traps.
    assert_eq!(get(server.addr(), "/print").await.status(), 200);
    assert_eq!(get(server.addr(), "/trap-before").await.status(), 500);
    assert_eq!(node.batches(1).await, [["a+3"]]);
    first.chunk("").await;
    assert_eq!(first.chunks().await, (vec!["two".to_owned()], Ok(())));
    assert_eq!(node.batches(2).await, [["b+1"], ["never+1"]]);
    assert_eq!(node.counter("a"), 4);
}

#[tokio::test]
async fn open_turns_on_one_key_are_added_and_not_seen_by_others() {
    let mut node = Node::new();
    let server = turns(&node, "turns-open").await;
    let addr = server.addr();
    // Two instances have written `a` twice each, and keep their turns open; one of them will trap.
    let ask = |path: &'static str| tokio::spawn(async move { get(addr, path).await });
    let (first, trapping) = (ask("/hold"), ask("/hold-trap"));
    let both = async {
        while logs::of("turns-open").iter().filter(|line| line.contains("holds")).count() < 2 {
            tokio::task::yield_now().await;
        }
    };
    soon("two open turns", both).await;
    // A third commits to the same key, and nobody sees more of it than is committed.
    assert_eq!(get(addr, "/print").await.status(), 200);
    assert_eq!(get(addr, "/read").await.text(), "3");
    assert_eq!(node.batches(1).await, [["a+3"]]);
    node.write(|draft| draft.g_counter_increment(&crate::node::key("go"), 1).unwrap()).await;
    let first = soon("an answer", first).await.unwrap();
    assert_eq!((first.status(), first.text()), (200, "5".to_owned()), "what is committed, and its own");
    assert_eq!(soon("an answer", trapping).await.unwrap().status(), 500);
    server.idle().await;
    assert_eq!(node.batches(2).await, [["go+1"], ["a+2"]]);
    assert_eq!(node.counter("a"), 5);
}

#[tokio::test]
async fn a_body_of_another_length_than_announced_is_told_with_its_module() {
    let node = Node::new();
    for (name, path) in [("turns-short", "/short"), ("turns-long", "/long")] {
        let server = turns(&node, name).await;
        let mut client = Client::connect(server.addr()).await;
        client.begin("POST", path).await;
        assert_eq!(client.head().await.unwrap().header("content-length"), Some("6"));
        client.chunk("").await;
        assert!(client.rest().await.len() < 6, "{path} passed for whole");
        server.idle().await;
        let lines = logs::of(name);
        assert!(lines.iter().any(|line| line.contains("content-length must be")), "{lines:?}");
    }
}

#[tokio::test]
async fn an_exit_in_a_handler_is_called_that() {
    let mut node = Node::new();
    let server = turns(&node, "turns-exit").await;
    assert_eq!(get(server.addr(), "/exit").await.status(), 500);
    assert_eq!(node.batches(1).await, [["a+1"]]);
    let lines = logs::of("turns-exit");
    let said = |line: &String| line.contains("called exit(0)") && line.contains("has to return");
    assert!(lines.iter().any(said), "{lines:?}");
}
