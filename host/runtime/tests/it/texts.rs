//! Texts from guests: edits, Yjs updates, one turn at a time, and what is refused.

use crate::client::{Client, post};
use crate::families::{FAMILIES, families, tell, told};
use crate::guests::Guest;
use crate::node::{Node, key, load};
use crate::server::{Server, serve};
use numax_replica::DraftError;
use serde_json::{Value, json};

#[tokio::test]
async fn the_edits_of_a_turn_are_seen_by_it_and_become_one_update() {
    let mut node = Node::new();
    let server = families(&node, "texts-edits").await;
    told!(&server,
        ["text", "t", "read"] => "",
        ["text", "t", "insert", 0, "hello"] => "ok",
        ["text", "t", "insert", 5, " world"] => "ok",
        ["text", "t", "remove", 0, 1] => "ok",
        ["text", "t", "insert", 0, "H"] => "ok",
        ["text", "t", "read"] => "Hello world",
        ["text", "t", "size"] => 11,
        ["keys", "", "text"] => ["t"],
    );
    assert_eq!(node.batches(1).await, [["t~"]]);
    told!(&server, ["text", "t", "read"] => "Hello world", ["text", "t", "clear"] => "ok", ["text", "t", "size"] => 0);
    assert_eq!(node.batches(1).await, [["t~"]]);
    // Reading is no edit, and neither is what comes to nothing.
    told!(&server,
        ["text", "t", "insert", 0, "typed"] => "ok",
        ["text", "t", "remove", 0, 5] => "ok",
        ["text", "t", "read"] => "",
        ["text", "new", "read"] => "",
    );
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn indexes_count_utf_16_units() {
    let node = Node::new();
    let server = families(&node, "texts-units").await;
    let within = json!({
        "error": "invalid",
        "why": "unit 2 is the second half of a character (of a surrogate pair); edit before or after it",
    });
    let beyond = json!({"error": "invalid", "why": "there is no unit 6 in a text of 5 UTF-16 units"});
    told!(&server,
        ["text", "t", "units", "a😀ä"] => 4,
        ["text", "t", "insert", 0, "a😀ä"] => "ok",
        ["text", "t", "size"] => 4,
        ["text", "t", "insert", 2, "x"] => within,
        ["text", "t", "remove", 1, 1] => within,
        ["text", "t", "insert", 3, "𝔘"] => "ok",
        ["text", "t", "remove", 1, 2] => "ok",
        ["text", "t", "insert", 1, "b"] => "ok",
        ["text", "t", "read"] => "ab𝔘ä",
        ["text", "t", "size"] => 5,
        ["text", "t", "insert", 6, "x"] => beyond,
        ["text", "t", "remove", 4, 2] => beyond,
        ["text", "t", "read"] => "ab𝔘ä",
    );
}

#[tokio::test]
async fn updates_bring_one_text_to_another() {
    let mut node = Node::new();
    let server = families(&node, "texts-updates").await;
    let one = tell(
        &server,
        json!([
            ["text", "one", "state-vector"],
            ["text", "one", "insert", 0, "shared 😀"],
            ["text", "one", "diff", null],
            ["text", "one", "state-vector"],
        ]),
    )
    .await;
    assert_eq!(one[0], "00", "an empty text has an empty vector");
    // This node's own name stands in it, with edits that the other text does not have: they would be forged there.
    assert_eq!(
        tell(&server, json!([["text", "two", "apply-update", one[2]]])).await,
        json!([{"error": "invalid", "why": "the update holds edits in this node's name that it did not make"}])
    );
    // On another node they are just edits.
    let elsewhere = Node::elsewhere();
    let there = families(&elsewhere, "texts-updates-there").await;
    told!(&there,
        ["text", "t", "insert", 0, "there "] => "ok",
        ["text", "t", "apply-update", (one[2])] => "ok",
    );
    let theirs = tell(
        &there,
        json!([["text", "t", "read"], ["text", "t", "diff", one[3]], ["text", "t", "diff", null]]),
    )
    .await;
    told!(&server,
        ["text", "one", "apply-update", (theirs[1])] => "ok",
        ["text", "one", "read"] => (theirs[0]),
        // Once more is nothing, and so is the whole.
        ["text", "one", "apply-update", (theirs[2])] => "ok",
        ["text", "one", "read"] => (theirs[0]),
    );
    let vectors = [
        tell(&server, json!([["text", "one", "state-vector"], ["text", "one", "diff", null]])).await,
        tell(&there, json!([["text", "t", "state-vector"], ["text", "t", "diff", null]])).await,
    ];
    assert_eq!(vectors[0], vectors[1], "equal texts have equal bytes");
    assert_eq!(node.batches(2).await, [["one~"], ["one~"]]);
}

/// Tells a guest in the background.
fn later(server: &Server, calls: Value) -> tokio::task::JoinHandle<Value> {
    let addr = server.addr();
    tokio::spawn(async move {
        let answer = post(addr, "/", calls.to_string()).await;
        assert_eq!(answer.status(), 200);
        serde_json::from_slice(&answer.body).unwrap()
    })
}

/// Lets whoever waits for this counter go on.
async fn go(node: &Node, counter: &str) {
    node.write(|draft| draft.g_counter_increment(&key(counter), 1).unwrap()).await;
}

/// The call after which a turn is known to have begun: it is a batch of its own.
fn begun(name: &str) -> Value {
    json!(["lww-register", name, "compare-and-set", null, "begun"])
}

/// Waits until a turn has begun.
async fn begins(node: &mut Node, name: &str) {
    while node.next_batch().await != [format!("{name}=begun")] {}
}

/// Gives a turn that was begun the time to get into the queue of a text. Whether it does changes no result.
async fn a_moment() {
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
}

/// Waits until a guest's turn holds a text.
async fn is_held(node: &Node, text: &str) {
    let probe = || node.draft().text_insert(&key(text), 0, "probe");
    while !matches!(probe(), Err(DraftError::Busy(_))) {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_text_is_held_from_the_first_edit_to_the_commit() {
    let mut node = Node::new();
    let server = families(&node, "texts-held").await;
    let holder = later(
        &server,
        json!([
            ["text", "t", "insert", 0, "one "],
            ["until", "go"],
            ["text", "t", "size"],
            ["text", "t", "insert", 4, "two "],
        ]),
    );
    is_held(&node, "t").await;
    let second =
        later(&server, json!([begun("second"), ["text", "t", "insert", 0, "three "], ["text", "t", "read"]]));
    begins(&mut node, "second").await;
    // Others read what is committed, and edit other texts, without waiting.
    told!(&server, ["text", "t", "read"] => "", ["text", "other", "insert", 0, "x"] => "ok");
    a_moment().await;
    assert!(!second.is_finished());
    go(&node, "go").await;
    assert_eq!(holder.await.unwrap(), json!(["ok", "ok", 4, "ok"]));
    assert_eq!(second.await.unwrap(), json!([true, "ok", "three one two "]));
    told!(&server, ["text", "t", "read"] => "three one two ");
}

#[tokio::test]
async fn who_would_wait_in_a_circle_is_told_so_and_the_others_go_on() {
    let node = Node::new();
    let server = families(&node, "texts-circle").await;
    let first = later(
        &server,
        json!([["text", "x", "insert", 0, "first"], ["until", "go"], ["text", "y", "insert", 0, "first"],]),
    );
    let second = later(
        &server,
        json!([["text", "y", "insert", 0, "second"], ["until", "go"], ["text", "x", "insert", 0, "second"],]),
    );
    // Both hold theirs before either wants the other's: they wait within their turns for that.
    is_held(&node, "x").await;
    is_held(&node, "y").await;
    go(&node, "go").await;
    let answers = [first.await.unwrap()[2].clone(), second.await.unwrap()[2].clone()];
    let refused: Vec<_> = answers.iter().filter(|answer| **answer != json!("ok")).collect();
    assert_eq!(refused.len(), 1, "{answers:?}");
    assert_eq!(refused[0]["error"], "unavailable");
    assert!(refused[0]["why"].as_str().unwrap().contains("same order"), "{answers:?}");
}

#[tokio::test]
async fn a_trap_and_a_client_that_leaves_let_go_of_the_text() {
    let mut node = Node::new();
    let server = families(&node, "texts-let-go").await;
    told!(&server, ["text", "t", "insert", 0, "base"] => "ok");
    let trap = json!([["text", "t", "insert", 4, " lost"], ["text", "t", "read"], ["trap"]]);
    assert_eq!(post(server.addr(), "/", trap.to_string()).await.status(), 500);
    told!(&server, ["text", "t", "read"] => "base");
    // One that holds it for ever, and one that waits for it for ever: their clients leave, in this order.
    let mut clients = Vec::new();
    for (name, calls) in [
        ("holds", json!([begun("holds"), ["text", "t", "insert", 4, " held"], ["until", "never"]])),
        ("waits", json!([begun("waits"), ["text", "t", "insert", 4, " waited"], ["until", "never"]])),
    ] {
        let (mut client, body) = (Client::connect(server.addr()).await, calls.to_string());
        client
            .send(format!("POST / HTTP/1.1\r\nhost: test\r\ncontent-length: {}\r\n\r\n{body}", body.len()))
            .await;
        begins(&mut node, name).await;
        match name {
            "holds" => is_held(&node, "t").await,
            _ => a_moment().await,
        }
        clients.push(client);
    }
    drop(clients);
    told!(&server, ["text", "t", "insert", 4, " kept"] => "ok", ["text", "t", "read"] => "base kept");
    server.idle().await;
    // The numbers of what was taken back are used again: two edits of four and five units.
    let vector = tell(&server, json!([["text", "t", "state-vector"]])).await;
    assert!(vector[0].as_str().unwrap().ends_with("09"), "{vector}");
}

#[tokio::test]
async fn what_is_no_update_of_a_plain_text_is_refused_by_name() {
    let mut node = Node::new();
    let server = families(&node, "texts-refused").await;
    told!(&server, ["text", "t", "insert", 0, "base"] => "ok");
    assert_eq!(node.batches(1).await, [["t~"]]);
    for (update, why) in [
        ("", "the bytes are no Yjs update (version 1): cut or continued at byte 0"),
        ("000000", "the bytes are no Yjs update (version 1): cut or continued at byte 2"),
        (
            "0101010006",
            "the update holds formatting; only the plain text of getText(\"text\") can be shared here",
        ),
        (
            "0101010007",
            "the update holds nested types; only the plain text of getText(\"text\") can be shared here",
        ),
        ("0101010084090501780000", "the bytes are no Yjs update (version 1): cut or continued at byte 10"),
        (
            "01010100840905017800",
            "the update builds on edits that this text does not have; send one that also holds those",
        ),
    ] {
        let answer = tell(&server, json!([["text", "t", "apply-update", update]])).await;
        assert_eq!(answer, json!([{"error": "invalid", "why": why}]), "{update}");
    }
    let vector = tell(&server, json!([["text", "t", "diff", "ff"]])).await;
    assert_eq!(vector, json!([{"error": "invalid", "why": "the bytes are no Yjs state vector"}]));
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
}

#[tokio::test]
async fn the_limits_of_texts_are_answers() {
    const MIB: usize = 1 << 20;
    let node = Node::new();
    let server = families(&node, "texts-limits").await;
    let long = |bytes: usize| "x".repeat(bytes);
    let chunk = json!({"error": "invalid", "why": "chunk too large: 1048577, the limit is 1048576"});
    told!(&server, ["text", "t", "insert", 0, (long(MIB + 1))] => chunk);
    // One chunk may fill a turn's update nearly; a second one of the same turn does not fit any more.
    let insert = |bytes: usize| json!(["text", "t", "insert", 0, long(bytes)]);
    let turn = tell(&server, json!([insert(MIB - 200), insert(200), ["text", "t", "size"]])).await;
    let why = turn[1]["why"].as_str().unwrap();
    assert!(why.starts_with("the edits of the text \"t\" in one turn take 1048"), "{why}");
    assert!(why.ends_with("the limit is 1048576; write the rest in another turn"), "{why}");
    assert_eq!((&turn[0], &turn[1]["error"], &turn[2]), (&json!("ok"), &json!("invalid"), &json!(MIB - 200)));
    told!(&server, ["text", "t", "insert", 0, (long(MIB - 200))] => "ok");
    let full = tell(&server, json!([["text", "t", "insert", 0, long(1000)]])).await;
    assert_eq!(full[0]["error"], "invalid");
    let why = full[0]["why"].as_str().unwrap();
    assert!(
        why.starts_with("text too large: \"t\" would take") && why.contains("the limit is 2097152"),
        "{why}"
    );
    // A full text can still be made smaller, and grows again then.
    told!(&server, ["text", "t", "remove", 0, (MIB - 200)] => "ok");
    told!(&server, ["text", "t", "insert", 0, (long(MIB - 300))] => "ok");
    told!(&server, ["text", "t", "size"] => (2 * MIB - 500));
}

#[tokio::test]
async fn a_text_is_the_same_without_rows_in_memory() {
    let mut node = Node::with(|config| config.core.cache_rows = 0);
    let server = families(&node, "texts-uncached").await;
    for n in 0..20 {
        told!(&server, ["text", "t", "insert", n, (char::from(b'a' + n as u8).to_string())] => "ok");
    }
    assert_eq!(node.batches(20).await, vec![["t~"]; 20]);
    told!(&server, ["text", "t", "read"] => "abcdefghijklmnopqrst");
}

#[tokio::test]
async fn a_module_without_the_grant_has_no_texts() {
    let node = Node::new();
    let policy = FAMILIES.replace("crdt.text         = [\"*\"]", "crdt.text = { read = [\"public\"] }");
    let server = serve(&node, load(Guest::Families, "texts-denied", &policy)).await;
    node.write(|draft| draft.text_insert(&key("public"), 0, "notice").unwrap()).await;
    told!(&server,
        ["text", "public", "read"] => "notice",
        ["text", "public", "insert", 0, "x"] => {"error": "denied", "why": "crdt.text = [\"public\"]"},
        ["text", "other", "read"] => {"error": "denied", "why": "crdt.text = [\"other\"]"},
        ["keys", "", "text"] => ["public"],
        ["keys", "other", "text"] => {"error": "denied", "why": "crdt.text = { read = [\"other*\"] }"},
    );
}
