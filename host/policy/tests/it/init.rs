//! What `policy init` writes reads back, and grants what it is meant to.

use numax_crdt::Kind;
use numax_policy::Policy;
use numax_policy::init::{Options, least_policy};

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

fn read(text: &str) -> Policy {
    Policy::parse(text, "written").unwrap_or_else(|error| panic!("{text}\n{error}"))
}

const IMPORTS: &[&str] = &[
    "numax:runtime/crdt@0.2.0",
    "numax:runtime/crdt@0.2.0#[static]g-counter.open",
    "numax:runtime/crdt@0.2.0#[method]g-counter.value",
    "numax:runtime/crdt@0.2.0#[method]or-set.add",
    "wasi:random/insecure-seed@0.2.6",
    "wasi:clocks/monotonic-clock@0.2.0",
    "wasi:filesystem/types@0.2.6",
    "wasi:sockets/tcp@0.2.6",
    "wasi:http/outgoing-handler@0.2.0",
    "wasi:cli/environment@0.2.6",
    "wasi:io/streams@0.2.6",
];
const EXPORTS: &[&str] = &["wasi:http/incoming-handler@0.2.12"];

#[test]
fn the_least_policy_of_a_web_counter() {
    let text = least_policy(&names(IMPORTS), &names(EXPORTS), &Options::least("visits"));
    let policy = read(&text);
    assert_eq!(
        policy.grants(),
        [
            r#"crdt.gcounter = { read = ["visits:*"] }"#,
            r#"crdt.orset = { write = ["visits:*"] }"#,
            "network.serve = true",
            "random = true",
            "time = true",
        ],
        "{text}"
    );
    assert_eq!(policy.quotas().cpu_ms_per_run, Some(50));
    assert!(text.contains("# network.outbound"), "{text}");
    assert!(text.contains("# env    = [\"VISITS_*\"]"), "{text}");
}

#[test]
fn reading_and_writing_are_granted_by_what_is_called() {
    let grants = |functions: &[&str], exports: &[&str]| {
        let imports: Vec<_> = functions.iter().map(|f| format!("numax:runtime/{f}")).collect();
        read(&least_policy(&imports, &names(exports), &Options::least("m"))).grants()
    };
    let cases: &[(&[&str], &[&str])] = &[
        (&["crdt@0.2.0#[method]g-counter.value"], &[r#"crdt.gcounter = { read = ["m:*"] }"#]),
        (&["crdt@0.2.0#[static]g-counter.open"], &[r#"crdt.gcounter = { read = ["m:*"] }"#]),
        (
            &["crdt@0.2.0#[static]g-counter.open", "crdt@0.2.0#[method]g-counter.increment"],
            &[r#"crdt.gcounter = { write = ["m:*"] }"#],
        ),
        (
            &["crdt@0.2.0#[method]g-counter.increment", "crdt@0.2.0#[method]g-counter.value"],
            &[r#"crdt.gcounter = ["m:*"]"#],
        ),
        (&["crdt@0.2.0#[method]or-set.add", "crdt@0.2.0#keys"], &[r#"crdt.orset = ["m:*"]"#]),
        (&["crdt@0.2.0#[method]text.of-a-later-version"], &[r#"crdt.text = { write = ["m:*"] }"#]),
        (&["kv@0.2.0#get"], &[r#"db.read = ["m:*"]"#]),
        (&["kv@0.2.0#delete-prefix"], &[r#"db.write = ["m:*"]"#]),
        (&["kv@0.2.0#scan", "kv@0.2.0#set"], &[r#"db.read = ["m:*"]"#, r#"db.write = ["m:*"]"#]),
    ];
    for (functions, granted) in cases {
        assert_eq!(grants(functions, &[]), *granted, "{functions:?}");
    }
    // A handler of changes reads what it writes, too.
    let handler = ["numax:runtime/change-handler@0.2.0"];
    assert_eq!(grants(&["crdt@0.2.0#[method]or-set.add"], &handler), [r#"crdt.orset = ["m:*"]"#]);
}

#[test]
fn without_function_names_every_family_below_the_own_name() {
    let text = least_policy(&names(&["numax:runtime/crdt@0.2.0"]), &[], &Options::least("m"));
    let policy = read(&text);
    for kind in Kind::ALL {
        assert!(policy.crdt(kind).can_write(b"m:x") && !policy.crdt(kind).can_read(b"n:x"), "{kind:?}");
    }
    assert!(!policy.network_serve());
}

#[test]
fn every_door_uncommented_is_valid() {
    let all = names(&[
        "numax:runtime/kv@0.2.0",
        "numax:runtime/crdt@0.2.0",
        "numax:runtime/cluster@0.2.0",
        "numax:runtime/messaging@0.2.0",
        "wasi:keyvalue/store@0.2.0-draft",
        "wasi:config/store@0.2.0-rc.1",
        "wasi:sockets/tcp@0.2.0",
        "wasi:http/outgoing-handler@0.2.0",
        "wasi:filesystem/types@0.2.0",
        "wasi:cli/environment@0.2.0",
    ]);
    let exports = names(&["numax:runtime/message-handler@0.2.0", "numax:runtime/tick-handler@0.2.0"]);
    let text = least_policy(&all, &exports, &Options::least("we\"ird"));
    read(&text);
    let opened: String = text
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|rest| rest.contains(" = ")).unwrap_or(line))
        .map(|line| format!("{line}\n"))
        .collect();
    read(&opened);
}

#[test]
fn grant_all_is_loud() {
    let options = Options { grant_all: true, ..Options::least("m") };
    let text =
        least_policy(&names(&["numax:runtime/crdt@0.2.0", "wasi:cli/environment@0.2.0"]), &[], &options);
    assert!(text.contains("!!!"));
    let policy = read(&text);
    assert!(policy.crdt(Kind::Text).can_write(b"anything") && policy.env_allowed("HOME"));
    assert!(!policy.crdt(Kind::Text).can_write(b"__nx/x"));
}

#[test]
fn a_module_that_asks_for_nothing_gets_nothing() {
    assert!(read(&least_policy(&[], &[], &Options::least("m"))).grants().is_empty());
}
