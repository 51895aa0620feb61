//! What is to be done about a log, from what of it can be read and which position the rows include.

use std::ops::Range;

use numax_store::Disk;

use crate::{error::LogError, log::Part};

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// Nothing.
    Whole,
    /// Older segments are damaged, which the rows do not need: the log is to begin behind them.
    DropHistory,
    /// From the position on, which lies in the part with this number, records cannot be read or do not follow.
    CutAt {
        /// The part's number.
        part: usize,
        /// The position of the first record that is not good.
        at: u64,
    },
    /// Where the rows end there is no log: it is to begin there anew.
    BeginAt(u64),
    /// The rows are lost, and the log does not reach back: everything is to begin anew.
    BeginAnew,
}

/// Finds out. `included` is the position that the rows include, none when they are damaged.
pub(super) fn plan(parts: &[Part], included: Option<u64>) -> Plan {
    let from = match included {
        Some(position) => position,
        None if begins_at_zero(parts) => 0,
        None => return Plan::BeginAnew,
    };
    if parts.first().is_some_and(|part| part.start > from) {
        return Plan::BeginAnew;
    }
    let Some((part, at)) = reach(parts, from) else { return Plan::BeginAt(from) };
    let rest = parts.get(part..).unwrap_or_default();
    // A torn end is no damage: opening cuts it off.
    let torn_end =
        matches!(rest, [last] if last.good.iter().all(|good| good.end <= at) && at + TORN > last.end);
    if rest.len() > 1 || !(torn_end || rest.iter().all(|last| at == last.end)) {
        return Plan::CutAt { part, at };
    }
    let history = parts.get(..part).unwrap_or_default();
    let follows = |pair: &[Part]| matches!(pair, [a, b] if a.end == b.start);
    let joined = parts.get(..=part).unwrap_or_default().windows(2).all(follows);
    // Of the last part itself, what lies before the rows' position.
    let begun = rest.iter().all(|last| {
        let first = last.header.as_ref().map_or(at, |header| header.first);
        at == first || last.good.first().is_some_and(|good| good.start == first && good.end == at)
    });
    if joined && begun && history.iter().all(Part::is_whole) { Plan::Whole } else { Plan::DropHistory }
}

/// A torn record is never longer than this.
const TORN: u64 = 17 << 20;

/// The number of the part in which a position lies, the later one of two.
pub(super) fn holding(parts: &[Part], from: u64) -> Option<usize> {
    parts.iter().rposition(|part| part.header.is_some() && (part.start..=part.end).contains(&from))
}

/// Where the records that follow a position without a gap end: the part's number, and the position.
fn reach(parts: &[Part], from: u64) -> Option<(usize, u64)> {
    let mut index = holding(parts, from)?;
    let mut at = run(parts.get(index)?, from)?;
    while let Some(next) = parts.get(index + 1)
        && parts.get(index).is_some_and(|part| part.end == at)
        && next.start == at
        && next.header.is_some()
    {
        index += 1;
        at = run(next, at)?;
    }
    Some((index, at))
}

/// Where the records of a part that follow a position without a gap end; none when no record can begin there.
fn run(part: &Part, from: u64) -> Option<u64> {
    let first = part.header.as_ref()?.first;
    let from = from.max(first);
    let holds = |good: &&Range<u64>| good.start <= from && from <= good.end;
    // The later of two, should one end where another begins.
    let good = part.good.iter().rev().find(holds).map(|good| good.end);
    good.or_else(|| (from == first || from == part.end).then_some(from))
}

fn begins_at_zero(parts: &[Part]) -> bool {
    let first = parts.first();
    first.is_some_and(|part| {
        part.start == 0 && part.header.as_ref().is_some_and(|header| header.vector.is_empty())
    })
}

/// Whether the log's first segment is that of a new datastore. Cheap: it only looks at names.
pub(super) fn reaches_back(disk: &dyn Disk) -> Result<bool, LogError> {
    let names = disk.list(crate::log::DIR)?;
    Ok(names.iter().any(|name| *name == format!("{:016x}.seg", 0)))
}

/// Bytes of records that a cut takes out of the log.
pub(super) fn behind(parts: &[Part], part: usize, at: u64) -> impl Iterator<Item = (&Part, Vec<Range<u64>>)> {
    parts.iter().skip(part).map(move |part| {
        let cut = part.good.iter().filter(|good| good.end > at);
        let ranges = cut.map(|good| good.start.max(at)..good.end).collect();
        (part, ranges)
    })
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init, reason = "one range of good records is what is meant")]
mod tests {
    use super::*;
    use crate::log::Segment;

    const HEAD: u64 = 10;

    /// A part with records in these ranges; the header takes 10 positions.
    fn part(start: u64, end: u64, good: &[Range<u64>]) -> Part {
        let header = Some(Segment { start, first: start + HEAD, vector: Default::default() });
        Part { name: String::new(), start, end, header, good: good.to_vec(), records: 0 }
    }

    #[test]
    fn what_the_rows_do_not_need_may_be_damaged() {
        let (whole, last) = (part(0, 100, &[10..100]), part(100, 200, &[110..200]));
        let hurt = part(0, 100, &[10..40, 60..100]);
        let mut headless = part(0, 100, &[20..100]);
        headless.header = None;
        let plan_of = |first: Part, included| plan(&[first, part(100, 200, &[110..200])], included);
        assert_eq!(plan(&[whole, last], Some(150)), Plan::Whole);
        assert_eq!(plan_of(part(0, 100, &[10..40, 60..100]), Some(150)), Plan::DropHistory);
        assert_eq!(plan_of(headless, Some(100)), Plan::DropHistory);
        assert_eq!(plan_of(hurt, Some(60)), Plan::DropHistory);
        assert_eq!(
            plan_of(part(0, 90, &[10..90]), Some(150)),
            Plan::DropHistory,
            "the end of a segment is gone"
        );
        assert_eq!(plan(&[part(100, 200, &[110..200])], Some(150)), Plan::Whole, "older segments may go");
        assert_eq!(plan(&[part(0, 200, &[10..40, 60..200])], Some(150)), Plan::DropHistory);
    }

    #[test]
    fn what_the_rows_do_need_is_cut_off() {
        let parts = [part(0, 100, &[10..40, 60..100]), part(100, 200, &[110..200])];
        assert_eq!(plan(&parts, Some(20)), Plan::CutAt { part: 0, at: 40 });
        assert_eq!(plan(&parts, None), Plan::CutAt { part: 0, at: 40 });
        assert_eq!(plan(&parts, Some(50)), Plan::BeginAt(50));
        let cut: Vec<_> = behind(&parts, 0, 40).map(|(_, ranges)| ranges).collect();
        assert_eq!(cut, [vec![60..100], vec![110..200]]);
        // A segment in the middle is gone.
        let gap = [part(0, 100, &[10..100]), part(200, 300, &[210..300])];
        assert_eq!(plan(&gap, Some(50)), Plan::CutAt { part: 0, at: 100 });
        assert_eq!(plan(&gap, Some(150)), Plan::BeginAt(150));
    }

    #[test]
    fn torn_ends_are_no_damage() {
        assert_eq!(plan(&[part(0, 105, &[10..100])], Some(50)), Plan::Whole);
        assert_eq!(plan(&[part(0, 10, &[])], Some(0)), Plan::Whole);
        assert_eq!(plan(&[part(0, 200, &[10..100, 120..200])], Some(50)), Plan::CutAt { part: 0, at: 100 });
    }

    #[test]
    fn without_rows_the_log_must_reach_back() {
        assert_eq!(plan(&[part(0, 100, &[10..100])], None), Plan::Whole);
        assert_eq!(plan(&[part(100, 200, &[110..200])], None), Plan::BeginAnew);
        assert_eq!(plan(&[part(100, 200, &[110..200])], Some(50)), Plan::BeginAnew);
        assert_eq!(plan(&[], None), Plan::BeginAnew);
        assert_eq!(plan(&[], Some(70)), Plan::BeginAt(70), "the rows are there, the log is not");
    }
}
