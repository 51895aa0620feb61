//! `numax replay`: a datastore from a log.

use std::fs;
use std::path::Path;

use numax_net::NodeKey;
use numax_replica::Engine;
use numax_tools::replay::replay;
use serde_json::json;

use super::args::ReplayArgs;
use super::failure;
use crate::commands::{print, print_json};
use crate::exit::Failure;
use crate::progress::Steps;

pub(crate) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    let new = &args.new;
    let engine = Engine::from_name(&args.storage).ok_or_else(|| {
        let known: Vec<&str> = Engine::ALL.into_iter().map(Engine::name).collect();
        Failure::usage(format!(
            "--storage: `{}` is no engine; write one of: {}",
            args.storage,
            known.join(", ")
        ))
    })?;
    if !args.log.exists() {
        return Err(Failure::failed(format!("{} does not exist", args.log.display())));
    }
    if !is_free(new) {
        let text = format!("{} is there already; name a folder that is not there or is empty", new.display());
        return Err(Failure::failed(text));
    }
    let mut steps = Steps::new();
    steps.begin("applying the log");
    let made = NodeKey::load_or_create(new)
        .map_err(Failure::failed)
        .and_then(|key| Ok((key.id(), replay(&args.log, new, key.id(), engine).map_err(failure)?)));
    let (node, built) = made.inspect_err(|_| {
        // It is ours, half made and of no use.
        let _ = fs::remove_dir_all(new);
    })?;
    steps.done();
    let state = built.state_hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if args.json {
        print_json(&json!({
            "node": node.to_string(),
            "engine": engine.name(),
            "batches": built.batches,
            "duplicates": built.duplicates,
            "pages": built.pages,
            "local_writes_left_out": built.local_writes,
            "state": state,
        }));
        return Ok(());
    }
    print(&format!("{} batches applied; state {state}", built.batches + built.pages));
    if built.local_writes > 0 {
        eprintln!("{} node-local writes were left out: they are the other node's own", built.local_writes);
    }
    eprintln!("next:  numax diff {} DATASTORE", new.display());
    Ok(())
}

fn is_free(dir: &Path) -> bool {
    match fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    }
}
