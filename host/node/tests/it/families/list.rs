//! Lists: each side's run stays whole, and what is removed takes nothing with it.

use serde_json::json;

use super::{Pair, alike, one, values};

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_both_sides_stay_whole_behind_an_element_that_one_of_them_removes() {
    let pair = Pair::start().await;
    let entries = one(json!(["rga", "l", "entries"]));
    let made = pair.a.tell(json!([["rga", "l", "push", "head"], ["rga", "l", "push", "tail"]])).await;
    let (head, tail) = (made[0].clone(), made[1].clone());
    pair.agree(entries.clone(), json!([[[head, "head"], [tail, "tail"]]])).await;
    pair.cut();
    for (site, name) in [(&pair.a, "a"), (&pair.b, "b")] {
        let mut after = head.clone();
        for n in 0..5 {
            let made = site.tell(one(json!(["rga", "l", "insert", after, format!("{name}{n}")]))).await;
            after = made[0].clone();
        }
    }
    pair.b.tell(json!([["rga", "l", "remove", head], ["rga", "l", "push", "end"]])).await;
    assert_eq!(
        values(&pair.a.tell(entries.clone()).await[0]),
        ["head", "a0", "a1", "a2", "a3", "a4", "tail"]
    );
    assert_eq!(values(&pair.b.tell(entries.clone()).await[0]), ["b0", "b1", "b2", "b3", "b4", "tail", "end"]);
    pair.heal();
    pair.agree(one(json!(["rga", "l", "size"])), json!([12])).await;
    let all = values(&alike(&pair, entries).await[0]);
    let (a, b) = (["a0", "a1", "a2", "a3", "a4"].concat(), ["b0", "b1", "b2", "b3", "b4"].concat());
    let text = all.concat();
    assert!([format!("{a}{b}tailend"), format!("{b}{a}tailend")].contains(&text), "{text}");
    // The removed element is none any more, on both sides.
    let gone = json!([{"error": "not-found", "why": ""}]);
    assert_eq!(pair.a.tell(one(json!(["rga", "l", "insert", head, "x"]))).await, gone);
    pair.end().await;
}
