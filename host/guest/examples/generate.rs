//! Writes what is generated from `wit/`: `cargo run -p numax-guest --example generate`.

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let written = numax_guest::bindings::all().and_then(|all| {
        all.iter().try_for_each(|generated| {
            eprintln!("{}: {} files", generated.folder, generated.files.len());
            generated.write(&root)
        })
    });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
