//! The one linker of a node: WASI, wasi:http and numax's own interfaces, with turns around them.
//!
//! Every module is linked against all of it; what a module may do is decided by its session and its WASI context at
//! each call. So an import list says what a module can do, and its policy what it may.

use crate::instance::Data;
use crate::{changes, cluster, crdt, events, kv, messaging, module_info, turn, wasi};
use wasmtime::Result;
use wasmtime::component::Linker;

/// Builds the linker. About half a millisecond: once per engine.
pub(crate) fn build(engine: &wasmtime::Engine) -> Result<Linker<Data>> {
    let mut l = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut l)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut l)?;
    turn::add_to_linker(&mut l)?;
    wasi::denials::add_to_linker(&mut l)?;
    kv::add_to_linker(&mut l)?;
    crdt::add_to_linker(&mut l)?;
    cluster::add_to_linker(&mut l)?;
    messaging::add_to_linker(&mut l)?;
    changes::add_to_linker(&mut l)?;
    events::add_to_linker(&mut l)?;
    module_info::add_to_linker(&mut l)?;
    Ok(l)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::turn::must_exist;
    use crate::turn::table::{self, Interface, Needs, Turn};
    use std::collections::{BTreeMap, BTreeSet};
    use wit_parser::{Resolve, Stability};

    /// Interfaces that guests export and hosts never link.
    const EXPORTED: &[&str] = &[
        "wasi:cli/run",
        "wasi:http/incoming-handler",
        "numax:runtime/lifecycle",
        "numax:runtime/tick-handler",
        "numax:runtime/change-handler",
        "numax:runtime/peer-handler",
        "numax:runtime/message-handler",
    ];

    /// Every stable function of `wit/`, by interface with its version.
    fn functions_of_wit() -> BTreeMap<(String, String), BTreeSet<String>> {
        let mut resolve = Resolve::default();
        resolve.push_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../wit")).unwrap();
        let mut all = BTreeMap::new();
        for (_, package) in resolve.packages.iter() {
            let version = package.name.version.as_ref().unwrap().to_string();
            for (name, id) in &package.interfaces {
                let interface = &resolve.interfaces[*id];
                let full = format!("{}:{}/{name}", package.name.namespace, package.name.name);
                let unstable = matches!(interface.stability, Stability::Unstable { .. });
                if EXPORTED.contains(&full.as_str()) || unstable {
                    continue;
                }
                let stable = interface
                    .functions
                    .values()
                    .filter(|f| !matches!(f.stability, Stability::Unstable { .. }));
                let names: BTreeSet<String> = stable.map(|f| f.name.clone()).collect();
                if !names.is_empty() {
                    all.insert((full, version.clone()), names);
                }
            }
        }
        all
    }

    fn table() -> Vec<&'static Interface> {
        table::interfaces().collect()
    }

    #[test]
    fn the_table_has_every_function_of_the_wit_files_and_no_other() {
        let wit = functions_of_wit();
        let table: BTreeMap<(String, String), BTreeSet<String>> = table()
            .into_iter()
            .map(|i| {
                let functions = i.functions.iter().map(|f| f.name.to_owned()).collect();
                ((i.name.to_owned(), i.version.to_owned()), functions)
            })
            .collect();
        for (name, functions) in &wit {
            let listed = table.get(name).unwrap_or_else(|| panic!("{name:?} is not in the table"));
            let missing: Vec<_> = functions.symmetric_difference(listed).collect();
            assert!(missing.is_empty(), "{name:?}: in one of table and WIT only: {missing:?}");
        }
        assert_eq!(wit.len(), table.len(), "the table has interfaces that are not in wit/");
    }

    #[test]
    fn every_function_of_the_table_is_linked() {
        let engine = wasmtime::Engine::default();
        let mut linker = build(&engine).unwrap();
        for interface in table() {
            for function in interface.functions {
                let name = format!("{}@{}", interface.name, interface.version);
                must_exist(&mut linker, &name, function.name).unwrap();
            }
        }
    }

    #[test]
    fn a_name_that_does_not_exist_is_found_out() {
        let mut linker = build(&wasmtime::Engine::default()).unwrap();
        must_exist(&mut linker, "wasi:io/poll@0.2.12", "pol").unwrap_err();
        must_exist(&mut linker, "wasi:io/poll@0.2.0", "poll").unwrap_err();
    }

    #[test]
    fn what_the_table_calls_a_point_is_wrapped_and_nothing_else_is() {
        let engine = wasmtime::Engine::default();
        let mut linker = Linker::new(&engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut linker).unwrap();
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker).unwrap();
        let wrapped: BTreeSet<_> = turn::add_to_linker(&mut linker).unwrap().into_iter().collect();
        let points = table().into_iter().flat_map(|i| i.functions.iter().map(move |f| (i.name, f)));
        let points: BTreeSet<_> =
            points.filter(|(_, f)| f.turn == Turn::Point).map(|(name, f)| (name, f.name)).collect();
        // These two are numax's own and commit by themselves.
        let own = [
            ("numax:runtime/crdt", "[method]lww-register.compare-and-set"),
            ("numax:runtime/messaging", "publish"),
        ];
        let expected: BTreeSet<_> = wrapped.iter().copied().chain(own).collect();
        assert_eq!(points, expected);
    }

    #[test]
    fn what_a_handle_is_needed_for_has_a_granted_or_empty_way_to_it() {
        let keys: BTreeSet<_> = table()
            .into_iter()
            .flat_map(|i| i.functions)
            .filter_map(|f| if let Needs::Handle(kind) = f.needs { Some(kind) } else { None })
            .collect();
        assert_eq!(keys.into_iter().collect::<Vec<_>>(), ["descriptor", "feed", "lookup", "socket"]);
    }
}
