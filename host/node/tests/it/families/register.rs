//! Registers: of concurrent writes the later one stands, and what comes after a write it knows wins over it.

use serde_json::{Value, json};

use super::{Pair, alike, later, one};

#[tokio::test(flavor = "multi_thread")]
async fn of_two_sides_writes_one_stands_and_a_later_one_wins_over_it() {
    let pair = Pair::start().await;
    let (set, get) = (
        |value: &str| one(json!(["lww-register", "r", "set", value])),
        one(json!(["lww-register", "r", "get"])),
    );
    pair.a.tell(set("first")).await;
    pair.agree(get.clone(), json!(["first"])).await;
    pair.cut();
    pair.a.tell(set("a's")).await;
    later().await;
    pair.b.tell(set("b's")).await;
    pair.b.tell(json!([["lww-register", "cleared", "set", "v"], ["lww-register", "cleared", "clear"]])).await;
    assert_eq!(pair.a.tell(get.clone()).await, json!(["a's"]));
    pair.heal();
    // Each side's cell goes whole: when the other's later write is there, all of it is.
    pair.a
        .comes(&json!([["keys", "", "lww-register"], ["lww-register", "r", "get"]]), &json!([["r"], "b's"]))
        .await;
    assert_eq!(alike(&pair, get.clone()).await, json!(["b's"]));
    pair.a.tell(set("last")).await;
    pair.agree(get.clone(), json!(["last"])).await;
    pair.b.tell(one(json!(["lww-register", "r", "clear"]))).await;
    pair.agree(get, json!([Value::Null])).await;
    pair.end().await;
}
