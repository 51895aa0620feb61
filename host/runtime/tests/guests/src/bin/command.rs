//! A command: does what its first argument says.

use numax_sdk::crdt::{GCounter, LwwMap, LwwRegister, OrSet, PnCounter};
use numax_sdk::{Error, kv};
use std::process::ExitCode;
use test_guests::incr;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let argument = |n: usize| arguments.get(n).map_or("", String::as_str);
    match argument(1) {
        "return" => incr("a"),
        "fail" => {
            incr("a");
            return ExitCode::FAILURE;
        }
        "exit" => {
            incr("a");
            let code = argument(2).parse().expect("a number");
            std::process::exit(code);
        }
        "trap" => {
            incr("a");
            panic!("as asked");
        }
        "grow" => {
            incr("a");
            let mib: usize = argument(2).parse().expect("a number");
            std::hint::black_box(vec![1_u8; mib << 20]);
        }
        "spin" => {
            incr("a");
            loop {
                std::hint::black_box(());
            }
        }
        "environment" => {
            let map = LwwMap::open("environment").expect("open");
            for (name, value) in std::env::vars() {
                map.set(&name, value).expect("set");
            }
            map.set("arguments", arguments.join(" ")).expect("set");
        }
        "many" => many().expect("many"),
        "cap" => cap().expect("cap"),
        "pn" => PnCounter::open("pn").and_then(|c| c.add(-5)).expect("pn"),
        other => panic!("no such thing as {other:?}"),
    }
    ExitCode::SUCCESS
}

/// Turns over all families that depend on what they read; the same batches whatever is in memory.
fn many() -> numax_sdk::Result<()> {
    let map = LwwMap::open("map")?;
    let set = OrSet::open("set")?;
    let counter = GCounter::open("counter")?;
    let pn = PnCounter::open("pn")?;
    let register = LwwRegister::open("register")?;
    for round in 0..20_u64 {
        counter.increment(round)?;
        pn.add(if round % 3 == 0 { -7 } else { 5 })?;
        set.add(format!("element {}", round % 7))?;
        if round % 4 == 3 {
            set.remove(format!("element {}", round % 5))?;
        }
        map.set(format!("field {}", round % 6), round.to_string())?;
        if map.contains("field 3")? && round % 5 == 4 {
            map.remove("field 3")?;
        }
        let before = register.get()?.map_or(0, |bytes| bytes.len());
        register.set("x".repeat(before + 1))?;
        kv::set(format!("local {}", round % 3), round.to_string())?;
        if round == 13 {
            set.clear()?;
        }
        let elements = set.elements().filter(Result::is_ok).count();
        map.set("seen", format!("{} {} {elements} {}", counter.value()?, pn.value()?, map.size()?))?;
        // A commit point.
        wasip2::clocks::monotonic_clock::subscribe_instant(0).block();
    }
    Ok(())
}

/// Fills a batch until it takes no more, and goes on with what went in.
fn cap() -> Result<(), Error> {
    let map = LwwMap::open("big")?;
    let value = vec![b'v'; 1 << 20];
    let mut taken = 0;
    let refusal = loop {
        match map.set(format!("{taken}"), &value) {
            Ok(()) => taken += 1,
            Err(e) => break e,
        }
    };
    let Error::Invalid(text) = refusal else { return Err(refusal) };
    // The refused write is not there, in the turn's own view; what went in before it is.
    assert!(!map.contains(format!("{taken}"))?);
    assert_eq!(map.size()?, taken);
    LwwRegister::open("refusal")?.set(format!("{taken} {text}"))
}
