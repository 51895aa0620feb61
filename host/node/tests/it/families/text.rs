//! Texts: what both sides type stands in the text once, in the same order on both.

use serde_json::json;

use super::{Pair, alike, one};

#[tokio::test(flavor = "multi_thread")]
async fn what_both_sides_type_stands_in_both_texts() {
    let pair = Pair::start().await;
    let read = one(json!(["text", "t", "read"]));
    pair.a.tell(one(json!(["text", "t", "insert", 0, "shared 😀 text"]))).await;
    pair.agree(read.clone(), json!(["shared 😀 text"])).await;
    pair.cut();
    // Both at one place, key by key; one removes a word that the other types in the middle of.
    for (at, key) in ["a", "b", "c"].into_iter().enumerate() {
        pair.a.tell(one(json!(["text", "t", "insert", 10 + at, key]))).await;
    }
    for (at, key) in ["x", "𝔘", "z"].into_iter().enumerate() {
        pair.b.tell(one(json!(["text", "t", "insert", 10 + at + at / 2, key]))).await;
    }
    pair.a.tell(one(json!(["text", "t", "remove", 0, 7]))).await;
    pair.b.tell(one(json!(["text", "t", "insert", 3, "!"]))).await;
    assert_eq!(pair.a.tell(read.clone()).await, json!(["😀 abctext"]));
    assert_eq!(pair.b.tell(read.clone()).await, json!(["sha!red 😀 x𝔘ztext"]));
    pair.heal();
    pair.agree(one(json!(["text", "t", "size"])), json!([15])).await;
    let text = alike(&pair, read).await[0].as_str().unwrap().to_owned();
    assert!(["!😀 abcx𝔘ztext", "!😀 x𝔘zabctext"].contains(&text.as_str()), "{text}");
    // Now they are one: the state vector and the whole as an update are the same bytes.
    alike(&pair, json!([["text", "t", "state-vector"], ["text", "t", "diff", null]])).await;
    pair.b.tell(one(json!(["text", "t", "clear"]))).await;
    pair.agree(one(json!(["text", "t", "read"])), json!([""])).await;
    pair.end().await;
}
