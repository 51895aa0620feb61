//! Finding and running other programs.

use crate::BuildError;
use std::collections::VecDeque;
use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Lines of a failed program's output that an error shows. Compilers put the first error far above the last line;
/// sixty lines hold the errors of most failed builds and still fit a terminal's scrollback.
const TAIL_LINES: usize = 60;

/// A program that a language needs, and how to get it.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Names to look for, the preferred one first.
    pub names: &'static [&'static str],
    /// What it is needed for: "Go guests".
    pub what: &'static str,
    /// How to get it: one sentence for people.
    pub get: &'static str,
}

/// Where `tool` is.
///
/// # Errors
/// [`BuildError::ToolMissing`] when no folder of PATH has it.
pub fn find_tool(tool: &Tool) -> Result<PathBuf, BuildError> {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    for name in tool.names {
        for folder in &folders {
            let file = folder.join(format!("{name}{}", env::consts::EXE_SUFFIX));
            if is_program(&file) {
                return Ok(file);
            }
        }
    }
    Err(BuildError::ToolMissing {
        tool: tool.names.join(" or "),
        what: tool.what.into(),
        get: tool.get.into(),
    })
}

#[cfg(unix)]
fn is_program(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(file: &Path) -> bool {
    file.is_file()
}

/// What `program args…` prints, on one line: a version for [`crate::cache::Inputs`].
///
/// # Errors
/// When it cannot be run or fails.
pub fn tool_version(program: &Path, args: &[&str]) -> Result<String, BuildError> {
    let mut command = Command::new(program);
    command.args(args);
    let done = run(&mut command, |_| {})?;
    if !done.status.success() {
        return Err(BuildError::ToolFailed {
            command: shown(&command),
            dir: PathBuf::from("."),
            status: done.status.to_string(),
            tail: done.tail,
            hint: format!("Check the installation of {}.", program.display()),
        });
    }
    Ok(done.stdout.trim().to_string())
}

/// A program that has ended.
pub(crate) struct Finished {
    pub status: ExitStatus,
    /// All of its standard output.
    pub stdout: String,
    /// The last lines of its standard error, or of its output if that is empty.
    pub tail: String,
}

/// Runs `command` to its end and hands every line it prints to `line`.
pub(crate) fn run(command: &mut Command, mut line: impl FnMut(&str)) -> Result<Finished, BuildError> {
    let program = PathBuf::from(command.get_program());
    let started = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = started.map_err(BuildError::io("start", &program))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (sender, lines) = channel();
    let (mut stdout, mut out_tail, mut err_tail) = (String::new(), VecDeque::new(), VecDeque::new());
    thread::scope(|s| {
        let other = sender.clone();
        s.spawn(move || out.map(|r| send_lines(r, false, &other)));
        s.spawn(move || err.map(|r| send_lines(r, true, &sender)));
        for (is_err, text) in lines {
            line(&text);
            let tail = if is_err { &mut err_tail } else { &mut out_tail };
            if tail.len() == TAIL_LINES {
                tail.pop_front();
            }
            if !is_err {
                stdout.push_str(&text);
                stdout.push('\n');
            }
            tail.push_back(text);
        }
    });
    let status = child.wait().map_err(BuildError::io("wait for", &program))?;
    let mut tail: VecDeque<String> = if err_tail.is_empty() { out_tail } else { err_tail };
    Ok(Finished { status, stdout, tail: tail.make_contiguous().join("\n") })
}

fn send_lines(from: impl Read, is_err: bool, to: &Sender<(bool, String)>) {
    let mut from = BufReader::new(from);
    let mut bytes = Vec::new();
    while from.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
        let text = String::from_utf8_lossy(&bytes).trim_end().to_string();
        if to.send((is_err, text)).is_err() {
            return;
        }
        bytes.clear();
    }
}

/// A command as a person would type it.
pub(crate) fn shown(command: &Command) -> String {
    let mut text = Path::new(command.get_program())
        .file_name()
        .map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    for a in command.get_args() {
        text.push(' ');
        let a = a.to_string_lossy();
        if a.is_empty() || a.contains(char::is_whitespace) {
            text.push_str(&format!("'{a}'"));
        } else {
            text.push_str(&a);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_says_how_to_get_it() {
        let tool = Tool { names: &["numax-no-such-tool"], what: "Elvish guests", get: "Ask an elf." };
        let text = find_tool(&tool).unwrap_err().to_string();
        assert_eq!(
            text,
            "numax-no-such-tool is needed to build Elvish guests and is not in PATH. Ask an elf."
        );
    }

    #[test]
    #[cfg(unix)]
    fn output_and_errors_are_kept_apart() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo out; echo err >&2; exit 3"]);
        let mut seen = Vec::new();
        let done = run(&mut command, |l| seen.push(l.to_string())).unwrap();
        seen.sort();
        assert_eq!((done.status.code(), done.stdout.as_str(), done.tail.as_str()), (Some(3), "out\n", "err"));
        assert_eq!(seen, ["err", "out"]);
    }

    #[test]
    #[cfg(unix)]
    fn the_tail_is_bounded() {
        let mut command = Command::new("sh");
        command.args(["-c", "i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i+1)); done"]);
        let done = run(&mut command, |_| {}).unwrap();
        assert_eq!(done.tail.lines().count(), TAIL_LINES);
        assert!(done.tail.ends_with("line 499"), "{}", done.tail);
    }
}
