//! A node under guests that want too much: others are served, and the node says what is over.

use crate::client::{Client, get};
use crate::guests::Guest;
use crate::node::{Node, OPEN, load, load_with, new_engine, soon};
use crate::server::{serve, serve_on, serve_with};
use numax_runtime::ModuleOptions;

#[tokio::test]
async fn requests_beyond_the_instances_of_the_node_are_turned_away_and_later_ones_are_not() {
    let node = Node::new();
    let engine = new_engine(2);
    let module = load_with(&engine, Guest::Web, "limits-busy", OPEN, ModuleOptions::default());
    let server = serve_on(engine, &node, vec![module], |_| {}).await;
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut client = Client::connect(server.addr()).await;
        client.begin("POST", "/hold").await;
        assert_eq!(client.head().await.unwrap().status, 200);
        held.push(client);
    }
    for _ in 0..3 {
        let answer = get(server.addr(), "/instance").await;
        assert_eq!((answer.status(), answer.head.header("retry-after")), (503, Some("1")));
    }
    for client in &mut held {
        client.chunk("").await;
        client.chunks().await.1.unwrap();
    }
    server.idle().await;
    assert_eq!(get(server.addr(), "/instance").await.status(), 200);
}

#[tokio::test]
async fn a_guest_that_computes_without_end_is_stopped_and_others_are_served_meanwhile() {
    let node = Node::new();
    let spinner = format!("{OPEN}\n[quotas]\ncpu_ms_per_run = 400\n[http]\nroutes = [\"/spin\"]\n");
    let modules = vec![load(Guest::Web, "limits-spin", &spinner), load(Guest::Web, "limits-others", OPEN)];
    let server = serve_with(&node, modules, |_| {}).await;
    let mut spinning = Client::connect(server.addr()).await;
    spinning.request("GET", "/spin").await;
    // On the same worker; at least one of them while the other one computes.
    let mut meanwhile = 0;
    let stopped = async {
        let answer = spinning.answer().await.unwrap();
        assert_eq!(answer.status(), 500);
    };
    let others = async {
        loop {
            assert_eq!(get(server.addr(), "/instance").await.status(), 200);
            meanwhile += 1;
        }
    };
    soon("the end of the loop", async {
        tokio::select! {
            () = stopped => {}
            () = others => {}
        }
    })
    .await;
    assert!(meanwhile > 0);
    server.idle().await;
    let lines = crate::logs::of("limits-spin");
    assert!(lines.iter().any(|line| line.contains("cpu_ms_per_run")), "{lines:?}");
}

#[tokio::test]
async fn a_guest_over_its_memory_fails_alone() {
    let node = Node::new();
    let policy = format!("{OPEN}\n[quotas]\nmemory_max_mb = 16\n");
    let server = serve(&node, load(Guest::Web, "limits-memory", &policy)).await;
    assert_eq!(get(server.addr(), "/grow?4").await.status(), 200);
    assert_eq!(get(server.addr(), "/grow?30").await.status(), 500);
    assert_eq!(get(server.addr(), "/grow?4").await.status(), 200);
    let lines = crate::logs::of("limits-memory");
    assert!(lines.iter().any(|line| line.contains("memory_max_mb")), "{lines:?}");
}

#[tokio::test]
async fn writes_over_the_quota_are_told_to_wait() {
    let node = Node::new();
    let policy = format!("{OPEN}\n[quotas]\nops_per_sec = 1\n");
    let server = serve(&node, load(Guest::Web, "limits-ops", &policy)).await;
    // The guest treats an error as a fault of its own: the first writes pass, and one of the next does not.
    let refused = async { while get(server.addr(), "/visit").await.status() == 200 {} };
    soon("a refusal", refused).await;
}
