//! Commits that fail: what the client gets, and what does not leave the node.

use crate::client::{Client, Cut, get};
use crate::commands::run;
use crate::guests::Guest;
use crate::logs;
use crate::node::{Node, OPEN, load};
use crate::server::{Server, serve};
use numax_runtime::RunError;

async fn turns(node: &Node, name: &str) -> Server {
    serve(node, load(Guest::Turns, name, OPEN)).await
}

/// From here on the replica commits nothing any more.
async fn fail_commits(node: &Node) {
    let replica = node.replica.clone();
    tokio::task::spawn_blocking(move || replica.stop_for_duplicate()).await.unwrap();
}

#[tokio::test]
async fn a_commit_that_fails_before_the_head_is_a_503_without_a_byte_of_the_guest() {
    let node = Node::new();
    let server = turns(&node, "failures-head").await;
    fail_commits(&node).await;
    let answer = get(server.addr(), "/seq").await;
    assert_eq!(answer.status(), 503);
    assert!(!answer.text().contains("one"), "{}", answer.text());
    server.idle().await;
    assert_eq!((node.counter("a"), node.counter("b")), (0, 0));
    let failures =
        logs::of("failures-head").into_iter().filter(|line| line.contains("commit failed")).count();
    assert_eq!(failures, 1, "{:?}", logs::of("failures-head"));
}

#[tokio::test]
async fn a_commit_that_fails_after_the_head_cuts_the_answer_and_stops_the_guest() {
    let mut node = Node::new();
    let server = turns(&node, "failures-body").await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/late").await;
    assert_eq!(client.head().await.unwrap().status, 200);
    assert_eq!(client.next_chunk().await, Ok(Some(b"one".to_vec())));
    assert_eq!(node.next_batch().await, ["a+1"]);
    fail_commits(&node).await;
    client.chunk("").await;
    assert_eq!(client.chunks().await, (vec![], Err(Cut)));
    server.idle().await;
    assert_eq!((node.counter("a"), node.counter("b"), node.counter("never")), (1, 0, 0));
}

#[tokio::test]
async fn what_writes_nothing_goes_on_when_commits_fail() {
    let node = Node::new();
    let server = turns(&node, "failures-reads").await;
    fail_commits(&node).await;
    assert_eq!(get(server.addr(), "/nothing-there").await.status(), 404);
}

#[tokio::test]
async fn a_command_whose_commit_fails_has_failed() {
    let node = Node::new();
    fail_commits(&node).await;
    for command in [&["return"][..], &["exit", "0"]] {
        let e = run(&node, OPEN, command).await.unwrap_err();
        assert!(matches!(e, RunError::Commit(_)), "{command:?}: {e}");
    }
    assert_eq!(node.counter("a"), 0);
}
