//! `numax diff`: 0 when the datastores are equal, 1 when they differ, 2 when they could not be compared.

use numax_tools::diff::{Options, diff};
use numax_tools::escape::unescape;
use numax_tools::store::{Store, kinds};

use super::args::DiffArgs;
use super::failure;
use super::interrupt::clean_up_on_signals;
use crate::commands::{print, print_json};
use crate::exit::{FAILED, Failure, USAGE};
use crate::progress::Steps;

/// Values between two lines of progress.
const EVERY: u64 = 100_000;

pub(crate) fn run(args: &DiffArgs) -> Result<(), Failure> {
    // Whoever asks whether two datastores differ must not take a failure for the answer.
    compare(args).map_err(|failure| failure.with_code(USAGE)).and_then(|equal| match equal {
        true => Ok(()),
        false => Err(Failure::said(FAILED)),
    })
}

fn compare(args: &DiffArgs) -> Result<bool, Failure> {
    let prefix = unescape(&args.prefix).map_err(|error| Failure::usage(format!("--prefix: {error}")))?;
    let options = Options { all: args.all, kinds: kinds(args.kind.as_deref()).map_err(failure)?, prefix };
    clean_up_on_signals();
    let open = |dir| Store::open(dir, args.scratch.scratch.as_deref()).map_err(failure);
    let (a, b) = (open(&args.a)?, open(&args.b)?);
    let mut steps = Steps::new();
    let found = diff(&a, &b, &options, |values| {
        if values % EVERY == 0 {
            steps.output(&format!("{values} values compared"));
        }
    })
    .map_err(failure)?;
    steps.done();
    if args.json {
        print_json(&found.json(&a, &b));
    } else {
        found.lines(&a, &b, args.all).iter().for_each(|line| print(line));
    }
    Ok(found.is_equal())
}
