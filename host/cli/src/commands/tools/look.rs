//! `numax inspect`, `keys` and `get`.

use std::io::{self, BufWriter, Write};

use numax_tools::escape::{escape, unescape};
use numax_tools::inspect::inspect as look_at;
use numax_tools::keys::keys as each_key;
use numax_tools::store::{self, Store};
use numax_tools::value;
use numax_tools::{ToolError, inspect::Inspection};
use serde_json::{Value as Json, json};

use super::args::{GetArgs, InspectArgs, KeysArgs, LookArgs};
use super::failure;
use super::interrupt::clean_up_on_signals;
use crate::commands::{print, print_json};
use crate::exit::Failure;

fn open(args: &LookArgs) -> Result<Store, Failure> {
    clean_up_on_signals();
    Store::open(&args.datastore_path, args.scratch.scratch.as_deref()).map_err(|error| match error {
        ToolError::Rest(numax_replica::at_rest::RestError::NoDatastore { .. }) => {
            Failure::no_datastore(&args.datastore_path)
        }
        other => failure(other),
    })
}

fn nothing(key: &str) -> Failure {
    Failure::failed(format!("there is nothing under {key:?}; `numax keys` lists what there is"))
}

pub(crate) fn inspect(args: &InspectArgs) -> Result<(), Failure> {
    let (key, kinds) = (store::key(&args.key).map_err(failure)?, kinds(args.kind.as_deref())?);
    let store = open(&args.look)?;
    let mut found = look_at(&store, &key, &kinds).map_err(failure)?;
    if let Some(row) = &args.row
        && !found.is_empty()
    {
        found.iter_mut().for_each(|one| one.keep_row(row));
        found.retain(|one| !one.rows.is_empty());
        if found.is_empty() {
            let key = &args.key;
            return Err(Failure::failed(format!(
                "{key:?} has no row {row:?}; `numax inspect` without --row shows how rows are named"
            )));
        }
    }
    if args.json {
        print_json(&Json::Array(found.iter().map(|one| one.json(args.limit)).collect()));
    } else {
        found.iter().flat_map(|one: &Inspection| one.lines(args.limit)).for_each(|line| print(&line));
    }
    if found.is_empty() { Err(nothing(&args.key)) } else { Ok(()) }
}

pub(crate) fn get(args: &GetArgs) -> Result<(), Failure> {
    let (key, kinds) = (store::key(&args.key).map_err(failure)?, kinds(args.kind.as_deref())?);
    let store = open(&args.look)?;
    let found = value::get(&store, &key, &kinds).map_err(failure)?;
    let name = escape(key.as_bytes());
    if args.json {
        let one = |(kind, value): &(numax_crdt::Kind, value::Value)| json!({ "kind": kind.config_name(), "key": name, "value": value.json() });
        print_json(&Json::Array(found.iter().map(one).collect()));
    } else {
        for (kind, value) in &found {
            print(&format!("{} {name} = {}", kind.config_name(), value.shown()));
        }
    }
    if found.is_empty() { Err(nothing(&args.key)) } else { Ok(()) }
}

pub(crate) fn keys(args: &KeysArgs) -> Result<(), Failure> {
    let prefix = unescape(&args.prefix).map_err(|error| Failure::usage(format!("PREFIX: {error}")))?;
    let kinds = kinds(args.kind.as_deref())?;
    let store = open(&args.look)?;
    // There may be millions: each is written as it is found. A reader that has left ends it.
    let mut out = BufWriter::new(io::stdout().lock());
    let mut first = true;
    let listed = each_key(&store, &prefix, &kinds, |kind, key, live| {
        if !live && !args.removed {
            return true;
        }
        let name = escape(key.as_bytes());
        let written = if args.json {
            let json = json!({ "kind": kind.config_name(), "key": name, "live": live });
            write!(out, "{}{json}", if first { "[\n  " } else { ",\n  " })
        } else {
            writeln!(out, "{} {name}{}", kind.config_name(), if live { "" } else { " (removed)" })
        };
        first = false;
        written.is_ok()
    });
    if args.json {
        let _ = writeln!(out, "{}", if first { "[]" } else { "\n]" });
    }
    let _ = out.flush();
    listed.map_err(failure)
}

fn kinds(name: Option<&str>) -> Result<Vec<numax_crdt::Kind>, Failure> {
    store::kinds(name).map_err(failure)
}
