//! Clients: each talks to one node, over HTTP, and writes down what it tried and what it was told.

use super::history::{History, Sure};
use super::random::Random;
use crate::cluster::State;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long a client waits for an answer. Less than a process may stand still.
const PATIENCE: Duration = Duration::from_secs(3);

/// What all clients share.
pub struct Shared {
    history: Mutex<History>,
    /// No more requests.
    pub stop: AtomicBool,
    numbers: AtomicU64,
}

/// What the clients of one node know of it.
pub struct Target {
    /// Where it answers.
    pub http: SocketAddr,
    /// No requests for now.
    pub hold: AtomicBool,
    /// How often an old copy of its datastore was put back.
    pub restores: AtomicU64,
    /// The most that somebody read of the counter there since.
    pub seen: AtomicU64,
}

impl Shared {
    /// Nothing happened yet.
    pub fn new() -> Self {
        let history = Mutex::new(History::default());
        Self { history, stop: AtomicBool::new(false), numbers: AtomicU64::new(0) }
    }

    /// What happened.
    pub fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An element that nobody had before.
    pub fn element(&self) -> String {
        format!("e{}", self.numbers.fetch_add(1, Ordering::SeqCst))
    }
}

impl Target {
    /// A node at an address.
    pub fn new(http: SocketAddr) -> Self {
        Self { http, hold: AtomicBool::new(false), restores: AtomicU64::new(0), seen: AtomicU64::new(0) }
    }
}

/// Sends a request to a node; none if no good answer came.
pub fn ask(http: SocketAddr, method: &str, path: &str) -> Option<State> {
    let agent: ureq::Agent = ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).build().into();
    let url = format!("http://{http}{path}");
    let answer = match method {
        "GET" => agent.get(&url).call(),
        "POST" => agent.post(&url).send_empty(),
        "PUT" => agent.put(&url).send_empty(),
        _ => agent.delete(&url).call(),
    };
    answer.ok().and_then(|answer| State::read(answer).ok())
}

/// A client at work until it is told to stop.
pub fn work(shared: &Shared, target: &Target, mut random: Random) {
    let mut mine: Vec<String> = Vec::new();
    while !shared.stop.load(Ordering::SeqCst) {
        std::thread::sleep(Duration::from_millis(random.up_to(20)));
        if target.hold.load(Ordering::SeqCst) {
            continue;
        }
        let restores = target.restores.load(Ordering::SeqCst);
        let floor = target.seen.load(Ordering::SeqCst);
        let state = match random.up_to(9) {
            0..=3 => {
                let by = 1 + random.up_to(4);
                shared.history().increment(by);
                let state = ask(target.http, "POST", &format!("/visits?by={by}"));
                if state.is_some() {
                    shared.history().incremented(by);
                }
                state
            }
            4..=7 => {
                let element = shared.element();
                shared.history().add(&element);
                let state = ask(target.http, "PUT", &format!("/languages/{element}"));
                if let Some(state) = &state {
                    let mut history = shared.history();
                    history.added(&element);
                    if !state.languages.contains(&element) {
                        history.wrong.push(format!("{element} is not in the answer to its own addition"));
                    }
                    drop(history);
                    mine.push(element);
                }
                state
            }
            8 => remove(shared, target, &mut mine),
            _ => ask(target.http, "GET", "/"),
        };
        let Some(state) = state else { continue };
        let attempted = shared.history().attempted();
        // A node that went back to an old copy may show less.
        let same = target.restores.load(Ordering::SeqCst) == restores && !target.hold.load(Ordering::SeqCst);
        if same {
            target.seen.fetch_max(state.visits, Ordering::SeqCst);
        }
        if (same && state.visits < floor) || state.visits > attempted {
            let detail =
                format!("{} read {}, it must be from {floor} to {attempted}", target.http, state.visits);
            shared.history().wrong.push(detail);
        }
    }
}

/// Removes an element that the node shows.
fn remove(shared: &Shared, target: &Target, mine: &mut Vec<String>) -> Option<State> {
    let restores = target.restores.load(Ordering::SeqCst);
    let state = ask(target.http, "GET", "/")?;
    let at = mine.iter().position(|element| state.languages.contains(element))?;
    let element = mine.swap_remove(at);
    shared.history().remove(&element, Sure::Perhaps);
    let state = ask(target.http, "DELETE", &format!("/languages/{element}"))?;
    // Who went back to an old copy in between may not have had the element.
    if target.restores.load(Ordering::SeqCst) == restores && !target.hold.load(Ordering::SeqCst) {
        shared.history().remove(&element, Sure::Yes);
    }
    Some(state)
}
