//! A datastore from a log: `numax replay`.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use numax_crdt::NodeId;
use numax_replica::{
    Engine, ReplicaConfig,
    at_rest::{Built, LogAtRest, LogRecord, build},
};

use crate::{ToolError, log::Lines};

/// Makes the datastore `new`, of `node`, from a log: a file of [`export`](crate::log::export), the log's directory, or a
/// datastore. Its state is that which the log leads to. Blocks, long.
///
/// # Errors
/// When the log does not reach back to the beginning or cannot be read, and when the datastore cannot be made; what is
/// in `new` then is of no use.
pub fn replay(source: &Path, new: &Path, node: NodeId, engine: Engine) -> Result<Built, ToolError> {
    let config = ReplicaConfig { engine, ..ReplicaConfig::new(new, node) };
    if source.is_dir() {
        let log = LogAtRest::open(source)?;
        if !log.is_complete() {
            let (start, _) = log.start();
            return Err(incomplete(
                source,
                &format!("it begins at position {start}; what was before is forgotten"),
            ));
        }
        return from_segments(&log, &config);
    }
    let file = File::open(source).map_err(ToolError::io(format!("opening {}", source.display())))?;
    let mut lines = Lines::new(BufReader::new(file))?;
    if !lines.is_complete() {
        return Err(incomplete(
            source,
            "it was exported in part, or from a log that has forgotten its beginning",
        ));
    }
    from_lines(&mut lines, &config)
}

fn incomplete(source: &Path, why: &str) -> ToolError {
    ToolError::Unfit(format!(
        "{} does not lead to a state: {why}; to look at such a datastore, copy its directory",
        source.display()
    ))
}

fn from_lines<R: BufRead>(lines: &mut Lines<R>, config: &ReplicaConfig) -> Result<Built, ToolError> {
    build(config, || lines.next_record())
}

fn from_segments(log: &LogAtRest, config: &ReplicaConfig) -> Result<Built, ToolError> {
    // The log is read by a visitor and the datastore built by asking: in between lies a part of it at a time.
    const AHEAD: u64 = 1 << 20;
    let mut waiting = std::collections::VecDeque::<LogRecord>::new();
    let mut at = Some(log.start().0);
    build(config, || {
        if waiting.is_empty()
            && let Some(from) = at
        {
            at = None;
            log.read::<ToolError>(Some(from), |record| {
                let full = record.end - from >= AHEAD;
                if full {
                    at = Some(record.end);
                }
                waiting.push_back(record);
                Ok(!full)
            })?;
        }
        Ok(waiting.pop_front())
    })
}
