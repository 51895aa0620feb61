//! Looking at a component from outside: what it is, what it imports, what it exports.

use crate::error::{ImportReport, ImportStatus};
use crate::turn::table;
use numax_crdt::Kind;
use numax_policy::{Capability, Policy, denial};
use wasmtime::component::Component;

/// What the first eight bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    Component,
    Core,
    Unknown,
}

pub(super) fn family(bytes: &[u8]) -> Family {
    match bytes.get(..8) {
        Some(b"\0asm\x0d\0\x01\0") => Family::Component,
        Some(b"\0asm\x01\0\0\0") => Family::Core,
        _ => Family::Unknown,
    }
}

/// The parts of `namespace:package/interface@version`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named<'a> {
    pub(super) interface: &'a str,
    pub(super) version: Option<&'a str>,
}

impl<'a> Named<'a> {
    pub(super) fn parse(name: &'a str) -> Named<'a> {
        match name.split_once('@') {
            Some((interface, version)) => Named { interface, version: Some(version) },
            None => Named { interface: name, version: None },
        }
    }
}

/// What of a version decides over compatibility: the first number that is not zero and those before it. Pre-releases
/// match themselves only, as in wasmtime's linker.
fn compatibility(version: &str) -> &str {
    if version.contains('-') {
        return version;
    }
    let mut end = 0;
    for part in version.split('.') {
        end += part.len();
        if part != "0" {
            break;
        }
        end += 1;
    }
    version.get(..end).unwrap_or(version)
}

pub(super) fn exports(engine: &wasmtime::Engine, component: &Component) -> Vec<String> {
    component.component_type().exports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// Every import with what becomes of it here.
pub(super) fn imports(
    engine: &wasmtime::Engine,
    component: &Component,
    policy: &Policy,
) -> Vec<ImportReport> {
    component
        .component_type()
        .imports(engine)
        .map(|(name, _)| ImportReport { name: name.to_owned(), status: status(name, policy) })
        .collect()
}

fn status(name: &str, policy: &Policy) -> ImportStatus {
    let wanted = Named::parse(name);
    let offered = table::interfaces()
        .map(|i| (i.name, i.version))
        .chain(table::TYPES_ONLY.iter().copied())
        .find(|(interface, _)| *interface == wanted.interface);
    match (offered, wanted.version) {
        (None, _) => ImportStatus::Unknown,
        (Some((_, version)), Some(wanted)) if compatibility(version) == compatibility(wanted) => {
            match missing_grant(name, policy) {
                Some(line) => ImportStatus::Denied { line },
                None => ImportStatus::Provided,
            }
        }
        (Some((interface, version)), _) => {
            ImportStatus::Version { offered: format!("{interface}@{version}") }
        }
    }
}

/// The policy line without which every call of an interface is denied, if the policy has nothing of the kind.
fn missing_grant(name: &str, policy: &Policy) -> Option<String> {
    let interface = Named::parse(name).interface;
    let (granted, capability, subject) = match interface {
        "numax:runtime/kv" => (!policy.db().is_empty(), Capability::DbRead, "*"),
        "numax:runtime/crdt" => (
            Kind::ALL.into_iter().any(|kind| !policy.crdt(kind).is_empty()),
            Capability::CrdtWrite(Kind::GCounter),
            "*",
        ),
        "wasi:random/random" => (policy.random(), Capability::Random, ""),
        "wasi:http/outgoing-handler" => {
            (!policy.outbound().is_empty(), Capability::Outbound, "https://example.com")
        }
        _ => return None,
    };
    (!granted).then(|| denial::line(capability, subject))
}

/// The policy keys that the functions of an interface need.
#[cfg(test)]
fn grants_of(interface: &str) -> Vec<&'static str> {
    let functions = table::interfaces().filter(|i| i.name == interface).flat_map(|i| i.functions);
    functions.filter_map(|f| if let table::Needs::Grant(key) = f.needs { Some(key) } else { None }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_what_decides() {
        assert_eq!(compatibility("0.2.12"), compatibility("0.2.0"));
        assert_ne!(compatibility("0.2.12"), compatibility("0.3.0"));
        assert_eq!(compatibility("1.4.0"), compatibility("1.9.2"));
        assert_ne!(compatibility("0.2.0-draft"), compatibility("0.2.0"));
        assert_eq!(compatibility("0.0.1"), "0.0.1");
    }

    #[test]
    fn imports_are_told_apart() {
        let policy = Policy::default_denied();
        assert_eq!(status("wasi:io/poll@0.2.0", &policy), ImportStatus::Provided);
        assert_eq!(status("numax:runtime/common@0.2.0", &policy), ImportStatus::Provided);
        assert_eq!(status("acme:thing/x@1.0.0", &policy), ImportStatus::Unknown);
        let offered = "wasi:io/poll@0.2.12".to_owned();
        assert_eq!(status("wasi:io/poll@0.3.0", &policy), ImportStatus::Version { offered });
        let line = "db.read = [\"*\"]".to_owned();
        assert_eq!(status("numax:runtime/kv@0.2.0", &policy), ImportStatus::Denied { line });
    }

    #[test]
    fn an_interface_reported_as_denied_needs_a_grant_in_the_table() {
        for interface in
            ["numax:runtime/kv", "numax:runtime/crdt", "wasi:random/random", "wasi:http/outgoing-handler"]
        {
            assert!(!grants_of(interface).is_empty(), "{interface}");
        }
    }

    #[test]
    fn families_are_told_by_their_first_bytes() {
        assert_eq!(family(b"\0asm\x0d\0\x01\0..."), Family::Component);
        assert_eq!(family(b"\0asm\x01\0\0\0"), Family::Core);
        assert_eq!(family(b"\x7fELF"), Family::Unknown);
        assert_eq!(family(b""), Family::Unknown);
    }
}
