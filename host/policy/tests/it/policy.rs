//! Deny by default; every grant opens its own door and no other; every denial names its line.

use std::path::Path;
use std::time::Duration;

use numax_crdt::Kind;
use numax_policy::{Capability, Policy, PolicyError, TopicPattern, WasiVersion, denial, path_for};

fn with(line: &str) -> Policy {
    Policy::parse(&format!("version = 1\n[capabilities]\n{line}\n"), "test.policy.toml")
        .unwrap_or_else(|error| panic!("{line}: {error}"))
}

/// Every capability with a subject, asked of a policy.
fn doors() -> Vec<(Capability, &'static str)> {
    let mut doors = vec![
        (Capability::DbRead, "k"),
        (Capability::DbWrite, "k"),
        (Capability::KeyValue, "default"),
        (Capability::NetPeers, ""),
        (Capability::Publish, "orders.new"),
        (Capability::Subscribe, "orders.new"),
        (Capability::Serve, ""),
        (Capability::Outbound, "https://api.example.com"),
        (Capability::Tcp, "10.0.0.1:5432"),
        (Capability::Udp, "10.0.0.1:53"),
        (Capability::Resolve, "db.internal"),
        (Capability::Random, ""),
        (Capability::Time, ""),
        (Capability::Env, "HOME"),
        (Capability::Config, "color"),
        (Capability::Fs, "/assets"),
    ];
    for kind in Kind::ALL {
        doors.push((Capability::CrdtRead(kind), "visits"));
        doors.push((Capability::CrdtWrite(kind), "visits"));
    }
    doors
}

fn open(policy: &Policy, capability: Capability, subject: &str) -> bool {
    let key = subject.as_bytes();
    match capability {
        Capability::DbRead => policy.db().can_read(key),
        Capability::DbWrite => policy.db().can_write(key),
        Capability::CrdtRead(kind) => policy.crdt(kind).can_read(key),
        Capability::CrdtWrite(kind) => policy.crdt(kind).can_write(key),
        Capability::KeyValue => policy.keyvalue(subject),
        Capability::NetPeers => policy.net_peers(),
        Capability::Publish => policy.can_publish(subject),
        Capability::Subscribe => policy.can_subscribe(&TopicPattern::parse(subject).unwrap()),
        Capability::Serve => policy.network_serve(),
        Capability::Outbound => policy.outbound().iter().any(|granted| granted.to_string() == subject),
        Capability::Tcp => policy.tcp().iter().any(|granted| granted == subject),
        Capability::Udp => policy.udp().iter().any(|granted| granted == subject),
        Capability::Resolve => policy.resolve().iter().any(|granted| granted == subject),
        Capability::Random => policy.random(),
        Capability::Time => policy.time(),
        Capability::Env => policy.env_allowed(subject),
        Capability::Config => policy.config_allowed(subject),
        Capability::Fs => policy.fs().iter().any(|grant| grant.guest == subject),
    }
}

#[test]
fn an_empty_policy_opens_nothing() {
    for policy in [Policy::default_denied(), Policy::parse("version = 1", "x").unwrap()] {
        for (capability, subject) in doors() {
            assert!(!open(&policy, capability, subject), "{capability:?}");
        }
        assert!(policy.grants().is_empty() && policy.events().is_empty());
    }
}

#[test]
fn the_line_of_a_denial_lifts_it_and_nothing_else() {
    for (capability, subject) in doors() {
        let policy = with(&denial::line(capability, subject));
        for (other, other_subject) in doors() {
            let same = match (capability, other) {
                // A list grants both; the line for a write is one.
                (Capability::CrdtWrite(a), Capability::CrdtRead(b)) => a == b,
                (a, b) => a == b,
            };
            assert_eq!(open(&policy, other, other_subject), same, "{capability:?} → {other:?}");
        }
    }
}

#[test]
fn denial_lines_quote_what_a_guest_sends() {
    let line = denial::line(Capability::CrdtWrite(Kind::GCounter), "a\"b\\\n");
    assert_eq!(line, r#"crdt.gcounter = ["a\"b\\\n"]"#);
    assert!(with(&line).crdt(Kind::GCounter).can_write(b"a\"b\\\n"));
}

#[test]
fn read_and_write_are_apart() {
    let policy = with(r#"crdt.lww_map = { read = ["*"], write = ["mine:*"] }"#);
    let access = policy.crdt(Kind::LwwMap);
    assert!(access.can_read(b"theirs") && !access.can_write(b"theirs") && access.can_write(b"mine:1"));
    assert!(!access.can_read(b"__nx/x"));
    assert!(access.may_read_below(b"the"));
    assert!(!policy.crdt(Kind::OrSet).can_read(b"theirs"));
}

#[test]
fn sections_have_their_values_and_defaults() {
    let policy = Policy::parse(include_str!("../good/inventory.policy.toml"), "i").unwrap();
    assert_eq!(policy.wasi(), WasiVersion::P2);
    assert_eq!(policy.http().routes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["/inventory/*"]);
    assert_eq!((policy.http().reuse.max, policy.http().reuse.idle), (1, Duration::from_secs(1)));
    assert_eq!(policy.quotas().cpu_ms_per_run, Some(50));
    assert_eq!(policy.quotas().memory_max_mb, Some(64));
    assert_eq!(policy.quotas().ops_per_sec, Some(1000));
    assert_eq!(policy.quotas().bytes_written_per_sec, Some(1_048_576));
    assert_eq!(policy.events().every[0].period, Duration::from_secs(30));
    assert_eq!(policy.events().watch[0].kind, Some(Kind::LwwMap));

    let bare = Policy::parse("version = 1\nwasi = \"0.3\"", "b").unwrap();
    assert_eq!(bare.wasi(), WasiVersion::P3);
    assert_eq!(bare.quotas().cpu_ms_per_run, None);
    assert!(bare.http().routes[0].matches(b"/") && bare.http().routes[0].matches(b"/a/b"));
}

#[test]
fn a_module_without_a_policy_is_told_the_command() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("shop.v2.wasm");
    assert_eq!(path_for(&module), folder.path().join("shop.v2.policy.toml"));
    assert_eq!(path_for(Path::new("shop.wasm")), Path::new("shop.policy.toml"));
    let error = Policy::load_beside(&module).unwrap_err();
    assert!(matches!(error, PolicyError::Missing { .. }));
    assert!(error.to_string().contains(&format!("numax policy init {}", module.display())), "{error}");

    std::fs::write(path_for(&module), [0xff, 0xfe]).unwrap();
    assert!(matches!(Policy::load_beside(&module), Err(PolicyError::Read { .. })));
}
