//! A real editing history, key stroke by key stroke, through the family text and through Yrs alone (benchmark B4 of
//! crdt-benchmarks; the trace is from josephg/editing-traces).

use crate::report::{Figure, Goal, Subject};
use crate::{Settings, load, machine};
use anyhow::{Context, Result, bail, ensure};
use numax_crdt::Key;
use numax_replica::{Core, CoreConfig, Draft, HostFacts, Request, Response};
use numax_store::{FsDisk, KvBackend, mem::MemBackend};
use serde::Deserialize;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use yrs::block::ClientID;
use yrs::updates::decoder::Decode;
use yrs::{Doc, GetString, OffsetKind, Options, ReadTxn, StateVector, Text, TextRef, Transact, Update};

/// How many edits are one transaction of Yrs, and one turn with its batch here: a key stroke, and what editors send at
/// once that wait a moment, or a pause.
const AT_ONCE: [usize; 3] = [1, 10, 100];
const NOW: u64 = 1_700_000_000_000;
/// What the whole may cost, compared with Yrs alone.
const GOAL: f64 = 1.5;

/// The figures. No engine takes part: rows stay in memory, the log is a file.
pub fn run(settings: &Settings) -> Result<Vec<Figure>> {
    let Some(path) = &settings.trace else {
        eprintln!("   left out: --trace FILE says where the editing history is");
        return Ok(Vec::new());
    };
    let trace = Trace::read(path).with_context(|| format!("reading {}", path.display()))?;
    let subject = Subject { engine: "-".to_string(), durability: "interval", keys: 1, writers: 1 };
    let mut figures = Vec::new();
    for at_once in AT_ONCE {
        let (mut ours, mut plain, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
        let (mut open, mut load) = (Vec::new(), Vec::new());
        for _ in 0..settings.rounds {
            let dir = tempfile::tempdir_in(&settings.dir)?;
            let yrs = trace.through_yrs(at_once)?;
            let numax = trace.through_numax(dir.path(), at_once)?;
            eprintln!(
                "   {at_once} at once: Yrs {:.1} s, numax {:.1} s of CPU, {} and {} bytes of state, {} bytes of log",
                yrs.seconds, numax.seconds, yrs.bytes, numax.bytes, numax.log
            );
            let micros = |seconds: f64| seconds * 1e6 / trace.edits.len() as f64;
            ratios.push(numax.seconds / yrs.seconds);
            ours.push(micros(numax.seconds));
            plain.push(micros(yrs.seconds));
            open.push(numax.open * 1e3);
            load.push(yrs.open * 1e3);
        }
        let beside = format!("Yrs, {at_once} in a transaction");
        figures.push(
            Figure::new(format!("cpu of a text's edit, {at_once} a turn"), &subject, "us/edit", ours)
                .beside(beside, &plain),
        );
        figures.push(
            Figure::new(format!("the same, over Yrs, {at_once} a turn"), &subject, "times", ratios)
                .goal(Goal::AtMost(GOAL)),
        );
        figures.push(
            Figure::new("cpu of putting that text together", &subject, "ms", open)
                .beside("Yrs, its own encoding", &load),
        );
    }
    Ok(figures)
}

/// What a whole run took.
struct Taken {
    /// CPU of all edits.
    seconds: f64,
    /// CPU of putting the text together from what is stored.
    open: f64,
    /// Bytes of the stored text.
    bytes: u64,
    /// Bytes of the log.
    log: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    start_content: String,
    end_content: String,
    txns: Vec<Transaction>,
}

#[derive(Deserialize)]
struct Transaction {
    patches: Vec<(u32, u32, String)>,
}

struct Trace {
    /// Position, how many units are removed there, what is inserted.
    edits: Vec<(u32, u32, String)>,
    end: String,
}

impl Trace {
    /// Reads a trace, as JSON or as JSON in gzip, for which there must be a `gzip`.
    fn read(path: &Path) -> Result<Self> {
        let json = match path.extension() {
            Some(name) if name == "gz" => {
                let unpacked = Command::new("gzip").arg("-dc").arg(path).output().context("running gzip")?;
                ensure!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
                unpacked.stdout
            }
            _ => std::fs::read(path)?,
        };
        let file: File = serde_json::from_slice(&json)?;
        ensure!(file.start_content.is_empty(), "the trace does not begin with an empty text");
        let edits = file.txns.into_iter().flat_map(|transaction| transaction.patches).collect();
        Ok(Self { edits, end: file.end_content })
    }

    /// Yrs alone: a document in memory, a transaction for every `at_once` edits, and nothing kept.
    fn through_yrs(&self, at_once: usize) -> Result<Taken> {
        let (doc, text) = document();
        let begin = machine::thread_seconds();
        for edits in self.edits.chunks(at_once) {
            let mut transaction = doc.transact_mut();
            for (at, removed, inserted) in edits {
                if *removed > 0 {
                    text.remove_range(&mut transaction, *at, *removed);
                }
                if !inserted.is_empty() {
                    text.insert(&mut transaction, *at, inserted);
                }
            }
        }
        let seconds = machine::thread_seconds() - begin;
        ensure!(text.get_string(&doc.transact()) == self.end, "Yrs came to another text");
        let stored = doc.transact().encode_state_as_update_v1(&StateVector::default());
        let begin = machine::thread_seconds();
        let (doc, text) = document();
        doc.transact_mut().apply_update(Update::decode_v1(&stored)?)?;
        let size = text.len(&doc.transact());
        let open = machine::thread_seconds() - begin;
        ensure!(size as usize == self.end.len(), "Yrs loaded another text");
        Ok(Taken { seconds, open, bytes: stored.len() as u64, log: 0 })
    }

    /// The family text: a turn for every `at_once` edits, each turn's batch committed (log, rows) before the next.
    fn through_numax(&self, dir: &Path, at_once: usize) -> Result<Taken> {
        let key = Key::new("paper")?;
        let rows: Arc<dyn KvBackend> = Arc::new(MemBackend::new());
        let mut core = open(dir, &rows, 1)?;
        let begin = machine::thread_seconds();
        for (turn, edits) in self.edits.chunks(at_once).enumerate() {
            let mut draft = Draft::new(core.reader(), 1);
            draft.load_inline(true);
            for (at, removed, inserted) in edits {
                if *removed > 0 {
                    draft.text_remove(&key, *at, *removed)?;
                }
                if !inserted.is_empty() {
                    draft.text_insert(&key, *at, inserted)?;
                }
            }
            let outcome = core.run_group(vec![Request::Commit(draft.take())], NOW + turn as u64);
            match outcome.results.into_iter().next() {
                Some(Ok(Response::Committed(_))) => {}
                other => bail!("a commit came to {other:?}"),
            }
            if core.unflushed_rows() > 32_768 {
                core.flush(false).map_err(anyhow::Error::msg)?;
            }
        }
        let seconds = machine::thread_seconds() - begin;
        let read = |core: &Core| {
            let mut draft = Draft::new(core.reader(), 1);
            draft.load_inline(true);
            draft.text_read(&key)
        };
        ensure!(read(&core)? == self.end, "the family text came to another text");
        core.flush(true).map_err(anyhow::Error::msg)?;
        drop(core);
        let core = open(dir, &rows, 2)?;
        let begin = machine::thread_seconds();
        let mut draft = Draft::new(core.reader(), 1);
        draft.load_inline(true);
        let size = draft.text_size(&key)?;
        let open = machine::thread_seconds() - begin;
        ensure!(size as usize == self.end.len() && read(&core)? == self.end, "another text was loaded");
        let bytes = draft.text_diff(&key, None)?.len() as u64;
        Ok(Taken { seconds, open, bytes, log: log_bytes(dir)? })
    }
}

fn document() -> (Doc, TextRef) {
    // As large as the family's, which shows in the size of what is stored.
    let client = ClientID::new((1 << 53) - 1);
    let options = Options { offset_kind: OffsetKind::Utf16, ..Options::with_client_id(client) };
    let doc = Doc::with_options(options);
    let text = doc.get_or_insert_text("text");
    (doc, text)
}

fn open(dir: &Path, rows: &Arc<dyn KvBackend>, nonce: u64) -> Result<Core> {
    let facts = HostFacts { boot_id: "boot".to_string(), disk_id: "disk".to_string(), nonce };
    let config = CoreConfig::new(load::NODE);
    Ok(Core::open(config, Arc::new(FsDisk::open(dir)?), rows.clone(), &facts, NOW)?)
}

/// Bytes of all files below a folder: the log, as rows stay in memory.
fn log_bytes(dir: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let about = entry.metadata()?;
        bytes += if about.is_dir() { log_bytes(&entry.path())? } else { about.len() };
    }
    Ok(bytes)
}
