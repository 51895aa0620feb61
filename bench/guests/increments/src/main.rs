//! Increments counters in the way that `BENCH_MODE` names, `BENCH_COUNT` times, and prints the nanoseconds that took,
//! the last commit included.

use numax_sdk::crdt::GCounter;
use std::error::Error;
use std::time::Instant;

/// A commit point that never waits: a deadline that has passed already.
fn commit() {
    wasip2::clocks::monotonic_clock::subscribe_instant(0).block();
}

fn main() -> Result<(), Box<dyn Error>> {
    let mode = std::env::var("BENCH_MODE")?;
    let count: u64 = std::env::var("BENCH_COUNT")?.parse()?;
    let start = Instant::now();
    match mode.as_str() {
        "one-turn" => {
            let counter = GCounter::open("bench:one")?;
            for _ in 0..count {
                counter.increment(1)?;
            }
        }
        "commit-each" => {
            let counter = GCounter::open("bench:each")?;
            for _ in 0..count {
                counter.increment(1)?;
                commit();
            }
        }
        "spread" => {
            let counters: Vec<_> =
                (0..10_000).map(|key| GCounter::open(&format!("bench:{key}"))).collect::<Result<_, _>>()?;
            for round in 0..count {
                let place = usize::try_from(round)? % counters.len();
                counters[place].increment(1)?;
                if place + 1 == counters.len() {
                    commit();
                }
            }
        }
        "nothing" => return Ok(()),
        other => return Err(format!("no mode {other}").into()),
    }
    commit();
    println!("{}", start.elapsed().as_nanos());
    Ok(())
}
