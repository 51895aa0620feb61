//! What can be written after `numax snapshot`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use numax_node::config::keys;

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    #[command(subcommand)]
    pub command: SnapshotCommand,
}

/// Which datastore, and where its snapshots are.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Folder of the datastore [NX_DATASTORE_PATH; default: .numax/data]
    #[arg(long, visible_alias = "data", value_name = "DIR")]
    datastore_path: Option<String>,
    /// Folder or bucket of its snapshots: a path, or s3://BUCKET/PREFIX [NX_SNAPSHOT_DIR; default: snapshots in the
    /// datastore's folder]
    #[arg(long, visible_alias = "snapshots", value_name = "PLACE")]
    snapshot_dir: Option<String>,
    /// Configuration [NX_CONFIG; default: numax.toml here, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Prints the result as JSON
    #[arg(long)]
    pub json: bool,
}

impl Place {
    /// Flags by name, as the configuration takes them.
    pub(crate) fn flags(&self) -> BTreeMap<&'static str, Vec<String>> {
        [(&keys::DATASTORE, &self.datastore_path), (&keys::SNAPSHOT_DIR, &self.snapshot_dir)]
            .into_iter()
            .filter_map(|(key, value)| Some((key.flag, vec![value.clone()?])))
            .collect()
    }

    /// The same flags once more, for a command that is to mean the same place, each with a space before it.
    pub(crate) fn repeated(&self) -> String {
        let config = self.config.as_ref().map(|path| path.display().to_string());
        [("--data", &self.datastore_path), ("--snapshots", &self.snapshot_dir), ("--config", &config)]
            .into_iter()
            .filter_map(|(flag, value)| Some(format!(" {flag} {}", quoted(value.as_ref()?))))
            .collect()
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_string(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum SnapshotCommand {
    /// Makes a snapshot of a datastore that no node has open
    ///
    /// A running node makes its own: at `[storage] snapshot_interval`, and whenever it gets SIGUSR1.
    #[command(after_help = "Examples:\n  \
        numax snapshot create --data ./data\n  \
        numax snapshot create --data ./data --snapshots 's3://backups/node-1?region=eu-central-1'\n  \
        kill -USR1 $(pidof numax)      the same for a running node, in its [storage] snapshot_dir")]
    Create {
        #[command(flatten)]
        place: Place,
    },
    /// Lists snapshots, oldest first
    #[command(
        after_help = "Examples:\n  numax snapshot list --data ./data\n  numax snapshot list --verify --json"
    )]
    List {
        #[command(flatten)]
        place: Place,
        /// Reads every file and compares it with the manifest
        #[arg(long)]
        verify: bool,
    },
    /// Puts a snapshot into a datastore that no node has open; what was there is replaced
    ///
    /// The datastore keeps its identity. Its next start begins a new epoch, and what the snapshot lacks comes back from
    /// the other nodes. An interrupted restore leaves the data as it was, or as restored, never half.
    #[command(after_help = "Examples:\n  \
        numax snapshot restore latest --data ./data\n  \
        numax snapshot restore 20261122T2205 --data ./data      the beginning of an id is enough\n  \
        numax snapshot restore ./peer/snapshots/latest --data ./new      a new node joins from a peer's snapshot\n  \
        numax snapshot restore s3://backups/node-1/latest --data ./new      the same from a bucket")]
    Restore {
        /// Id or its beginning, or `latest`; behind a folder or an s3:// URL the one there
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        place: Place,
        /// Engine that the datastore is to have: sled, redb, fjall [default: its own; the snapshot's for a new one]
        #[arg(long, value_name = "ENGINE")]
        storage: Option<String>,
        /// Takes a snapshot of another cluster
        #[arg(long)]
        other_cluster: bool,
    },
    /// Writes a snapshot into one file, for another machine or engine
    #[command(after_help = "Example:\n  numax snapshot export latest backup.numaxpak --data ./data")]
    Export {
        /// Id or its beginning, or `latest`; behind a folder or an s3:// URL the one there
        #[arg(value_name = "ID")]
        id: String,
        /// The file; there must be none of this name
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        place: Place,
    },
    /// Makes a snapshot of an exported file, to be restored then
    #[command(after_help = "Example:\n  \
        numax snapshot import backup.numaxpak --data ./new && numax snapshot restore latest --data ./new")]
    Import {
        /// The exported file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        place: Place,
        /// Engine to write: sled, redb, fjall [default: the one it was exported from]
        #[arg(long, value_name = "ENGINE")]
        storage: Option<String>,
    },
}
