//! An S3-compatible object store: versitygw over a folder of its own.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::install;

const PACKAGE: &str = "github.com/versity/versitygw/cmd/versitygw";
const VERSION: &str = "v1.8.0";
/// How long it may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server with one bucket. It ends with the value.
pub struct S3Server {
    child: Child,
    start: Command,
    port: u16,
    folder: TempDir,
    tls: bool,
}

/// Files of a server that speaks TLS.
pub struct Tls<'a> {
    /// Its certificate, PEM.
    pub certificate: &'a Path,
    /// Its key, PEM.
    pub key: &'a Path,
}

impl S3Server {
    /// The bucket.
    pub const BUCKET: &'static str = "backups";
    /// Who may do everything.
    pub const ACCESS_KEY: &'static str = "numax-test";
    /// That user's secret.
    pub const SECRET_KEY: &'static str = "hush-hush-hush";

    /// Starts one, without TLS; none when this machine cannot build it, which is said on standard error.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::with(None)
    }

    /// Starts one.
    #[must_use]
    pub fn with(tls: Option<&Tls<'_>>) -> Option<Self> {
        let program = install::go_program(PACKAGE, VERSION)?;
        // Another process may take the port meanwhile: then the server ends at once.
        let mut said = String::new();
        for _ in 0..5 {
            let folder = tempfile::tempdir().expect("a folder for the server");
            fs::create_dir_all(folder.path().join("data").join(Self::BUCKET)).expect("a bucket");
            let mut start = start_command(&program, tls);
            let port = free_port();
            let child = spawn(&mut start, folder.path(), port);
            let mut server = Self { child, start, port, folder, tls: tls.is_some() };
            if server.answers() {
                return Some(server);
            }
            said = fs::read_to_string(server.folder.path().join("log")).unwrap_or_default();
        }
        panic!("versitygw does not start: {said}");
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("{}://127.0.0.1:{}", if self.tls { "https" } else { "http" }, self.port)
    }

    /// A place in its bucket, as numax takes it.
    #[must_use]
    pub fn url(&self, prefix: &str) -> String {
        let plain = if self.tls { "" } else { "&allow_http=true" };
        format!("s3://{}/{prefix}?endpoint={}{plain}", Self::BUCKET, self.endpoint())
    }

    /// The variables with which a client is let in.
    #[must_use]
    pub fn variables() -> [(&'static str, &'static str); 2] {
        [("AWS_ACCESS_KEY_ID", Self::ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", Self::SECRET_KEY)]
    }

    /// The folder that holds the bucket's objects, each as a file of its key's name.
    #[must_use]
    pub fn objects(&self) -> PathBuf {
        self.folder.path().join("data").join(Self::BUCKET)
    }

    /// Uploads in parts that are open and have some. The server keeps each in a folder of its own, where no list of
    /// objects shows it.
    #[must_use]
    pub fn open_uploads(&self) -> usize {
        let below =
            |dir: PathBuf| fs::read_dir(dir).into_iter().flatten().flatten().map(|entry| entry.path());
        let keys = below(self.objects().join(".sgwtmp").join("multipart"));
        keys.flat_map(below).filter(|upload| below(upload.clone()).next().is_some()).count()
    }

    /// Ends it, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, after it was [killed](Self::kill), where and with what it was before.
    pub fn restart(&mut self) {
        self.child = spawn(&mut self.start, self.folder.path(), self.port);
        assert!(self.answers(), "versitygw does not start again");
    }

    fn answers(&mut self) -> bool {
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            if self.child.try_wait().expect("asking for the server").is_some() {
                return false;
            }
            if self.tls && TcpStream::connect(("127.0.0.1", self.port)).is_ok() {
                return true;
            }
            if !self.tls && self.health().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn health(&self) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for S3Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn start_command(program: &Path, tls: Option<&Tls<'_>>) -> Command {
    let mut command = Command::new(program);
    command.args(["--health", "/health", "--quiet"]);
    if let Some(tls) = tls {
        command.arg("--cert").arg(tls.certificate).arg("--key").arg(tls.key);
    }
    command
        .args(["posix", "data"])
        .env_clear()
        .env("ROOT_ACCESS_KEY", S3Server::ACCESS_KEY)
        .env("ROOT_SECRET_KEY", S3Server::SECRET_KEY)
        .stdin(Stdio::null());
    command
}

fn spawn(start: &mut Command, folder: &Path, port: u16) -> Child {
    let log = fs::File::create(folder.join("log")).expect("a log for the server");
    start
        .current_dir(folder)
        .env("VGW_PORT", format!("127.0.0.1:{port}"))
        .stdout(log.try_clone().expect("a log for the server"))
        .stderr(log)
        .spawn()
        .expect("starting versitygw")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("a port").port()
}
