//! numax:runtime.

use super::Needs::{Grant, Handle, Nothing};
use super::Turn::{Harmless, Point};
use super::{Interface, f};

/// See the module.
pub(super) const NUMAX: &[Interface] = &[
    Interface {
        name: "numax:runtime/cluster",
        version: "0.2.0",
        functions: &[
            f("self-id", Harmless, Nothing("its own node")),
            f("peers", Harmless, Grant("net.peers")),
        ],
    },
    Interface {
        name: "numax:runtime/messaging",
        version: "0.2.0",
        functions: &[f("publish", Point, Grant("messaging.publish"))],
    },
    Interface {
        name: "numax:runtime/changes",
        version: "0.2.0",
        functions: &[
            f("[static]feed.open", Harmless, Grant("crdt.* read")),
            f("[method]feed.subscribe", Harmless, Handle("feed")),
            f("[method]feed.next", Harmless, Handle("feed")),
        ],
    },
    Interface {
        name: "numax:runtime/module-info",
        version: "0.2.0",
        functions: &[
            f("id", Harmless, Nothing("about itself")),
            f("grants", Harmless, Nothing("about itself")),
        ],
    },
    Interface {
        name: "numax:runtime/crdt",
        version: "0.2.0",
        functions: &[
            f("[static]g-counter.open", Harmless, Grant("crdt.gcounter")),
            f("[method]g-counter.increment", Harmless, Grant("crdt.gcounter")),
            f("[method]g-counter.value", Harmless, Grant("crdt.gcounter read")),
            f("[static]pn-counter.open", Harmless, Grant("crdt.pncounter")),
            f("[method]pn-counter.increment", Harmless, Grant("crdt.pncounter")),
            f("[method]pn-counter.decrement", Harmless, Grant("crdt.pncounter")),
            f("[method]pn-counter.value", Harmless, Grant("crdt.pncounter read")),
            f("[static]lww-register.open", Harmless, Grant("crdt.lww_register")),
            f("[method]lww-register.set", Harmless, Grant("crdt.lww_register")),
            f("[method]lww-register.get", Harmless, Grant("crdt.lww_register read")),
            f("[method]lww-register.clear", Harmless, Grant("crdt.lww_register")),
            f("[method]lww-register.compare-and-set", Point, Grant("crdt.lww_register")),
            f("[static]lww-map.open", Harmless, Grant("crdt.lww_map")),
            f("[method]lww-map.set", Harmless, Grant("crdt.lww_map")),
            f("[method]lww-map.get", Harmless, Grant("crdt.lww_map read")),
            f("[method]lww-map.contains", Harmless, Grant("crdt.lww_map read")),
            f("[method]lww-map.remove", Harmless, Grant("crdt.lww_map")),
            f("[method]lww-map.entries", Harmless, Grant("crdt.lww_map read")),
            f("[method]lww-map.size", Harmless, Grant("crdt.lww_map read")),
            f("[method]lww-map.clear", Harmless, Grant("crdt.lww_map")),
            f("[static]or-set.open", Harmless, Grant("crdt.orset")),
            f("[method]or-set.add", Harmless, Grant("crdt.orset")),
            f("[method]or-set.remove", Harmless, Grant("crdt.orset")),
            f("[method]or-set.contains", Harmless, Grant("crdt.orset read")),
            f("[method]or-set.elements", Harmless, Grant("crdt.orset read")),
            f("[method]or-set.size", Harmless, Grant("crdt.orset read")),
            f("[method]or-set.clear", Harmless, Grant("crdt.orset")),
            f("[static]rga.open", Harmless, Grant("crdt.rga")),
            f("[method]rga.insert", Harmless, Grant("crdt.rga")),
            f("[method]rga.push", Harmless, Grant("crdt.rga")),
            f("[method]rga.get", Harmless, Grant("crdt.rga read")),
            f("[method]rga.remove", Harmless, Grant("crdt.rga")),
            f("[method]rga.entries", Harmless, Grant("crdt.rga read")),
            f("[method]rga.size", Harmless, Grant("crdt.rga read")),
            f("[method]rga.clear", Harmless, Grant("crdt.rga")),
            f("[static]text.open", Harmless, Grant("crdt.text")),
            f("[method]text.insert", Harmless, Grant("crdt.text")),
            f("[method]text.remove", Harmless, Grant("crdt.text")),
            f("[method]text.read", Harmless, Grant("crdt.text read")),
            f("[method]text.size", Harmless, Grant("crdt.text read")),
            f("[method]text.clear", Harmless, Grant("crdt.text")),
            f("[method]text.state-vector", Harmless, Grant("crdt.text read")),
            f("[method]text.diff", Harmless, Grant("crdt.text read")),
            f("[method]text.apply-update", Harmless, Grant("crdt.text")),
            f("keys", Harmless, Grant("crdt.* read")),
        ],
    },
    Interface {
        name: "numax:runtime/events",
        version: "0.2.0",
        functions: &[
            f("every", Harmless, Grant("time")),
            f("cron", Harmless, Grant("time")),
            f("watch", Harmless, Grant("crdt.* read")),
            f("subscribe", Harmless, Grant("messaging.subscribe")),
        ],
    },
    Interface {
        name: "numax:runtime/kv",
        version: "0.2.0",
        functions: &[
            f("get", Harmless, Grant("db.read")),
            f("set", Harmless, Grant("db.write")),
            f("delete", Harmless, Grant("db.write")),
            f("delete-prefix", Harmless, Grant("db.write")),
            f("exists", Harmless, Grant("db.read")),
            f("scan", Harmless, Grant("db.read")),
        ],
    },
];
