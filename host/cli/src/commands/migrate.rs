//! `numax migrate`: the next schema for a datastore, or another storage engine.

use numax_replica::migrate::{Migrated, Progress, State, migrate, state};
use numax_replica::schema::Chain;
use numax_replica::{Engine, OpenError};
use serde_json::json;

use super::{print, print_json};
use crate::args::MigrateArgs;
use crate::exit::Failure;
use crate::progress::Steps;

/// Rows between two lines of progress.
const EVERY: u64 = 1_000_000;

pub(crate) fn run(args: &MigrateArgs) -> Result<(), Failure> {
    let dir = &args.datastore_path;
    let failed = |error| match error {
        OpenError::NoDatastore { .. } => Failure::no_datastore(dir),
        // It names the directory itself.
        OpenError::Locked { .. } => Failure::failed(error),
        error => Failure::failed(format!("{}: {error}", dir.display())),
    };
    let to = args.to.as_deref().map(engine).transpose()?;
    let chain = Chain::CURRENT;
    let before = state(dir, chain).map_err(failed)?;
    let (mut steps, mut next) = (Steps::new(), EVERY);
    if to.is_some_and(|to| to != before.engine) || !before.steps.is_empty() {
        steps.begin(&what(&before, to.unwrap_or(before.engine), chain));
    }
    let migrated = migrate(dir, chain, to, |progress| match progress {
        Progress::Resumed(table) => steps.output(&format!("goes on in table {table:?}, where it stopped")),
        Progress::Copied(rows) if rows >= next => {
            steps.output(&format!("{rows} rows"));
            next = rows + EVERY;
        }
        Progress::Compared(engine, rows) if rows >= EVERY && rows % EVERY < 1024 => {
            steps.output(&format!("compared {rows} rows of {engine}"));
        }
        Progress::Copied(_) | Progress::Compared(..) | Progress::Stored(_) => {}
    })
    .map_err(failed)?;
    steps.done();
    report(&before, migrated, chain, args.json);
    Ok(())
}

fn engine(name: &str) -> Result<Engine, Failure> {
    Engine::from_name(name).ok_or_else(|| {
        let known: Vec<&str> = Engine::ALL.into_iter().map(Engine::name).collect();
        Failure::usage(format!("--to: `{name}` is no engine; write one of: {}", known.join(", ")))
    })
}

/// What is about to be done.
fn what(before: &State, to: Engine, chain: Chain) -> String {
    let mut parts = Vec::new();
    if !before.steps.is_empty() {
        let steps = before.steps.join("; ");
        parts.push(format!("from schema {} to {} ({steps})", before.schema, chain.last()));
    }
    if to != before.engine {
        parts.push(format!("from {} to {to}", before.engine));
    }
    format!("copying the rows {}", parts.join(", "))
}

fn report(before: &State, migrated: Option<Migrated>, chain: Chain, as_json: bool) {
    let (engine, schema, rows) = match migrated {
        Some(Migrated { engine, schema, rows }) => (engine, schema, rows),
        None => ((before.engine, before.engine), (before.schema, before.schema), 0),
    };
    if as_json {
        print_json(&json!({
            "engine": engine.1.name(),
            "engine_before": engine.0.name(),
            "schema": schema.1,
            "schema_before": schema.0,
            "last_opened_by": before.program,
            "rows_written": rows,
        }));
        return;
    }
    if migrated.is_none() {
        print(&format!(
            "nothing to do: engine {}, schema {}, which is this program's",
            engine.1,
            chain.last()
        ));
        return;
    }
    if schema.0 != schema.1 {
        print(&format!("the datastore has schema {} now; it had {}", schema.1, schema.0));
    }
    if engine.0 != engine.1 {
        print(&format!("moved {rows} rows from {} to {}; both were compared", engine.0, engine.1));
        eprintln!("next:  set `[storage] engine = \"{}\"` where numax.toml names an engine", engine.1);
    } else if rows > 0 {
        print(&format!("{rows} rows were written and compared"));
    }
}
