//! `numax repair`: a datastore whose files are damaged.

use numax_net::NodeKey;
use numax_replica::repair::{lift_quarantine, new_epoch, repair};
use numax_replica::{OpenError, ReplicaConfig, engine_of};
use numax_snapshots::{AwsVariables, Location, Repository, quiet};
use serde_json::json;

use super::{print, print_json};
use crate::args::RepairArgs;
use crate::exit::Failure;
use crate::progress::Steps;

pub(crate) fn run(args: &RepairArgs) -> Result<(), Failure> {
    let dir = &args.datastore_path;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", dir.display()));
    if !dir.join("meta.json").exists() && !dir.join("log").exists() {
        return Err(Failure::no_datastore(dir));
    }
    let node = NodeKey::load_or_create(dir).map_err(|error| failed(&error))?.id();
    let mut config = ReplicaConfig::new(dir, node);
    config.engine = engine_of(dir).map_err(|error| failed(&error))?.unwrap_or_default();
    let mut steps = Steps::new();
    let report = match repair(&config, false, |step| steps.begin(step)) {
        // Before anything is given up: a snapshot may have what the log has no more.
        Err(OpenError::WouldLose { .. } | OpenError::RowsLost { .. }) => {
            steps.begin("looking for a snapshot that helps");
            let location = match &args.snapshots {
                Some(place) => place.parse::<Location>().map_err(Failure::usage)?,
                None => Location::Folder(dir.join("snapshots")),
            };
            let there = Repository::open(&location, &AwsVariables::from_env(), dir);
            let built = there.and_then(|there| there.rebuild_rows(&config, &quiet));
            match built.map_err(|error| failed(&error))? {
                Some(report) => Ok(report),
                None => repair(&config, args.accept_loss, |step| steps.begin(step)),
            }
        }
        result => result,
    };
    let mut report = report.map_err(|error| failed(&error))?;
    steps.done();
    if args.new_epoch {
        new_epoch(dir).map_err(|error| failed(&error))?;
        report.done.push("the next start begins a new epoch".to_owned());
    }
    if args.lift_quarantine {
        let lifted = lift_quarantine(dir).map_err(|error| failed(&error))?;
        report.done.extend(lifted.iter().map(|origin| format!("batches of {origin} are taken again")));
    }
    if args.json {
        print_json(&json!({
            "found": report.found,
            "done": report.done,
            "brought_back": report.brought_back,
            "left_out": report.left_out,
        }));
        return Ok(());
    }
    report.found.iter().for_each(|line| print(line));
    if report.done.is_empty() {
        print("nothing had to be repaired");
    }
    report.done.iter().for_each(|line| print(line));
    if report.brought_back + report.left_out > 0 {
        print(&format!(
            "of the batches behind the damage {} were applied again and {} wait for peers to bring what is before them",
            report.brought_back, report.left_out
        ));
    }
    Ok(())
}
