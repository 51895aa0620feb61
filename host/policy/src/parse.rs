//! From TOML to [`Policy`].

use std::path::PathBuf;
use std::time::Duration;

use numax_crdt::Kind;
use numax_crdt::limits::RESERVED_PREFIX;

use crate::capability::{Access, FsGrant, Outbound, split_port};
use crate::events::{CronEvent, Events, EveryEvent, WatchEvent};
use crate::pattern::{KeyPattern, KeyPatterns, TopicPattern};
use crate::policy::{Http, Policy, Quotas, Reuse, WasiVersion};
use crate::text::quote;
use crate::toml_reader::{Section, Value, read};
use crate::toml_report::TomlError;

const ROOT: &[&str] = &["version", "wasi", "capabilities", "http", "events", "quotas"];
const CAPABILITIES: &[&str] =
    &["db", "crdt", "keyvalue", "net", "messaging", "network", "random", "time", "env", "config", "fs"];

/// Reads a whole policy.
pub(crate) fn policy(text: &str, file: &str) -> Result<Policy, TomlError> {
    read(file, text, ROOT, |root| {
        let mut policy = Policy::default_denied();
        version(root);
        if let Some(value) = root.get("wasi") {
            let choices = [("0.2", WasiVersion::P2), ("0.3", WasiVersion::P3)];
            policy.wasi = value.one_of(&choices).unwrap_or_default();
        }
        if let Some(section) = root.get("capabilities").and_then(|v| v.section(CAPABILITIES)) {
            capabilities(&section, &mut policy);
        }
        if let Some(section) = root.get("http").and_then(|v| v.section(&["routes", "reuse"])) {
            policy.http = http(&section);
        }
        if let Some(value) = root.get("events") {
            policy.events = events(&value, &policy);
        }
        if let Some(value) = root.get("quotas") {
            policy.quotas = quotas(&value);
        }
        policy
    })
}

fn version(root: &Section<'_>) {
    let help = "write `version = 1` at the top";
    let Some(value) = root.require("version", help) else { return };
    if let Some(number) = value.integer(0..=u64::MAX)
        && number != 1
    {
        value.report(format!("policy version {number} is not known to this numax"), Some(help));
    }
}

fn capabilities(section: &Section<'_>, policy: &mut Policy) {
    if let Some(db) = section.get("db").and_then(|v| v.section(&["read", "write"])) {
        policy.db = read_write(&db);
    }
    let families = Kind::ALL.map(Kind::config_name);
    if let Some(crdt) = section.get("crdt").and_then(|v| v.section(&families)) {
        for (kind, slot) in Kind::ALL.iter().zip(policy.crdt.iter_mut()) {
            if let Some(value) = crdt.get(kind.config_name()) {
                *slot = access(&value);
            }
        }
    }
    policy.keyvalue = section.strings("keyvalue").into_iter().map(|word| word.text).collect();
    if let Some(net) = section.get("net").and_then(|v| v.section(&["peers"])) {
        policy.net_peers = net.flag("peers");
    }
    if let Some(messaging) = section.get("messaging").and_then(|v| v.section(&["publish", "subscribe"])) {
        policy.publish = topics(&messaging, "publish");
        policy.subscribe = topics(&messaging, "subscribe");
    }
    let network_keys = &["serve", "outbound", "tcp", "udp", "resolve"];
    if let Some(network) = section.get("network").and_then(|v| v.section(network_keys)) {
        policy.serve = network.flag("serve");
        policy.outbound = parsed(&network, "outbound", Outbound::parse);
        policy.tcp = parsed(&network, "tcp", address);
        policy.udp = parsed(&network, "udp", address);
        policy.resolve = parsed(&network, "resolve", name);
    }
    policy.random = section.flag("random");
    policy.time = section.flag("time");
    policy.env = section.get("env").map(|v| patterns(&v)).unwrap_or_default();
    policy.config = section.get("config").map(|v| patterns(&v)).unwrap_or_default();
    if let Some(list) = section.get("fs").and_then(|v| v.list()) {
        policy.fs = list.iter().filter_map(folder).collect();
    }
}

/// A list grants both; a table names them apart.
fn access(value: &Value<'_>) -> Access {
    if value.is_table() {
        return value.section(&["read", "write"]).map(|s| read_write(&s)).unwrap_or_default();
    }
    let both = keys(value);
    Access { read: both.clone(), write: both }
}

fn read_write(section: &Section<'_>) -> Access {
    Access {
        read: section.get("read").map(|v| keys(&v)).unwrap_or_default(),
        write: section.get("write").map(|v| keys(&v)).unwrap_or_default(),
    }
}

/// Patterns of keys. Those that numax keeps for itself are granted to nobody, so a grant of them would do nothing.
fn keys(value: &Value<'_>) -> KeyPatterns {
    let key = |element: &Value<'_>| {
        let pattern = pattern(element)?;
        if pattern.to_string().starts_with(RESERVED_PREFIX) {
            let help = format!("keys that begin with {RESERVED_PREFIX} are numax's own");
            element.report(format!("{} cannot be granted", quote(&pattern.to_string())), Some(&help));
        }
        Some(pattern)
    };
    KeyPatterns::new(value.list().unwrap_or_default().iter().filter_map(key).collect())
}

fn patterns(value: &Value<'_>) -> KeyPatterns {
    let elements = value.list().unwrap_or_default();
    KeyPatterns::new(elements.iter().filter_map(pattern).collect())
}

fn pattern(value: &Value<'_>) -> Option<KeyPattern> {
    let word = value.string()?;
    let parsed = KeyPattern::parse(&word.text);
    parsed
        .inspect_err(|error| {
            value.report(format!("{} is not a pattern", quote(&word.text)), Some(&error.to_string()))
        })
        .ok()
}

fn topic(value: &Value<'_>) -> Option<TopicPattern> {
    let word = value.string()?;
    let parsed = TopicPattern::parse(&word.text);
    parsed
        .inspect_err(|error| {
            value.report(format!("{} is not a topic pattern", quote(&word.text)), Some(&error.to_string()))
        })
        .ok()
}

fn topics(section: &Section<'_>, key: &str) -> Vec<TopicPattern> {
    let list = section.get(key).and_then(|v| v.list()).unwrap_or_default();
    list.iter().filter_map(topic).collect()
}

/// A list of strings, each through its own parser.
fn parsed<T>(section: &Section<'_>, key: &str, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
    let list = section.get(key).and_then(|v| v.list()).unwrap_or_default();
    let one = |value: &Value<'_>| {
        let word = value.string()?;
        let result = parse(&word.text);
        result
            .inspect_err(|help| value.report(format!("{} cannot be granted", quote(&word.text)), Some(help)))
            .ok()
    };
    list.iter().filter_map(one).collect()
}

fn address(text: &str) -> Result<String, String> {
    match split_port(text)? {
        ("", _) => Err("write host:port, with a name, an address or a CIDR range as the host".to_owned()),
        (_, None) => Err("the port is missing; write host:port".to_owned()),
        _ => Ok(text.to_owned()),
    }
}

fn name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.contains(['/', ':', ' ']) {
        return Err("write a host name alone".to_owned());
    }
    Ok(text.to_owned())
}

fn folder(value: &Value<'_>) -> Option<FsGrant> {
    let section = value.section(&["host", "guest", "write"])?;
    let host = section.require("host", "the folder on this machine")?.string()?;
    let guest_value = section.require("guest", "where the guest sees it, such as \"/assets\"")?;
    let guest = guest_value.string()?;
    if !guest.text.starts_with('/') {
        guest_value.report(format!("`{}` must be an absolute path", guest_value.name()), None);
    }
    Some(FsGrant { host: PathBuf::from(host.text), guest: guest.text, write: section.flag("write") })
}

fn http(section: &Section<'_>) -> Http {
    let mut http = Http::default();
    if let Some(list) = section.get("routes").and_then(|v| v.list()) {
        http.routes.clear();
        for value in list {
            let Some(route) = pattern(&value) else { continue };
            if !route.to_string().starts_with('/') {
                value.report(format!("`{}` must start with /", value.name()), None);
            }
            http.routes.push(route);
        }
    }
    if let Some(reuse) = section.get("reuse").and_then(|v| v.section(&["max", "idle"])) {
        let usual = Reuse::default();
        http.reuse = Reuse {
            max: reuse.get("max").and_then(|v| v.integer(1..=u64::MAX)).unwrap_or(usual.max),
            idle: reuse.get("idle").and_then(|v| v.duration()).unwrap_or(usual.idle),
        };
    }
    http
}

fn events(value: &Value<'_>, policy: &Policy) -> Events {
    let Some(section) = value.section(&["every", "cron", "watch", "subscribe"]) else {
        return Events::default();
    };
    let list = |key: &str| section.get(key).and_then(|v| v.list()).unwrap_or_default();
    let events = Events {
        every: list("every").iter().filter_map(every).collect(),
        cron: list("cron").iter().filter_map(cron).collect(),
        watch: list("watch").iter().filter_map(|value| watch(value, policy)).collect(),
        subscribe: list("subscribe").iter().filter_map(|value| subscribe(value, policy)).collect(),
    };
    let ticks = !events.every.is_empty() || !events.cron.is_empty();
    if ticks && !policy.time {
        value.report("ticks are asked for but not granted", Some("add under [capabilities]:  time = true"));
    }
    events
}

fn every(value: &Value<'_>) -> Option<EveryEvent> {
    let section = value.section(&["name", "period"])?;
    let name = section.require("name", "what on-tick is told")?.string()?.text;
    let period = section.require("period", "such as \"30s\"")?;
    let length = period.duration()?;
    if length < Duration::from_millis(1) {
        period.report(format!("`{}` must be at least 1ms", period.name()), None);
    }
    Some(EveryEvent { name, period: length })
}

fn cron(value: &Value<'_>) -> Option<CronEvent> {
    let section = value.section(&["name", "expression", "where"])?;
    let name = section.require("name", "what on-tick is told")?.string()?.text;
    let expression = section.require("expression", "five fields, UTC, such as \"0 3 * * *\"")?;
    let word = expression.string()?.text;
    if word.split_whitespace().count() != 5 {
        let help = "minute, hour, day of the month, month, day of the week";
        expression.report(format!("`{}` must have five fields", expression.name()), Some(help));
    }
    let scopes = [("every-node", false), ("once-per-cluster", true)];
    let once_per_cluster = section.get("where").and_then(|v| v.one_of(&scopes)).unwrap_or(false);
    Some(CronEvent { name, expression: word, once_per_cluster })
}

fn watch(value: &Value<'_>, policy: &Policy) -> Option<WatchEvent> {
    let section = value.section(&["kind", "prefix"])?;
    let kind = match section.get("kind") {
        Some(kind) => Some(kind.one_of(&Kind::ALL.map(|kind| (kind.config_name(), kind)))?),
        None => None,
    };
    let prefix = section.require("prefix", "\"\" for every key that may be read")?.string()?.text;
    let readable = |kind| policy.crdt(kind).may_read_below(prefix.as_bytes());
    let granted = match kind {
        Some(kind) => readable(kind),
        None => Kind::ALL.iter().any(|kind| readable(*kind)),
    };
    if !granted {
        let family = kind.unwrap_or(Kind::GCounter).config_name();
        let line = format!(
            "add under [capabilities]:  crdt.{family} = {{ read = [{}] }}",
            quote(&format!("{prefix}*"))
        );
        value.report("a watch on keys that may not be read", Some(&line));
    }
    Some(WatchEvent { kind, prefix })
}

fn subscribe(value: &Value<'_>, policy: &Policy) -> Option<TopicPattern> {
    let pattern = topic(value)?;
    if !policy.can_subscribe(&pattern) {
        let line =
            format!("add under [capabilities]:  messaging.subscribe = [{}]", quote(&pattern.to_string()));
        value.report("a subscription that is not granted", Some(&line));
    }
    Some(pattern)
}

fn quotas(value: &Value<'_>) -> Quotas {
    let known = &["cpu_ms_per_run", "memory_max_mb", "ops_per_sec", "bytes_written_per_sec"];
    let Some(section) = value.section(known) else { return Quotas::default() };
    let number = |key: &str, most: u64| section.get(key).and_then(|v| v.integer(1..=most));
    Quotas {
        cpu_ms_per_run: number("cpu_ms_per_run", u64::MAX),
        // A 32-bit linear memory ends at 4 GiB.
        memory_max_mb: number("memory_max_mb", 4096),
        ops_per_sec: number("ops_per_sec", u64::MAX),
        bytes_written_per_sec: number("bytes_written_per_sec", u64::MAX),
    }
}
