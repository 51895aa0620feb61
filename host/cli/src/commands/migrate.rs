//! `numax migrate`: another storage engine for a datastore.

use numax_replica::migrate::{Progress, migrate};
use numax_replica::{Engine, Table, engine_of};
use serde_json::json;

use super::{print, print_json};
use crate::args::MigrateArgs;
use crate::exit::Failure;
use crate::progress::Steps;

/// Rows between two lines of progress.
const EVERY: u64 = 1_000_000;

pub(crate) fn run(args: &MigrateArgs) -> Result<(), Failure> {
    let dir = &args.datastore_path;
    let failed = |error| Failure::failed(format!("{}: {error}", dir.display()));
    let Some(from) = engine_of(dir).map_err(failed)? else {
        return Err(Failure::failed(format!("{} holds no datastore; name one with --data", dir.display())));
    };
    let Some(to) = &args.to else { return show(from, args.json) };
    let to = Engine::from_name(to).ok_or_else(|| {
        let known: Vec<&str> = Engine::ALL.into_iter().map(Engine::name).collect();
        Failure::usage(format!("--to: `{to}` is no engine; write one of: {}", known.join(", ")))
    })?;
    let (mut steps, mut next) = (Steps::new(), EVERY);
    steps.begin(&format!("copying the rows from {from} to {to}"));
    let migrated = migrate(dir, to, |progress| match progress {
        Progress::Resumed(table) => steps.output(&format!("goes on in table {table:?}, where it stopped")),
        Progress::Copied(rows) if rows >= next => {
            steps.output(&format!("{rows} rows"));
            next = rows + EVERY;
        }
        Progress::Compared(engine, rows) if rows >= EVERY && rows % EVERY < 1024 => {
            steps.output(&format!("compared {rows} rows of {engine}"));
        }
        Progress::Copied(_) | Progress::Compared(..) => {}
    })
    .map_err(failed)?;
    steps.done();
    let rows = migrated.as_ref().map_or(0, |migrated| migrated.rows.rows());
    if args.json {
        let from = migrated.as_ref().map_or(to, |migrated| migrated.from);
        print_json(&json!({ "from": from.name(), "to": to.name(), "rows": rows }));
    } else if migrated.is_some() {
        print(&format!("moved {rows} rows from {from} to {to}; both were compared"));
        eprintln!("next:  set `[storage] engine = \"{to}\"` where numax.toml names an engine");
    } else {
        print(&format!("the datastore has the engine {to} already"));
    }
    Ok(())
}

fn show(engine: Engine, as_json: bool) -> Result<(), Failure> {
    let schemas: Vec<(String, u16)> =
        Table::ALL.into_iter().map(|table| (format!("{table:?}").to_lowercase(), table.schema())).collect();
    if as_json {
        let schemas: serde_json::Map<String, serde_json::Value> =
            schemas.into_iter().map(|(table, version)| (table, version.into())).collect();
        print_json(&json!({ "engine": engine.name(), "program": { "schema": schemas } }));
        return Ok(());
    }
    print(&format!("engine {}", engine.name()));
    for (table, version) in schemas {
        print(&format!("table {table}: this program reads and writes schema {version}"));
    }
    Ok(())
}
