//! The program under test, beside this one, and the guests it runs.

use anyhow::{Context, Result, bail, ensure};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The program and the checkout it came from.
pub struct Product {
    numax: PathBuf,
    root: PathBuf,
}

/// A server process that ends with its owner.
pub struct Server {
    child: Child,
    /// Where it answers.
    pub address: SocketAddr,
}

impl Product {
    /// `numax` lies beside this program; `cargo xtask bench` builds both.
    pub fn find() -> Result<Self> {
        let own = std::env::current_exe()?;
        let numax = own.with_file_name("numax");
        ensure!(numax.is_file(), "{} is not there; run `cargo xtask bench`", numax.display());
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("no parent folder")?.to_path_buf();
        Ok(Self { numax, root })
    }

    /// Builds a guest of `bench/guests` and gives its component.
    pub fn guest(&self, name: &str) -> Result<PathBuf> {
        let dir = self.root.join("bench/guests").join(name);
        let out = Command::new(&self.numax).arg("build").arg(&dir).stderr(Stdio::inherit()).output()?;
        ensure!(out.status.success(), "numax build {} failed", dir.display());
        let printed = String::from_utf8(out.stdout)?;
        Ok(self.root.join(printed.lines().last().unwrap_or_default().trim()))
    }

    /// A command of the program.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.numax);
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts a server and waits until it accepts connections.
    pub fn serve(command: &mut Command, address: SocketAddr) -> Result<Server> {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let mut server = Server { child, address };
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended with {status}");
            }
            ensure!(start.elapsed() < Duration::from_secs(120), "the server does not answer at {address}");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(server)
    }
}

impl Server {
    /// CPU time that the process has used so far, in microseconds.
    pub fn cpu_micros(&self) -> Result<f64> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks =
            |at: usize| -> Result<f64> { Ok(fields.get(at).context("short stat line")?.parse::<f64>()?) };
        Ok((ticks(11)? + ticks(12)?) * 10_000.0) // user and system time, in hundredths of a second
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A loopback address that was free a moment ago.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}
