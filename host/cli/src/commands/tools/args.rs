//! Arguments of the tools for stopped datastores.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Which datastore is looked at, and how.
#[derive(Debug, Args)]
pub(crate) struct LookArgs {
    /// Folder of the datastore, whose node must not run
    #[arg(long, visible_alias = "data", value_name = "DIR", default_value = ".numax/data")]
    pub datastore_path: PathBuf,
    #[command(flatten)]
    pub scratch: ScratchArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScratchArgs {
    /// Folder with room for a copy of the rows, which is removed at the end [default: the system's for temporary files]
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    /// Key; bytes that are no text are written \xNN, and a backslash \\
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Only this family: gcounter, pncounter, lww_register, lww_map, orset, rga, text
    #[arg(long, value_name = "FAMILY")]
    pub kind: Option<String>,
    /// Only this row of the value, named as `diff` and `inspect` name it
    #[arg(long, value_name = "ROW")]
    pub row: Option<String>,
    /// Rows to show of each family
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub limit: usize,
    #[command(flatten)]
    pub look: LookArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeysArgs {
    /// Beginning of the keys; bytes that are no text are written \xNN, and a backslash \\
    #[arg(value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    /// Only this family: gcounter, pncounter, lww_register, lww_map, orset, rga, text
    #[arg(long, value_name = "FAMILY")]
    pub kind: Option<String>,
    /// Shows also what was removed and only remembers that
    #[arg(long)]
    pub removed: bool,
    #[command(flatten)]
    pub look: LookArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct GetArgs {
    /// Key; bytes that are no text are written \xNN, and a backslash \\
    #[arg(value_name = "KEY")]
    pub key: String,
    /// Only this family: gcounter, pncounter, lww_register, lww_map, orset, rga, text
    #[arg(long, value_name = "FAMILY")]
    pub kind: Option<String>,
    #[command(flatten)]
    pub look: LookArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    /// Folder of a datastore, whose node must not run
    #[arg(value_name = "A")]
    pub a: PathBuf,
    /// Folder of the other
    #[arg(value_name = "B")]
    pub b: PathBuf,
    /// Goes on behind the first difference
    #[arg(long)]
    pub all: bool,
    /// Only this family: gcounter, pncounter, lww_register, lww_map, orset, rga, text
    #[arg(long, value_name = "FAMILY")]
    pub kind: Option<String>,
    /// Only keys that begin so
    #[arg(long, value_name = "PREFIX", default_value = "")]
    pub prefix: String,
    #[command(flatten)]
    pub scratch: ScratchArgs,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    #[command(subcommand)]
    pub command: LogCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LogCommand {
    /// Prints a datastore's log as lines of JSON: batches with their names, dependencies, times and operations
    ///
    /// Without a choice the lines lead back to the datastore: `numax replay`.
    #[command(after_help = "Examples:\n  \
        numax log export --data ./data --out log.jsonl\n  \
        numax log export --data ./data --key demo:visits --kind gcounter\n  \
        numax log export --data ./data --origin 3fa2c1d0 --seq 120..130")]
    Export(Box<ExportArgs>),
}

#[derive(Debug, Args)]
pub(crate) struct ExportArgs {
    /// Folder of the datastore, whose node must not run, or a folder of segments
    #[arg(long, visible_alias = "data", value_name = "DIR", default_value = ".numax/data")]
    pub datastore_path: PathBuf,
    /// File that gets the lines [default: stdout]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Only records behind this log position
    #[arg(long, value_name = "POSITION")]
    pub after: Option<u64>,
    /// Only records up to this log position
    #[arg(long, value_name = "POSITION")]
    pub until: Option<u64>,
    /// Only batches of this origin: NODE, NODE/EPOCH or NODE/EPOCH/NONCE; the node may be cut
    #[arg(long, value_name = "ORIGIN")]
    pub origin: Option<String>,
    /// Only batches with this number, or these: N or N..M
    #[arg(long, value_name = "SEQ")]
    pub seq: Option<String>,
    /// Only batches that write this key
    #[arg(long, value_name = "KEY")]
    pub key: Option<String>,
    /// Only batches that write this family
    #[arg(long, value_name = "FAMILY")]
    pub kind: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// File of `numax log export`, folder of a datastore, or a folder of its log's segments
    #[arg(value_name = "LOG")]
    pub log: PathBuf,
    /// Folder for the new datastore, which must not be there or be empty
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// Storage engine of the new datastore: sled, redb, fjall
    #[arg(long, value_name = "ENGINE", default_value = "sled")]
    pub storage: String,
    /// Prints what was made as JSON
    #[arg(long)]
    pub json: bool,
}
