//! What can be written on the command line.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use numax_node::config::keys::{self, Key};

use crate::commands::snapshot::SnapshotArgs;
use crate::commands::tools::args::{DiffArgs, GetArgs, InspectArgs, KeysArgs, LogArgs, ReplayArgs};

/// Runs WebAssembly components that share state.
#[derive(Debug, Parser)]
#[command(
    name = "numax",
    version,
    propagate_version = true,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "Examples:\n  \
    numax build examples/visits-rust\n  \
    numax run examples/visits-rust/target/visits-rust.wasm --http 127.0.0.1:8080\n\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 denied by policy, 4 the guest failed.")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Runs modules in this process
    ///
    /// Ends when all commands ended and --settle-for has passed, or stays for modules that serve HTTP or react to
    /// events. SIGINT and SIGTERM shut down in order; a second one ends at once.
    #[command(after_help = "Examples:\n  \
        numax run                                    modules of numax.toml\n  \
        numax run app.wasm                           one node, http://127.0.0.1:8080\n  \
        numax run app.wasm --data a --http 127.0.0.1:8080 --listen 127.0.0.1:9000\n  \
        numax run app.wasm --data b --http 127.0.0.1:8081 --listen 127.0.0.1:9001 --peer 127.0.0.1:9000\n  \
        numax run job.wasm --settle-for 2s --print-gcounter visits\n  \
        numax run job.wasm --deterministic --seed 7 --data ./again\n\n\
        Flags that name an NX_ variable can be given by that, too, or in numax.toml; the flag wins, then the variable.\n\
        All modules must load, or none is started.")]
    Run(Box<RunArgs>),
    /// Builds a guest project into one component, whatever its language
    ///
    /// Prints the component's path. Its policy is put beside it if none is there.
    #[command(after_help = "Example:\n  numax build examples/visits-go")]
    Build(BuildArgs),
    /// Writes and checks policies
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Policy(PolicyArgs),
    /// Makes a cluster's authority and the certificates of its nodes
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Ca(CaArgs),
    /// Makes snapshots of a datastore, and puts them back
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Snapshot(SnapshotArgs),
    /// Brings a datastore to this program's schema, or moves its rows to another storage engine
    ///
    /// The node must not run. Says what the datastore is when there is nothing to do. May be interrupted at any moment and goes on when it is called again; the rows change
    /// places only after both engines were compared.
    #[command(after_help = "Examples:\n  \
        numax migrate                        to this program's schema, if it has an older one\n  \
        numax migrate --to redb\n  \
        numax migrate --to sled --data ./data")]
    Migrate(MigrateArgs),
    /// Checks all of a datastore, and repairs what is damaged
    ///
    /// The node must not run. Rows are built anew from the log, or from one of the datastore's own snapshots and the log. What is damaged in the log itself may be lost; then
    /// nothing is changed without --accept-loss, and with it the datastore goes on in a new epoch, and peers bring back
    /// what they have.
    #[command(after_help = "Examples:\n  \
        numax repair --data ./data\n  \
        numax repair --data ./data --accept-loss\n  \
        numax repair --data ./data --new-epoch")]
    Repair(RepairArgs),
    /// Shows a key row by row: values, writers, times, tombstones and sizes, in every family
    ///
    /// The node must not run; nothing is changed.
    #[command(after_help = "Examples:\n  \
        numax inspect demo:visits --data ./data\n  \
        numax inspect demo:visits --kind gcounter --json")]
    Inspect(InspectArgs),
    /// Lists the keys of a datastore
    ///
    /// The node must not run; nothing is changed.
    #[command(after_help = "Examples:\n  numax keys --data ./data\n  numax keys demo: --kind orset --json")]
    Keys(KeysArgs),
    /// Prints the value of a key, in every family that has it
    ///
    /// The node must not run; nothing is changed.
    #[command(after_help = "Example:\n  numax get demo:visits --kind gcounter --data ./data")]
    Get(GetArgs),
    /// Compares two datastores: what each knows, and the first row that differs, and why
    ///
    /// The nodes must not run; nothing is changed. Ends with 0 when they are equal, 1 when they differ, and 2 when they
    /// could not be compared.
    #[command(after_help = "Examples:\n  \
        numax diff ./a ./b\n  \
        numax diff ./a ./b --all --kind orset --json")]
    Diff(DiffArgs),
    /// Shows a datastore's log
    #[command(subcommand_required = true, arg_required_else_help = true)]
    Log(LogArgs),
    /// Makes a new datastore from a log, with the state that the log leads to
    #[command(after_help = "Examples:\n  \
        numax replay log.jsonl ./new\n  \
        numax replay ./data ./new && numax diff ./data ./new      are the rows what the log says?")]
    Replay(ReplayArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MigrateArgs {
    /// Engine to move to: sled, redb, fjall
    #[arg(long, value_name = "ENGINE")]
    pub to: Option<String>,
    /// Folder of the datastore
    #[arg(long, visible_alias = "data", value_name = "DIR", default_value = ".numax/data")]
    pub datastore_path: PathBuf,
    /// Prints what was done as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RepairArgs {
    /// Goes on without what cannot be read, which no peer may have
    #[arg(long)]
    pub accept_loss: bool,
    /// Lets the node begin a new epoch, after another one wrote with its identity and was stopped for good
    #[arg(long)]
    pub new_epoch: bool,
    /// Takes batches again from nodes that wrote two different ones under one number
    #[arg(long)]
    pub lift_quarantine: bool,
    /// Where the datastore's snapshots lie, folder or URL, for rows that the log alone does not bring back
    ///
    /// Without it, `snapshots` in the datastore.
    #[arg(long, value_name = "PLACE")]
    pub snapshots: Option<String>,
    /// Folder of the datastore
    #[arg(long, visible_alias = "data", value_name = "DIR", default_value = ".numax/data")]
    pub datastore_path: PathBuf,
    /// Prints what was found and done as JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// Components to run; without any, the modules of numax.toml
    #[arg(value_name = "APP.wasm")]
    pub modules: Vec<PathBuf>,
    /// Configuration [NX_CONFIG; default: numax.toml here, if it is there]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Policy of the one module on the command line, instead of the file beside it
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// Variable for the modules, seen by those whose policy grants it (repeat)
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    #[command(flatten)]
    pub node: NodeArgs,
    #[command(flatten)]
    pub print: PrintArgs,
    /// Runs commands so that another run with the same seed writes the same bytes to the log
    ///
    /// Identity, ids, clocks and randomness come from the seed; there is no listener and no peer.
    #[arg(long, requires = "seed")]
    pub deterministic: bool,
    /// What a deterministic run is made of
    #[arg(long, value_name = "N", requires = "deterministic")]
    pub seed: Option<u64>,
    /// Requests of a deterministic run with their times, one JSON object a line: at_ms, method, path, headers, body
    #[arg(long, value_name = "FILE", requires = "deterministic")]
    pub input: Option<PathBuf>,
    /// Says more: -v debug, -vv trace
    #[arg(short, long, action = ArgAction::Count)]
    pub verbose: u8,
}

/// The settings that [`numax_node::config`] knows.
#[derive(Debug, Args)]
pub(crate) struct NodeArgs {
    /// Folder of the datastore [default: .numax/data]
    #[arg(long, visible_alias = "data", value_name = "DIR")]
    datastore_path: Option<String>,
    /// Address for other nodes; without it and --peer the node is alone
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Node to connect to (repeat)
    #[arg(long, value_name = "[NODEID@]ADDR")]
    peer: Vec<String>,
    /// Address for HTTP modules [default: 127.0.0.1:8080, or a free port if that is taken]
    #[arg(long, value_name = "ADDR")]
    http: Option<String>,
    /// When a commit counts as done: fsync, interval, none [default: interval]
    #[arg(long, value_name = "HOW")]
    durability: Option<String>,
    /// How often the log goes to the disk under `interval` [default: 100ms]
    #[arg(long, value_name = "DURATION")]
    storage_interval: Option<String>,
    /// Storage engine: sled, redb, fjall [default: the datastore's; sled for a new one]
    #[arg(long, value_name = "ENGINE")]
    storage: Option<String>,
    /// Folder of snapshots, or s3://BUCKET/PREFIX [default: snapshots in the datastore's folder]
    #[arg(long, value_name = "PLACE")]
    snapshot_dir: Option<String>,
    /// Makes a snapshot this often (SIGUSR1 makes one at once) [default: never]
    #[arg(long, value_name = "DURATION")]
    snapshot_interval: Option<String>,
    /// Its own snapshots left after it made one at the interval [default: 5]
    #[arg(long, value_name = "N")]
    snapshot_keep: Option<String>,
    /// Rows kept in memory [default: 65536]
    #[arg(long, value_name = "N")]
    cache_rows: Option<String>,
    /// Bytes of log kept for nodes that lack them; beyond, they get the whole state [default: 1GiB]
    #[arg(long, value_name = "SIZE")]
    op_log_budget: Option<String>,
    /// Waits before modules start, for the cluster to connect [default: 0s]
    #[arg(long, value_name = "DURATION")]
    wait_before_run: Option<String>,
    /// Goes on replicating after all commands ended [default: 0s]
    #[arg(long, value_name = "DURATION")]
    settle_for: Option<String>,
    /// How long an orderly shutdown may take [default: 10s]
    #[arg(long, value_name = "DURATION")]
    shutdown_timeout: Option<String>,
    /// How much is logged: error, warn, info, debug, trace [default: info]
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How it is logged: text, json [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Certificate of this node, PEM [default: the datastore's]
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Its key, PEM [default: the datastore's]
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// The cluster's authority, PEM [default: the datastore's]
    #[arg(long, value_name = "FILE")]
    tls_ca: Option<String>,
    /// Node ids that are let in, separated by commas [default: all that the authority vouches for]
    #[arg(long, value_name = "IDS")]
    allowed_peers: Option<String>,
    /// What the node calls itself to others
    #[arg(long, value_name = "NAME")]
    node_name: Option<String>,
}

impl NodeArgs {
    /// Flags by name, as the configuration takes them.
    pub(crate) fn flags(&self) -> BTreeMap<&'static str, Vec<String>> {
        let singles: [(&Key, &Option<String>); 21] = [
            (&keys::DATASTORE, &self.datastore_path),
            (&keys::LISTEN, &self.listen),
            (&keys::HTTP, &self.http),
            (&keys::DURABILITY, &self.durability),
            (&keys::INTERVAL, &self.storage_interval),
            (&keys::ENGINE, &self.storage),
            (&keys::CACHE_ROWS, &self.cache_rows),
            (&keys::OP_LOG_BUDGET, &self.op_log_budget),
            (&keys::SNAPSHOT_DIR, &self.snapshot_dir),
            (&keys::SNAPSHOT_INTERVAL, &self.snapshot_interval),
            (&keys::SNAPSHOT_KEEP, &self.snapshot_keep),
            (&keys::WAIT_BEFORE_RUN, &self.wait_before_run),
            (&keys::SETTLE_FOR, &self.settle_for),
            (&keys::SHUTDOWN_TIMEOUT, &self.shutdown_timeout),
            (&keys::LOG_LEVEL, &self.log_level),
            (&keys::LOG_FORMAT, &self.log_format),
            (&keys::TLS_CERT, &self.tls_cert),
            (&keys::TLS_KEY, &self.tls_key),
            (&keys::TLS_CA, &self.tls_ca),
            (&keys::ALLOWED_PEERS, &self.allowed_peers),
            (&keys::NODE_NAME, &self.node_name),
        ];
        let mut flags: BTreeMap<&'static str, Vec<String>> = singles
            .iter()
            .filter_map(|(key, value)| Some((key.flag, vec![value.as_ref()?.clone()])))
            .collect();
        if !self.peer.is_empty() {
            flags.insert(keys::PEERS.flag, self.peer.clone());
        }
        flags
    }
}

/// Values printed on stdout at the end of a run.
#[derive(Debug, Args)]
pub(crate) struct PrintArgs {
    /// Prints a grow-only counter at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_gcounter: Vec<String>,
    /// Prints a two-way counter at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_pncounter: Vec<String>,
    /// Prints a register at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_lww_register: Vec<String>,
    /// Prints a map at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_lww_map: Vec<String>,
    /// Prints a set at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_orset: Vec<String>,
    /// Prints a list at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_rga: Vec<String>,
    /// Prints a text at the end (repeat)
    #[arg(long, value_name = "KEY")]
    pub print_text: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BuildArgs {
    /// Folder of the guest project
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
    /// Where the component goes [default: target/NAME.wasm or dist/NAME.wasm in the project]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Prints what was built as JSON
    #[arg(long)]
    pub json: bool,
    /// Keeps what the tools print to oneself, unless they fail
    #[arg(short, long)]
    pub quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    pub command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Writes the least policy of a component from what it imports
    #[command(after_help = "Example:\n  numax policy init app.wasm      writes app.policy.toml")]
    Init {
        /// The component
        #[arg(value_name = "APP.wasm")]
        module: PathBuf,
        /// Grants everything the component could ask for
        #[arg(long)]
        grant_all: bool,
        /// Replaces a policy that is there
        #[arg(long)]
        force: bool,
        /// Prints the policy instead of writing it
        #[arg(long)]
        stdout: bool,
    },
    /// Checks policies, and prints what they grant
    #[command(after_help = "Example:\n  numax policy validate app.policy.toml")]
    Validate {
        /// Policies
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
        /// Prints the grants as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CaArgs {
    #[command(subcommand)]
    pub command: CaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Makes an authority: once for a cluster
    #[command(after_help = "Example:\n  numax ca init ./ca --name production")]
    Init {
        /// Folder that gets the authority; keep it safe, and off the nodes
        #[arg(value_name = "DIR", default_value = "ca")]
        dir: PathBuf,
        /// What the authority is called
        #[arg(long, value_name = "NAME", default_value = "numax")]
        name: String,
        /// How long it is valid
        #[arg(long, value_name = "DURATION", default_value = "3650d")]
        valid_for: String,
        /// Prints what was made as JSON
        #[arg(long)]
        json: bool,
    },
    /// Issues the certificate of a node, for the key of its datastore: once a node
    #[command(after_help = "Examples:\n  \
        numax ca issue --ca ./ca --datastore ./data\n  \
        numax ca issue --ca ./ca --datastore ./data --host node1.example.com --host 10.0.0.1\n  \
        numax ca issue --ca ./ca --request node1.csr --out ./node1")]
    Issue {
        /// Folder of the authority
        #[arg(long, value_name = "DIR", default_value = "ca")]
        ca: PathBuf,
        /// Folder of the node's datastore; its key never leaves it
        #[arg(long, visible_aliases = ["datastore-path", "data"], value_name = "DIR", default_value = ".numax/data")]
        datastore: PathBuf,
        /// Signing request of a node on another machine, made there with `numax ca request`
        #[arg(long, value_name = "FILE", conflicts_with = "datastore", requires = "out")]
        request: Option<PathBuf>,
        /// Name or address written into the certificate (repeat)
        #[arg(long, value_name = "HOST")]
        host: Vec<String>,
        /// How long it is valid
        #[arg(long, value_name = "DURATION", default_value = "397d")]
        valid_for: String,
        /// Folder for the certificates, instead of the datastore
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Also if the datastore belongs to another cluster
        #[arg(long)]
        other_cluster: bool,
        /// Prints what was issued as JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints a signing request for the key of a datastore, which is made if it has none
    ///
    /// It holds the public key only and may be sent anywhere. The answer of `numax ca issue --request`, cert.pem and
    /// ca.pem, goes into the folder `identity` of the datastore.
    #[command(after_help = "Example:\n  numax ca request --datastore ./data > node1.csr")]
    Request {
        /// Folder of the node's datastore; its key never leaves it
        #[arg(long, visible_aliases = ["datastore-path", "data"], value_name = "DIR", default_value = ".numax/data")]
        datastore: PathBuf,
    },
    /// Shows a certificate: an authority's folder, a datastore or a file
    #[command(after_help = "Example:\n  numax ca show ./data")]
    Show {
        /// Folder of an authority, folder of a datastore, or a PEM file
        #[arg(value_name = "PATH", default_value = ".numax/data")]
        path: PathBuf,
        /// Prints it as JSON
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_setting_has_its_flag() {
        let command = Cli::command();
        let run = command.find_subcommand("run").unwrap();
        for key in keys::KEYS {
            let name = key.flag.trim_start_matches("--");
            let found = run.get_arguments().any(|arg| arg.get_long() == Some(name));
            assert!(found, "{} is not a flag of run", key.flag);
        }
    }

    #[test]
    fn every_flag_reaches_the_configuration() {
        let mut line = vec!["numax", "run"];
        for key in keys::KEYS {
            line.extend([key.flag, "value"]);
        }
        let Command::Run(args) = Cli::try_parse_from(line).unwrap().command else { panic!("not run") };
        assert_eq!(args.node.flags().len(), keys::KEYS.len());
    }
}
