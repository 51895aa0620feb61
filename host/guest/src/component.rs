//! Core module → component, and what a component imports and exports.

use crate::BuildError;
use crate::wit::{Handler, Wit, internal};
use std::fs;
use std::path::Path;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wasmparser::{Encoding, Parser, Payload};
use wit_component::{ComponentEncoder, DecodedWasm, StringEncoding, embed_component_metadata};
use wit_parser::WorldItem;

/// The names that a component imports and exports, with their versions: `wasi:io/poll@0.2.6`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Surface {
    /// What the host must provide.
    pub imports: Vec<String>,
    /// What the host can call.
    pub exports: Vec<String>,
}

impl Surface {
    /// The handlers among the exports, whatever their version.
    pub fn handlers(&self) -> Vec<Handler> {
        let exported = |h: &Handler| self.exports.iter().any(|e| e.split('@').next() == Some(h.interface()));
        Handler::ALL.into_iter().filter(exported).collect()
    }
}

/// What the component in `wasm` imports and exports.
///
/// # Errors
/// When the file cannot be read or is not a component.
pub fn surface(wasm: &Path) -> Result<Surface, BuildError> {
    let bytes = fs::read(wasm).map_err(BuildError::io("read", wasm))?;
    surface_of(&bytes).map_err(|detail| BuildError::Component { file: wasm.to_path_buf(), detail })
}

fn surface_of(bytes: &[u8]) -> Result<Surface, String> {
    let mut surface = Surface::default();
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(bytes) {
        match payload.map_err(|e| e.to_string())? {
            Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                return Err("it is a core module, not a component".into());
            }
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    surface.imports.push(import.map_err(|e| e.to_string())?.name.name.to_string());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    surface.exports.push(export.map_err(|e| e.to_string())?.name.name.to_string());
                }
            }
            _ => {}
        }
    }
    Ok(surface)
}

/// What the component in `wasm` can call, function by function: `numax:runtime/crdt@0.2.0#[method]g-counter.value`.
///
/// # Errors
/// When the file cannot be read or is not a component.
pub fn imported_functions(wasm: &Path) -> Result<Vec<String>, BuildError> {
    let bytes = fs::read(wasm).map_err(BuildError::io("read", wasm))?;
    let unfit = |detail: String| BuildError::Component { file: wasm.to_path_buf(), detail };
    let (resolve, world) = match wit_component::decode(&bytes).map_err(|e| unfit(format!("{e:#}")))? {
        DecodedWasm::Component(resolve, world) => (resolve, world),
        DecodedWasm::WitPackage(..) => return Err(unfit("it is a WIT package, not a component".into())),
    };
    let mut names = Vec::new();
    for (key, item) in &resolve.worlds[world].imports {
        let name = resolve.name_world_key(key);
        match item {
            WorldItem::Interface { id, .. } => {
                let functions = &resolve.interfaces[*id].functions;
                names.extend(functions.keys().map(|f| format!("{name}#{f}")));
            }
            WorldItem::Function(_) | WorldItem::Type { .. } => names.push(name),
        }
    }
    Ok(names)
}

/// That `wasm` is a component which exports something numax calls.
///
/// # Errors
/// When it is not.
pub fn check(wasm: &Path) -> Result<Surface, BuildError> {
    let surface = surface(wasm)?;
    if surface.handlers().is_empty() {
        let detail = format!(
            "it exports none of {}. Register a handler (for example on_http) or write a main function",
            Handler::ALL.map(Handler::interface).join(", ")
        );
        return Err(BuildError::Component { file: wasm.to_path_buf(), detail });
    }
    Ok(surface)
}

/// Makes a component of the core module `core` (of preview 1, as a reactor), for the worlds of the handlers that it
/// exports and everything numax offers to import; what it does not import is left out.
///
/// # Errors
/// When the module exports no handler or does not fit the worlds. `shown` names it there.
pub fn encode_reactor(wit: Wit, core: &[u8], shown: &Path) -> Result<Vec<u8>, BuildError> {
    let unfit = |detail: String| BuildError::Component { file: shown.to_path_buf(), detail };
    let names = core_exports(core).map_err(&unfit)?;
    let (mut resolve, package) = wit.resolve()?;
    let everything = resolve.select_world(&[package], Some("everything")).map_err(internal)?;
    let mut exports = resolve.worlds[everything].exports.clone();
    exports.retain(|key, _| {
        let prefix = format!("{}#", resolve.name_world_key(key));
        names.iter().any(|n| n.starts_with(&prefix))
    });
    if exports.is_empty() {
        return Err(unfit(
            "it exports no handler. Import one of the SDK's handler packages, for example onhttp".into(),
        ));
    }
    let mut module = core.to_vec();
    resolve.worlds[everything].exports = exports;
    embed_component_metadata(&mut module, &resolve, everything, StringEncoding::UTF8).map_err(internal)?;
    ComponentEncoder::default()
        .validate(true)
        .module(&module)
        .and_then(|e| e.adapter("wasi_snapshot_preview1", WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER))
        .and_then(|e| e.encode())
        .map_err(|e| unfit(format!("{e:#}")))
}

fn core_exports(core: &[u8]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    for payload in Parser::new(0).parse_all(core) {
        if let Payload::ExportSection(section) = payload.map_err(|e| e.to_string())? {
            for export in section {
                names.push(export.map_err(|e| e.to_string())?.name.to_string());
            }
        }
    }
    Ok(names)
}
