//! Flag over variable over file over default, for every setting, with the source of each.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use numax_node::config::keys::{KEYS, Shape};
use numax_node::config::{ConfigError, Durability, Inputs, NodeConfig, Source, load};
use numax_snapshots::Location;

const ALL: &str = r#"
[network]
listen        = "127.0.0.1:9000"
peers         = ["10.0.0.1:9000", "10.0.0.2:9000"]
allowed_peers = []
node_name     = "one"
[tls]
cert = "node.pem"
key  = "/abs/key.pem"
ca   = "ca.pem"
[storage]
path       = "data"
engine     = "sled"
durability = "fsync"
interval   = "50ms"
cache_rows = 10
op_log_budget = "64MiB"
snapshot_dir = "snapshots"
snapshot_interval = "1h"
snapshot_keep = 3
[http]
listen = "127.0.0.1:8081"
[run]
wait_before_run  = "1s"
settle_for       = "2s"
shutdown_timeout = "3s"
[log]
level  = "debug"
format = "json"

[[module]]
path = "shop.wasm"
env  = { SHOP_COLOR = "red" }
[[module]]
path   = "/abs/other.wasm"
policy = "strict.toml"
name   = "other"
build  = "other"
"#;

fn from_file(text: &str) -> Result<NodeConfig, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numax.toml");
    std::fs::write(&file, text).unwrap();
    load(&Inputs { file: Some(file), ..Inputs::default() })
}

fn inputs(flags: &[(&'static str, &str)], variables: &[(&str, &str)], file: Option<PathBuf>) -> Inputs {
    Inputs {
        file,
        flags: flags.iter().map(|(name, value)| (*name, vec![(*value).to_owned()])).collect(),
        variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        ..Inputs::default()
    }
}

#[test]
fn the_file_knows_every_setting() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numax.toml");
    std::fs::write(&file, ALL).unwrap();
    let config = load(&Inputs { file: Some(file.clone()), ..Inputs::default() }).unwrap();
    assert_eq!(config.tls_cert.value, Some(folder.path().join("node.pem")));
    assert_eq!(config.tls_key.value, Some(PathBuf::from("/abs/key.pem")));
    assert_eq!(config.datastore.value, folder.path().join("data"));
    assert_eq!(config.datastore.source, Source::File { path: file, line: 12 });
    assert_eq!(config.durability.value, Durability::Fsync);
    assert_eq!(config.snapshot_dir.value, Some(Location::Folder(folder.path().join("snapshots"))));
    assert_eq!(config.allowed_peers.value, Some(Vec::new()));
    assert_eq!(config.peers.value.len(), 2);
    assert_eq!(config.modules[0].path, folder.path().join("shop.wasm"));
    assert_eq!(config.modules[0].env, [("SHOP_COLOR".to_owned(), "red".to_owned())]);
    assert_eq!(config.modules[1].policy, Some(folder.path().join("strict.toml")));
    assert_eq!(config.modules[1].build, Some(folder.path().join("other")));
    for section in KEYS.iter().map(|key| (key.section, key.name)) {
        assert!(ALL.contains(section.1), "{section:?} is not in the test's file");
    }
}

#[test]
fn the_stronger_layer_wins() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("numax.toml");
    std::fs::write(&file, "[run]\nsettle_for = \"1s\"\n").unwrap();
    let settle = |inputs: &Inputs| {
        let setting = load(inputs).unwrap().settle_for;
        (setting.value, setting.source.to_string())
    };
    let none = folder.path().join("none.toml");
    std::fs::write(&none, "").unwrap();

    assert_eq!(settle(&inputs(&[], &[], Some(none))), (Duration::ZERO, "default".to_owned()));
    let line = format!("{}:2", file.display());
    assert_eq!(settle(&inputs(&[], &[], Some(file.clone()))), (Duration::from_secs(1), line));
    let variable = [("NX_SETTLE_FOR", "2s")];
    let from_variable = settle(&inputs(&[], &variable, Some(file.clone())));
    assert_eq!(from_variable, (Duration::from_secs(2), "NX_SETTLE_FOR".to_owned()));
    let flag = [("--settle-for", "3s")];
    let from_flag = settle(&inputs(&flag, &variable, Some(file.clone())));
    assert_eq!(from_flag, (Duration::from_secs(3), "--settle-for".to_owned()));
    let by_variable = [("NX_CONFIG", file.to_str().unwrap())];
    assert_eq!(settle(&inputs(&[], &by_variable, None)).0, Duration::from_secs(1));
}

#[test]
fn lists_come_repeated_or_with_commas() {
    let mut flags = BTreeMap::new();
    flags.insert("--peer", vec!["a:1".to_owned(), "b:2, c:3".to_owned()]);
    let config = load(&Inputs { flags, ..Inputs::default() }).unwrap();
    assert_eq!(config.peers.value, ["a:1", "b:2", "c:3"]);
}

#[test]
fn snapshots_may_go_to_a_bucket_and_its_secrets_are_not_shown() {
    let config = from_file("[storage]\nsnapshot_dir = \"s3://backups/a?region=eu-1\"\n").unwrap();
    let Some(Location::Bucket(url)) = &config.snapshot_dir.value else { panic!("{:?}", config.snapshot_dir) };
    assert_eq!((url.to_string().as_str(), url.region.as_deref()), ("s3://backups/a", Some("eu-1")));
    let wrong = from_file("[storage]\nsnapshot_dir = \"gs://backups\"\n").unwrap_err().to_string();
    assert!(
        wrong.contains("`storage.snapshot_dir`: gs:// is not known") && wrong.contains(":2:16"),
        "{wrong}"
    );
    let aws = [("AWS_SECRET_ACCESS_KEY", "hush")].into_iter().collect();
    let inputs = Inputs { aws, ..inputs(&[], &[], None) };
    assert!(!format!("{inputs:?} {:?}", load(&inputs).unwrap()).contains("hush"));
}

#[test]
fn no_name_is_used_twice() {
    for (index, key) in KEYS.iter().enumerate() {
        for other in &KEYS[index + 1..] {
            assert_ne!(key.variable, other.variable);
            assert_ne!(key.flag, other.flag);
            assert_ne!((key.section, key.name), (other.section, other.name));
        }
        assert!(key.variable.starts_with("NX_") && key.flag.starts_with("--"));
        assert_eq!(key.shape == Shape::Many, ["peers", "allowed_peers"].contains(&key.name));
    }
}

#[test]
fn wrong_flags_and_variables_say_which() {
    let error = load(&inputs(&[("--durability", "fsinc")], &[], None)).unwrap_err();
    assert_eq!(error.to_string(), "--durability: `fsinc` is not known; did you mean `fsync`?");
    let error = load(&inputs(&[], &[("NX_LISTEN", "here")], None)).unwrap_err();
    assert!(error.to_string().starts_with("NX_LISTEN: `here` is not an address"), "{error}");
    let error = load(&inputs(&[], &[], Some("does-not-exist.toml".into()))).unwrap_err();
    assert!(matches!(error, ConfigError::Read { .. }));
}

#[test]
fn wrong_files_say_where() {
    let table = [
        ("[netwrk]\n", "unknown key `netwrk`", "did you mean `network`?"),
        (
            "[network]\nlisten_to = \"x\"\n",
            "unknown key `network.listen_to`",
            "did you mean `network.listen`",
        ),
        ("[storage]\ndurability = \"fsinc\"\n", "`storage.durability`: `fsinc` is not known", ":2:14"),
        ("[storage]\ncache_rows = \"many\"\n", "must be a whole number", ":2:14"),
        ("[network]\npeers = \"a:1\"\n", "`network.peers` must be a list of strings", "this is a string"),
        ("[[module]]\nname = \"x\"\n", "missing key `module[0].path`", "the component"),
        ("[[module]]\npath = \"a\"\nenv = { A = 1 }\n", "`module[0].env.A` must be a string", ":3:13"),
        ("[run\n", "not valid TOML", ":1:"),
    ];
    for (text, message, detail) in table {
        let error = from_file(text).unwrap_err().to_string();
        assert!(error.contains(message) && error.contains(detail), "{text}\n{error}");
    }
}
