//! `numax snapshot`: making, listing, putting back, packing and unpacking snapshots of a datastore on disk.

mod args;

use std::path::Path;

use numax_net::NodeKey;
use numax_node::cluster_of;
use numax_node::config::{ConfigError, Inputs, NodeConfig, load};
use numax_replica::snapshot::owner;
use numax_replica::{CoreConfig, Durability, Replica, ReplicaConfig, engine_of};
use numax_snapshots::{
    AwsVariables, CreateOptions, Found, Location, RestoreOptions, Snapshot, SnapshotError,
};
use numax_store::{Engine, FsDisk};
use serde_json::{Value, json};

pub(crate) use args::SnapshotArgs;
use args::{Place, SnapshotCommand};

use super::{print, print_json};
use crate::exit::{FAILED, Failure, USAGE};
use crate::progress::{Meter, size};

pub(crate) fn run(args: &SnapshotArgs) -> Result<(), Failure> {
    match &args.command {
        SnapshotCommand::Create { place } => create(place),
        SnapshotCommand::List { place, verify } => list(place, *verify),
        SnapshotCommand::Restore { id, place, storage, other_cluster } => {
            restore(id, place, storage.as_deref(), *other_cluster)
        }
        SnapshotCommand::Export { id, file, place } => export(id, file, place),
        SnapshotCommand::Import { file, place, storage } => import(file, place, storage.as_deref()),
    }
}

/// The configuration as `numax run` has it, so that both mean the same datastore and folder.
fn settings(place: &Place) -> Result<NodeConfig, Failure> {
    let inputs = Inputs {
        file: place.config.clone(),
        flags: place.flags(),
        variables: super::variables(),
        aws: AwsVariables::from_env(),
    };
    load(&inputs).map_err(|error| match error {
        ConfigError::File(error) => Failure::toml(USAGE, error),
        other => Failure::usage(other),
    })
}

fn engine(word: Option<&str>) -> Result<Option<Engine>, Failure> {
    let unknown = |word: &str| {
        let words: Vec<&str> = Engine::ALL.iter().map(|engine| engine.name()).collect();
        Failure::usage(format!("--storage: `{word}` is not known; write one of: {}", words.join(", ")))
    };
    word.map(|word| Engine::from_name(word).ok_or_else(|| unknown(word))).transpose()
}

fn failed(error: SnapshotError) -> Failure {
    Failure::failed(error)
}

/// The snapshot that was meant: a folder or a URL of its own, or one of the datastore's.
fn find(config: &NodeConfig, id: &str) -> Result<Snapshot, Failure> {
    if Location::is_url(id) {
        let location: Location = id.parse().map_err(Failure::usage)?;
        let Some((location, id)) = location.split() else {
            return Err(Failure::usage(format!(
                "{id} names no snapshot: write its id, or latest, behind it"
            )));
        };
        return config.snapshots_at(&location).and_then(|there| there.find(&id)).map_err(failed);
    }
    let path = Path::new(id);
    if path.join("manifest.json").is_file() {
        return Snapshot::open(path).map_err(failed);
    }
    // No id has a slash: it is a folder, and behind it what is meant there.
    let named = id.contains('/').then(|| Location::from(path).split()).flatten();
    let snapshot = match named {
        Some((folder, id)) => config.snapshots_at(&folder).and_then(|there| there.find(&id)),
        None => config.snapshots().and_then(|there| there.find(id)),
    };
    snapshot.map_err(failed)
}

fn create(place: &Place) -> Result<(), Failure> {
    let config = settings(place)?;
    let datastore = &config.datastore.value;
    let known = datastore.is_dir().then(|| FsDisk::open(datastore).map(|disk| owner(&disk)));
    match known {
        Some(Ok(Ok(Some(_)))) => {}
        Some(Ok(Err(error))) => return Err(Failure::failed(format!("{}: {error}", datastore.display()))),
        _ => return Err(Failure::no_datastore(datastore)),
    }
    let repository = config.snapshots().map_err(failed)?;
    let node = NodeKey::load_or_create(datastore).map_err(Failure::failed)?.id();
    let engine = engine_of(datastore).map_err(Failure::failed)?.unwrap_or_default();
    // Whatever the node runs with: what is written while the datastore is open here is little, and should stay.
    let core = CoreConfig { durability: Durability::Fsync, ..CoreConfig::new(node) };
    let replica = Replica::open(ReplicaConfig { engine, core, ..ReplicaConfig::new(datastore, node) });
    let replica = replica.map_err(Failure::failed)?;
    let meter = Meter::new("writing");
    let options = CreateOptions { cluster: cluster_of(&config), ..CreateOptions::default() };
    let made = repository.create(&replica, &options, &|done, total| meter.at(done, total));
    drop(meter);
    let threads = tokio::runtime::Builder::new_current_thread().build();
    let threads = threads.map_err(|error| Failure::failed(format!("cannot start threads: {error}")))?;
    let closed = threads.block_on(replica.shutdown());
    let made = made.map_err(failed)?;
    closed.map_err(Failure::failed)?;
    told(&made, place.json);
    Ok(())
}

/// Prints a snapshot that was made.
fn told(snapshot: &Snapshot, as_json: bool) {
    let manifest = snapshot.manifest();
    if as_json {
        print_json(&described(snapshot));
    } else {
        print(&manifest.id);
        eprintln!("{} rows, {}, in {}", manifest.rows, size(manifest.bytes()), snapshot.place());
    }
}

fn described(snapshot: &Snapshot) -> Value {
    let manifest = snapshot.manifest();
    json!({
        "id": manifest.id,
        "path": snapshot.place(),
        "created_ms": manifest.created_ms,
        "node": manifest.node,
        "epoch": manifest.epoch,
        "cluster": manifest.cluster,
        "engine": manifest.engine,
        "rows": manifest.rows,
        "bytes": manifest.bytes(),
        "row_bytes": manifest.row_bytes,
        "program": manifest.program,
    })
}

fn list(place: &Place, verify: bool) -> Result<(), Failure> {
    let config = settings(place)?;
    let repository = config.snapshots().map_err(failed)?;
    // The folder of a datastore that is not there has a mistyped name; any other may be about to be made.
    let datastore = &config.datastore.value;
    if !datastore.is_dir() && Path::new(&repository.to_string()).starts_with(datastore) {
        return Err(Failure::no_datastore(datastore));
    }
    let mut wrong = false;
    let mut values = Vec::new();
    for Found { id, snapshot } in repository.list().map_err(failed)? {
        let checked = snapshot.and_then(|snapshot| {
            if verify {
                let meter = Meter::new(&format!("reading {id}"));
                snapshot.verify(&|done, total| meter.at(done, total))?;
            }
            Ok(snapshot)
        });
        match checked {
            Ok(snapshot) => {
                let manifest = snapshot.manifest();
                if !place.json {
                    let node = manifest.node.get(..8).unwrap_or(&manifest.node);
                    let bytes = size(manifest.bytes());
                    let (engine, rows) = (&manifest.engine, manifest.rows);
                    print(&format!(
                        "{id}  node {node} epoch {}  {engine}  {rows} rows  {bytes}",
                        manifest.epoch
                    ));
                }
                values.push(described(&snapshot));
            }
            Err(error) => {
                wrong = true;
                if !place.json {
                    print(&format!("{id}  damaged"));
                }
                eprintln!("{id}: {error}");
                values.push(json!({ "id": id, "error": error.to_string() }));
            }
        }
    }
    if place.json {
        print_json(&json!(values));
    } else if values.is_empty() {
        eprintln!("no snapshots in {repository}; `numax snapshot create` makes one");
    }
    if wrong { Err(Failure::said(FAILED)) } else { Ok(()) }
}

fn restore(id: &str, place: &Place, storage: Option<&str>, other_cluster: bool) -> Result<(), Failure> {
    let config = settings(place)?;
    let engine = engine(storage)?;
    let snapshot = find(&config, id)?;
    let datastore = &config.datastore.value;
    let node = NodeKey::load_or_create(datastore).map_err(Failure::failed)?.id();
    let options = RestoreOptions { node, engine, cluster: cluster_of(&config), other_cluster };
    let meter = Meter::new("copying");
    let done = snapshot.restore(datastore, &options, &|done, total| meter.at(done, total)).map_err(failed)?;
    drop(meter);
    let manifest = snapshot.manifest();
    if place.json {
        print_json(&json!({
            "id": manifest.id,
            "datastore": datastore,
            "node": node.to_string(),
            "replaced": done.replaced,
            "other_node": done.other_node,
        }));
        return Ok(());
    }
    print(&manifest.id);
    eprintln!("{} is the state of this snapshot now; its next start begins a new epoch", datastore.display());
    if done.other_node {
        eprintln!("the snapshot is of another node: node-local keys were left out, and this node is {node}");
    }
    Ok(())
}

fn export(id: &str, file: &Path, place: &Place) -> Result<(), Failure> {
    let config = settings(place)?;
    let snapshot = find(&config, id)?;
    let meter = Meter::new("packing");
    let bytes = snapshot
        .export(file, &config.snapshot_scratch(), &|done, total| meter.at(done, total))
        .map_err(failed)?;
    drop(meter);
    if place.json {
        print_json(&json!({ "id": snapshot.manifest().id, "file": file, "bytes": bytes }));
    } else {
        print(&file.display().to_string());
        eprintln!("{} of rows in {}", size(snapshot.manifest().row_bytes), size(bytes));
    }
    Ok(())
}

fn import(file: &Path, place: &Place, storage: Option<&str>) -> Result<(), Failure> {
    let config = settings(place)?;
    let engine = engine(storage)?;
    let meter = Meter::new("unpacking");
    let repository = config.snapshots().map_err(failed)?;
    let made = repository.import(file, engine, &|done, total| meter.at(done, total)).map_err(failed)?;
    drop(meter);
    told(&made, place.json);
    if !place.json {
        eprintln!("next:  numax snapshot restore {}{}", made.manifest().id, place.repeated());
    }
    Ok(())
}
