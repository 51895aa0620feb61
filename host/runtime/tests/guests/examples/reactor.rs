//! A long-lived instance that writes down what it is told of.
//!
//! Its notes are fields of the map `log`, numbered in the order in which the instance was called, each with the number
//! of calls that this very instance has had.

use numax_sdk::crdt::{GCounter, LwwMap, LwwRegister};
use numax_sdk::{Change, Kind, events, kv};
use std::cell::Cell;
use std::fmt::Debug;
use std::time::Duration;

numax_sdk::lifecycle!(init, shutdown);
numax_sdk::on_tick!(tick);
numax_sdk::on_change!(change);

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// A note behind all others, which outlive the instance.
fn note(text: &str) -> numax_sdk::Result<()> {
    let calls = CALLS.with(|calls| {
        calls.set(calls.get() + 1);
        calls.get()
    });
    let log = LwwMap::open("log")?;
    log.set(format!("{:06}", log.size()?), format!("{calls} {text}"))
}

fn init() -> Result<(), String> {
    let ask = |what: &str| std::env::var(what).ok();
    note("init").map_err(|e| e.to_string())?;
    if let Some(why) = ask("FAIL_INIT") {
        return Err(why);
    }
    if ask("TRAP_INIT").is_some() {
        panic!("in init");
    }
    if ask("WAIT_IN_INIT").is_some() {
        wait("initing").map_err(|e| e.to_string())?;
    }
    if let Some(ms) = ask("EVERY") {
        events::every("beat", Duration::from_millis(ms.parse().map_err(|_| "EVERY is no number")?))
            .map_err(|e| e.to_string())?;
    }
    if let Some(prefix) = ask("WATCH") {
        events::watch(None, prefix).map_err(|e| e.to_string())?;
    }
    if let Some(prefix) = ask("WATCH_SETS") {
        events::watch(Kind::OrSet, prefix).map_err(|e| e.to_string())?;
    }
    Ok(())
}

fn shutdown() -> numax_sdk::Result<()> {
    note("shutdown")
}

fn tick(name: &str, now_ms: u64) -> numax_sdk::Result<()> {
    // Registering is for init alone.
    let late = events::every("late", Duration::from_millis(1)).is_err();
    note(&format!("tick {name} {} {late}", now_ms > 1_700_000_000_000))?;
    GCounter::open("ticks")?.increment(1)
}

fn change(changes: Vec<Change>) -> numax_sdk::Result<()> {
    for change in changes {
        let Change { kind, key, op, remote, .. } = &change;
        let from = if *remote { "remote" } else { "local" };
        note(&format!("{} {key} {} {from}", name(kind), name(op)))?;
        match key.as_str() {
            // Watched as well: what an instance writes itself, it is not told of.
            "w:ping" => GCounter::open("w:pong")?.increment(1)?,
            "w:trap" => panic!("as asked"),
            "w:trap-once" if kv::get("trapped")?.is_none() => {
                kv::set("trapped", "yes")?;
                // Its note and this mark have to be committed before the trap.
                pause(0);
                panic!("the first time");
            }
            "w:slow" => wait("slow")?,
            _ => {}
        }
    }
    Ok(())
}

/// The last part of a value's name.
fn name(value: impl Debug) -> String {
    format!("{value:?}").rsplit("::").next().unwrap_or_default().to_owned()
}

/// Says by a counter that it waits, until the register `go` has something.
fn wait(counter: &str) -> numax_sdk::Result<()> {
    GCounter::open(counter)?.increment(1)?;
    while LwwRegister::open("go")?.get()?.is_none() {
        pause(1);
    }
    Ok(())
}

/// A commit point that waits for so many milliseconds.
fn pause(ms: u64) {
    wasip2::clocks::monotonic_clock::subscribe_duration(ms * 1_000_000).block();
}
