//! Counters that only grow: every increment counts once.

use serde_json::json;

use super::{Pair, one};

#[tokio::test(flavor = "multi_thread")]
async fn increments_of_both_sides_of_a_cut_add_up() {
    let pair = Pair::start().await;
    let (inc, value) =
        (|by: u64| one(json!(["g-counter", "c", "increment", by])), one(json!(["g-counter", "c", "value"])));
    pair.a.tell(inc(5)).await;
    pair.agree(value.clone(), json!(["5"])).await;
    pair.cut();
    for _ in 0..10 {
        pair.a.tell(inc(1)).await;
        pair.b.tell(inc(100)).await;
    }
    assert_eq!(pair.a.tell(value.clone()).await, json!(["15"]));
    assert_eq!(pair.b.tell(value.clone()).await, json!(["1005"]));
    pair.heal();
    pair.agree(value, json!(["1015"])).await;
    pair.end().await;
}
