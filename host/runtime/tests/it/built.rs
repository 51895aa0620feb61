//! The guests of the tests, built once for all of them: those of this crate, and of the node's, which has this file too.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// The sources of the guests.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime/tests/guests")
}

/// A folder for what the tests build and compile. It stays, so that the next run does not begin anew.
pub fn cache() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("test-guests")
}

/// Builds all guests at the first call and returns the folder in which they are.
pub fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let target = "wasm32-wasip2";
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command
            .args(["build", "--release", "--examples", "--bins", "--locked", "--target", target])
            .current_dir(sources())
            .env("CARGO_TARGET_DIR", cache());
        // What was set for the host's own build is not meant for the guests.
        for variable in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET", "RUSTC_WRAPPER"] {
            command.env_remove(variable);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "the guests of the tests could not be built.\n{said}\nIf the target is missing: rustup target add {target}"
        );
        cache().join(target).join("release")
    })
}
