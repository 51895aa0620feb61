//! Sets: an addition wins over a removal that did not know of it.

use serde_json::json;

use super::{Pair, one};

#[tokio::test(flavor = "multi_thread")]
async fn an_addition_wins_over_a_removal_on_the_other_side() {
    let pair = Pair::start().await;
    let elements = one(json!(["or-set", "s", "elements"]));
    pair.a
        .tell(json!([["or-set", "s", "add", "x"], ["or-set", "s", "add", "y"], ["or-set", "s", "add", "z"]]))
        .await;
    pair.agree(elements.clone(), json!([["x", "y", "z"]])).await;
    pair.cut();
    pair.a.tell(json!([["or-set", "s", "remove", "x"], ["or-set", "s", "remove", "y"]])).await;
    pair.b
        .tell(json!([
            ["or-set", "s", "add", "x"],
            ["or-set", "s", "remove", "z"],
            ["or-set", "s", "add", "b"]
        ]))
        .await;
    assert_eq!(pair.a.tell(elements.clone()).await, json!([["z"]]));
    assert_eq!(pair.b.tell(elements.clone()).await, json!([["b", "x", "y"]]));
    pair.heal();
    pair.agree(elements.clone(), json!([["b", "x"]])).await;
    // Now it is known, and can be removed.
    pair.a.tell(json!([["or-set", "s", "remove", "x"]])).await;
    pair.agree(elements, json!([["b"]])).await;
    pair.agree(one(json!(["or-set", "s", "size"])), json!([1])).await;
    pair.end().await;
}
