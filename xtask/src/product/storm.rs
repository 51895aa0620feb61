//! A short storm: nodes are killed, stopped, put back, and their clocks jump, while clients write down what they
//! are told. `cargo xtask chaos` is the long form, with a disk that is full now and then.

use super::Bench;
use crate::chaos::Storm;
use anyhow::Result;
use std::time::Duration;

/// Which faults; another seed would do as well.
const SEED: u64 = 1;
/// Long enough for each fault to happen to each node about once.
const LASTS: Duration = Duration::from_secs(25);

/// Nothing acknowledged is lost, nothing is there that nobody wrote, and all nodes agree.
pub fn short(bench: &Bench) -> Result<()> {
    let storm = Storm {
        nodes: 3,
        seed: SEED,
        lasts: LASTS,
        durability: "interval",
        engine: "sled",
        small_disk: false,
    };
    println!("   {}", storm.run(&bench.numax, bench.rust()?, &bench.home)?);
    Ok(())
}
