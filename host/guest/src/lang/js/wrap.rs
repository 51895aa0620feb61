//! The last step of ComponentizeJS, done here: a core module that carries the description of its world → component.

use crate::BuildError;
use std::path::Path;
use wasi_preview1_component_adapter_provider::WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER;
use wit_component::ComponentEncoder;

/// Wraps `core`, which imports preview 1 and whose custom sections describe its world. `shown` names it in errors.
///
/// # Errors
/// When the module does not fit its world.
pub fn component(core: &[u8], shown: &Path) -> Result<Vec<u8>, BuildError> {
    ComponentEncoder::default()
        .validate(true)
        .module(core)
        .and_then(|e| e.adapter("wasi_snapshot_preview1", WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER))
        .and_then(|e| e.encode())
        .map_err(|e| BuildError::Component { file: shown.to_path_buf(), detail: format!("{e:#}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_module_is_an_error() {
        let text = component(b"no module", Path::new("x.wasm")).unwrap_err().to_string();
        assert!(text.starts_with("x.wasm: "), "{text}");
    }
}
