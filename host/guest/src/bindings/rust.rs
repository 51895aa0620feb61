//! Bindings of `sdk-rust`: one module for everything a guest can call, and one for each handler that it can export.
//!
//! A handler's module holds a macro that makes the export, and with it the description that the linker reads; a guest
//! that does not use the macro does not have the export. Types stand in the imports' module only; the others name them.

use super::{Generated, export_world, sdk_worlds};
use crate::BuildError;
use crate::wit::{Handler, internal};
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, WithOption};
use wit_parser::WorldItem;

/// The handlers that the SDK has a macro for. A command has an ordinary `main` and needs none.
const EXPORTS: [Handler; 6] =
    [Handler::Lifecycle, Handler::Tick, Handler::Change, Handler::Peer, Handler::Message, Handler::Http];

/// The generated part of `sdk-rust`.
///
/// # Errors
/// [`BuildError::Wit`] when the generator does not accept the package.
pub fn sdk() -> Result<Generated, BuildError> {
    let mut files = vec![("imports.rs".to_string(), world("imports", None)?)];
    for handler in EXPORTS {
        let name = export_world(handler);
        files.push((format!("{}.rs", name.replace('-', "_")), world(&name, Some(handler))?));
    }
    files.sort();
    Ok(Generated { folder: "sdk-rust/src/bindings", files })
}

fn world(name: &str, export: Option<Handler>) -> Result<String, BuildError> {
    let (mut resolve, package) = sdk_worlds()?;
    let id = resolve.select_world(&[package], Some(name)).map_err(internal)?;
    let mut with = Vec::new();
    if export.is_some() {
        for (key, item) in &resolve.worlds[id].imports {
            if matches!(item, WorldItem::Interface { .. }) {
                let interface = resolve.name_world_key(key);
                let path = format!("crate::bindings::imports::{}", module(&interface));
                with.push((interface, WithOption::Path(path)));
            }
        }
    }
    let opts = Opts {
        format: true,
        generate_all: true,
        generate_unused_types: export.is_none(),
        with,
        runtime_path: Some("::numax_sdk::rt".into()),
        pub_export_macro: export.is_some(),
        export_macro_name: export.map(|_| format!("__{}", name.replace('-', "_"))),
        default_bindings_module: export.map(|_| format!("::numax_sdk::bindings::{}", name.replace('-', "_"))),
        ..Opts::default()
    };
    let mut files = Files::default();
    opts.build().generate(&mut resolve, id, &mut files).map_err(internal)?;
    let mut texts = files.iter().map(|(_, contents)| String::from_utf8_lossy(contents).into_owned());
    texts.next().ok_or_else(|| BuildError::Wit(format!("no bindings for the world {name}")))
}

/// `wasi:http/types@0.2.12` → `wasi::http::types`.
fn module(interface: &str) -> String {
    let name = interface.split('@').next().unwrap_or(interface);
    name.replace([':', '/'], "::").replace('-', "_")
}
