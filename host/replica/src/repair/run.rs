//! Checking all of a datastore that is not in use, and repairing it.

use std::{ops::Range, path::Path};

use bytes::Bytes;
use numax_crdt::VersionVector;
use numax_store::{DiskError, Options, fingerprint};

use super::{
    free_name, is_rows_damage, move_aside, open_core,
    plan::{self, Plan},
    rows::check,
};
use crate::{
    Request, Response,
    config::ReplicaConfig,
    core::Notes,
    error::OpenError,
    log::{self, Part},
    meta,
    replica::files::{self, Held, ROWS},
};

/// Bytes of batches that are given to the core at once.
const CHUNK: usize = 4 << 20;

/// What was found and done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// What is there, and what is damaged; one line each.
    pub found: Vec<String>,
    /// What was changed; nothing when all was well.
    pub done: Vec<String>,
    /// Batches that stood in the log behind the damage and could be applied again.
    pub brought_back: usize,
    /// Batches that stood there and could not, because one before them is lost.
    pub left_out: usize,
}

/// Checks every record and every row of a datastore that nobody has open, and repairs what is damaged. Where data may
/// be lost that no peer has, it does so only with `accept_loss`. Tells `progress` what it does. Blocks, long.
///
/// # Errors
/// [`OpenError::WouldLose`]: something would be lost, and `accept_loss` was not said; nothing was changed. Otherwise as
/// [`Replica::open`](crate::Replica::open).
pub fn repair(
    config: &ReplicaConfig,
    accept_loss: bool,
    mut progress: impl FnMut(&str),
) -> Result<Report, OpenError> {
    let held = files::hold(&config.dir, config.reserve)?;
    let mut report = Report::default();
    let known = config.core.schemas.check(&*held.disk);
    match known.and_then(|()| meta::Meta::load(&*held.disk, config.core.schemas)) {
        // The log and the rows say whose they are, too; the next open takes what it finds for an old copy.
        Err(error @ OpenError::Meta { .. }) => {
            report.found.push(format!("{}: damaged: {error}", meta::FILE));
            let aside = move_aside(&config.dir, meta::FILE)?;
            report.done.push(format!("moved {} to {}", meta::FILE, aside.display()));
        }
        Err(error) => return Err(error),
        Ok(_) => {}
    }
    progress("reading the rows");
    let notes = match read_rows(config, &mut report) {
        Ok(notes) => Some(notes),
        Err(error) if is_rows_damage(&error) => {
            report.found.push(format!("rows: damaged: {error}"));
            None
        }
        Err(error) => return Err(error),
    };
    progress("reading the log");
    let parts = log::survey(&*held.disk)?;
    report.found.extend(parts.iter().map(describe));
    let included = notes.as_ref().map(|notes| notes.position);
    let vector = notes.map(|notes| notes.vector).unwrap_or_default();
    let new = parts.is_empty() && included == Some(0) && vector.is_empty();
    let plan = if new { Plan::Whole } else { plan::plan(&parts, included) };
    if let Some(detail) = loss(&parts, &plan)
        && !accept_loss
    {
        return Err(OpenError::WouldLose { detail });
    }
    let cut = match &plan {
        Plan::Whole | Plan::DropHistory => Vec::new(),
        Plan::CutAt { part, at } => cut(&held, config, &parts, *part, *at, &mut report)?,
        Plan::BeginAt(at) => begin_at(&held, config, &parts, *at, &vector, &mut report)?,
        Plan::BeginAnew => {
            if config.dir.join(ROWS).exists() {
                let aside = move_aside(&config.dir, ROWS)?;
                report.done.push(format!("moved the rows to {}", aside.display()));
            }
            begin_at(&held, config, &parts, 0, &VersionVector::new(), &mut report)?
        }
    };
    progress("opening the datastore");
    if included.is_none() && plan != Plan::BeginAnew {
        // Not only what opening notices by itself.
        let aside = move_aside(&config.dir, ROWS)?;
        report
            .done
            .push(format!("built the rows anew from the log; the damaged ones are {}", aside.display()));
    }
    let mut kept = None;
    if plan == Plan::DropHistory {
        // First what lies before the segment in which the rows' position is: without its headers nothing is opened.
        let aside = aside_dir(&held, config)?;
        let (before, rest) = parts.split_at(plan::holding(&parts, included.unwrap_or(0)).unwrap_or(0));
        take_out(&held, &aside, before)?;
        kept = Some((aside, rest));
    }
    let mut core = open_core(config, &held)?;
    if let Some(reason) = core.new_epoch() {
        report.done.push(format!("began a new epoch: {reason}"));
    }
    for (file, start, ranges) in cut {
        bring_back(&held, &mut core, &file, start, &ranges, &mut report)?;
    }
    report.left_out += core.pending();
    if kept.is_some() {
        core.begin_segment()?;
        core.flush(true).map_err(|detail| OpenError::Io { what: "writing the rows".to_string(), detail })?;
    }
    core.close().map_err(|detail| OpenError::Io { what: "closing the datastore".to_string(), detail })?;
    drop(core);
    if let Some((aside, rest)) = kept {
        take_out(&held, &aside, rest)?;
        report.done.push(format!("moved older parts of the log to {aside}; the rows hold what they held"));
    }
    Ok(report)
}

/// Reads every row, and whether it says what it can say.
pub(super) fn read_rows(config: &ReplicaConfig, report: &mut Report) -> Result<Notes, OpenError> {
    let schemas = config.core.schemas;
    let engine = files::open_engine(
        &config.dir,
        config.engine,
        &Options { schemas: schemas.tables(schemas.last()), ..Options::default() },
    )?;
    let notes = Notes::load(&*engine, config.core.node)?;
    let rows = fingerprint(&*engine, |_| ())?.rows();
    check(&*engine)?;
    report.found.push(format!(
        "rows: {rows} can be read ({}), up to position {} of the log",
        engine.name(),
        notes.position
    ));
    Ok(notes)
}

fn describe(part: &Part) -> String {
    let bytes = part.end - part.start;
    let state = match (&part.header, part.is_whole()) {
        (None, _) => "damaged: its header cannot be read",
        (Some(_), true) => "whole",
        (Some(_), false) => "damaged, or torn at its end",
    };
    format!("{}: {} records can be read in {bytes} bytes, {state}", part.name, part.records)
}

/// What a plan gives up, if anything.
fn loss(parts: &[Part], plan: &Plan) -> Option<String> {
    match plan {
        Plan::Whole | Plan::DropHistory => None,
        Plan::CutAt { part, at } => {
            let file = parts.get(*part).map_or("", |part| &part.name);
            let start = parts.get(*part).map_or(0, |part| part.start);
            Some(format!(
                "the log is damaged in {file} at byte {}: records there are lost here, and with them what follows them, \
                 unless a peer has it",
                at - start
            ))
        }
        Plan::BeginAt(at) => Some(format!(
            "the rows end at position {at} of the log, which is not there: batches behind it are lost here, unless a peer \
             has them"
        )),
        Plan::BeginAnew => Some(
            "rows are damaged, and the log does not reach back to build them anew: everything is lost here that no peer \
             and no snapshot has"
                .to_string(),
        ),
    }
}

/// Files that were taken out of the log, with their first position and where records can be read.
type Cut = Vec<(String, u64, Vec<Range<u64>>)>;

/// Cuts the log off at a position, and keeps what is cut off.
fn cut(
    held: &Held,
    config: &ReplicaConfig,
    parts: &[Part],
    number: usize,
    at: u64,
    report: &mut Report,
) -> Result<Cut, OpenError> {
    let aside = aside_dir(held, config)?;
    let mut cut = Cut::new();
    for (index, (part, ranges)) in plan::behind(parts, number, at).enumerate() {
        let kept = format!("{aside}/{}", file_name(&part.name));
        if index == 0 {
            copy(held, &part.name, &kept)?;
            let file = held.disk.open_append(&part.name)?;
            file.truncate(at - part.start)?;
            file.sync()?;
        } else {
            held.disk.rename(&part.name, &kept)?;
        }
        cut.push((kept, part.start, ranges));
    }
    held.disk.sync_dir(&aside)?;
    held.disk.sync_dir(log::DIR)?;
    new_epoch(held)?;
    report.done.push(format!("cut off the log at position {at}; what followed is kept in {aside}"));
    Ok(cut)
}

/// Lets the log begin at a position, and keeps all there was.
fn begin_at(
    held: &Held,
    config: &ReplicaConfig,
    parts: &[Part],
    at: u64,
    vector: &VersionVector,
    report: &mut Report,
) -> Result<Cut, OpenError> {
    // First, so that a repair that is cut short does not go on in the old epoch.
    new_epoch(held)?;
    let mut cut = Cut::new();
    if !parts.is_empty() {
        let aside = aside_dir(held, config)?;
        for part in parts {
            let kept = format!("{aside}/{}", file_name(&part.name));
            held.disk.rename(&part.name, &kept)?;
            cut.push((kept, part.start, part.good.clone()));
        }
        held.disk.sync_dir(&aside)?;
        report.done.push(format!("moved the log to {aside}"));
    }
    log::create(&held.disk, at, vector)?;
    report.done.push(format!("began the log anew at position {at}"));
    Ok(cut)
}

/// Moves parts of the log out of it.
fn take_out(held: &Held, aside: &str, parts: &[Part]) -> Result<(), OpenError> {
    for part in parts {
        held.disk.rename(&part.name, &format!("{aside}/{}", file_name(&part.name)))?;
    }
    held.disk.sync_dir(aside)?;
    Ok(held.disk.sync_dir(log::DIR)?)
}

fn file_name(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Makes `log.damaged-N`.
fn aside_dir(held: &Held, config: &ReplicaConfig) -> Result<String, OpenError> {
    let path = free_name(&config.dir, log::DIR);
    let name = path.file_name().map(Path::new).map_or_else(String::new, |name| name.display().to_string());
    held.disk.create_dir(&name)?;
    held.disk.sync_dir("")?;
    Ok(name)
}

fn copy(held: &Held, from: &str, to: &str) -> Result<(), OpenError> {
    let (source, target) = (held.disk.open_append(from)?, held.disk.create(to)?);
    let mut at = 0;
    loop {
        let bytes = source.read_at(at, 1 << 20)?;
        if bytes.is_empty() {
            return Ok(target.sync()?);
        }
        target.append(&bytes)?;
        at += bytes.len() as u64;
    }
}

/// The next open begins a new epoch.
fn new_epoch(held: &Held) -> Result<(), OpenError> {
    match held.disk.open_append("meta.json") {
        Err(DiskError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(_) => meta::mark_restored(&*held.disk),
    }
}

/// Applies the batches of a file that was taken out of the log, as if a peer had sent them.
fn bring_back(
    held: &Held,
    core: &mut crate::Core,
    file: &str,
    start: u64,
    ranges: &[Range<u64>],
    report: &mut Report,
) -> Result<(), OpenError> {
    let mut batches: Vec<Bytes> = Vec::new();
    for range in ranges {
        log::records(&*held.disk, file, start, range, |record| batches.extend(record.batch))?;
    }
    let mut from = 0;
    while from < batches.len() {
        let mut bytes = 0;
        let chunk: Vec<Bytes> = batches
            .iter()
            .skip(from)
            .take_while(|batch| {
                let fits = bytes < CHUNK;
                bytes += batch.len();
                fits
            })
            .cloned()
            .collect();
        from += chunk.len();
        let outcome = core.run_group(vec![Request::Ingest(chunk)], files::now_ms());
        for result in outcome.results {
            match result {
                Ok(Response::Ingested(ingested)) => {
                    report.brought_back += ingested.applied;
                    report.left_out += ingested.rejected;
                }
                Ok(_) => {}
                Err(error) => {
                    let what = "applying batches from behind the damage".to_string();
                    return Err(OpenError::Io { what, detail: error.to_string() });
                }
            }
        }
    }
    Ok(())
}
