//! A command: does what its first argument says.

use numax_sdk::crdt::{GCounter, LwwMap, LwwRegister, OrSet, PnCounter, Rga, Text};
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
        "world" => world().expect("world"),
        "wait" => wait().expect("wait"),
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

/// Writes down everything that a machine has to say, in every family.
fn world() -> numax_sdk::Result<()> {
    let (map, set, list) = (LwwMap::open("map")?, OrSet::open("set")?, Rga::open("list")?);
    let (counter, pn, register) = (GCounter::open("counter")?, PnCounter::open("pn")?, LwwRegister::open("register")?);
    let text = Text::open("text")?;
    let began = std::time::Instant::now();
    for round in 0..30_u64 {
        let random = wasip2::random::random::get_random_u64();
        counter.increment(random % 100)?;
        pn.add(i64::try_from(wasip2::random::insecure::get_insecure_random_u64() % 50).unwrap_or(0) - 25)?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        register.set(format!("{now:?} {:?}", began.elapsed()))?;
        // The order of a hash map comes from the host's seed.
        let order: std::collections::HashMap<u64, u64> = (0..8).map(|n| (n ^ random, n)).collect();
        for (name, value) in &order {
            map.set(format!("field {name}"), value.to_string())?;
        }
        set.add(format!("{}", random % 7))?;
        let id = list.push(format!("round {round} {random:x}"))?;
        if random % 3 == 0 {
            list.remove(&id)?;
        }
        text.insert(text.size()?, format!("{random} "))?;
        kv::set("last", random.to_string())?;
        std::thread::sleep(std::time::Duration::from_millis(random % 5_000));
    }
    map.set("slept", format!("{:?}", began.elapsed()))
}

/// Waits for two times at once, and until a time has come by asking for it.
fn wait() -> numax_sdk::Result<()> {
    use wasip2::clocks::monotonic_clock::{now, subscribe_duration, subscribe_instant};
    let began = now();
    let (late, soon) = (subscribe_duration(3_600_000_000_000), subscribe_instant(began + 60_000_000_000));
    let ready = wasip2::io::poll::poll(&[&late, &soon]);
    let minute = now() - began;
    while now() < began + 60_500_000_000 {}
    let until = subscribe_duration(1_000_000);
    while !until.ready() {}
    late.block();
    let hour = now() - began;
    let seconds = |ns: u64| ns / 1_000_000_000;
    LwwRegister::open("waited")?.set(format!("{ready:?} {} {}", seconds(minute), seconds(hour)))
}

/// Fills a batch until it takes no more, and goes on with what went in.
fn cap() -> Result<(), Error> {
    let map = LwwMap::open("big")?;
    let value = vec![b'v'; 1 << 20];
    let mut taken = 0;
    let refusal = loop {
        assert!(taken < 16, "it takes more than a batch holds");
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
