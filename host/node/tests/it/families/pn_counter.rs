//! Counters that go both ways: increments and decrements of all nodes count once.

use serde_json::json;

use super::{Pair, one};

#[tokio::test(flavor = "multi_thread")]
async fn both_directions_on_both_sides_of_a_cut_add_up() {
    let pair = Pair::start().await;
    let value = one(json!(["pn-counter", "c", "value"]));
    pair.b.tell(json!([["pn-counter", "c", "increment", 3], ["pn-counter", "c", "decrement", 5]])).await;
    pair.agree(value.clone(), json!(["-2"])).await;
    pair.cut();
    for _ in 0..10 {
        pair.a.tell(json!([["pn-counter", "c", "decrement", 7]])).await;
        pair.b
            .tell(json!([["pn-counter", "c", "increment", 100], ["pn-counter", "c", "decrement", 1]]))
            .await;
    }
    assert_eq!(pair.a.tell(value.clone()).await, json!(["-72"]));
    assert_eq!(pair.b.tell(value.clone()).await, json!(["988"]));
    pair.heal();
    pair.agree(value, json!(["918"])).await;
    pair.end().await;
}
