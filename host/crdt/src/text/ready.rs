//! Which items can be placed: those whose neighbours are there.

use std::collections::{BTreeMap, VecDeque};

use super::{
    Clocks, merge,
    state::{Item, ItemId, State},
};

/// A state taken apart by [`State::ready`].
#[derive(Debug, Default)]
pub struct Ready {
    /// What can be placed now, in some order.
    pub now: State,
    /// What waits for something that is in neither.
    pub waiting: State,
    /// How far each client's units are there afterwards.
    pub clocks: Clocks,
}

impl State {
    /// Takes apart what goes beyond a document that has all units below `known`: an item can be placed when its
    /// client's units before it and both its neighbours are there.
    pub fn ready(self, known: &Clocks) -> Ready {
        let mut queues: BTreeMap<u64, VecDeque<Item>> = BTreeMap::new();
        for (client, items) in &self.items {
            let from = known.get(client).copied().unwrap_or(0);
            let new = merge::after(*client, items, from);
            if !new.is_empty() {
                queues.insert(*client, new.into());
            }
        }
        let mut clocks = known.clone();
        let mut now: BTreeMap<u64, Vec<Item>> = BTreeMap::new();
        // Who waits for a client to go on.
        let mut waiters: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut work: Vec<u64> = queues.keys().copied().collect();
        while let Some(client) = work.pop() {
            let Some(queue) = queues.get_mut(&client) else { continue };
            let mut moved = false;
            while let Some(item) = queue.front() {
                let here = clocks.get(&client).copied().unwrap_or(0);
                if item.clock != here {
                    break;
                }
                let missing = [item.origin, item.right].into_iter().flatten().find(|id| !has(&clocks, *id));
                if let Some(id) = missing {
                    // An item that names its own client's later units can never be placed.
                    if id.client != client {
                        waiters.entry(id.client).or_default().push(client);
                    }
                    break;
                }
                clocks.insert(client, item.end());
                now.entry(client).or_default().extend(queue.pop_front());
                moved = true;
            }
            if moved {
                work.extend(waiters.remove(&client).into_iter().flatten());
            }
        }
        let mut out = Ready { clocks, ..Ready::default() };
        out.now.items = now;
        for (client, queue) in queues {
            if !queue.is_empty() {
                out.waiting.items.insert(client, queue.into());
            }
        }
        for (client, ranges) in self.deletes {
            let (below, above) = ranges.split(out.clocks.get(&client).copied().unwrap_or(0));
            if !below.is_empty() {
                out.now.deletes.insert(client, below);
            }
            if !above.is_empty() {
                out.waiting.deletes.insert(client, above);
            }
        }
        out
    }
}

fn has(clocks: &Clocks, id: ItemId) -> bool {
    clocks.get(&id.client).is_some_and(|clock| id.clock < *clock)
}
