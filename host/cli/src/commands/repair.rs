//! `numax repair`: a datastore whose files are damaged.

use numax_net::NodeKey;
use numax_replica::repair::{lift_quarantine, new_epoch, repair};
use numax_replica::{ReplicaConfig, engine_of};
use serde_json::json;

use super::{print, print_json};
use crate::args::RepairArgs;
use crate::exit::Failure;
use crate::progress::Steps;

pub(crate) fn run(args: &RepairArgs) -> Result<(), Failure> {
    let dir = &args.datastore_path;
    let failed = |error: &dyn std::fmt::Display| Failure::failed(format!("{}: {error}", dir.display()));
    if !dir.join("meta.json").exists() && !dir.join("log").exists() {
        return Err(Failure::failed(format!("{} holds no datastore; name one with --data", dir.display())));
    }
    let node = NodeKey::load_or_create(dir).map_err(|error| failed(&error))?.id();
    let mut config = ReplicaConfig::new(dir, node);
    config.engine = engine_of(dir).map_err(|error| failed(&error))?.unwrap_or_default();
    let mut steps = Steps::new();
    let mut report =
        repair(&config, args.accept_loss, |step| steps.begin(step)).map_err(|error| failed(&error))?;
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
