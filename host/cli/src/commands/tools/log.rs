//! `numax log export`.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::RangeInclusive;

use numax_replica::at_rest::LogAtRest;
use numax_tools::ToolError;
use numax_tools::log::{Filter, export};
use numax_tools::names::OriginPattern;
use numax_tools::store::{key, kinds};

use super::args::{ExportArgs, LogArgs, LogCommand};
use super::failure;
use crate::exit::Failure;

pub(crate) fn run(args: &LogArgs) -> Result<(), Failure> {
    let LogCommand::Export(args) = &args.command;
    let filter = filter(args)?;
    let log = LogAtRest::open(&args.datastore_path).map_err(Failure::failed)?;
    let mut out: Box<dyn Write> = match &args.out {
        None => Box::new(BufWriter::new(io::stdout().lock())),
        Some(path) => {
            let file = File::create(path)
                .map_err(|error| Failure::failed(format!("creating {} failed: {error}", path.display())))?;
            Box::new(BufWriter::new(file))
        }
    };
    let done = export(&log, &filter, &mut out);
    let done = done.and_then(|done| {
        out.flush().map_err(ToolError::io("writing the lines".to_string()))?;
        Ok(done)
    });
    match done {
        // A reader that has left has what it wanted.
        Err(ToolError::Io { source, .. }) if source.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(failure(error)),
        Ok(done) => {
            if args.out.is_some() {
                let left_out =
                    if done.left_out > 0 { format!(", {} left out", done.left_out) } else { String::new() };
                eprintln!("{} records{left_out}", done.records);
            }
            if filter.is_all() && !done.complete {
                eprintln!(
                    "note: the log has forgotten its beginning, so these lines do not lead to the datastore's state"
                );
            }
            Ok(())
        }
    }
}

fn filter(args: &ExportArgs) -> Result<Filter, Failure> {
    let origin = args.origin.as_deref().map(|text| {
        OriginPattern::parse(text).ok_or_else(|| {
            Failure::usage(format!(
                "--origin {text}: write NODE, NODE/EPOCH or NODE/EPOCH/NONCE; of the node a beginning is enough"
            ))
        })
    });
    let kind = match args.kind.as_deref() {
        None => None,
        Some(name) => kinds(Some(name)).map_err(failure)?.first().copied(),
    };
    Ok(Filter {
        after: args.after,
        until: args.until,
        origin: origin.transpose()?,
        seq: args.seq.as_deref().map(numbers).transpose()?,
        key: args.key.as_deref().map(key).transpose().map_err(failure)?,
        kind,
    })
}

/// `N` or `N..M`, both ends included.
fn numbers(text: &str) -> Result<RangeInclusive<u64>, Failure> {
    let wrong = || Failure::usage(format!("--seq {text}: write a number, or two with .. between them"));
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
    if first <= last { Ok(first..=last) } else { Err(wrong()) }
}
