//! Bindings generated from `wit/`: the host's side of every import, and one world for each export, because a component
//! has the exports that it wants and no others.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]
#![allow(clippy::all, reason = "generated")]

/// Imports: what the host offers.
pub(crate) mod host {
    wasmtime::component::bindgen!({
        inline: "
            package numax:host;
            world host {
                include numax:runtime/use-kv@0.2.0;
                include numax:runtime/use-crdt@0.2.0;
                include numax:runtime/use-cluster@0.2.0;
                include numax:runtime/use-messaging@0.2.0;
                include numax:runtime/use-changes@0.2.0;
                include numax:runtime/use-events@0.2.0;
                include numax:runtime/use-module-info@0.2.0;
            }
        ",
        path: "../../wit",
        world: "numax:host/host",
        // Any of them may wait for a row that is not in memory; one that does not costs the same as a synchronous one.
        imports: { default: async | trappable },
        require_store_data_send: true,
        with: {
            "wasi:io": wasmtime_wasi::p2::bindings::io,
            "numax:runtime/crdt.g-counter": crate::crdt::GCounter,
            "numax:runtime/crdt.pn-counter": crate::crdt::PnCounter,
            "numax:runtime/crdt.lww-register": crate::crdt::LwwRegister,
            "numax:runtime/crdt.lww-map": crate::crdt::LwwMap,
            "numax:runtime/crdt.or-set": crate::crdt::OrSet,
            "numax:runtime/crdt.rga": crate::crdt::Rga,
            "numax:runtime/crdt.text": crate::crdt::Text,
            "numax:runtime/changes.feed": crate::changes::Feed,
        },
    });
    pub use numax::runtime::*;
}

/// `lifecycle`: `init` and `shutdown`.
pub(crate) mod lifecycle {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "numax:runtime/with-lifecycle",
        exports: { default: async },
        require_store_data_send: true,
    });
}

/// `tick-handler`.
pub(crate) mod tick {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "numax:runtime/with-tick",
        exports: { default: async },
        require_store_data_send: true,
    });
}

/// `change-handler`.
pub(crate) mod change {
    wasmtime::component::bindgen!({
        path: "../../wit",
        world: "numax:runtime/with-change",
        exports: { default: async },
        require_store_data_send: true,
        with: { "numax:runtime/common": crate::bindings::host::common },
    });
}

/// `wasi:cli/run` and `wasi:http/incoming-handler`, as wasmtime generates them.
pub(crate) use wasmtime_wasi::p2::bindings::CommandPre;
pub(crate) use wasmtime_wasi_http::p2::bindings::ProxyPre;
