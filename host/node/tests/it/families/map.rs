//! Maps: fields are registers of their own, and clearing takes what was seen.

use serde_json::json;

use super::{Pair, later, one};

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_both_sides_stand_beside_each_other() {
    let pair = Pair::start().await;
    let entries = one(json!(["lww-map", "m", "entries"]));
    pair.a.tell(json!([["lww-map", "m", "set", "x", "1"], ["lww-map", "m", "set", "y", "1"]])).await;
    pair.agree(entries.clone(), json!([[["x", "1"], ["y", "1"]]])).await;
    pair.cut();
    // One clears what it sees; the other changes one of the fields later and adds one.
    pair.a.tell(json!([["lww-map", "m", "clear"], ["lww-map", "m", "set", "a", "a's"]])).await;
    later().await;
    pair.b.tell(json!([["lww-map", "m", "set", "y", "2"], ["lww-map", "m", "set", "b", "b's"]])).await;
    assert_eq!(pair.a.tell(entries.clone()).await, json!([[["a", "a's"]]]));
    pair.heal();
    pair.agree(entries, json!([[["a", "a's"], ["b", "b's"], ["y", "2"]]])).await;
    pair.agree(json!([["lww-map", "m", "size"], ["lww-map", "m", "contains", "x"]]), json!([3, false])).await;
    pair.end().await;
}
