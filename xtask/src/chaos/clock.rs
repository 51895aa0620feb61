//! Wall clocks that jump, for one process each.

use anyhow::{Context, Result};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The shim that shifts a process's wall clock, compiled for this run.
pub struct Shim {
    library: PathBuf,
}

/// One process's wall clock.
pub struct Clock {
    library: PathBuf,
    file: PathBuf,
    /// Against the true time, in milliseconds.
    pub offset_ms: i64,
}

impl Shim {
    /// Compiles it; an error says why this machine cannot.
    pub fn compile(home: &Path) -> Result<Self> {
        let library = home.join("clock.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/chaos/clock.c");
        let done = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(&library)
            .arg(&source)
            .output()
            .context("there is no C compiler")?;
        anyhow::ensure!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(Self { library })
    }

    /// A clock for a process, right at first.
    pub fn clock(&self, file: PathBuf) -> Result<Clock> {
        let clock = Clock { library: self.library.clone(), file, offset_ms: 0 };
        std::fs::write(&clock.file, 0_i64.to_ne_bytes())?;
        Ok(clock)
    }
}

impl Clock {
    /// What the process needs in its environment.
    pub fn environment(&self) -> [(&'static str, &Path); 2] {
        [("LD_PRELOAD", &self.library), ("NUMAX_TEST_CLOCK", &self.file)]
    }

    /// Lets the clock jump to an offset from the true time.
    pub fn set(&mut self, offset_ms: i64) -> Result<()> {
        use std::io::{Seek, Write};
        self.offset_ms = offset_ms;
        // In place: the process has the file mapped.
        let mut file = std::fs::File::options().write(true).open(&self.file)?;
        file.rewind()?;
        Ok(file.write_all(&offset_ms.saturating_mul(1_000_000).to_ne_bytes())?)
    }
}
