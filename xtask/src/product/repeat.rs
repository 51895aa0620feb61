//! One seed is one run: the same answers and the same bytes in the log.

use super::Bench;
use anyhow::{Result, ensure};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// What comes in, and when.
const REQUESTS: &str = r#"{"method": "POST", "path": "/visits?by=3"}
{"at_ms": 5, "method": "PUT", "path": "/languages/cobol"}
{"at_ms": 60000, "method": "DELETE", "path": "/languages/cobol"}
{"at_ms": 3600000, "path": "/"}
{"at_ms": 3600000, "path": "/no/such/page"}
"#;

pub fn seeds(bench: &Bench) -> Result<()> {
    fs::write(bench.home.join("requests.jsonl"), REQUESTS)?;
    // The engines of JavaScript and Python are compiled once more for this, with instructions counted: their hash tables,
    // clocks and random numbers are where a run could take something from the machine.
    for (language, wasm) in &bench.guests {
        let name = language.name();
        let once = run(bench, wasm, &format!("{name}-once"), 7)?;
        ensure!(
            once.0.lines().count() == 5 && once.0.contains(r#""status":200"#),
            "{name} answered {}",
            once.0
        );
        ensure!(
            once == run(bench, wasm, &format!("{name}-again"), 7)?,
            "{name}: one seed, two runs that differ"
        );
        ensure!(once.1 != run(bench, wasm, &format!("{name}-other"), 8)?.1, "{name}: two seeds, one log");
        let equal = crate::shell::program(&bench.numax)
            .args(["diff", &format!("{name}-once"), &format!("{name}-again")])
            .current_dir(&bench.home)
            .status()?;
        ensure!(equal.success(), "{name}: the rows of the two runs differ");
    }
    Ok(())
}

/// The answers of a run, and the files of its log.
fn run(bench: &Bench, wasm: &Path, data: &str, seed: u64) -> Result<(String, BTreeMap<String, Vec<u8>>)> {
    let output = crate::shell::program(&bench.numax)
        .arg("run")
        .arg(wasm)
        .args(["--deterministic", "--seed", &seed.to_string(), "--input", "requests.jsonl", "--data", data])
        .current_dir(&bench.home)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "a deterministic run failed: {said}");
    let mut log = BTreeMap::new();
    for file in fs::read_dir(bench.home.join(data).join("log"))? {
        let file = file?;
        log.insert(file.file_name().to_string_lossy().into_owned(), fs::read(file.path())?);
    }
    ensure!(!log.is_empty(), "there is no log");
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), log))
}
