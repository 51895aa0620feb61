//! The WIT package of numax, inside this program: as files for tools that want files, and parsed.
//!
//! The source is the repository's `wit/` folder. A test compares the list here with that folder.

use crate::BuildError;
use std::fs;
use std::path::Path;
use wit_parser::{PackageId, Resolve, SourceMap, WorldId};

macro_rules! files {
    ($($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../../wit/", $name)))),*]
    };
}

/// The version of `numax:runtime` that this program speaks.
pub const VERSION: &str = "0.2.0";

/// The files of `numax:runtime` itself.
const NUMAX: &[(&str, &str)] =
    files!("cluster.wit" "common.wit" "crdt.wit" "handlers.wit" "kv.wit" "worlds.wit");

/// The WASI packages it uses, one file each. A package stands after those it uses: that is the order to parse them in.
const DEPS: &[(&str, &str)] = files!(
    "deps/io.wit" "deps/clocks.wit" "deps/random.wit" "deps/filesystem.wit" "deps/sockets.wit" "deps/cli.wit"
    "deps/http.wit"
);

/// The WIT package of this program.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wit;

impl Wit {
    /// Every file: its path inside the package folder (`crdt.wit`, `deps/io.wit`) and its text.
    pub fn files(self) -> impl Iterator<Item = (&'static str, &'static str)> {
        NUMAX.iter().chain(DEPS).copied()
    }

    /// Writes the package into `dir`, as a folder that any WIT tool takes. Files that are right already are left alone.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_to(self, dir: &Path) -> Result<(), BuildError> {
        for (name, text) in self.files() {
            write_changed(&dir.join(name), text)?;
        }
        Ok(())
    }

    /// Writes into `dir` a package of its own, `numax:guest`, whose one world `guest` includes `worlds` of
    /// `numax:runtime` (by their names: `use-crdt`, `with-http`, …), with `numax:runtime` and WASI in `dir/deps`: what
    /// tools want that make a component for one world of a folder.
    ///
    /// # Errors
    /// When a file cannot be written.
    pub fn write_guest_world(self, dir: &Path, worlds: &[&str]) -> Result<(), BuildError> {
        for (name, text) in NUMAX {
            write_changed(&dir.join("deps/numax-runtime").join(name), text)?;
        }
        for (name, text) in DEPS {
            write_changed(&dir.join(name), text)?;
        }
        let includes: String =
            worlds.iter().map(|w| format!("  include numax:runtime/{w}@{VERSION};\n")).collect();
        let text = format!("package numax:guest;\n\nworld guest {{\n{includes}}}\n");
        write_changed(&dir.join("guest.wit"), &text)
    }

    /// The package, parsed, with the WASI packages it uses.
    ///
    /// # Errors
    /// [`BuildError::Wit`] when this program was built with a package that does not parse.
    pub fn resolve(self) -> Result<(Resolve, PackageId), BuildError> {
        let mut resolve = Resolve::default();
        for (name, text) in DEPS {
            resolve.push_source(name, text).map_err(internal)?;
        }
        let mut sources = SourceMap::new();
        for (name, text) in NUMAX {
            sources.push_str(name, *text);
        }
        let group = sources.parse().map_err(|(_, e)| internal(e))?;
        let package = resolve.push_group(group).map_err(internal)?;
        Ok((resolve, package))
    }

    /// The package, parsed, and one of its worlds.
    ///
    /// # Errors
    /// [`BuildError::Wit`] when there is no such world.
    pub fn world(self, name: &str) -> Result<(Resolve, WorldId), BuildError> {
        let (resolve, package) = self.resolve()?;
        let world = resolve.select_world(&[package], Some(name)).map_err(internal)?;
        Ok((resolve, world))
    }
}

/// An interface that a guest may export, each with a world of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Handler {
    /// `lifecycle`: init and shutdown.
    Lifecycle,
    /// `tick-handler`: timers and cron.
    Tick,
    /// `change-handler`: replicated values that changed.
    Change,
    /// `peer-handler`: members that come and go.
    Peer,
    /// `message-handler`: messages of other modules.
    Message,
    /// `wasi:http/incoming-handler`: HTTP requests.
    Http,
    /// `wasi:cli/run`: a command.
    Run,
}

impl Handler {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Lifecycle, Self::Tick, Self::Change, Self::Peer, Self::Message, Self::Http, Self::Run];

    /// The world that exports just this.
    pub fn world(self) -> &'static str {
        match self {
            Self::Lifecycle => "with-lifecycle",
            Self::Tick => "with-tick",
            Self::Change => "with-change",
            Self::Peer => "with-peer",
            Self::Message => "with-message",
            Self::Http => "with-http",
            Self::Run => "with-run",
        }
    }

    /// The interface's name without its version: `numax:runtime/tick-handler`.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Lifecycle => "numax:runtime/lifecycle",
            Self::Tick => "numax:runtime/tick-handler",
            Self::Change => "numax:runtime/change-handler",
            Self::Peer => "numax:runtime/peer-handler",
            Self::Message => "numax:runtime/message-handler",
            Self::Http => "wasi:http/incoming-handler",
            Self::Run => "wasi:cli/run",
        }
    }
}

/// The worlds that import one interface each.
pub const IMPORT_WORLDS: [&str; 7] =
    ["use-kv", "use-crdt", "use-cluster", "use-messaging", "use-changes", "use-events", "use-module-info"];

/// An error of the WIT libraries, with its causes: their alternate form shows them.
pub(crate) fn internal(e: impl std::fmt::Display) -> BuildError {
    BuildError::Wit(format!("{e:#}"))
}

/// Writes a file unless it holds `text` already, so that tools that look at times see no change.
///
/// # Errors
/// When it or its folder cannot be written.
pub fn write_changed(path: &Path, text: &str) -> Result<(), BuildError> {
    if fs::read(path).is_ok_and(|b| b == text.as_bytes()) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(BuildError::io("create", folder))?;
    }
    fs::write(path, text).map_err(BuildError::io("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_world_of_the_lists_is_there_and_exports_its_interface() {
        let (resolve, package) = Wit.resolve().unwrap();
        for handler in Handler::ALL {
            let world = resolve.select_world(&[package], Some(handler.world())).unwrap();
            let exports: Vec<_> =
                resolve.worlds[world].exports.keys().map(|k| resolve.name_world_key(k)).collect();
            assert_eq!(exports.len(), 1);
            assert!(exports[0].starts_with(&format!("{}@", handler.interface())), "{exports:?}");
        }
        for world in IMPORT_WORLDS {
            assert!(
                resolve.worlds[resolve.select_world(&[package], Some(world)).unwrap()].exports.is_empty()
            );
        }
        let worlds = resolve.packages[package].worlds.len();
        assert_eq!(worlds, Handler::ALL.len() + IMPORT_WORLDS.len() + 1, "a world is in no list");
    }

    #[test]
    fn written_packages_parse() {
        let dir = tempfile::tempdir().unwrap();
        Wit.write_to(&dir.path().join("whole")).unwrap();
        Resolve::default().push_dir(dir.path().join("whole")).unwrap();
        Wit.write_guest_world(&dir.path().join("guest"), &["use-crdt", "with-http"]).unwrap();
        let mut resolve = Resolve::default();
        let (package, _) = resolve.push_dir(dir.path().join("guest")).unwrap();
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        assert_eq!(resolve.worlds[world].exports.len(), 1);
    }
}
