//! Exit codes and how a failure is shown.

use std::fmt;
use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use numax_policy::PolicyError;
use numax_policy::toml_report::TomlError;

/// Something failed.
pub(crate) const FAILED: u8 = 1;
/// The command line, a variable or the configuration is wrong.
pub(crate) const USAGE: u8 = 2;
/// A policy denies it, or there is none.
pub(crate) const DENIED: u8 = 3;
/// The guest failed.
pub(crate) const GUEST: u8 = 4;

/// Why a command failed: what is said, and the code that it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: Message,
}

#[derive(Debug)]
enum Message {
    Text(String),
    Toml(TomlError),
    /// Everything was said already.
    Said,
}

impl Failure {
    pub(crate) fn new(code: u8, message: impl fmt::Display) -> Self {
        Self { code, message: Message::Text(message.to_string()) }
    }

    /// Where a datastore was named or taken by default, there is none.
    pub(crate) fn no_datastore(path: &Path) -> Self {
        Self::failed(format!("{} holds no datastore; name one with --data", path.display()))
    }

    pub(crate) fn failed(message: impl fmt::Display) -> Self {
        Self::new(FAILED, message)
    }

    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(USAGE, message)
    }

    pub(crate) fn toml(code: u8, error: TomlError) -> Self {
        Self { code, message: Message::Toml(error) }
    }

    pub(crate) fn said(code: u8) -> Self {
        Self { code, message: Message::Said }
    }

    pub(crate) fn policy(error: PolicyError) -> Self {
        match error {
            PolicyError::Missing { .. } => Self::new(DENIED, error),
            PolicyError::Invalid(error) => Self::toml(FAILED, error),
            PolicyError::Read { .. } => Self::failed(error),
        }
    }

    /// Shows it on stderr, in colour if that is a terminal.
    pub(crate) fn report(self) -> ExitCode {
        let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        match &self.message {
            Message::Text(text) if colour => eprintln!("\x1b[1;31merror\x1b[0m: {text}"),
            Message::Text(text) => eprintln!("error: {text}"),
            Message::Toml(error) => eprintln!("{}", error.render(colour)),
            Message::Said => {}
        }
        ExitCode::from(self.code)
    }

    /// The same with another code.
    pub(crate) fn with_code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    /// The code that the process ends with.
    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}
