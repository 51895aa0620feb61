//! Writing the least policy for a component from what it imports and exports.
//!
//! The import list says which doors a component has, not which it opens: a standard library
//! imports files and sockets that are never used. So doors to the outside are written as
//! comments, and keys are granted below the module's own name only.

use std::fmt::Write as _;

use numax_crdt::Kind;

use crate::text::quote;

/// How a policy is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The module's name: the file's stem. Keys below `<module>:` are granted.
    pub module: String,
    /// Everything the module could ask for, instead of the least.
    pub grant_all: bool,
    /// `quotas.cpu_ms_per_run`; 50 suits compiled languages, 500 the interpreted ones, whose
    /// first call alone takes 50 ms.
    pub cpu_ms_per_run: u64,
    /// `quotas.memory_max_mb`.
    pub memory_max_mb: u64,
}

impl Options {
    /// The least policy, with limits that suit a compiled language.
    #[must_use]
    pub fn least(module: &str) -> Self {
        Self { module: module.to_owned(), grant_all: false, cpu_ms_per_run: 50, memory_max_mb: 64 }
    }
}

/// The text of a policy for a component with these imports and exports, in the forms
/// `numax:runtime/crdt@0.2.0` or `numax:runtime/crdt@0.2.0#[method]g-counter.increment`.
/// With functions given, only the families that are used are granted, and of these only reading or only writing if
/// nothing else is called.
#[must_use]
pub fn least_policy(imports: &[String], exports: &[String], options: &Options) -> String {
    let wants = Wants { imports, exports };
    let mut out = String::new();
    let all = options.grant_all;
    let own = quote(&format!("{}:*", options.module));
    let keys = if all { quote("*") } else { own };
    let file = format!("{}.wasm", options.module);
    line(
        &mut out,
        &format!("# {}.policy.toml — what {file} may do. What is not listed is denied.", options.module),
    );
    if all {
        line(&mut out, "#");
        line(
            &mut out,
            "# !!! Written with --grant-all: it grants EVERYTHING the module could ask for, on every key.",
        );
        line(&mut out, "# !!! Cut it down before anybody else runs this module.");
    } else {
        line(
            &mut out,
            "# Keys: a trailing * is a prefix. Lines that start with # are what else it could ask for.",
        );
    }
    line(&mut out, "version = 1\n\n[capabilities]");

    let (reads, writes) = match all {
        true => (wants.imports(KV), wants.imports(KV)),
        false => wants.access(KV, None),
    };
    grant(&mut out, reads, &format!("db.read  = [{keys}]"), "node-local store");
    grant(&mut out, writes, &format!("db.write = [{keys}]"), if reads { "" } else { "node-local store" });
    families(&mut out, &wants, &keys, all);
    grant(&mut out, wants.imports("wasi:keyvalue/"), "keyvalue = [\"default\"]", "stores of wasi:keyvalue");
    option(
        &mut out,
        all,
        wants.imports("numax:runtime/cluster") || wants.exports("numax:runtime/peer-handler"),
        "net.peers = true",
        "see the members of the cluster",
    );
    option(
        &mut out,
        all,
        wants.imports("numax:runtime/messaging"),
        &topic_line("publish", options),
        "send messages",
    );
    option(
        &mut out,
        all,
        wants.exports("numax:runtime/message-handler"),
        &topic_line("subscribe", options),
        "receive messages",
    );
    grant(
        &mut out,
        wants.exports("wasi:http/incoming-handler") || wants.exports("wasi:http/handler"),
        "network.serve = true",
        "answer HTTP",
    );
    outside(&mut out, &wants);
    let ticks = wants.exports("numax:runtime/tick-handler");
    grant(&mut out, wants.imports("wasi:random/"), "random = true", "");
    grant(&mut out, wants.imports("wasi:clocks/") || ticks, "time   = true", "clocks and ticks");
    let env = if all {
        "env    = [\"*\"]".to_owned()
    } else {
        format!("env    = [{}]", quote(&format!("{}_*", env_name(&options.module))))
    };
    option(&mut out, all, wants.imports("wasi:cli/environment"), &env, "variables it may see, by name");
    option(&mut out, all, wants.imports("wasi:config/"), "config = [\"*\"]", "wasi:config keys");
    option(
        &mut out,
        false,
        wants.imports("wasi:filesystem/"),
        "fs     = [{ host = \"./assets\", guest = \"/assets\", write = false }]",
        "",
    );

    line(&mut out, "\n[quotas]");
    line(&mut out, &format!("cpu_ms_per_run = {}", options.cpu_ms_per_run));
    line(&mut out, &format!("memory_max_mb  = {}", options.memory_max_mb));
    out
}

struct Wants<'a> {
    imports: &'a [String],
    exports: &'a [String],
}

impl Wants<'_> {
    fn imports(&self, interface: &str) -> bool {
        has(self.imports, interface)
    }

    fn exports(&self, interface: &str) -> bool {
        has(self.exports, interface)
    }

    /// Whether functions of an interface that read are imported, and whether such that write: of one resource, or those
    /// outside of resources. Without function names it is all that the interface could.
    fn access(&self, interface: &str, resource: Option<&str>) -> (bool, bool) {
        let mut functions = self
            .imports
            .iter()
            .filter(|import| has(std::slice::from_ref(import), interface))
            .filter_map(|import| Some(import.split_once('#')?.1))
            .peekable();
        if functions.peek().is_none() {
            let could = self.imports(interface);
            return (could, could);
        }
        let (mut opens, mut reads, mut writes) = (false, false, false);
        for function in functions.filter(|function| split(function).0 == resource) {
            match split(function).1 {
                "open" => opens = true,
                _ if only_reads(function) => reads = true,
                _ => writes = true,
            }
        }
        // To open a handle takes either.
        (reads || opens && !writes, writes)
    }
}

const KV: &str = "numax:runtime/kv";
const CRDT: &str = "numax:runtime/crdt";

/// A function's resource, if it has one, and its own name: `[method]g-counter.value`.
fn split(function: &str) -> (Option<&str>, &str) {
    let name = function.rsplit(']').next().unwrap_or(function);
    name.split_once('.').map_or((None, name), |(resource, name)| (Some(resource), name))
}

/// Whether a function of `numax:runtime/crdt` or `kv` (`[method]g-counter.value`, `get`) needs no more than the grant to
/// read. One that is not known counts as one that writes: a grant too much, rather than a module that does not run.
#[must_use]
pub fn only_reads(function: &str) -> bool {
    matches!(
        split(function).1,
        "value"
            | "get"
            | "contains"
            | "entries"
            | "elements"
            | "size"
            | "read"
            | "state-vector"
            | "diff"
            | "keys"
            | "exists"
            | "scan"
    )
}

/// True if a name is the interface (with any version or function), or starts with a package when
/// `interface` ends in a slash.
fn has(names: &[String], interface: &str) -> bool {
    names.iter().any(|name| match name.strip_prefix(interface) {
        Some(rest) => interface.ends_with('/') || rest.is_empty() || rest.starts_with(['@', '#']),
        None => false,
    })
}

fn families(out: &mut String, wants: &Wants<'_>, keys: &str, all: bool) {
    let told = wants.imports("numax:runtime/changes") || wants.exports("numax:runtime/change-handler");
    let lists = wants.imports.iter().any(|i| i.strip_prefix(CRDT).is_some_and(|i| i.ends_with("#keys")));
    if !wants.imports(CRDT) && !told {
        return;
    }
    line(out, "# Replicated values, by family. A list grants read and write.");
    for kind in Kind::ALL {
        let name = kind.config_name();
        let (mut reads, writes) = wants.access(CRDT, Some(kind.wit_name()));
        let uses = reads || writes;
        // Whoever lists the keys of a family, or is told of its changes, reads it; of families that it does not use
        // that can only be guessed.
        reads |= uses && (told || lists) || told && !wants.imports(CRDT);
        match (reads, writes) {
            _ if all && uses => line(out, &format!("crdt.{name} = [{keys}]")),
            (true, true) => line(out, &format!("crdt.{name} = [{keys}]")),
            (true, false) => line(out, &format!("crdt.{name} = {{ read = [{keys}] }}")),
            (false, true) => line(out, &format!("crdt.{name} = {{ write = [{keys}] }}")),
            (false, false) if told || lists => line(out, &format!("# crdt.{name} = {{ read = [{keys}] }}")),
            (false, false) => {}
        }
    }
}

/// Doors that the least policy only shows.
fn outside(out: &mut String, wants: &Wants<'_>) {
    if wants.imports("wasi:http/outgoing-handler") || wants.imports("wasi:http/client") {
        line(out, "# network.outbound = [\"https://api.example.com\"]  # call out");
    }
    if wants.imports("wasi:sockets/") {
        line(out, "# network.tcp = [\"10.0.3.7:5432\"]  # raw sockets");
        line(out, "# network.resolve = [\"db.internal\"]");
    }
}

fn topic_line(verb: &str, options: &Options) -> String {
    let topic = if options.grant_all { ">".to_owned() } else { format!("{}.>", options.module) };
    format!("messaging.{verb} = [{}]", quote(&topic))
}

fn env_name(module: &str) -> String {
    module.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

fn grant(out: &mut String, wanted: bool, text: &str, comment: &str) {
    if wanted {
        line(out, &commented(text, comment));
    }
}

/// Granted with `granted`, shown as a comment otherwise.
fn option(out: &mut String, granted: bool, wanted: bool, text: &str, comment: &str) {
    let text = commented(text, comment);
    if wanted {
        line(out, &if granted { text } else { format!("# {text}") });
    }
}

fn commented(text: &str, comment: &str) -> String {
    if comment.is_empty() { text.to_owned() } else { format!("{text}  # {comment}") }
}

fn line(out: &mut String, text: &str) {
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{text}");
}
