//! Commits that fail: what the client gets, and what does not leave the node.

use crate::client::{Client, Cut, get};
use crate::commands::run;
use crate::guests::Guest;
use crate::held::Hold;
use crate::logs;
use crate::node::{Node, OPEN, key, load, soon};
use crate::server::{Server, serve};
use numax_replica::{Durability, Health, ReplicaConfig};
use numax_runtime::RunError;
use numax_store::{FaultPlan, Faults};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

async fn turns(node: &Node, name: &str) -> Server {
    serve(node, load(Guest::Turns, name, OPEN)).await
}

/// From here on the replica commits nothing any more.
pub async fn fail_commits(node: &Node) {
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

/// Every commit is to be synced.
fn fsync(config: &mut ReplicaConfig) {
    config.core.durability = Durability::Fsync;
    // Only the log syncs here.
    config.flush_interval = Duration::from_secs(3600);
}

/// A node whose disk takes writes and will fail to sync them.
fn failing() -> (Node, Faults) {
    Node::failing(fsync)
}

/// What was appended is not synced: from here on the datastore is read-only.
fn fail_sync(faults: &Faults) {
    faults.set_plan(FaultPlan { fail_sync: Some(0), ..FaultPlan::default() });
}

/// The node has stopped writing and goes on reading.
async fn only_reads(node: &Node, server: &Server, a: u64) {
    server.idle().await;
    assert!(matches!(node.replica.health(), Health::ReadOnly(_)), "{:?}", node.replica.health());
    assert_eq!(get(server.addr(), "/read").await.text(), a.to_string());
    assert_eq!(get(server.addr(), "/seq").await.status(), 503);
    server.idle().await;
    assert_eq!((node.counter("a"), node.counter("b"), node.counter("never")), (a, 0, 0));
}

#[tokio::test]
async fn a_sync_that_fails_before_the_head_is_a_503_without_a_byte_of_the_guest() {
    let (node, faults) = failing();
    let server = turns(&node, "failures-sync-head").await;
    fail_sync(&faults);
    let answer = get(server.addr(), "/seq").await;
    assert_eq!(answer.status(), 503);
    assert!(!answer.text().contains("one"), "{}", answer.text());
    only_reads(&node, &server, 0).await;
}

#[tokio::test]
async fn a_sync_that_fails_after_the_head_cuts_the_answer_and_stops_the_guest() {
    let (node, faults) = failing();
    let server = turns(&node, "failures-sync-body").await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/late").await;
    assert_eq!(client.head().await.unwrap().status, 200);
    assert_eq!(client.next_chunk().await, Ok(Some(b"one".to_vec())));
    fail_sync(&faults);
    client.chunk("").await;
    assert_eq!(client.chunks().await, (vec![], Err(Cut)));
    only_reads(&node, &server, 1).await;
}

#[tokio::test]
async fn a_sync_that_fails_behind_the_last_byte_withholds_it() {
    let (node, faults) = failing();
    let server = turns(&node, "failures-sync-full").await;
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/full").await;
    client.head().await.unwrap();
    assert_eq!(client.exactly(3).await, Ok(b"one".to_vec()));
    while node.counter("all-written") == 0 {
        tokio::task::yield_now().await;
    }
    fail_sync(&faults);
    client.chunk("").await;
    assert_eq!(client.rest().await, b"");
    only_reads(&node, &server, 0).await;
}

/// Somebody else's write that is visible and not durable, and a request whose guest only reads it: the answer's status and
/// text, and whether syncs were still held when it came.
async fn read_unsynced(
    node: &Node,
    server: &Server,
    hold: &Arc<Hold>,
    release: impl FnOnce(),
) -> (u16, String, bool) {
    hold.set(true);
    node.write(|draft| draft.g_counter_increment(&key("a"), 1).unwrap()).await;
    assert_eq!(node.counter("a"), 2, "readers see it at once");
    let held = Arc::new(AtomicBool::new(true));
    let (addr, early) = (server.addr(), held.clone());
    let answer = tokio::spawn(async move {
        let answer = get(addr, "/read").await;
        (answer.status(), answer.text(), early.load(Ordering::SeqCst))
    });
    // Time enough for an answer that does not wait.
    tokio::time::sleep(Duration::from_millis(100)).await;
    held.store(false, Ordering::SeqCst);
    release();
    hold.set(false);
    answer.await.unwrap()
}

#[tokio::test]
async fn what_a_guest_has_only_read_leaves_when_it_is_durable_or_not_at_all() {
    let (node, faults, hold) = Node::held(fsync);
    node.write(|draft| draft.g_counter_increment(&key("a"), 1).unwrap()).await;
    let server = turns(&node, "failures-read").await;
    assert_eq!(get(server.addr(), "/read").await.text(), "1");
    let answer = read_unsynced(&node, &server, &hold, || {}).await;
    assert_eq!(answer, (200, "2".to_owned(), false));
    drop((server, node, faults));

    let (node, faults, hold) = Node::held(fsync);
    node.write(|draft| draft.g_counter_increment(&key("a"), 1).unwrap()).await;
    let server = turns(&node, "failures-read-lost").await;
    assert_eq!(get(server.addr(), "/read").await.text(), "1");
    let (status, text, early) = read_unsynced(&node, &server, &hold, || fail_sync(&faults)).await;
    assert_eq!((status, early), (503, false), "{text}");
    assert!(!text.contains('2'), "{text}");
    // What is shown now was durable before, and needs no waiting.
    only_reads(&node, &server, 1).await;
}

#[tokio::test]
async fn the_answer_of_a_request_to_the_outside_waits_for_the_batch_before_it() {
    let (node, _faults, hold) = Node::held(fsync);
    let server = turns(&node, "failures-out").await;
    hold.set(true);
    let addr = server.addr();
    let answer = tokio::spawn(async move { get(addr, "/out-learned").await });
    let asked = async {
        while node.counter("q") == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the guest's last write before it waits", asked).await;
    // Time enough for an answer that does not wait.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(node.counter("learned"), 0, "the guest went on before its batches were safe");
    hold.set(false);
    assert_eq!(soon("an answer", answer).await.unwrap().text(), "ErrorCode::HttpRequestDenied");
    assert_eq!(node.counter("learned"), 1);
}

/// Waits until the log has failed.
async fn failed(node: &Node) {
    let failed = async {
        while !matches!(node.replica.health(), Health::ReadOnly(_)) {
            tokio::task::yield_now().await;
        }
    };
    soon("the failure of the log", failed).await;
}

#[tokio::test]
async fn a_guest_whose_batch_was_lost_does_not_run_on_even_if_it_writes_nothing() {
    let (node, faults, hold) = Node::held(fsync);
    let server = turns(&node, "failures-run-on").await;
    hold.set(true);
    let mut client = Client::connect(server.addr()).await;
    client.begin("POST", "/run-on").await;
    let committed = async {
        while node.counter("a") == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("its batch", committed).await;
    fail_sync(&faults);
    hold.set(false);
    failed(&node).await;
    client.chunk("").await;
    assert_eq!(client.answer().await.unwrap().status(), 503);
    server.idle().await;
    let lines = logs::of("failures-run-on");
    assert!(!lines.iter().any(|line| line.contains("ran on")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("the guest is stopped")), "{lines:?}");
}

#[tokio::test]
async fn an_instance_that_saw_what_was_lost_serves_no_more() {
    let (node, faults, hold) = Node::held(fsync);
    let policy = format!("{OPEN}[http]\nreuse = {{ max = 100, idle = \"1h\" }}\n");
    let server = serve(&node, load(Guest::Turns, "failures-reused", &policy)).await;
    hold.set(true);
    node.write(|draft| draft.g_counter_increment(&key("a"), 1).unwrap()).await;
    let addr = server.addr();
    let answer = tokio::spawn(async move { get(addr, "/remember").await });
    // The guest is done, and its answer waits.
    let done = async {
        while logs::of("failures-reused").iter().filter(|line| line.contains("remembers")).count() == 0 {
            tokio::task::yield_now().await;
        }
    };
    soon("the guest", done).await;
    fail_sync(&faults);
    hold.set(false);
    failed(&node).await;
    assert_eq!(answer.await.unwrap().status(), 503);
    let again = get(addr, "/remembered").await;
    assert_eq!((again.status(), again.text()), (200, "0".to_owned()), "a fresh instance");
}

#[tokio::test]
async fn a_command_whose_sync_fails_has_failed() {
    for command in [&["return"][..], &["exit", "0"]] {
        let (node, faults) = failing();
        fail_sync(&faults);
        let e = run(&node, OPEN, command).await.unwrap_err();
        assert!(matches!(e, RunError::Commit(_)), "{command:?}: {e}");
        assert_eq!(node.counter("a"), 0);
    }
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
