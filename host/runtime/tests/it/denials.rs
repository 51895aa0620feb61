//! What is denied without its grant, function by function, and the policy line that the guest or the log is told.

use crate::client::{Answer, post};
use crate::guests::Guest;
use crate::logs;
use crate::node::{Node, key, load};
use crate::server::{Server, serve};
use bytes::Bytes;
use numax_runtime::turn::table::{self, Needs};
use std::collections::BTreeSet;

/// A policy that lets a module answer, and has one line more.
fn bare(line: &str) -> String {
    format!("version = 1\n[capabilities]\nnetwork.serve = true\n{line}\n")
}

/// A policy with everything in it.
const EVERYTHING: &str = r#"
version = 1
[capabilities]
db.read  = ["*"]
db.write = ["*"]
crdt.gcounter     = ["*"]
crdt.pncounter    = ["*"]
crdt.lww_register = ["*"]
crdt.lww_map      = ["*"]
crdt.orset        = ["*"]
crdt.rga          = ["*"]
crdt.text         = ["*"]
net.peers           = true
messaging.publish   = [">"]
messaging.subscribe = [">"]
network.serve = true
random = true
time   = true
"#;

async fn calls(node: &Node, name: &str, policy: &str) -> Server {
    serve(node, load(Guest::Calls, name, policy)).await
}

async fn call(server: &Server, what: &str) -> Answer {
    post(server.addr(), "/", what).await
}

/// How a denial shows.
enum Shows {
    /// The call answers with the line.
    Answer,
    /// The call answers with this, and the log has the line.
    Instead(&'static str),
    /// The guest ends, and the log has the line.
    End,
    /// The call answers with this, and the log says that no line would help.
    Absent(&'static str),
}

/// A function, what the module is granted, how the call is denied, and the line that it lacks.
type Case = (&'static str, &'static str, Shows, &'static str);

/// Functions whose answer says nothing that would have to be denied.
const SAYS_NOTHING: &[&str] =
    &["wasi:clocks/monotonic-clock#resolution", "wasi:clocks/wall-clock#resolution"];

fn cases() -> Vec<Case> {
    use Shows::{Absent, Answer, End, Instead};
    let kv = |f, line| (f, "", Answer, line);
    let mut cases = vec![
        kv("numax:runtime/kv#get", r#"db.read = ["x"]"#),
        kv("numax:runtime/kv#exists", r#"db.read = ["x"]"#),
        kv("numax:runtime/kv#scan", r#"db.read = ["x*"]"#),
        kv("numax:runtime/kv#set", r#"db.write = ["x"]"#),
        kv("numax:runtime/kv#delete", r#"db.write = ["x"]"#),
        kv("numax:runtime/kv#delete-prefix", r#"db.write = ["x*"]"#),
        ("numax:runtime/kv#get", r#"db.write = ["*"]"#, Answer, r#"db.read = ["x"]"#),
        ("numax:runtime/kv#set", r#"db.read = ["*"]"#, Answer, r#"db.write = ["x"]"#),
        // Every key below the prefix has to be granted to remove them all.
        ("numax:runtime/kv#delete-prefix", r#"db.write = ["xy*", "x"]"#, Answer, r#"db.write = ["x*"]"#),
        ("numax:runtime/crdt#keys", "", Answer, r#"crdt.gcounter = { read = ["x*"] }"#),
        ("numax:runtime/crdt#keys", r#"crdt.orset = ["*"]"#, Answer, r#"crdt.gcounter = { read = ["x*"] }"#),
        ("numax:runtime/cluster#peers", "", Answer, "net.peers = true"),
        ("numax:runtime/messaging#publish", "", Answer, r#"messaging.publish = ["x"]"#),
        ("numax:runtime/changes#[static]feed.open", "", Answer, r#"crdt.gcounter = { read = ["x*"] }"#),
        ("numax:runtime/events#every", "", Answer, "time = true"),
        ("numax:runtime/events#cron", "", Answer, "time = true"),
        ("numax:runtime/events#watch", "", Answer, r#"crdt.gcounter = { read = ["x*"] }"#),
        ("numax:runtime/events#subscribe", "", Answer, r#"messaging.subscribe = ["x"]"#),
        ("wasi:random/random#get-random-bytes", "", End, "random = true"),
        ("wasi:random/random#get-random-u64", "", End, "random = true"),
        ("wasi:clocks/monotonic-clock#subscribe-instant", "", End, "time = true"),
        ("wasi:clocks/monotonic-clock#subscribe-duration", "", End, "time = true"),
        ("wasi:clocks/monotonic-clock#now", "", Instead("0"), "time = true"),
        ("wasi:clocks/wall-clock#now", "", Instead("0"), "time = true"),
        (
            "wasi:http/outgoing-handler#handle",
            "",
            Instead("ErrorCode::HttpRequestDenied"),
            r#"network.outbound = ["https://x"]"#,
        ),
        (
            "wasi:sockets/ip-name-lookup#resolve-addresses",
            "",
            Instead("access-denied"),
            r#"network.resolve = ["example.com"]"#,
        ),
        (
            "wasi:sockets/tcp-create-socket#create-tcp-socket",
            "",
            Absent("access-denied"),
            "opens a TCP socket",
        ),
        (
            "wasi:sockets/udp-create-socket#create-udp-socket",
            "",
            Absent("access-denied"),
            "opens a UDP socket",
        ),
    ];
    cases.extend(families());
    cases
}

/// The calls of the families: opening with nothing, writing with the right to read, reading with the right to write.
fn families() -> Vec<Case> {
    let mut cases = Vec::new();
    for (family, grant, reads, writes) in [
        ("g-counter", "gcounter", &["value"][..], &["increment"][..]),
        ("pn-counter", "pncounter", &["value"], &["increment", "decrement"]),
        ("lww-register", "lww_register", &["get"], &["set", "clear", "compare-and-set"]),
        ("lww-map", "lww_map", &["get", "contains", "entries", "size"], &["set", "remove", "clear"]),
        ("or-set", "orset", &["contains", "elements", "size"], &["add", "remove", "clear"]),
        ("rga", "rga", &["get", "entries", "size"], &["insert", "push", "remove", "clear"]),
        (
            "text",
            "text",
            &["read", "size", "state-vector", "diff"],
            &["insert", "remove", "clear", "apply-update"],
        ),
    ] {
        let name = |f: String| -> &'static str { f.leak() };
        let both = name(format!("crdt.{grant} = [\"x\"]"));
        let read = name(format!("crdt.{grant} = {{ read = [\"x\"] }}"));
        let write = name(format!("crdt.{grant} = {{ write = [\"x\"] }}"));
        let other = name(format!("crdt.{grant} = [\"y\"]"));
        let open = name(format!("numax:runtime/crdt#[static]{family}.open"));
        cases.extend([(open, "", Shows::Answer, both), (open, other, Shows::Answer, both)]);
        for f in reads {
            let f = name(format!("numax:runtime/crdt#[method]{family}.{f}"));
            cases.push((f, write, Shows::Answer, read));
        }
        for f in writes {
            let f = name(format!("numax:runtime/crdt#[method]{family}.{f}"));
            cases.push((f, read, Shows::Answer, both));
        }
    }
    // Comparing tells what is there.
    let both = "numax:runtime/crdt#[method]lww-register.compare-and-set";
    cases.push((
        both,
        r#"crdt.lww_register = { write = ["x"] }"#,
        Shows::Answer,
        r#"crdt.lww_register = { read = ["x"] }"#,
    ));
    cases
}

#[test]
fn every_function_that_needs_a_grant_is_tried_without_it() {
    let tried: BTreeSet<_> = cases().into_iter().map(|(function, ..)| function.to_owned()).collect();
    let needing: BTreeSet<_> = table::interfaces()
        .flat_map(|i| {
            i.functions.iter().filter(|f| matches!(f.needs, Needs::Grant(_))).map(move |f| (i.name, f.name))
        })
        .map(|(interface, function)| format!("{interface}#{function}"))
        .filter(|f| !SAYS_NOTHING.contains(&f.as_str()))
        .collect();
    assert_eq!(tried, needing);
}

/// The function under the name by which the guest knows it: both clocks have a `now`.
fn guests_name(function: &str) -> &str {
    match function {
        "wasi:clocks/monotonic-clock#now" => "wasi:clocks/monotonic-clock#monotonic-now",
        "wasi:clocks/wall-clock#now" => "wasi:clocks/wall-clock#wall-now",
        other => other,
    }
}

#[tokio::test]
async fn every_denial_names_its_line() {
    let node = Node::new();
    let mut wrong = Vec::new();
    for (n, (function, granted, shows, line)) in cases().into_iter().enumerate() {
        let module = format!("denials-{n:03}");
        let server = calls(&node, &module, &bare(granted)).await;
        let answer = call(&server, guests_name(function)).await;
        let (status, text) = match shows {
            Shows::Answer => (200, format!("denied {line}")),
            Shows::Instead(text) | Shows::Absent(text) => (200, text.to_owned()),
            Shows::End => (500, "the module failed\n".to_owned()),
        };
        let logged = logs::of(&module);
        let begins = match shows {
            Shows::Absent(_) => "denied: the module",
            _ => "denied; to allow it",
        };
        let told = logged.iter().any(|l| l.contains(begins) && l.contains(line));
        if (answer.status(), answer.text()) != (status, text.clone()) || !told {
            wrong.push(format!(
                "{function} with {granted:?}: {} {:?}, not {text:?}; log {logged:?}",
                answer.status(),
                answer.text()
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn with_its_grant_nothing_is_denied() {
    let node = Node::new();
    let server = calls(&node, "denials-granted", EVERYTHING).await;
    let later = ["feed.open", "cron", "publish", "events#subscribe"];
    for (function, ..) in cases() {
        if function.starts_with("wasi:http") || function.starts_with("wasi:sockets") {
            continue;
        }
        let answer = call(&server, guests_name(function)).await;
        let text = answer.text();
        assert_eq!(answer.status(), 200, "{function}");
        assert!(!text.starts_with("denied"), "{function}: {text}");
        if later.iter().any(|name| function.ends_with(name)) {
            assert!(
                text.starts_with("unavailable") && text.contains("not in this version"),
                "{function}: {text}"
            );
        }
    }
    assert!(!logs::of("denials-granted").iter().any(|line| line.contains("denied")));
}

#[tokio::test]
async fn what_needs_no_grant_works_without_any() {
    let node = Node::new();
    let server = calls(&node, "denials-free", &bare("")).await;
    let id = node.replica.origin().node.to_string();
    for (function, text) in [
        ("numax:runtime/cluster#self-id", id.as_str()),
        ("numax:runtime/module-info#id", "denials-free"),
        ("numax:runtime/module-info#grants", "network.serve = true"),
        ("wasi:random/insecure#get-insecure-random-bytes", "32"),
        ("wasi:random/insecure-seed#insecure-seed", "ok"),
        ("wasi:cli/environment#get-environment", ""),
        ("wasi:filesystem/preopens#get-directories", "0"),
    ] {
        let answer = call(&server, function).await;
        assert_eq!((answer.status(), answer.text().as_str()), (200, text), "{function}");
    }
    let opened = call(&server, "wasi:filesystem/types#open-file").await;
    assert_ne!(opened.text(), "ok");
}

#[tokio::test]
async fn members_of_the_cluster_are_seen_with_the_grant() {
    let node = Node::new();
    let server = calls(&node, "denials-peers", EVERYTHING).await;
    assert_eq!(call(&server, "numax:runtime/cluster#peers").await.text(), "neighbour PeerState::Suspect");
}

#[tokio::test]
async fn reserved_keys_are_refused_whatever_is_granted() {
    let node = Node::new();
    let server = calls(&node, "denials-reserved", EVERYTHING).await;
    for (function, ..) in cases() {
        let key_value = function.starts_with("numax:runtime/kv#") && !function.ends_with("scan");
        if !key_value && !function.starts_with("numax:runtime/crdt#[") {
            continue;
        }
        let text = call(&server, &format!("{function} __nx/cron")).await.text();
        assert!(text.starts_with("invalid") && text.contains("__nx/"), "{function}: {text}");
    }
    for function in ["numax:runtime/kv#scan", "numax:runtime/crdt#keys"] {
        let text = call(&server, &format!("{function} __nx/")).await.text();
        assert!(text.starts_with("invalid") || text.starts_with("denied"), "{function}: {text}");
    }
}

#[tokio::test]
async fn a_prefix_that_covers_reserved_keys_can_be_removed() {
    let node = Node::new();
    node.write(|draft| draft.kv_set(b"mine", Bytes::from_static(b"removed")).unwrap()).await;
    let server = calls(&node, "denials-prefix", EVERYTHING).await;
    assert_eq!(call(&server, "numax:runtime/kv#delete-prefix ").await.text(), "ok");
    server.idle().await;
    assert_eq!(node.draft().kv_get(b"mine").unwrap(), None);
}

#[tokio::test]
async fn limits_of_keys_are_answers() {
    let node = Node::new();
    let server = calls(&node, "denials-limits", EVERYTHING).await;
    for function in ["numax:runtime/kv#set", "numax:runtime/crdt#[method]g-counter.increment"] {
        let long = "k".repeat(8 << 10);
        assert_eq!(call(&server, &format!("{function} {long}")).await.text(), "ok", "{function}");
        let text = call(&server, &format!("{function} {long}k")).await.text();
        assert!(text.starts_with("invalid"), "{function}: {text}");
    }
    server.idle().await;
    assert_eq!(node.draft().g_counter_value(&key(&"k".repeat(8 << 10))).unwrap(), 1);
}
