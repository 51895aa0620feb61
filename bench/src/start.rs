//! Group `start`: how long a user waits for a module that was compiled before.

use crate::product::Product;
use crate::report::Figure;
use anyhow::{Result, ensure};
use std::process::{Command, Stdio};
use std::time::Instant;

/// From the start of the process to its end, with a component that touches no datastore and with one that writes.
pub fn run(product: &Product, rounds: usize) -> Result<Vec<Figure>> {
    let wasm = product.guest("increments")?;
    let home = tempfile::tempdir()?;
    let module = |mode: &str, data: &str| {
        let mut command = product.command();
        command.arg("run").arg(&wasm).arg("--data").arg(home.path().join(data)).current_dir(home.path());
        command.args(["--env", &format!("BENCH_MODE={mode}"), "--env", "BENCH_COUNT=1"]);
        command
    };
    let millis = |command: &mut Command| -> Result<f64> {
        let start = Instant::now();
        let status = command.stdout(Stdio::null()).status()?;
        ensure!(status.success(), "{command:?} ended with {status}");
        Ok(start.elapsed().as_secs_f64() * 1e3)
    };
    millis(&mut module("one-turn", "kept"))?; // compiles, caches, makes the datastore
    let (mut bare, mut without, mut with) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds * 4 {
        bare.push(millis(product.command().arg("--version"))?);
        without.push(millis(&mut module("nothing", "unused"))?);
        with.push(millis(&mut module("one-turn", "kept"))?);
    }
    let beside = "numax --version";
    Ok(vec![
        Figure::new("start", "cached command, no datastore", "ms", &without, beside, &bare),
        Figure::new("start", "cached command, one increment committed", "ms", &with, beside, &bare),
    ])
}
