//! Every family from a guest: what its calls answer, lists above all, and what is refused at which limit. Texts have
//! tests of their own.

use crate::client::post;
use crate::guests::Guest;
use crate::node::{Node, load};
use crate::server::{Server, serve};
use numax_replica::Draft;
use serde_json::{Value, json};

/// A policy that grants every family.
pub const FAMILIES: &str = r#"
version = 1
[capabilities]
crdt.gcounter     = ["*"]
crdt.pncounter    = ["*"]
crdt.lww_register = ["*"]
crdt.lww_map      = ["*"]
crdt.orset        = ["*"]
crdt.rga          = ["*"]
crdt.text         = ["*"]
network.serve = true
"#;

pub async fn families(node: &Node, name: &str) -> Server {
    serve(node, load(Guest::Families, name, FAMILIES)).await
}

/// What a turn of these calls answers.
pub async fn tell(server: &Server, calls: Value) -> Value {
    let answer = post(server.addr(), "/", calls.to_string()).await;
    assert_eq!(answer.status(), 200, "{calls}");
    serde_json::from_slice(&answer.body).unwrap()
}

/// Tells the guest to make these calls in one turn, and compares its answers.
macro_rules! told {
    ($server:expr, $($call:tt => $answer:tt),* $(,)?) => {
        assert_eq!(tell($server, json!([$($call),*])).await, json!([$($answer),*]))
    };
}
pub(crate) use told;

#[tokio::test]
async fn counters_registers_maps_and_sets_answer_what_they_hold() {
    let mut node = Node::new();
    let server = families(&node, "families-simple").await;
    told!(&server,
        ["g-counter", "c", "increment", 5] => "ok",
        ["g-counter", "c", "value"] => "5",
        ["pn-counter", "p", "increment", 1] => "ok",
        ["pn-counter", "p", "decrement", 4] => "ok",
        ["pn-counter", "p", "value"] => "-3",
        ["lww-register", "r", "get"] => null,
        ["lww-register", "r", "set", "v"] => "ok",
        ["lww-register", "r", "get"] => "v",
        ["lww-map", "m", "set", "b", "2"] => "ok",
        ["lww-map", "m", "set", "a", "1"] => "ok",
        ["lww-map", "m", "entries"] => [["a", "1"], ["b", "2"]],
        ["lww-map", "m", "remove", "a"] => "ok",
        ["lww-map", "m", "contains", "a"] => false,
        ["lww-map", "m", "get", "a"] => null,
        ["lww-map", "m", "size"] => 1,
        ["or-set", "s", "add", "y"] => "ok",
        ["or-set", "s", "add", "x"] => "ok",
        ["or-set", "s", "elements"] => ["x", "y"],
        ["or-set", "s", "remove", "y"] => "ok",
        ["or-set", "s", "contains", "y"] => false,
        ["or-set", "s", "size"] => 1,
        ["keys", "", "or-set"] => ["s"],
        ["keys", "", "lww-register"] => ["r"],
    );
    // What the turn took back itself is no operation.
    assert_eq!(node.batches(1).await, [["c+5", "p+1-4", "r=v", "m[b]=2", "s+x"]]);
    told!(&server,
        ["lww-register", "r", "compare-and-set", "w", "x"] => false,
        ["lww-register", "r", "compare-and-set", "v", "w"] => true,
        ["lww-register", "r", "clear"] => "ok",
        ["lww-map", "m", "clear"] => "ok",
        ["or-set", "s", "clear"] => "ok",
        ["keys", "", "or-set"] => [],
    );
}

/// The ids and values of a list's entries.
fn entries(answer: &Value) -> Vec<(String, String)> {
    serde_json::from_value(answer.clone()).unwrap()
}

#[tokio::test]
async fn a_list_keeps_its_order_and_its_ids() {
    let mut node = Node::new();
    let server = families(&node, "families-list").await;
    let made = tell(&server, json!([["rga", "l", "push", "b"], ["rga", "l", "push", "d"]])).await;
    let (b, d) = (made[0].as_str().unwrap(), made[1].as_str().unwrap());
    assert_eq!(node.batches(1).await, [["l+b", "l+d"]]);
    let made = tell(
        &server,
        json!([
            ["rga", "l", "insert", null, "a"],
            ["rga", "l", "insert", b, "c"],
            ["rga", "l", "entries"],
            ["rga", "l", "remove", d],
            ["rga", "l", "size"],
        ]),
    )
    .await;
    let (a, c) = (made[0].as_str().unwrap(), made[1].as_str().unwrap());
    let all = [(a, "a"), (b, "b"), (c, "c"), (d, "d")].map(|(id, value)| (id.to_owned(), value.to_owned()));
    assert_eq!(entries(&made[2]), all);
    assert_eq!((&made[3], &made[4]), (&json!("ok"), &json!(3)));
    // In the order of their ids, which chance decides within a millisecond.
    let mut batch = node.batches(1).await;
    batch[0].sort();
    assert_eq!(batch, [["l+a", "l+c", "l-"]]);
    // In a later turn the order and the ids are the same, and what is removed is nowhere.
    let seen =
        tell(&server, json!([["rga", "l", "entries"], ["rga", "l", "get", b], ["rga", "l", "get", d]])).await;
    assert_eq!(entries(&seen[0]), all[..3]);
    assert_eq!((&seen[1], &seen[2]), (&json!("b"), &Value::Null));
    let gone = json!({"error": "not-found", "why": ""});
    assert_eq!(
        tell(&server, json!([["rga", "l", "insert", d, "x"], ["rga", "l", "remove", d]])).await,
        json!([gone, gone])
    );
    let nonsense =
        tell(&server, json!([["rga", "l", "get", "nonsense"], ["rga", "l", "insert", "x", "x"]])).await;
    for answer in nonsense.as_array().unwrap() {
        assert_eq!(answer["error"], "invalid", "{answer}");
        assert!(answer["why"].as_str().unwrap().starts_with("an element's id is a UUID"), "{answer}");
    }
    told!(&server, ["rga", "l", "clear"] => "ok", ["rga", "l", "entries"] => [], ["rga", "l", "size"] => 0);
    assert_eq!(node.batches(1).await, [["l-", "l-", "l-"]]);
}

#[tokio::test]
async fn a_list_of_several_pages_is_walked_in_order_with_what_the_turn_inserts() {
    let node = Node::with(|config| config.core.cache_rows = 0);
    let server = families(&node, "families-pages").await;
    let pushes: Vec<_> = (0..2500).map(|n| json!(["rga", "l", "push", n.to_string()])).collect();
    let ids = tell(&server, Value::Array(pushes)).await;
    let mut wanted: Vec<_> =
        (0..2500).map(|n| (ids[n].as_str().unwrap().to_owned(), n.to_string())).collect();
    // A page of the SDK has 1,000 entries; the turn inserts right at its end and behind its middle.
    let calls = json!([
        ["rga", "l", "insert", ids[999], "at the end"],
        ["rga", "l", "insert", ids[500], "in the middle"],
        ["rga", "l", "remove", ids[1000]],
        ["rga", "l", "entries"],
    ]);
    let made = tell(&server, calls).await;
    wanted.remove(1000);
    wanted.insert(1000, (made[0].as_str().unwrap().to_owned(), "at the end".to_owned()));
    wanted.insert(501, (made[1].as_str().unwrap().to_owned(), "in the middle".to_owned()));
    assert_eq!(entries(&made[3]), wanted);
    assert_eq!(entries(&tell(&server, json!([["rga", "l", "entries"]])).await[0]), wanted);
}

#[tokio::test]
async fn a_trap_takes_back_what_its_turn_did_to_every_family() {
    let mut node = Node::new();
    let server = families(&node, "families-trap").await;
    let first =
        tell(&server, json!([["rga", "l", "push", "kept"], ["text", "t", "insert", 0, "kept"]])).await;
    assert_eq!(node.batches(1).await, [["l+kept", "t~"]]);
    let calls = json!([
        ["g-counter", "c", "increment", 1],
        ["lww-register", "r", "set", "v"],
        ["lww-map", "m", "set", "f", "v"],
        ["or-set", "s", "add", "e"],
        ["rga", "l", "remove", first[0]],
        ["rga", "l", "push", "lost"],
        ["text", "t", "insert", 4, " lost"],
        ["trap"],
    ]);
    assert_eq!(post(server.addr(), "/", calls.to_string()).await.status(), 500);
    assert_eq!(node.batches(0).await, Vec::<Vec<String>>::new());
    told!(&server,
        ["g-counter", "c", "value"] => "0",
        ["lww-register", "r", "get"] => null,
        ["lww-map", "m", "size"] => 0,
        ["or-set", "s", "size"] => 0,
        ["rga", "l", "entries"] => [[(first[0]), "kept"]],
        ["text", "t", "read"] => "kept",
    );
}

/// A call with bytes in it, how many there may be, and what an answer calls them when there are more.
type Limited = (fn(String) -> Value, usize, &'static str);

/// Bytes of a length, as a guest says them.
fn long(bytes: usize) -> String {
    "x".repeat(bytes)
}

#[tokio::test]
async fn every_limit_is_an_answer_that_names_it() {
    const VALUE: usize = 1 << 20;
    const NAME: usize = 8 << 10;
    let node = Node::new();
    let server = families(&node, "families-limits").await;
    let calls: &[Limited] = &[
        (|b| json!(["g-counter", b, "increment", 1]), NAME, "key"),
        (|b| json!(["pn-counter", b, "decrement", 1]), NAME, "key"),
        (|b| json!(["lww-register", b, "set", "v"]), NAME, "key"),
        (|b| json!(["lww-map", b, "set", "f", "v"]), NAME, "key"),
        (|b| json!(["or-set", b, "add", "e"]), NAME, "key"),
        (|b| json!(["rga", b, "push", "v"]), NAME, "key"),
        (|b| json!(["text", b, "insert", 0, "v"]), NAME, "key"),
        (|b| json!(["lww-register", "r", "set", b]), VALUE, "value"),
        (|b| json!(["lww-register", "r", "compare-and-set", null, b]), VALUE, "value"),
        (|b| json!(["lww-map", "m", "set", "f", b]), VALUE, "value"),
        (|b| json!(["lww-map", "m", "set", b, "v"]), NAME, "field"),
        (|b| json!(["lww-map", "m", "remove", b]), NAME, "field"),
        (|b| json!(["or-set", "s", "add", b]), VALUE, "element"),
        (|b| json!(["or-set", "s", "remove", b]), VALUE, "element"),
        (|b| json!(["rga", "l", "push", b]), VALUE, "value"),
        (|b| json!(["rga", "l", "insert", null, b]), VALUE, "value"),
    ];
    for (call, limit, what) in calls {
        let taken = tell(&server, json!([call(long(*limit))])).await;
        assert!(taken[0].get("error").is_none(), "{what}: {taken}");
        let refused = tell(&server, json!([call(long(limit + 1))])).await;
        let why = format!("{what} too large: {}, the limit is {limit}", limit + 1);
        assert_eq!(refused, json!([{"error": "invalid", "why": why}]));
    }
    // A counter's own share, and a batch as a whole.
    told!(&server,
        ["g-counter", "c", "increment", (u64::MAX)] => "ok",
        ["g-counter", "c", "increment", 1] => {"error": "invalid", "why": "the counter \"c\" would overflow"},
        ["g-counter", "c", "value"] => (u64::MAX.to_string()),
    );
    let many: Vec<_> = (0..10_001).map(|n| json!(["or-set", "many", "add", n.to_string()])).collect();
    let last = many.len() - 1;
    let answers = tell(&server, Value::Array(many)).await;
    assert_eq!(answers[last - 1], "ok");
    let why = "batch too large: with this call the turn has 10001 operations, the limit is 10000; write the rest in another turn";
    assert_eq!(answers[last], json!({"error": "invalid", "why": why}));
    let values: Vec<_> =
        (0..5).map(|n| json!(["lww-map", "big", "set", n.to_string(), long(VALUE - 100)])).collect();
    let answers = tell(&server, Value::Array(values)).await;
    assert_eq!(answers.as_array().unwrap()[..4], ["ok", "ok", "ok", "ok"]);
    assert_eq!(answers[4]["error"], "invalid");
    let why = answers[4]["why"].as_str().unwrap();
    assert!(why.starts_with("batch too large: ") && why.contains("bytes, the limit is 4194304"), "{why}");
    // What was refused is not there, and the rest of its turn is.
    server.idle().await;
    let draft: &mut Draft = &mut node.draft();
    assert_eq!(draft.set_size(&crate::node::key("many")).unwrap(), 10_000);
    assert_eq!(draft.map_size(&crate::node::key("big")).unwrap(), 4);
}
